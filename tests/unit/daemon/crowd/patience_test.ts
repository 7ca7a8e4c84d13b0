/** Whether a fellow gives what it is asked for. */

import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { Patience } from "../../../../src/daemon/crowd/patience.ts";

const LEAST = 100_000;
const GIVE_MS = limits.fellowGiveMs;

/** What it is found to do at each look, 250 ms apart, given what it gave in between. */
function looks(
  patience: Patience,
  each: readonly { readonly gave: number; readonly inflight: number }[],
  startMs = 0,
): boolean[] {
  let bytesGood = 0;
  return each.map(({ gave, inflight }, i) => {
    bytesGood += gave;
    patience.look({ bytesGood, inflight }, { leastPerSecond: LEAST, nowMs: startMs + 250 * i });
    return patience.isWithholding;
  });
}

function repeated<T>(value: T, times: number): T[] {
  return Array.from({ length: times }, () => value);
}

Deno.test("Patience waits for one that gives enough, or is asked for nothing, for ever", () => {
  const enough = { gave: LEAST / 4 + 1, inflight: 1 };
  const idle = { gave: 0, inflight: 0 };
  for (const look of [enough, idle]) {
    assertEquals(looks(new Patience(), repeated(look, 100)).includes(true), false);
  }
});

Deno.test("Patience ends with one that gives nothing, or in crumbs", () => {
  for (const gave of [0, LEAST / 8]) {
    const found = looks(new Patience(), [
      { gave: 0, inflight: 0 },
      ...repeated({ gave, inflight: 1 }, 20),
    ]);
    assertEquals(found.indexOf(true), GIVE_MS / 250);
  }
});

Deno.test("Patience does not end while this node itself looks too late", () => {
  const patience = new Patience();
  const lateMs = limits.overlayTickMs + limits.fellowLookLateMs + 1;
  const look = (nowMs: number) => {
    patience.look({ bytesGood: 0, inflight: 1 }, { leastPerSecond: LEAST, nowMs });
    return patience.isWithholding;
  };
  for (let i = 0; i < 20; i++) assertEquals(look(i * lateMs), false, `look ${i}`);
  const sinceMs = 19 * lateMs;
  const onTime = Array.from({ length: GIVE_MS / 250 }, (_, i) => look(sinceMs + 250 * (i + 1)));
  assertEquals(onTime.indexOf(true), GIVE_MS / 250 - 1);
});

Deno.test("Patience begins again with one that gave all that it was asked for, or much", () => {
  const withheld = [{ gave: 0, inflight: 0 }, ...repeated({ gave: 0, inflight: 1 }, 9)];
  for (
    const { next, isOn } of [
      { next: { gave: 16_384, inflight: 1 }, isOn: true },
      { next: { gave: 16_384, inflight: 0 }, isOn: false },
      { next: { gave: limits.fellowBackBytes, inflight: 1 }, isOn: false },
      { next: { gave: 0, inflight: 0 }, isOn: true },
    ]
  ) {
    assertEquals(looks(new Patience(), [...withheld, next]).at(-1), isOn, JSON.stringify(next));
  }
});

Deno.test("Patience is over with one that lets others wait too often", () => {
  const patience = new Patience();
  const once = [
    { gave: 0, inflight: 0 },
    ...repeated({ gave: 0, inflight: 1 }, 9),
    { gave: 16_384, inflight: 0 },
  ];
  const times = repeated(once, limits.fellowWithholdsMax - 1).flat();
  looks(patience, times);
  assertEquals(patience.isOver, false);
  looks(patience, once, 250 * times.length);
  assertEquals(patience.isOver, true);
});

Deno.test("Patience blames nobody for what this node itself holds back", () => {
  const patience = new Patience();
  const pace = (nowMs: number) => ({ leastPerSecond: LEAST, nowMs });
  patience.look({ bytesGood: 0, inflight: 1 }, pace(0));
  for (let nowMs = 250; nowMs <= 20 * GIVE_MS; nowMs += 250) {
    patience.excuse({ bytesGood: 0, inflight: 1 }, nowMs);
  }
  assertEquals(patience.isWithholding, false);
  for (let nowMs = 20 * GIVE_MS + 250; nowMs < 21 * GIVE_MS; nowMs += 250) {
    patience.look({ bytesGood: 0, inflight: 1 }, pace(nowMs));
    assertEquals(patience.isWithholding, false);
  }
  patience.look({ bytesGood: 0, inflight: 1 }, pace(21 * GIVE_MS));
  assertEquals(patience.isWithholding, true);
});
