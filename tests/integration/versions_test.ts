// A network in which some nodes know only version 1 of the protocol: the pacsrv of an earlier commit,
// as real processes beside the present one. They link, search and transfer both ways.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { newNodeId, type Root } from "../../src/base/ids.ts";
import { systemRandom } from "../../src/base/random.ts";
import { Connections } from "../../src/net/connections.ts";
import { EnvironmentError } from "../../src/base/errors.ts";
import { RefusedError } from "../../src/net/handshake.ts";
import { tcpTransport } from "../../src/net/tcp_transport.ts";
import { dialNode, OldVersions } from "../../src/net/version_fallback.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { assertSameFile, randomFile, sha256Of, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { MixedLine } from "./support/mixed_line.ts";
import { OldProgram, VERSION_1_COMMIT } from "./support/old_program.ts";

const FILE_BYTES = 1_500_001;
const KEY = "a secret of the test's network";

const whyNot = await OldProgram.problem(VERSION_1_COMMIT);
if (whyNot !== undefined) console.log(`SKIPPED: tests beside an old pacsrv: ${whyNot}`);

Deno.test({
  name: "daemons of version 1 and of version 2 are one network",
  ignore: whyNot !== undefined,
  async fn(t) {
    await using dir = await TempDir.make();
    await using old = await OldProgram.unpack(VERSION_1_COMMIT);
    const { program } = old;
    await using line = await MixedLine.start(dir, { program });
    const { middle, last } = line;

    await t.step(
      "a search finds what is at, and behind, a node of the other version",
      () => line.assertSearches(),
    );
    await t.step(
      "files go from new to old, from old to new, and to who is behind",
      () => line.assertTransfers(),
    );
    await t.step("no node finds another at fault", () => {
      assertEquals(
        line.lines(/broke the protocol|refused a connection/)
          .filter((one) => !/protocol version \d is not 1/.test(one)),
        [],
      );
    });

    await t.step("a dial in version 2 falls back at the old node, and only there", async () => {
      using dialler = new Dialler();
      const root = (await middle.holds("middle.bin")).root as Root;
      const wanting = () => [{ kind: "want", root, searchOn: true } as const];
      const fallen = await dialler.dial(middle, { first: wanting });
      assertEquals([fallen.remote.version, fallen.remote.nodeId], [1, middle.id]);
      const offer = await fallen.connection.receiveOne();
      assert(offer.kind === "offer" && offer.file.root === root);
      assertEquals((await dialler.dial(last)).remote.version, 2);
      assertEquals((await dialler.dial(middle)).remote.version, 1);
      const refusal = await assertRejects(
        () => dialler.dial(middle, { fallback: false }),
        RefusedError,
      );
      assertEquals(refusal.refusal, "wrong-version");
    });

    await t.step(
      "in a network with a key an old node, which does not encrypt, is told nothing at all",
      async () => {
        const keyFile = await dir.sub("key");
        await Deno.writeTextFile(keyFile, `${KEY}\n`);
        await using keyed = await startDaemon({ program, args: ["--network-key-file", keyFile] });
        using dialler = new Dialler(new TextEncoder().encode(KEY));
        await assertRejects(() => dialler.dial(keyed), EnvironmentError);
        await using present = await startDaemon({
          args: ["--network-key-file", keyFile],
          peers: [keyed.node],
        });
        await present.logged("cannot link");
        await using behind = await startDaemon({
          program,
          args: ["--network-key-file", keyFile],
          peers: [present.node],
        });
        await behind.logged("cannot link");
        await present.logged("it has no network key, or is too old");
      },
    );
  },
});

Deno.test({
  name: "daemons of version 2 use a directory of version 1 for all but files in flight",
  ignore: whyNot !== undefined,
  async fn() {
    await using dir = await TempDir.make();
    await using old = await OldProgram.unpack(VERSION_1_COMMIT);
    await using directory = await startDirectory({ program: old.program });
    const args = ["--directory", directory.address];
    const mirrored = await dir.sub("mirror", "mirrored.bin");
    await randomFile(mirrored, FILE_BYTES, 4);
    const shared = await dir.sub("shared", "shared.bin");
    await randomFile(shared, FILE_BYTES, 5);
    await using holder = await startDaemon({ args, shares: [shared] });
    await using requester = await startDaemon({ args });
    await holder.holds("shared.bin");
    await directory.reports("the file", ({ filesListed }) => filesListed === 1);
    // A fetch with a mirror, of a file whose SHA-256 is known, is one that may be in flight.
    await using mirror = Mirror.start(`${dir.path}/mirror`);
    const url = `${mirror.url}/mirrored.bin`;
    const known = ["--sha256", await sha256Of(mirrored), "--size", String(FILE_BYTES)];
    const wishes = [
      { wanted: [url, ...known], original: mirrored },
      { wanted: ["shared.bin"], original: shared },
    ];
    for (const { wanted, original } of wishes) {
      const output = `${original}.got`;
      await using fetch = requester.fetch([...wanted, "-o", output]);
      await fetch.done();
      await assertSameFile(output, original);
    }
    const [report] = (await requester.status()).directories;
    assertEquals([report?.answers, report?.denied], [true, null]);
    for (const { log } of [holder, requester]) {
      assertEquals(log.filter((line) => /WARN|ERROR|cannot reach a directory/.test(line)), []);
    }
    assert(
      directory.log.some((line) => line.includes("protocol version 2 is not 1")),
      directory.log.join("\n"),
    );
  },
});

/** What dials nodes in version 2, and remembers those that do not know it. */
class Dialler implements Disposable {
  readonly #networkKey: Uint8Array | undefined;
  readonly #connections = new Connections(tcpTransport);
  readonly #oldVersions = new OldVersions();

  constructor(networkKey?: Uint8Array) {
    this.#networkKey = networkKey;
  }

  dial({ node }: DaemonProcess, options: Partial<Parameters<typeof dialNode>[2]> = {}) {
    const [host = "", port] = node.split(":");
    return dialNode(this.#connections, { host, port: Number(port) }, {
      identity: {
        nodeId: newNodeId(systemRandom),
        listenPort: 0,
        network: "pacsrv",
        networkKey: this.#networkKey,
        random: systemRandom,
      },
      purpose: "transfer",
      version: 2,
      fallback: true,
      oldVersions: this.#oldVersions,
      nowMs: performance.now(),
      ...options,
    });
  }

  [Symbol.dispose](): void {
    this.#connections.closeAll();
  }
}
