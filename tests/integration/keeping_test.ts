// What a daemon keeps of its downloads: a quota under load and kill -9, what goes first, pins, bounds that
// change while it runs, and what it says of all that.
//
//     KEEPING_BYTES=10000000000 KEEPING_FILE_BYTES=2000000 deno task test tests/integration/keeping_test.ts --filter load
//
// sends so many bytes through a twentieth of them; by default 120 MB through 24 MB.

import { Buffer } from "node:buffer";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FetchFailure } from "../../src/base/errors.ts";
import { requestFor } from "../support/fetch_request.ts";
import { ask, connectTo, untilListed } from "./support/client.ts";
import { type DaemonOptions, type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { randomBytes, TempDir } from "./support/files.ts";
import { BoundFolder, smallDiskTest } from "./support/small_disk.ts";
import { waitUntil } from "./support/wait.ts";

const FILE_BYTES = Number(Deno.env.get("KEEPING_FILE_BYTES") ?? 480_000);
/** What is read all the while: bigger than what is kept of an answer that nobody takes. */
const READ = "read-1-1-any.pkg.tar", READ_BYTES = 12_000_000;

/** Files that differ at their beginning only, and take next to nothing of the disk where they lie. */
async function sparseFiles(folder: string, count: number, bytes = FILE_BYTES): Promise<string[]> {
  const names = Array.from({ length: count }, (_, n) => `file-${n}.bin`);
  for (const [n, name] of names.entries()) {
    using file = await Deno.open(`${folder}/${name}`, { write: true, create: true });
    await file.write(randomBytes(64, n + 1));
    await file.truncate(bytes);
  }
  return names;
}

interface Usage {
  /** Paths of complete files, from the data directory. */
  readonly files: readonly string[];
  readonly bytes: number;
}

/** What lies in a data directory; what goes while it is looked at counts as gone. */
function usageOf(dataDir: string): Usage {
  const files: string[] = [];
  let bytes = 0;
  const look = (folder: string, isComplete: boolean) => {
    for (const { name, isDirectory } of entriesOf(`${dataDir}/${folder}`)) {
      const path = `${folder}/${name}`;
      if (isDirectory) {
        look(path, isComplete);
        continue;
      }
      try {
        const { size, blocks } = Deno.statSync(`${dataDir}/${path}`);
        // What is not written yet of a part takes no room.
        bytes += isComplete ? size : Math.min(size, (blocks ?? 0) * 512);
        if (isComplete) files.push(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  };
  look("files", true);
  look("partial", false);
  look("incoming", false);
  return { files: files.sort(), bytes };
}

function entriesOf(path: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(path)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Fetches a file into the daemon's store. */
async function fetchInto(daemon: DaemonProcess, name: string): Promise<void> {
  await using client = await connectTo(daemon);
  for await (const _ of client.get(requestFor(name))) { /* until it is done */ }
}

/** Waits until the catalogue names what lies on the disk, and nothing else. */
async function agrees(daemon: DaemonProcess): Promise<readonly string[]> {
  return await waitUntil(async () => {
    const listed = (await ask(daemon, "list", {}))
      .filter(({ origin }) => origin === "downloaded")
      .map(({ path }) => path.slice(daemon.dataDir.length + 1)).sort();
    const { files } = usageOf(daemon.dataDir);
    return files.length > 0 && files.join() === listed.join() && files;
  }, { what: "catalogue and disk to agree" });
}

Deno.test("daemon keeps its quota under load and kill -9, and cuts no file under its reader", async () => {
  const totalBytes = Number(Deno.env.get("KEEPING_BYTES") ?? 120_000_000);
  // What is read has to fit as well.
  const keepBytes = Math.max(2 * READ_BYTES, Math.ceil(totalBytes / 20));
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared"), dataDir = await dir.folder("data");
  const names = await sparseFiles(shared, Math.ceil(totalBytes / FILE_BYTES));
  const read = randomBytes(READ_BYTES, 77);
  await Deno.writeFile(`${shared}/${READ}`, read);
  await using seed = await startDaemon({ shares: [shared], logLevel: "info" });
  await untilListed(seed, {
    what: "all files to be hashed",
    find: (files) => files.length === names.length + 1,
    timeoutMs: 600_000,
  });
  const options: DaemonOptions = {
    dataDir,
    peers: [seed.node],
    logLevel: "info",
    args: ["--keep", String(keepBytes), "--gateway", "127.0.0.1:0"],
  };
  let most = 0, looks = 0;
  const look = () => {
    looks++;
    most = Math.max(most, usageOf(dataDir).bytes);
  };
  // A look takes as long as there are files.
  const looking = setInterval(look, keepBytes > 100_000_000 ? 1_000 : 50);
  const kills = 2;
  let next = 0, kept: readonly string[] = [];
  try {
    for (let run = 0; run <= kills; run++) {
      await using daemon = await startDaemon(options);
      await daemon.linked(1);
      if (run > 0) {
        const found = await agrees(daemon);
        // Most of what was here before is here still.
        assert(found.length > kept.length / 2, `${found.length} of ${kept.length} are left`);
      }
      const reader = run === kills ? await openReader(daemon) : undefined;
      const until = Math.floor((run + 1) / (kills + 1) * names.length);
      const work = async () => {
        while (next < until) {
          const name = names[next++]!;
          try {
            await fetchInto(daemon, name);
          } catch (error) {
            // It was killed.
            if (error instanceof FetchFailure && error.exit === "noDaemon") return;
            throw error;
          }
        }
      };
      const working = Promise.all([work(), work(), work(), work()]);
      if (run < kills) {
        // In the midst of it.
        await waitUntil(() => next >= until - names.length / 20, {
          what: "most of this run's files",
          timeoutMs: 600_000,
        });
        kept = usageOf(dataDir).files;
        daemon.kill("SIGKILL");
        await daemon.process.ended();
        await working;
        next = Math.max(next, until);
        continue;
      }
      await working;
      // More than the quota came since it was begun, and nobody else has it now.
      assert(
        usageOf(dataDir).files.some((path) => path.endsWith(READ)),
        "a file in use was removed",
      );
      seed.kill("SIGKILL");
      assertEquals(await reader!.rest(), true, "the file was cut under its reader");
      const left = await agrees(daemon);
      look();
      const { keeping, files } = await daemon.status();
      assertEquals(files.downloaded, left.length);
      assertEquals(keeping.keepBytes, keepBytes);
      assert(keeping.bytes <= keepBytes, `${keeping.bytes} of ${keepBytes}`);
      // It keeps what it may, and what came last.
      assert(keeping.bytes > keepBytes / 2, `${keeping.bytes} of ${keepBytes}`);
      const last = (await ask(daemon, "list", {})).map(({ name }) => name);
      assert(last.includes(names.at(-1)!), "what came last has gone");
      assert(!last.includes(names[0]!), "what came first is still here");
      assert(keeping.cleanedBytes > keepBytes / 2, `${keeping.cleanedBytes} of ${keepBytes}`);
      assertEquals(keeping.refused, 0);
    }
  } finally {
    clearInterval(looking);
  }
  const over = most - keepBytes;
  if (Deno.env.has("KEEPING_BYTES")) console.log({ most, keepBytes, over, looks });
  assert(over <= FILE_BYTES, `${over} bytes over the quota of ${keepBytes}`);
});

/** Begins to read a file over the gateway, and goes on when it is told to. */
async function openReader(daemon: DaemonProcess) {
  const response = await fetch(`http://${daemon.gateway}/core/os/any/${READ}`);
  assertEquals(response.status, 200);
  const reader = response.body!.getReader();
  const first = await reader.read();
  return {
    /** Whether all of it is what it should be. */
    async rest(): Promise<boolean> {
      const parts = [first.value!];
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        parts.push(part.value);
      }
      return Buffer.compare(Buffer.concat(parts), randomBytes(READ_BYTES, 77)) === 0;
    },
  };
}

Deno.test("daemon removes what others have first, never what is pinned, and refuses what has no room", async () => {
  await using dir = await TempDir.make();
  const rare = await dir.folder("rare"), common = await dir.folder("common");
  const config = await dir.sub("pacsrv.toml");
  await Deno.writeFile(`${rare}/rare.bin`, randomBytes(300_000, 1));
  for (const n of [1, 2, 3, 4]) {
    await Deno.writeFile(`${common}/common-${n}.bin`, randomBytes(300_000, 10 + n));
  }
  await Deno.writeFile(`${common}/big.bin`, randomBytes(800_000, 20));
  await Deno.writeFile(`${common}/huge.bin`, randomBytes(1_200_000, 21));
  await using directory = await startDirectory();
  const asks = ["--directory", directory.address];
  await using seed = await startDaemon({ shares: [common], args: asks });
  const settings = (keep: string) =>
    Deno.writeTextFile(config, `keep = "${keep}"\nlog-level = "debug"\n`);
  await settings("1M");
  await using daemon = await startDaemon({
    config,
    args: [...asks, "--metrics", "127.0.0.1:0"],
    peers: [seed.node],
  });
  await daemon.linked(1);
  const names = async () => (await ask(daemon, "list", {})).map(({ name }) => name).sort();
  {
    await using gone = await startDaemon({ shares: [rare], peers: [daemon.node] });
    await daemon.linked(2);
    await gone.holds("rare.bin");
    await fetchInto(daemon, "rare.bin");
  }
  await waitUntil(async () => {
    const where = await ask(daemon, "where", { target: "rare.bin" });
    return where.length === 1 && where[0]!.nodeId === daemon.id;
  }, { what: "nobody else to have the rare file" });
  await fetchInto(daemon, "common-1.bin");
  await fetchInto(daemon, "common-2.bin");
  await daemon.run(["pin", "common-2.bin"]);
  // The rare one was used longest ago.
  await fetchInto(daemon, "common-3.bin");
  assertEquals(await names(), ["common-2.bin", "common-3.bin", "rare.bin"]);
  const refused = await daemon.run(["fetch", "big.bin", "-o", `${dir.path}/out`]);
  assertEquals(refused.code, 1, refused.stderr);
  assertStringIncludes(refused.stderr, "there is no room for its 800 kB");
  assertStringIncludes(
    refused.stderr,
    "all downloads may come to 1 MB (--keep), and 900 kB of that",
  );
  assertEquals(await names(), ["common-2.bin", "common-3.bin", "rare.bin"]);
  const dry = await daemon.run(["clean", "--dry-run"]);
  assertEquals([dry.code, dry.stdout], [0, ""]);
  assertStringIncludes(dry.stderr, "Nothing is to go");

  // A lower quota counts at once: down to nine tenths of it.
  const from = daemon.log.length;
  await Deno.writeTextFile(config, 'keep = "6x"\n');
  daemon.kill("SIGHUP");
  await daemon.process.stderr.matching(/cannot use the settings.*keep.*not an amount of bytes/, {
    from,
  });
  // What was asked of the directory: who has what, before it goes.
  await settings("1000001");
  daemon.kill("SIGHUP");
  await daemon.process.stderr.matching(/read the settings again.*keep/, { from });
  await settings("999_999".replace("_", ""));
  daemon.kill("SIGHUP");
  await daemon.process.stderr.matching(/keep.*less than 1000000 bytes/, { from });
  const { code } = await daemon.run(["unpin", "common-2.bin"]);
  assertEquals(code, 0);
  await fetchInto(daemon, "common-4.bin");
  await waitUntil(async () => (await daemon.status()).keeping.bytes <= 900_000, {
    what: "the daemon to clean down to the low mark",
  });
  assert((await names()).includes("rare.bin"));
  const { keeping } = await daemon.status();
  assertEquals([keeping.keepBytes, keeping.refused, keeping.pinned], [1_000_001, 1, 0]);
  assertEquals(keeping.cleanedBytes, 600_000);
  const metrics = await (await fetch(`http://${daemon.metrics}/metrics`)).text();
  assertMatch(metrics, /^pacsrv_store_quota_bytes 1000001$/m);
  assertMatch(metrics, /^pacsrv_cleaned_bytes_total\{reason="held-by-others"\} 600000$/m);
  assertMatch(metrics, /^pacsrv_room_refused_total 1$/m);
  const text = await daemon.run(["status"]);
  assertMatch(text.stdout, /^kept +900 kB of 1 MB; no room 1 time$/m);
  assertMatch(text.stdout, /^cleaned +2 files, 600 kB; over all runs 2 files, 600 kB$/m);
  const huge = await daemon.run(["fetch", "huge.bin", "-o", `${dir.path}/out`]);
  assertEquals(huge.code, 1, huge.stderr);
  assertStringIncludes(huge.stderr, "there is no room for its 1.2 MB");
  assertStringIncludes(huge.stderr, "larger than all that may be kept: allow more with --keep");
});

Deno.test("daemon keeps the newest versions of a package, and those that are pinned", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared");
  const nameOf = (version: string) => `tool-${version}-1-any.pkg.tar.zst`;
  for (const [n, version] of ["1.9", "1.10", "1.10.1", "2.0rc", "2.0"].entries()) {
    await Deno.writeFile(`${shared}/${nameOf(version)}`, randomBytes(5_000, n + 1));
    await Deno.writeFile(`${shared}/${nameOf(version)}.sig`, randomBytes(100, n + 11));
  }
  await using seed = await startDaemon({ shares: [shared] });
  await using daemon = await startDaemon({ peers: [seed.node] });
  await daemon.linked(1);
  for (const { name } of Deno.readDirSync(shared)) {
    await seed.holds(name);
    await fetchInto(daemon, name);
  }
  await daemon.run(["pin", nameOf("1.9")]);
  await daemon.stop();
  await using again = await startDaemon({
    dataDir: daemon.dataDir,
    args: ["--keep-versions", "2"],
  });
  const left = [nameOf("2.0"), nameOf("2.0rc")].flatMap((name) => [name, `${name}.sig`]);
  await untilListed(again, {
    what: "the old versions to go",
    find: (files) =>
      files.map(({ name }) => name).sort().join() === [nameOf("1.9"), ...left].sort().join(),
  });
  const { keeping } = await again.status();
  assertEquals([keeping.versions, keeping.cleanedFiles, keeping.pinned], [2, 5, 1]);
});

/** A daemon that has fetched files of another one, and has no bounds before its file says some. */
async function startFilled(
  cleanup: AsyncDisposableStack,
  options: { readonly bytes: number },
): Promise<{
  readonly dir: TempDir;
  readonly daemon: DaemonProcess;
  readonly names: string[];
  /** Has it read this as its configuration; gives from which line of its log on that counts. */
  readonly configure: (text: string) => Promise<number>;
}> {
  const dir = cleanup.use(await TempDir.make());
  const shared = await dir.folder("shared"), config = await dir.sub("pacsrv.toml");
  const names = await sparseFiles(shared, 3, options.bytes);
  const seed = cleanup.use(await startDaemon({ shares: [shared] }));
  await Deno.writeTextFile(config, "");
  const daemon = cleanup.use(
    await startDaemon({ config, logLevel: "info", peers: [seed.node] }),
  );
  await daemon.linked(1);
  for (const name of names) {
    await seed.holds(name);
    await fetchInto(daemon, name);
  }
  const configure = async (text: string) => {
    const from = daemon.log.length;
    await Deno.writeTextFile(config, text);
    daemon.kill("SIGHUP");
    return from;
  };
  return { dir, daemon, names, configure };
}

Deno.test("daemon says that it is over its quota, by how much, and what stays for which reason", async () => {
  await using cleanup = new AsyncDisposableStack();
  const { daemon, names, configure } = await startFilled(cleanup, { bytes: 500_000 });
  const unbounded = await daemon.run(["clean"]);
  assertStringIncludes(unbounded.stderr, "Nothing is to go: the daemon has no bounds");
  for (const name of names) await daemon.run(["pin", name]);
  const from = await configure('keep = "1M"\n');
  await daemon.process.stderr.matching(/the downloads are over what may be kept/, { from });
  const over = "the downloads are 500 kB over the 1 MB that they may come to: 1.5 MB are pinned";
  for (const args of [["clean"], ["clean", "--dry-run"]]) {
    const { code, stdout, stderr } = await daemon.run(args);
    assertEquals([code, stdout, stderr], [0, "", `Nothing may go, though ${over}.\n`]);
  }
  const doctor = await daemon.run(["doctor"]);
  assertStringIncludes(doctor.stdout.replace(/\s+/g, " "), over);
  await daemon.run(["unpin", names[0]!]);
  const cleaned = await daemon.run(["clean"]);
  assertEquals(cleaned.code, 0, cleaned.stderr);
  assertEquals((await daemon.status()).keeping.over, null);
  const told = daemon.log.slice(from).join("\n").match(/the downloads are over what may be kept/g);
  assertEquals(told?.length, 1);
});

smallDiskTest(
  "daemon keeps, offers and counts what its disk does not let go, and tries again when told",
  async () => {
    await using cleanup = new AsyncDisposableStack();
    const { daemon, names, configure } = await startFilled(cleanup, { bytes: 500_000 });
    await using files = await BoundFolder.bind(`${daemon.dataDir}/files`);
    await files.remount("ro");
    const from = await configure('keep = "1M"\n');
    await daemon.process.stderr.matching(/the disk lets no download go/, { from });
    const listed = async () => (await ask(daemon, "list", {})).map(({ name }) => name).sort();
    assertEquals(await listed(), names);
    const before = (await daemon.status()).keeping;
    assertEquals([before.bytes, before.cleanedFiles, before.cleanedBytes], [1_500_000, 0, 0]);
    const failed = await daemon.run(["clean"]);
    assertEquals([failed.code, failed.stdout], [1, ""]);
    assertStringIncludes(failed.stderr, "Read-only file system");
    const pinned = await daemon.run(["pin", names[2]!]);
    assertEquals(pinned.code, 0, pinned.stderr);
    const told = daemon.log.slice(from).join("\n");
    assertEquals(told.match(/cannot remove a download/g)?.length, 3, told);
    assertEquals(told.match(/the disk lets no download go/g)?.length, 1, told);
    assert(!told.includes("cleaned the downloads"), told);

    await files.remount("rw");
    const { code, stderr } = await daemon.run(["clean"]);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, "Removed 2 files, 1 MB.");
    assertEquals(await listed(), [names[2]]);
    const { keeping } = await daemon.status();
    assertEquals([keeping.bytes, keeping.cleanedFiles, keeping.stuckFiles], [500_000, 2, 0]);
  },
);

smallDiskTest(
  "daemon removes others for a download that its disk does not let go, and says so once",
  async () => {
    await using cleanup = new AsyncDisposableStack();
    const { dir, daemon, names, configure } = await startFilled(cleanup, { bytes: 1_000_000 });
    const [first] = (await ask(daemon, "list", {})).filter(({ name }) => name === names[0]);
    await using held = await BoundFolder.bind(first!.path.slice(0, first!.path.lastIndexOf("/")));
    await held.remount("ro");
    const from = await configure('keep = "1M"\n');
    await untilListed(daemon, {
      what: "the two others to go",
      find: (files) => files.map(({ name }) => name).join() === names[0],
    });
    const { keeping } = await daemon.status();
    assertEquals([keeping.bytes, keeping.cleanedFiles, keeping.stuckFiles], [1_000_000, 2, 1]);
    // Room for a fetch is made of what may go, and that is nothing.
    const refused = await daemon.run(["fetch", names[1]!, "-o", `${dir.path}/out`]);
    assertEquals(refused.code, 1, refused.stderr);
    assertStringIncludes(refused.stderr, "1 MB of that are taken; what may go is not enough");
    const told = daemon.log.slice(from).join("\n");
    assertEquals(told.match(/cannot remove a download/g)?.length, 1, told);
    assert(!told.includes("the disk lets no download go"), told);
    const unshared = await daemon.run(["unshare", names[0]!]);
    assertStringIncludes(unshared.stdout, `the disk does not let ${first!.path} go`);
  },
);
