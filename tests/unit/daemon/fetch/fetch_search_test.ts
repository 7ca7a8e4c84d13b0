import { assertEquals } from "@std/assert";
import { FetchSearch } from "../../../../src/daemon/fetch/fetch_search.ts";
import type { Searcher } from "../../../../src/daemon/discovery/searches.ts";

const BOTH = { fromFlood: true, fromDirectories: true };

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
  const search = new FetchSearch(
    { search: () => begin("flood"), directories: { findHolders: () => begin("question") } },
    { by: "name", value: "x" },
    searcher,
  );
  return { search, events };
}

Deno.test("FetchSearch.tick() floods every 5 s and asks the directories every second", () => {
  const { search, events } = noted();
  search.start(0);
  for (let nowMs = 250; nowMs <= 5_250; nowMs += 250) search.tick(nowMs, BOTH);
  assertEquals(events.filter((event) => event.startsWith("begin flood")).length, 2);
  assertEquals(events.filter((event) => event.startsWith("begin question")).length, 4);
  assertEquals(search.queries, 2);
});

Deno.test("FetchSearch.tick() asks only where more holders are wanted from", () => {
  const { search, events } = noted();
  search.start(0);
  search.tick(9_000, { fromFlood: false, fromDirectories: false });
  assertEquals(events, ["begin flood 1"]);
  search.tick(9_000, { fromFlood: false, fromDirectories: true });
  assertEquals(events, ["begin flood 1", "begin question 2"]);
});

Deno.test("FetchSearch.startInNeed() floods at most once a second", () => {
  const { search } = noted();
  search.start(0);
  search.startInNeed(999);
  assertEquals(search.queries, 1);
  search.startInNeed(1_000);
  assertEquals(search.queries, 2);
});

Deno.test("FetchSearch leaves two queries open, one question, and none after its end", () => {
  const { search, events } = noted();
  for (const nowMs of [0, 6_000, 12_000]) search.start(nowMs);
  for (const nowMs of [14_000, 16_000]) {
    search.tick(nowMs, { fromFlood: false, fromDirectories: true });
  }
  search.end();
  assertEquals(events.filter((event) => event.startsWith("end")), [
    "end flood 1",
    "end question 4",
    "end flood 2",
    "end flood 3",
    "end question 5",
  ]);
});
