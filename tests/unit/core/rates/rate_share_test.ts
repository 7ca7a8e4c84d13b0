/** Who of those that share a rate may move how many bytes when, in virtual time. */

import { assert, assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { RateShare, type ShareFlow } from "../../../../src/core/rates/rate_share.ts";

/** One that always wants more, and takes a while to use what it is given. */
interface Greedy {
  readonly peer: string;
  readonly flow: ShareFlow;
  /** How much of a turn it uses; 1: all of it. */
  readonly uses: number;
  bytes: number;
  /** When it waits again; Infinity while it waits. */
  againMs: number;
  longestMs: number;
  askedMs: number;
}

/** Flows that move all they can, for so long; timers go off `lateMs` late at most. */
function run(
  share: RateShare,
  flows: readonly (Omit<Greedy, "flow"> & { readonly busyMs?: number })[],
  options: { readonly seconds: number; readonly lateMs?: number; readonly fromMs?: number },
): Greedy[] {
  const { seconds, lateMs = 0, fromMs = 0 } = options;
  const random = seededRandom(7);
  const greedy: Greedy[] = flows.map((flow) => ({ ...flow, flow: share.open(flow.peer) }));
  const of = new Map(greedy.map((one) => [one.flow, one]));
  for (let nowMs = fromMs; nowMs < fromMs + seconds * 1_000;) {
    for (const one of greedy) {
      if (one.againMs > nowMs) continue;
      one.againMs = Infinity;
      one.askedMs = nowMs;
      share.wait(one.flow);
    }
    for (let turn = share.next(nowMs); turn !== undefined; turn = share.next(nowMs)) {
      const one = of.get(turn.flow)!;
      one.longestMs = Math.max(one.longestMs, nowMs - one.askedMs);
      const used = Math.ceil(turn.bytes * one.uses);
      share.used(turn.flow, used, nowMs);
      one.bytes += used;
      one.againMs = nowMs + 0.1;
    }
    const wakeMs = share.wakeMs + lateMs * random.unit();
    nowMs = Math.max(nowMs + 0.01, Math.min(wakeMs, ...greedy.map(({ againMs }) => againMs)));
  }
  for (const { flow } of greedy) share.close(flow);
  return greedy;
}

function flowOf(peer: string, uses = 1) {
  return { peer, uses, bytes: 0, againMs: 0, longestMs: 0, askedMs: 0 };
}

function sum(flows: readonly { readonly bytes: number }[]): number {
  return flows.reduce((bytes, one) => bytes + one.bytes, 0);
}

for (const mb of [0.01, 1, 10, 100, 1_000]) {
  for (const peers of [1, 20]) {
    Deno.test(`RateShare gives ${mb} MB/s to ${peers} peers within 3 %, each its part`, () => {
      const share = new RateShare(mb * 1e6);
      const flows = Array.from({ length: peers }, (_, i) => flowOf(`${i}`));
      const seconds = mb < 1 ? 100 : 10;
      const got = run(share, flows, { seconds, lateMs: 3 });
      const whole = mb * 1e6 * seconds;
      assert(Math.abs(sum(got) / whole - 1) < 0.03, `${sum(got)} of ${whole}`);
      for (const { bytes } of got) {
        const part = bytes / (whole / peers);
        assert(Math.abs(part - 1) < 0.1, `${bytes} of ${whole / peers}`);
      }
    });
  }
}

Deno.test("RateShare makes up for timers that go off late", () => {
  const share = new RateShare(1e6);
  const got = run(share, [flowOf("a")], { seconds: 10, lateMs: 90 });
  assert(Math.abs(sum(got) / 1e7 - 1) < 0.03, `${sum(got)}`);
});

Deno.test("RateShare lets no peer have more for many flows, or for using its turns up", () => {
  const share = new RateShare(1e6);
  const greedy = Array.from({ length: 50 }, () => flowOf("greedy"));
  const got = run(share, [...greedy, flowOf("plain"), flowOf("crumbs", 0.1)], { seconds: 20 });
  const [plain, crumbs] = got.slice(50);
  const each = 2e7 / 3;
  assert(Math.abs(sum(got.slice(0, 50)) / each - 1) < 0.1, `${sum(got.slice(0, 50))}`);
  assert(Math.abs(plain!.bytes / each - 1) < 0.1, `${plain!.bytes}`);
  assert(Math.abs(crumbs!.bytes / each - 1) < 0.1, `${crumbs!.bytes}`);
});

Deno.test("RateShare has nobody wait for as long as a silent source may", () => {
  const share = new RateShare(1e6);
  const flows = Array.from({ length: 256 }, (_, i) => flowOf(`${i}`));
  const got = run(share, flows, { seconds: 10 });
  const longestMs = Math.max(...got.map((one) => one.longestMs));
  assert(longestMs < limits.snubMs / 2, `${longestMs}`);
});

Deno.test("RateShare saves up no more than a tenth of a second of what nobody used", () => {
  const share = new RateShare(1e6);
  run(share, [flowOf("a")], { seconds: 1 });
  const got = run(share, [flowOf("a")], { seconds: 1, fromMs: 3_600_000 });
  assert(sum(got) < 1.15e6, `${sum(got)}`);
});

Deno.test("RateShare goes on at another rate at once, with what was paid for", () => {
  const share = new RateShare(1_000);
  const flow = share.open("a");
  share.wait(flow);
  share.next(0);
  share.used(flow, 100_000, 0);
  share.wait(flow);
  assert(share.wakeMs > 99_000 - limits.rateIdleCreditMs);
  share.setRate(1e6, 0);
  assert(share.wakeMs <= 100 && share.wakeMs > 0, `${share.wakeMs}`);
});

Deno.test("isHeld() is so while the rate is used up, and not for a source that is slow itself", () => {
  const share = new RateShare(1e6);
  const fast = share.open("fast");
  let nowMs = 0;
  for (; nowMs < 2_000; nowMs++) {
    share.wait(fast);
    const turn = share.next(nowMs);
    if (turn !== undefined) share.used(fast, turn.bytes, nowMs);
  }
  assertEquals(share.isHeld(fast, nowMs), true);
  // From the beginning on: a mirror is called in after less than a tenth of a second.
  const young = new RateShare(1e6);
  const [held, free] = [young.open("held"), young.open("free")];
  for (let ms = 10_000; ms < 10_200; ms++) {
    young.wait(held);
    const turn = young.next(ms);
    if (turn !== undefined) young.used(turn.flow, turn.bytes, ms);
  }
  assertEquals([young.isHeld(held, 10_200), young.isHeld(free, 10_200)], [true, false]);
  assertEquals(share.isHeld(fast, nowMs + 10 * limits.rateHeldMs), false);
  share.close(fast);
  const slow = share.open("slow");
  // Bytes that come in bursts, at a third of the rate.
  for (nowMs = 60_000; nowMs < 64_000; nowMs += 100) {
    share.wait(slow);
    const turn = share.next(nowMs);
    if (turn !== undefined) share.used(slow, 33_000, nowMs);
  }
  assertEquals(share.isHeld(slow, nowMs), false);
});

Deno.test("close() of a flow that waits leaves the others their turns", () => {
  const share = new RateShare(1e6);
  const [one, other] = [share.open("a"), share.open("b")];
  share.wait(one);
  share.wait(other);
  share.close(one);
  assertEquals(share.next(0)?.flow, other);
  assertEquals(share.next(0), undefined);
  assertEquals(share.waiting, 0);
});
