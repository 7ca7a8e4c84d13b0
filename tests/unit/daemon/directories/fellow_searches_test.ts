/** A node that asks directories who has the same file in flight; the directories are the test's. */

import { assert, assertEquals } from "@std/assert";
import type { HostPort } from "../../../../src/base/address.ts";
import { type FlightId, newNodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import { Directories } from "../../../../src/daemon/directories/directories.ts";
import type { FellowsAnswer } from "../../../../src/daemon/directories/fellow_searches.ts";
import type { NodeContext } from "../../../../src/daemon/discovery/node_context.ts";
import { OldVersions } from "../../../../src/net/version_fallback.ts";
import type { Message, MessageOf } from "../../../../src/wire/messages.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import {
  denied,
  listed,
  type Script,
  ScriptedDirectory,
} from "../../../support/scripted_directory.ts";
import { testContext } from "../../../support/test_node.ts";
import { openStore, TempDir } from "../../store/store_fixture.ts";

const FILE = { flight: "f1".repeat(32) as FlightId, sizeBytes: 300_000 };
const LOAD = { uploads: 0, uploadsMax: 32, bytesPerSecond: 0, acceptBytes: 0 };
const BOB = { nodeId: newNodeId(systemRandom), host: "192.0.2.7", port: 8_048 };

type Named = MessageOf<"flight-fellows">["fellows"];

/** A node with directories that are not started, and a clock that the test advances. */
class Asking implements AsyncDisposable {
  readonly transport = new MemoryTransport();
  readonly clock = new ManualClock();
  readonly context: NodeContext;
  readonly answers: FellowsAnswer[] = [];
  #directories: Directories | undefined;
  readonly #dir: TempDir;

  private constructor(dir: TempDir, store: NodeContext["store"]) {
    this.#dir = dir;
    this.context = testContext({ store, clock: this.clock, transport: this.transport });
  }

  static async open(): Promise<Asking> {
    const dir = new TempDir();
    return new Asking(dir, (await openStore(dir.path)).store);
  }

  /** Directories at these addresses, to which the node belongs from now on. */
  start(...addresses: readonly HostPort[]): Directories {
    const oldVersions = new OldVersions();
    const options = { addresses, load: () => LOAD, oldVersions };
    const directories = this.#directories = new Directories(this.context, options);
    directories.start();
    return directories;
  }

  /** Begins a search; its answers are kept. */
  search() {
    return this.#directories!.findFellows(FILE, (answer) => this.answers.push(answer));
  }

  /** Lets time pass, as a node does. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.nowMs() + ms;
    while (this.clock.nowMs() < endMs) {
      this.#directories!.tick(this.clock.nowMs());
      await this.clock.advance(Math.min(limits.overlayTickMs, endMs - this.clock.nowMs()));
    }
  }

  /** Lets time pass until it is so; says how much. */
  async passUntil(isSo: () => boolean): Promise<number> {
    const sinceMs = this.clock.nowMs();
    for (let turns = 0; !isSo(); turns++) {
      assert(turns < 1_000, "waited in vain");
      await this.pass(limits.overlayTickMs);
    }
    return this.clock.nowMs() - sinceMs;
  }

  /** Lets the event loop go on, without time, until it is so. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    for (let turns = 0; !isSo(); turns++) {
      assert(turns < 1_000, `waited in vain for ${what}`);
      await this.clock.advance(0);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.#directories?.stop();
    await this.clock.advance(limits.directoryLeaveMs);
    await stopped;
    await this.context.store.close();
    this.#dir[Symbol.dispose]();
  }
}

/** A directory that takes batches, and names these fellows. */
function directoryOf(
  asking: Asking,
  fellows: Named,
  options: Pick<Script, "versions"> & { readonly denies?: boolean } = {},
): ScriptedDirectory {
  const { denies = false, ...script } = options;
  const answer = (heard: readonly Message[]): Message[] => {
    const { instance } = directory;
    switch (heard.at(-1)!.kind) {
      case "batch-end":
      case "leave":
        return [listed(instance)];
      case "flight-lease":
        if (denies) return [denied(instance, "queries-per-second")];
        return [{ kind: "flight-fellows", instance, count: fellows.length, fellows }];
      default:
        return [];
    }
  };
  const directory: ScriptedDirectory = new ScriptedDirectory(asking.transport, {
    ...script,
    answer,
  });
  return directory;
}

function leases({ heard }: ScriptedDirectory): number[] {
  return heard.flatMap((message) => message.kind === "flight-lease" ? message.leaseMs : []);
}

Deno.test("Directories.findFellows() asks all at once, renews, and says when it ends", async () => {
  await using asking = await Asking.open();
  await using first = directoryOf(asking, [BOB]);
  await using second = directoryOf(asking, []);
  asking.start(first.address, second.address);
  const search = asking.search();
  assert(search.isAwaited);
  await asking.until("both answers", () => asking.answers.length === 2);
  await asking.until("nothing else", () => !search.isAwaited);
  assertEquals(asking.answers.map(({ count, fellows }) => [count, fellows]).toSorted(), [
    [0, []],
    [1, [BOB]],
  ]);
  const asked = first.heard.find(({ kind }) => kind === "flight-lease");
  assertEquals(asked, { kind: "flight-lease", ...FILE, leaseMs: limits.flightLeaseMs });
  const { flightRenewMs, flightRenewMsFirst, overlayTickMs } = limits;
  assert(await asking.passUntil(() => leases(first).length === 2) >= flightRenewMsFirst);
  const tookMs = await asking.passUntil(() => leases(first).length === 4);
  assert(tookMs >= 2 * flightRenewMs - overlayTickMs, `${tookMs}`);
  // A renewal is nothing that anybody waits for.
  assertEquals(search.isAwaited, false);
  search.end();
  await asking.until("the end", () => leases(first).at(-1) === 0 && leases(second).at(-1) === 0);
  await asking.pass(2 * flightRenewMs);
  assertEquals(leases(first).length, 5);
});

Deno.test("Directories.findFellows() leaves out who cannot be dialled from here, and itself", async () => {
  await using asking = await Asking.open();
  const { nodeId } = asking.context.identity;
  await using directory = directoryOf(asking, [
    { ...BOB, nodeId },
    { ...BOB, host: "", port: 0 },
    { ...BOB, host: "0.0.0.0" },
    { ...BOB, host: "127.0.0.1" },
  ]);
  asking.start(directory.address);
  asking.search();
  await asking.until("the answer", () => asking.answers.length > 0);
  // The directory is on this machine, and so is who it sees at a loopback address.
  assertEquals(asking.answers[0]!.fellows, [{ ...BOB, host: "127.0.0.1" }]);
});

Deno.test("Directories.findFellows() waits for no directory that refuses, is old, or was away", async () => {
  await using asking = await Asking.open();
  await using refusing = directoryOf(asking, [BOB], { denies: true });
  await using old = directoryOf(asking, [BOB], { versions: [1] });
  const gone = directoryOf(asking, []);
  await gone[Symbol.asyncDispose]();
  const directories = asking.start(refusing.address, old.address, gone.address);
  const search = asking.search();
  await asking.until("all of them", () => !search.isAwaited);
  assertEquals(asking.answers, []);
  // The old one is a directory like any other.
  await asking.passUntil(() => old.heard.some(({ kind }) => kind === "batch-end"));
  await asking.until("its answer", () => directories.reports()[1]!.answers);
  assertEquals(directories.reports()[1]!.denied, null);
  // But it is asked for fellows no more for a while.
  await asking.pass(limits.directoryPauseMs);
  const talks = old.talks.length;
  const again = asking.search();
  await asking.until("all but the old one", () => !again.isAwaited);
  assertEquals([old.talks.length, leases(old)], [talks, []]);
});

Deno.test("Directories.findFellows() is over at once where there are no directories", async () => {
  await using asking = await Asking.open();
  asking.start();
  const search = asking.search();
  assertEquals(search.isAwaited, false);
  search.end();
});
