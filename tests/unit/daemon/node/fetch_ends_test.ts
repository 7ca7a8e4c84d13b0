import { assertEquals } from "@std/assert";
import { EnvironmentError, FetchFailure } from "../../../../src/base/errors.ts";
import { type FetchEnd, FetchEnds, outcomeOf } from "../../../../src/daemon/node/fetch_ends.ts";

const BROUGHT = {
  bytesLocal: 1,
  bytesPeers: 2,
  bytesMirror: 3,
  bytesMirrors: 5,
  bytesThrownAway: 7,
};

Deno.test("FetchEnds.brought() adds up what ended and what runs", () => {
  const ends = new FetchEnds();
  assertEquals(Object.values(ends.brought([])), [0, 0, 0, 0, 0]);
  ends.brings(BROUGHT);
  ends.brings(BROUGHT);
  assertEquals(Object.values(ends.brought([])), [2, 4, 6, 10, 14]);
  assertEquals(Object.values(ends.brought([BROUGHT, BROUGHT])), [4, 8, 12, 20, 28]);
  assertEquals(Object.values(ends.brought([])), [2, 4, 6, 10, 14], "those that run are not kept");
});

Deno.test("FetchEnds counts each outcome, none left out, and tells of each end", () => {
  const ends = new FetchEnds();
  const heard: FetchEnd[] = [];
  ends.listen((end) => heard.push(end));
  const end = { ...BROUGHT, elapsedMs: 10, firstByteMs: null, outcome: "not_found" } as const;
  ends.ended(end);
  ends.ended({ ...end, outcome: "done" });
  ends.ended(end);
  ends.refused("refused");
  ends.refused("not_allowed");
  ends.refused("not_allowed");
  assertEquals(ends.outcomes, {
    done: 1,
    not_found: 2,
    check_failed: 0,
    timed_out: 0,
    stopped: 0,
    failed: 0,
    refused: 1,
    not_allowed: 2,
  });
  assertEquals(heard.map(({ outcome }) => outcome), ["not_found", "done", "not_found"]);
});

Deno.test("outcomeOf() tells what nobody wanted any more from what failed", () => {
  const outcomes = (error: unknown) =>
    [false, true].map((isStopped) => outcomeOf(error, { isStopped }));
  assertEquals(outcomes(new FetchFailure("notFound", "")), ["not_found", "not_found"]);
  assertEquals(outcomes(new FetchFailure("checkFailed", "")), ["check_failed", "stopped"]);
  assertEquals(outcomes(new FetchFailure("timedOut", "")), ["timed_out", "stopped"]);
  assertEquals(outcomes(new FetchFailure("failed", "")), ["failed", "stopped"]);
  assertEquals(outcomes(new EnvironmentError("no-space", "")), ["failed", "stopped"]);
});
