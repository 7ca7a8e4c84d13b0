// Two nodes that cannot connect to each other, as behind two NATs: what is said of it, and how the
// file comes all the same.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ExplainReport } from "../../src/client/types.ts";
import { type DaemonOptions, type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { bytesByNode } from "./support/fetch_process.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";

const NAME = "behind.nat";
const FILE_BYTES = 2_500_003;

/** A holder and a requester, each linked with one node between them, and with nobody else. */
class Apart implements AsyncDisposable {
  readonly holder: DaemonProcess;
  readonly between: DaemonProcess;
  readonly requester: DaemonProcess;
  readonly path: string;
  readonly #ends: AsyncDisposableStack;

  private constructor(
    daemons: Pick<Apart, "holder" | "between" | "requester" | "path">,
    ends: AsyncDisposableStack,
  ) {
    this.holder = daemons.holder;
    this.between = daemons.between;
    this.requester = daemons.requester;
    this.path = daemons.path;
    this.#ends = ends;
  }

  /** @param side How holder and requester are started. */
  static async start(side: DaemonOptions, between: DaemonOptions = {}): Promise<Apart> {
    await using ends = new AsyncDisposableStack();
    const dir = ends.use(await TempDir.make());
    const path = await dir.sub("shared", NAME);
    await randomFile(path, FILE_BYTES, 7);
    const hub = ends.use(await startDaemon(between));
    const peers = [hub.node];
    const holder = ends.use(await startDaemon({ ...side, peers, shares: [path] }));
    await holder.holds(NAME);
    const requester = ends.use(await startDaemon({ ...side, peers }));
    await hub.linked(2);
    return new Apart({ holder, between: hub, requester, path }, ends.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ends.disposeAsync();
  }
}

/** Fetches in vain; gives what was said, and what is remembered of it. */
async function fetchInVain({ requester }: Apart): Promise<{ said: string; told: ExplainReport }> {
  const { code, stderr } = await requester.run(["fetch", NAME, "-o", "-", "-q"]);
  assertEquals(code, 3, stderr);
  const { stdout } = await requester.run(["explain", NAME, "--json"]);
  return { said: stderr, told: JSON.parse(stdout) };
}

/** Search and where say what a fetch would. */
async function assertShown(apart: Apart, why: (apart: Apart) => string): Promise<void> {
  const { holder, requester } = apart;
  const asked = ["search", "info", "where"].map((verb) => requester.run([verb, NAME, "--json"]));
  const [found, known, held] = (await Promise.all(asked)).map(({ stdout }) => JSON.parse(stdout));
  assertEquals([found.peersWhole, found.peersUnreached], [1, 1]);
  assertEquals([known.peersWhole, known.peersUnreached], [1, 1]);
  const problem = why(apart).replace(/^.*?(?:[0-9a-f]{8}|:\d+): /, "");
  assertEquals([held.nodeId, held.reach, held.problem], [holder.id, "none", problem]);
}

/** Two sides that cannot connect to each other, and why in the words of the one that wants the file. */
const SIDES: readonly [DaemonOptions, why: (apart: Apart) => string][] = [
  [
    { args: ["--no-callback"] },
    ({ holder }) => `node ${holder.id.slice(0, 8)}: it accepts no connections`,
  ],
  // Both think that they can be dialled, and nothing listens where they are seen.
  [
    { node: "127.0.0.2:0" },
    ({ holder: { node } }) =>
      `127.0.0.1:${node.split(":")[1]}: connection refused: nothing listens there`,
  ],
];
// Addresses of this machine that a link to 127.0.0.1 does not come from.
const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "a fetch says who has the file, why no connection comes about, and explain remembers it",
  ignore,
  fn: async () => {
    await Promise.all(SIDES.map(async ([side, why]) => {
      await using apart = await Apart.start(side);
      const [{ said, told }] = await Promise.all([fetchInVain(apart), assertShown(apart, why)]);
      assertStringIncludes(
        said,
        "1 node has it, but no connection to it comes about, and it cannot connect to this node " +
          `(${why(apart)}); ${apart.between.node} passes no files on`,
      );
      assertEquals((await apart.between.status()).counters.relaysRefused, 1);
      assertMatch(said, /hint: A node that both sides can connect to/);
      assertStringIncludes(said, told.outcome);
      const steps = told.steps.map(({ what }) => what);
      const [holder, ...reason] = why(apart).split(": ");
      const step = `No connection to ${holder}, which has it: ${reason.join(": ")}`;
      assertEquals(steps.filter((what) => what === step).length, 1, steps.join("\n"));
    }));
  },
});

Deno.test({
  name: "a linked node that may fetches the file for one that cannot connect to its holder",
  ignore,
  fn: async () => {
    const relays = { args: ["--accept-uploads", "100M", "--relay-files"] };
    await Promise.all(SIDES.map(async ([side]) => {
      await using dir = await TempDir.make();
      await using apart = await Apart.start(side, relays);
      const { between, holder, path, requester } = apart;
      const output = await dir.sub("got");
      await using fetch = requester.fetch([NAME, "-o", output]);
      const done = await fetch.done();
      await assertSameFile(output, path);
      assertEquals(bytesByNode(done), new Map([[between.id, FILE_BYTES]]));
      await between.holds(NAME);
      const { counters, transfers } = await between.status();
      assertEquals([counters.filesRelayed, counters.relaysRefused, transfers], [1, 0, []]);
      assertEquals((await holder.status()).counters.filesServed, 1);
      const { stdout } = await requester.run(["explain", NAME]);
      assertStringIncludes(stdout, `${between.node} answers: accepted`);
    }));
  },
});
