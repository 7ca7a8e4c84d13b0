import { assertEquals } from "@std/assert";
import { systemClock } from "../../../../src/base/clock.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { OpenSearches } from "../../../../src/daemon/fetch/open_searches.ts";
import type { Searcher } from "../../../../src/daemon/discovery/searches.ts";

/** A search whose host notes what is begun and ended, by number. */
function noted() {
  const events: string[] = [];
  let begun = 0;
  const begin = (what: string) => {
    const id = `${what} ${++begun}`;
    events.push(`begin ${id}`);
    return () => void events.push(`end ${id}`);
  };
  const searcher: Searcher = {
    offered: () => ({ kind: "enough" }),
    hit: () => {},
    listed: () => {},
  };
  const search = new OpenSearches(
    {
      clock: systemClock,
      log: silentLogger,
      search: () => begin("flood"),
      directories: { findHolders: () => begin("question") },
      dialHolder: () => Promise.resolve(),
    },
    { by: "name", value: "x" },
    searcher,
  );
  return { search, events };
}

Deno.test("OpenSearches leaves two queries open, one question, and none after its end", () => {
  const { search, events } = noted();
  for (let flood = 0; flood < 3; flood++) search.flood();
  for (let question = 0; question < 2; question++) search.askDirectories();
  search.end();
  assertEquals(events.filter((event) => event.startsWith("end")), [
    "end flood 1",
    "end question 4",
    "end flood 2",
    "end flood 3",
    "end question 5",
  ]);
});
