// Files that nobody has: the gateway says so in time, however many are asked for, without a word in
// the log and without anything that stays.

import { assertEquals, assertLess } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { startDaemon } from "../integration/support/daemon.ts";
import { Machine } from "../integration/support/machine.ts";
import { waitUntil } from "../integration/support/wait.ts";

/** `--gateway-wait` as it is by default. */
const WAIT_MS = 600;
/** What a small machine under tests may add to it: scheduling, and asking 2 peers. */
const SLACK_MS = 1_500;
const AT_ONCE = 20;
/** Requests until everything is warm, then those that are measured, and then all at once. */
const WARM = 100;
const MEASURED = 200;
/** Twice. */
const BURST = 150;
/** What may stay of all of them. */
const GROWN_BYTES_MAX = 20e6;

/** One answer. */
interface Miss {
  readonly status: number;
  readonly bodyBytes: number;
  readonly tookMs: number;
}

Deno.test("gateway answers 600 requests for what nobody has in time and leaves nothing", async () => {
  await using one = await startDaemon();
  await using two = await startDaemon({ peers: [one.node] });
  await using machine = await Machine.start({
    peers: [one.node, two.node],
    logLevel: "info",
  });
  const { daemon } = machine;
  await daemon.linked(2);
  // A client of its own, so that no connection outlives the test.
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: AT_ONCE });
  const ask = async (name: string): Promise<Miss> => {
    const beginMs = performance.now();
    const response = await fetch(`${machine.url}/core/os/x86_64/${name}`, { client });
    const { byteLength } = await response.arrayBuffer();
    return {
      status: response.status,
      bodyBytes: byteLength,
      tookMs: performance.now() - beginMs,
    };
  };
  const rounds = async (round: number, count: number) => {
    const misses: Miss[] = [];
    let next = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (next < count) {
        const index = next++;
        const suffix = index % 4 === 3 ? ".sig" : "";
        misses.push(await ask(`nobody-${round}-${index}-1-any.pkg.tar.zst${suffix}`));
      }
    }));
    return misses;
  };
  /** More than may be searched for at once wait for their turn. */
  const hold = (misses: readonly Miss[], turnMs = 0) => {
    const times = misses.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
    const [median = 0, worst = 0] = [times[times.length >> 1], times.at(-1)];
    console.log(
      `${misses.length} misses: median ${Math.round(median)}, worst ${Math.round(worst)} ms`,
    );
    assertEquals(misses.filter(({ status }) => status !== 404), []);
    assertEquals(misses.filter(({ bodyBytes }) => bodyBytes > 0), []);
    assertLess(worst, WAIT_MS + SLACK_MS + turnMs);
  };

  hold(await rounds(0, WARM));
  const warmBytes = await residentBytes(daemon.process.pid);
  const linesBefore = daemon.log.length;
  hold(await rounds(1, MEASURED));
  for (const burst of [1, 2]) {
    const names = Array.from({ length: BURST }, (_, i) => `burst${burst}-${i}-1-1-any.pkg.tar.zst`);
    hold(await Promise.all(names.map(ask)), BURST / limits.gatewaySearchesPerSecondMax * 1_000);
  }
  await waitUntil(async () => {
    const grown = await residentBytes(daemon.process.pid) - warmBytes;
    assertLess(grown, GROWN_BYTES_MAX, `it grew by ${grown} bytes, from ${warmBytes}`);
    return true;
  }, { what: "the memory to come back" });
  // That there is a link is told a moment after it counts.
  const said = daemon.log.slice(linesBefore).filter((line) => !line.includes("linked"));
  assertEquals(said, [], "the log says nothing of it");
  assertEquals((await daemon.list()).length, 0);
  assertEquals((await daemon.status()).transfers, []);

  // A client that asks for nothing of the sort, or with nobody there at all, does not wait.
  assertEquals((await ask("core.db")).status, 404);
  await one.stop();
  await two.stop();
  await daemon.linked(0);
  const alone = await ask("alone-1-1-any.pkg.tar.zst");
  assertEquals(alone.status, 404);
  assertLess(alone.tookMs, WAIT_MS, "nobody can be asked, so nothing is waited for");
});

/** Memory that a process really has. */
async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
}
