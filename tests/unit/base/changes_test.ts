import { assertEquals } from "@std/assert";
import { Changes } from "../../../src/base/changes.ts";
import { ManualClock } from "../../support/manual_clock.ts";

Deno.test("Changes.tell() calls back all who listen, until they end it", () => {
  const changes = new Changes();
  const told: string[] = [];
  const end = changes.listen(() => told.push("a"));
  changes.listen(() => told.push("b"));
  changes.tell();
  end();
  changes.tell();
  changes.clear();
  changes.tell();
  assertEquals(told, ["a", "b", "b"]);
});

Deno.test("Changes.next() resolves at a change, in time, or when it is aborted", async () => {
  const clock = new ManualClock();
  const changes = new Changes();
  const stopping = new AbortController();
  const ended: string[] = [];
  const wait = (name: string, waitMs: number, signal?: AbortSignal) =>
    changes.next(clock, signal === undefined ? { waitMs } : { waitMs, signal })
      .then(() => ended.push(name));
  wait("late", 100);
  wait("stopped", 1_000, stopping.signal);
  await clock.advance(99);
  assertEquals(ended, []);
  await clock.advance(1);
  assertEquals(ended, ["late"]);
  stopping.abort();
  await clock.advance(0);
  assertEquals(ended, ["late", "stopped"]);
  wait("never", Infinity);
  changes.tell();
  await clock.advance(0);
  assertEquals(ended, ["late", "stopped", "never"]);
  await changes.next(clock, { waitMs: 1_000, signal: stopping.signal });
});
