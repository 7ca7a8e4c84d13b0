/** The dials to fellows that others told of; who answers is up to the test. */

import { assertEquals } from "@std/assert";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { RefusedError } from "../../../../src/net/handshake.ts";
import { FellowDials } from "../../../../src/daemon/crowd/fellow_dials.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const { fellowDialsMax, fellowRedialMs } = limits;

/** Dials of two files, "a" and "b"; each ends when the test says so. */
class Dials {
  readonly clock = new ManualClock();
  readonly dials: FellowDials<string>;
  readonly unwanted = new Set<string>();
  /** File and port of each that was dialled. */
  readonly dialled: string[] = [];
  readonly #ends: PromiseWithResolvers<void>[] = [];

  constructor() {
    this.dials = new FellowDials({
      clock: this.clock,
      log: silentLogger,
      isWanted: (_flight, { nodeId }) => !this.unwanted.has(nodeId),
      reach: (flight, { port }) => {
        this.dialled.push(`${flight}${port}`);
        const end = Promise.withResolvers<void>();
        this.#ends.push(end);
        return end.promise;
      },
    });
  }

  add(flight: string, ...ports: readonly number[]): void {
    for (const port of ports) {
      const address = { host: "192.0.2.1", port };
      this.dials.add(flight, { nodeId: String(port) as NodeId, address });
    }
  }

  /** Ends the one of those under way that began first; it came to nothing: by default, it refused. */
  async fail(error: Error = new RefusedError("busy")): Promise<void> {
    this.#ends.shift()?.reject(error);
    await this.clock.advance(0);
  }
}

Deno.test("FellowDials.add() dials a few at a time, and the rest one after another", async () => {
  const lab = new Dials();
  const all = Array.from({ length: fellowDialsMax + 2 }, (_, i) => i + 1);
  lab.add("a", ...all);
  assertEquals(lab.dialled, all.slice(0, fellowDialsMax).map((port) => `a${port}`));
  await lab.fail();
  assertEquals(lab.dialled.length, fellowDialsMax + 1);
  while (lab.dials.isUnderWay("a")) await lab.fail();
  assertEquals(lab.dialled, all.map((port) => `a${port}`));
});

Deno.test("FellowDials.add() lets files take turns, though one has many addresses", async () => {
  const lab = new Dials();
  lab.add("a", 1, 2, 3, 4, 5, 6, 7, 8);
  lab.add("b", 1, 2);
  for (let i = 0; i < 4; i++) await lab.fail();
  assertEquals(lab.dialled.slice(fellowDialsMax), ["a5", "b1", "a6", "b2"]);
});

Deno.test("FellowDials.add() leaves an address alone at which no node was, whatever the file", async () => {
  const lab = new Dials();
  lab.add("a", 1);
  await lab.fail(new Error("nobody answers"));
  lab.add("b", 1);
  assertEquals(lab.dialled, ["a1"]);
  await lab.clock.advance(limits.fellowNowhereMs);
  lab.add("b", 1);
  assertEquals(lab.dialled, ["a1", "b1"]);
});

Deno.test("FellowDials.add() dials no more than so many addresses for one file", async () => {
  const lab = new Dials();
  for (let port = 1; port <= limits.fellowDialsPerFlightMax + 2; port++) {
    lab.add("a", port);
    await lab.fail();
  }
  assertEquals(lab.dialled.length, limits.fellowDialsPerFlightMax);
});

Deno.test("FellowDials.add() dials an address again only after a time, and for another file", async () => {
  const lab = new Dials();
  lab.add("a", 1, 1);
  await lab.fail();
  lab.add("a", 1);
  lab.add("b", 1);
  assertEquals(lab.dialled, ["a1", "b1"]);
  await lab.fail();
  await lab.clock.advance(fellowRedialMs);
  lab.add("a", 1);
  assertEquals(lab.dialled, ["a1", "b1", "a1"]);
});

Deno.test("FellowDials passes over those that are not wanted when their turn comes", async () => {
  const lab = new Dials();
  lab.add("a", 1, 2, 3, 4, 5, 6);
  lab.unwanted.add("5");
  await lab.fail();
  assertEquals(lab.dialled.at(-1), "a6");
  // It was not dialled, so it may be as soon as it is of use.
  lab.unwanted.clear();
  await lab.fail();
  lab.add("a", 5);
  assertEquals(lab.dialled.at(-1), "a5");
});

Deno.test("FellowDials.add() takes no more than so many, whoever names them", async () => {
  const lab = new Dials();
  const max = limits.fellowDialsWaitingMax;
  lab.add("a", ...Array.from({ length: max + fellowDialsMax + 50 }, (_, i) => i + 1));
  while (lab.dials.isUnderWay("a")) await lab.fail();
  assertEquals(lab.dialled.length, max + fellowDialsMax);
});

Deno.test("FellowDials.drop() forgets what waits for a file", async () => {
  const lab = new Dials();
  lab.add("a", 1, 2, 3, 4, 5, 6);
  lab.dials.drop("a");
  assertEquals(lab.dials.isUnderWay("a"), false);
  await lab.fail();
  assertEquals(lab.dialled.length, fellowDialsMax);
});
