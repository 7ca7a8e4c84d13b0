import { assertEquals } from "@std/assert";
import { systemClock } from "../../../../src/base/clock.ts";
import { limits } from "../../../../src/base/limits.ts";
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
    const noting = (what: string) => () => void events.push(`${what} ${id}`);
    return { outcome: null, isThrough: false, retire: noting("retire"), end: noting("end") };
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
      dialProblem: String,
      askRelays: () => Promise.resolve(),
    },
    { by: "name", value: "x" },
    { searcher, notReached: () => {}, relayAnswered: () => {} },
  );
  return { search, events };
}

Deno.test("OpenSearches lets two queries go on, hears some more, and none after its end", () => {
  const { search, events } = noted();
  const of = (what: string) => events.filter((event) => event.startsWith(what));
  for (let flood = 0; flood <= limits.queriesHeard; flood++) search.flood();
  for (let question = 0; question < 2; question++) search.askDirectories();
  const numbers = Array.from({ length: limits.queriesHeard + 1 }, (_, i) => i + 1);
  assertEquals(of("retire"), numbers.slice(0, -2).map((number) => `retire flood ${number}`));
  assertEquals(of("end"), ["end flood 1", `end question ${numbers.length + 1}`]);
  search.end();
  assertEquals(of("end").slice(2), [
    ...numbers.slice(1).map((number) => `end flood ${number}`),
    `end question ${numbers.length + 2}`,
  ]);
});
