/** Rates that follow the settings, the clock on the wall and the networks of the machine. */

import { assert, assertEquals } from "@std/assert";
import { networkAround, type OwnNetwork, parsePlain } from "../../../../src/base/address.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import type { Pace } from "../../../../src/base/rates/pace.ts";
import {
  NO_RATES,
  type RateKind,
  type RateSettings,
} from "../../../../src/base/rates/rate_settings.ts";
import { RateLimiter } from "../../../../src/daemon/rates/rate_limiter.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const FAR = "203.0.113.5";
const LAN: OwnNetwork = {
  address: parsePlain("192.168.1.2")!,
  prefixBits: 24,
  hasHardware: true,
};

function settings(upload: number | null, more: Partial<RateSettings> = {}): RateSettings {
  return { ...NO_RATES, rates: { ...NO_RATES.rates, upload }, ...more };
}

function scene(given: RateSettings, networks: readonly OwnNetwork[] = [LAN]) {
  const clock = new ManualClock();
  const own = { networks };
  const limiter = new RateLimiter({
    clock,
    log: silentLogger,
    ownNetworks: () => own.networks,
  });
  limiter.apply(given);
  const flow = (host: string, kind: RateKind = "upload") =>
    limiter.flow(kind, { host, peer: host });
  return { clock, limiter, flow, own };
}

/** How many bytes a flow may move in so many seconds. */
async function moved(clock: ManualClock, pace: Pace, seconds: number): Promise<number> {
  let bytes = 0;
  let isOver = false;
  const moving = (async () => {
    while (!isOver) {
      const turn = await pace.turn();
      if (turn === Infinity) return;
      pace.used(turn);
      bytes += turn;
    }
  })();
  for (let ms = 0; ms < seconds * 1_000; ms += 5) {
    await clock.advance(5);
  }
  isOver = true;
  pace.close();
  await moving;
  return bytes;
}

Deno.test("RateLimiter limits nothing without rates, nor in the LAN", () => {
  const free = scene(NO_RATES);
  assertEquals([free.flow(FAR).isLimited, free.flow("192.168.1.9").isLimited], [false, false]);
  const { flow } = scene(settings(1e6));
  assertEquals([flow(FAR).isLimited, flow("192.168.1.9").isLimited], [true, false]);
  assertEquals(flow(FAR, "download").isLimited, false);
  assertEquals([flow("127.0.0.1").isLimited, flow("::1").isLimited], [false, false]);
});

Deno.test("RateLimiter gives a flow its rate", async () => {
  const { clock, flow } = scene(settings(1e6));
  const bytes = await moved(clock, flow(FAR), 4);
  assert(Math.abs(bytes / 4e6 - 1) < 0.05, `${bytes}`);
});

Deno.test("RateLimiter has what waits go on when the limit is gone, and wait when it comes", async () => {
  const { limiter, flow } = scene(settings(1_000));
  const pace = flow(FAR);
  pace.used(await pace.turn());
  pace.used(10_000);
  const turn = pace.turn();
  assert(pace.isWaiting);
  limiter.apply(NO_RATES);
  assertEquals([await turn, pace.isLimited, pace.isWaiting], [Infinity, false, false]);
  limiter.apply(settings(2e6));
  assertEquals([pace.isLimited, pace.bytesPerSecond], [true, 2e6]);
});

Deno.test("RateLimiter has a flow that is closed wait for nothing", async () => {
  const { flow } = scene(settings(1_000));
  const pace = flow(FAR);
  pace.used(await pace.turn());
  pace.used(10_000);
  const turn = pace.turn();
  pace.close();
  assertEquals(await turn, Infinity);
  assertEquals(await pace.turn(), Infinity);
});

Deno.test("RateLimiter gives a network with a rate of its own that rate, for each kind", () => {
  const network = networkAround(parsePlain("10.0.0.0")!, 8);
  const { flow } = scene(settings(1e6, { networks: [{ network, text: "10.0.0.0/8", rule: 5e6 }] }));
  const kinds: RateKind[] = ["upload", "download", "mirror"];
  assertEquals(kinds.map((kind) => flow("10.1.2.3", kind).bytesPerSecond), [5e6, 5e6, 5e6]);
  assertEquals(kinds.map((kind) => flow(FAR, kind).bytesPerSecond), [1e6, null, null]);
});

Deno.test("RateLimiter follows its schedule by the clock on the wall", async () => {
  const day = (clock: ManualClock) => new Date(clock.unixMs());
  const { clock, limiter, flow } = scene(NO_RATES);
  const now = day(clock);
  const minute = (now.getHours() * 60 + now.getMinutes() + 2) % 1_440;
  const part = {
    days: [0, 1, 2, 3, 4, 5, 6],
    fromMinute: minute,
    toMinute: (minute + 1) % 1_440,
    rates: { upload: 1e5 },
    text: "soon",
  };
  limiter.apply(settings(null, { schedule: [part] }));
  const pace = flow(FAR);
  const seen: (number | null)[] = [];
  for (let i = 0; i < 5 * 4; i++) {
    limiter.tick(clock.nowMs());
    if (seen.at(-1) !== pace.bytesPerSecond || seen.length === 0) seen.push(pace.bytesPerSecond);
    await clock.advance(15_000);
  }
  assertEquals(seen, [null, 1e5, null]);
  assertEquals(limiter.report().schedule, null);
});

Deno.test("RateLimiter sees that the machine is in another network", async () => {
  const { clock, limiter, flow, own } = scene(settings(1e6));
  const pace = flow("192.168.1.9");
  assertEquals(pace.isLimited, false);
  own.networks = [{ ...LAN, address: parsePlain("198.51.100.7")! }];
  await clock.advance(limits.ownNetworksMs);
  limiter.tick(clock.nowMs());
  assertEquals(pace.isLimited, true);
});
