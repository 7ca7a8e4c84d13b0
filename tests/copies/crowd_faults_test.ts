// A crowd in which machines die, stop, cannot see each other, or lie: the others get the right bytes,
// and the mirror gives little more than it would have.

import { assert, assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import { seededRandom } from "../../src/base/random.ts";
import { Relay } from "../integration/support/relay.ts";
import { holdFile, RawHolder } from "../integration/support/raw_holder.ts";
import {
  assertCopies,
  assertRight,
  assertSoon,
  startCrowd,
} from "../integration/support/test_crowd.ts";
import { waitUntil } from "../integration/support/wait.ts";

const MB = 1_000_000;
const FILE_BYTES = 16 * MB;
const LINE_BYTES_PER_SECOND = 12 * MB;
const ALONE_MS = 1_000 * FILE_BYTES / LINE_BYTES_PER_SECOND;
/** What a machine that says nothing may cost those who wait for its part. */
const STALL_MS = 3_000;
/** With that, and more than the line takes, for machines with little to spare. */
const SOON_MS = 2 * ALONE_MS + STALL_MS;
const LINE = { bytesPerSecond: LINE_BYTES_PER_SECOND };

/** How often a machine is killed; ten times by `CROWD_KILLS=10`, at the moments of `CROWD_SEED`. */
const KILLS = Number(Deno.env.get("CROWD_KILLS") ?? 2);
const SEED = Number(Deno.env.get("CROWD_SEED") ?? Date.now() % 1_000_000);
/** Many times as long as it takes on a machine that does nothing else. */
const LATE_MS = 30_000;

Deno.test("gateways get a file once when the machine that gets most is killed, or stopped", async (t) => {
  const random = seededRandom(SEED);
  const shares = Array.from({ length: KILLS }, () => 0.02 + 0.95 * random.unit());
  const sizes = [...shares, "stopped"].map(() => FILE_BYTES);
  await using running = await startCrowd({ sizes, ...LINE });
  const { crowd } = running;
  for (const [file, share] of shares.entries()) {
    await t.step(`killed after ${share.toFixed(3)} of one copy, seed ${SEED}`, async () => {
      const rush = crowd.rush(crowd.everybody(file));
      await crowd.mirror.gave(crowd.patternOf(file), share * FILE_BYTES);
      const busiest = await crowd.busiest();
      crowd.signal(busiest, "SIGKILL");
      const report = await rush;
      assertRight(report, [busiest]);
      assertCopies(report, 1.2);
      assertSoon(report, LATE_MS, [busiest]);
      await crowd.restart(busiest);
    });
  }
  await t.step("stopped: they wait no longer than 3 s for its part", async () => {
    const rush = crowd.rush(crowd.everybody(KILLS));
    await crowd.mirror.gave(crowd.patternOf(KILLS), 0.3 * FILE_BYTES);
    const busiest = await crowd.busiest();
    crowd.signal(busiest, "SIGSTOP");
    const letGo = setTimeout(() => crowd.signal(busiest, "SIGCONT"), SOON_MS);
    const report = await rush;
    clearTimeout(letGo);
    assertRight(report);
    assertSoon(report, SOON_MS, [busiest]);
    assertCopies(report, 1.2);
  });
});

Deno.test("gateways get a file once a group while two groups cannot see each other", async (t) => {
  const relays: Relay[] = [];
  await using cleanup = new AsyncDisposableStack();
  await using running = await startCrowd({
    machines: 6,
    sizes: [FILE_BYTES, FILE_BYTES, FILE_BYTES],
    // Three and three; the fourth knows of the first three through a relay alone.
    peersOf: (index) => index < 3 ? from(0, index) : from(3, index),
    linksMin: 2,
    ...LINE,
    each: (index, before) => {
      if (index !== 3) return {};
      const relay = cleanup.use(new Relay(before[0]!.node, { isOpen: false }));
      relays.push(relay);
      return { peers: [relay.address] };
    },
  });
  const { crowd } = running;
  await t.step("cut", async () => {
    const report = await crowd.rush(crowd.everybody(0));
    assertRight(report);
    assertCopies(report, 2.1);
  });
  await t.step("healed in the middle", async () => {
    const rush = crowd.rush(crowd.everybody(1));
    await crowd.mirror.gave(crowd.patternOf(1), 0.2 * FILE_BYTES);
    relays[0]!.mend();
    const report = await rush;
    assertRight(report);
    assertCopies(report, 2.1);
  });
  await t.step("whole again", async () => {
    await waitUntil(async () => (await crowd.linksOf(3)) >= 3, { what: "a link to the others" });
    const report = await crowd.rush(crowd.everybody(2));
    assertRight(report);
    assertCopies(report, 1.05);
  });
});

Deno.test("gateways get the right file when a neighbour has another of its name and size", async () => {
  await using running = await startCrowd({ machines: 4, sizes: [FILE_BYTES], ...LINE });
  const { crowd } = running;
  const { name, path } = crowd.packages.all[0]!;
  const wrong = await Deno.readFile(path);
  for (let at = CHUNK_BYTES; at < wrong.length; at += 40 * CHUNK_BYTES) wrong[at]! ^= 0x55;
  const file = holdFile(name, wrong);
  await using cleanup = new AsyncDisposableStack();
  for (const daemon of crowd.daemons.slice(0, 2)) {
    const node = { network: crowd.network };
    cleanup.use(await RawHolder.start(daemon.node, file, { node }));
  }
  const report = await crowd.rush(crowd.everybody(0));
  assertRight(report);
  assertCopies(report, 2);
  assert(report.copies > 0.9);
  assertEquals(report.outcomes.length, 4);
});

/** The machines from one on, up to another. */
function from(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}
