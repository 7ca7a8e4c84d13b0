// An upgrade, machine by machine: the pacsrv of the second to last version of the protocol, as real
// processes beside the present one, at directories of either, and on the data directory of the other.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { MixedLine } from "./support/mixed_line.ts";
import { OldProgram, VERSION_4_COMMIT } from "./support/old_program.ts";
import { runPacsrv } from "./support/process.ts";

const FILE_BYTES = 600_001;

const whyNot = await OldProgram.problem(VERSION_4_COMMIT);
if (whyNot !== undefined) console.log(`SKIPPED: upgrades from an old pacsrv: ${whyNot}`);

/** A test beside an old program. */
function upgradeTest(
  name: string,
  fn: (program: readonly string[], dir: TempDir) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: whyNot !== undefined,
    async fn() {
      await using dir = await TempDir.make();
      await using old = await OldProgram.unpack(VERSION_4_COMMIT);
      await fn(old.program, dir);
    },
  });
}

/** Has a file fetched, and compares it. */
async function fetchTo(to: DaemonProcess, name: string, original: string): Promise<void> {
  const output = `${original}.${to.id}`;
  await using fetch = to.fetch([name, "-o", output]);
  await fetch.done();
  await assertSameFile(output, original);
}

for (const isKeyed of [false, true]) {
  const how = isKeyed ? "with a key" : "without a key";
  upgradeTest(
    `daemons of before and of now link, search and transfer both ways ${how}`,
    async (program, dir) => {
      const keyFile = await dir.sub("key");
      await Deno.writeTextFile(keyFile, "a secret of the test's network\n");
      const args = isKeyed ? ["--network-key-file", keyFile] : [];
      await using line = await MixedLine.start(dir, { program, args });
      await line.assertSearches();
      await line.assertTransfers();
      assertEquals(line.lines(/broke the protocol|refused a connection| (WARN|ERROR) /), []);
    },
  );
}

for (const isOld of [true, false]) {
  const [its, others] = isOld ? ["before", "now"] : ["now", "before"];
  upgradeTest(
    `a directory of ${its} serves daemons of ${others}, and of both at once`,
    async (old, dir) => {
      const directoryProgram = isOld ? { program: old } : {};
      await using directory = await startDirectory(directoryProgram);
      const args = ["--directory", directory.address];
      const path = await dir.sub("shared", "shared.bin");
      await randomFile(path, FILE_BYTES, 1);
      await using holder = await startDaemon({
        args,
        shares: [path],
        ...isOld ? {} : { program: old },
      });
      await holder.holds("shared.bin");
      await directory.reports("the file", ({ filesListed }) => filesListed === 1);
      for (const program of [undefined, old]) {
        await using requester = await startDaemon({
          args,
          ...program === undefined ? {} : { program },
        });
        await fetchTo(requester, "shared.bin", path);
        const [report] = (await requester.status()).directories;
        assertEquals([report?.answers, report?.denied], [true, null]);
        assertEquals(requester.log.filter((line) => / (WARN|ERROR) /.test(line)), []);
      }
      assertEquals(holder.log.filter((line) => / (WARN|ERROR) /.test(line)), []);
    },
  );
}

upgradeTest(
  "the data directory of before goes on, and the program of before refuses it then",
  async (program, dir) => {
    const files = { shared: await dir.sub("in", "shared.bin"), far: await dir.sub("far.bin") };
    await randomFile(files.shared, FILE_BYTES, 1);
    await randomFile(files.far, FILE_BYTES, 2);
    const dataDir = await dir.sub("data");
    await using far = await startDaemon({ shares: [files.far] });
    const peers = [far.node];
    const before = await startDaemon({ program, dataDir, peers });
    {
      await using _ = before;
      assertEquals((await before.run(["share", files.shared])).code, 0);
      await before.holds("shared.bin");
      await fetchTo(before, "far.bin", files.far);
      // The commands of now, while the daemon of before still runs.
      const early = await runPacsrv(["status", "--client", before.client]);
      assertEquals(early.code, 5);
      assertMatch(early.stderr, /it speaks protocol version 3, this program \d+$/m);
      assertMatch(early.stderr, /^hint: .*after an upgrade the daemon has to be started again\.$/m);
      await before.stop();
    }
    await far.stop();

    const now = await startDaemon({ dataDir });
    {
      await using _ = now;
      assertEquals(now.id, before.id);
      const kept = await Promise.all([now.holds("shared.bin"), now.holds("far.bin")]);
      assertEquals(kept.map(({ origin }) => origin), ["shared", "downloaded"]);
      await using other = await startDaemon({ peers: [now.node] });
      await fetchTo(other, "shared.bin", files.shared);
      await fetchTo(other, "far.bin", files.far);
      assertEquals(now.log.filter((line) => / (WARN|ERROR) /.test(line)), []);
      await now.stop();
    }

    const args = ["daemon", "--data", dataDir, "--node", "127.0.0.1:0", "--client", "127.0.0.1:0"];
    const refused = await runPacsrv(args, { program });
    assert(refused.code !== 0);
    assertMatch(refused.stderr, /Cannot open catalogue .*: its version \d+ is newer than \d+/);
    assertMatch(
      refused.stderr,
      /A newer pacsrv wrote it\. Use that one, or another data directory\./,
    );
    // It has changed nothing.
    await using again = await startDaemon({ dataDir });
    await Promise.all([again.holds("shared.bin"), again.holds("far.bin")]);
  },
);
