// How soon the gateway says that nobody has a file: as soon as all nodes have said so.

import { assertEquals, assertLess } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { network, type Topology } from "../integration/support/network.ts";

/** Requests one after the other, not faster than may be searched. */
const SINGLES = 40;
const PAUSE_MS = 1_000 / limits.gatewaySearchesPerSecondMax;
/** As pacman asks for the packages of a big update. */
const PACKAGES = 200;
const AT_ONCE = 5;
const PACKAGES_MS_MAX = 3_000;

const SHAPES: readonly { topology: Topology; daemons: number; medianMsMax: number }[] = [
  { topology: "ring", daemons: 10, medianMsMax: 20 },
  { topology: "line", daemons: 7, medianMsMax: 60 },
];

for (const { topology, daemons, medianMsMax } of SHAPES) {
  Deno.test(`gateway knows in milliseconds that nobody has a file in a ${topology} of ${daemons}`, async () => {
    await using shape = await network(topology, daemons, {
      each: (index) => ({
        logLevel: "info",
        args: index === daemons - 1 ? ["--gateway", "127.0.0.1:0"] : [],
      }),
    });
    const { gateway } = shape.daemons.at(-1)!;
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: AT_ONCE });
    const ask = async (name: string) => {
      const beganMs = performance.now();
      const url = `http://${gateway}/core/os/x86_64/${name}-1-1-any.pkg.tar.zst`;
      const response = await fetch(url, { client });
      await response.body?.cancel();
      assertEquals(response.status, 404);
      return performance.now() - beganMs;
    };
    const asked = async (what: string, count: number) => {
      const times: number[] = [];
      for (let i = 0; i < count; i++) {
        times.push(await ask(`${what}-${i}`));
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
      return times.sort((a, b) => a - b);
    };
    await asked("warm", SINGLES);
    const times = await asked("one", SINGLES);
    const median = times[times.length >> 1]!;
    const beganMs = performance.now();
    let next = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (next < PACKAGES) await ask(`many-${next++}`);
    }));
    const allMs = performance.now() - beganMs;
    console.log(
      `median ${median.toFixed(1)} ms, worst ${times.at(-1)!.toFixed(1)} ms; ` +
        `${PACKAGES} in ${Math.round(allMs)} ms`,
    );
    assertLess(median, medianMsMax);
    assertLess(allMs, PACKAGES_MS_MAX);
  });
}
