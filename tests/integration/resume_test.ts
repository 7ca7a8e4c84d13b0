// What outlives the daemon: a fetch that was under way when it was killed, or ended, goes on from
// the last checkpoint, and never from more than what is on the disk.

import { Buffer } from "node:buffer";
import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals } from "@std/assert";
import { Bitfield } from "../../src/base/bitfield.ts";
import { FetchFailure } from "../../src/base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange, rangeBytes } from "../../src/base/geometry.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { ask, connectTo, placesOf } from "./support/client.ts";
import { requestFor } from "../support/fetch_request.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { bytesFetched } from "./support/fetch_process.ts";
import { assertSameFile, randomBytes, TempDir } from "./support/files.ts";
import { type Behaviour, type HeldFile, holdFile, RawHolder } from "./support/raw_holder.ts";
import { seedOf } from "./support/seed.ts";
import { SOON_MS, waitUntil } from "./support/wait.ts";

const MIB = 1024 * 1024;
const KILLS = 20;
/** After so many kills a copy is let complete, and the next one begins. */
const KILLS_PER_COPY = 7;

Deno.test("daemon goes on from its checkpoint when killed in mid-transfer, 20 times", async () => {
  const seed = seedOf();
  const random = seededRandom(seed);
  await using dir = await TempDir.make();
  const file = holdFile("resumed.bin", randomBytes(208 * MIB + 4321, seed));
  const original = await dir.sub("original");
  await Deno.writeFile(original, file.data);
  let kills = 0, killsWithCheckpoint = 0;
  for (let copy = 0; kills < KILLS; copy++) {
    const dataDir = await dir.folder(`data-${copy}`);
    const before = new Bitfield(chunkCount(file.data.length));
    for (let i = 0; i < KILLS_PER_COPY && kills < KILLS; i++) {
      // The data of a fast machine can be here before any of it is durable: each other copy is
      // first killed after a checkpoint, and all else when chance says.
      const afterCheckpoint = copy % 2 === 0 && i === 0;
      const { have, isKilled } = await killedRun(dataDir, {
        file,
        before,
        random,
        afterCheckpoint,
      });
      // What came before the first checkpoint may be found on the disk all the same: then less is
      // left than it seemed, and the file can be whole before its time.
      if (!isKilled) break;
      kills++;
      if (have.count > 0) killsWithCheckpoint++;
      for (const range of have.ranges()) before.addRange(range);
    }
    const output = await dir.sub(`copy-${copy}`);
    await completedRun(dataDir, { file, before, output });
    await assertSameFile(output, original);
    await Deno.remove(output);
    await Deno.remove(dataDir, { recursive: true });
  }
  assert(killsWithCheckpoint > 0, "no kill came after a checkpoint: nothing was shown");
});

Deno.test("daemon has all that came on the disk when ended by SIGTERM", async () => {
  await using dir = await TempDir.make();
  const dataDir = await dir.folder("data");
  const file = holdFile("ended.bin", randomBytes(24 * MIB, 2));
  let bytesDone: number;
  {
    await using daemon = await startDaemon({ dataDir });
    await using _ = await RawHolder.start(daemon.node, file, { behaviour: stallsAfter(9 * MIB) });
    await using fetch = daemon.fetch([file.name, "-o", await dir.sub("out")]);
    bytesDone = await stalledBytes(daemon);
    assert(bytesDone > 0 && bytesDone < file.data.length);
    const beginMs = performance.now();
    await daemon.stop();
    const tookMs = performance.now() - beginMs;
    assert(tookMs < SOON_MS, `it took ${tookMs} ms to end`);
    assertEquals((await fetch.ended()).code, 5);
  }
  await using daemon = await startDaemon({ dataDir });
  const [place] = await placesOf(daemon, file.name);
  assertEquals(place?.origin, "partial");
  assertEquals((place?.chunksHave ?? 0) * CHUNK_BYTES, bytesDone);
});

Deno.test("daemon makes a checkpoint when little came for a while", async () => {
  await using dir = await TempDir.make();
  const dataDir = await dir.folder("data");
  const file = holdFile("slow.bin", randomBytes(24 * MIB, 3));
  let bytesDone: number;
  {
    await using daemon = await startDaemon({ dataDir });
    await using _ = await RawHolder.start(daemon.node, file, { behaviour: stallsAfter(5 * MIB) });
    await using _fetch = daemon.fetch([file.name, "-o", await dir.sub("out")]);
    bytesDone = await stalledBytes(daemon);
    assert(bytesDone < limits.checkpointBytes);
    // A checkpoint cannot be seen from outside: this long after the last chunk it is made.
    await new Promise((resolve) => setTimeout(resolve, limits.checkpointMs + 2_000));
    daemon.kill("SIGKILL");
    await daemon.process.ended();
  }
  await using daemon = await startDaemon({ dataDir });
  const place = await partOf(daemon, file.name);
  assertEquals((place?.chunksHave ?? 0) * CHUNK_BYTES, bytesDone);
});

/** The part of a file that a daemon has after a kill: it counts once its chunks were checked. */
async function partOf(daemon: DaemonProcess, name: string) {
  const [found] = await placesOf(daemon, name);
  if (found === undefined) return undefined;
  return await waitUntil(async () => {
    const [place] = await placesOf(daemon, name);
    return (place?.chunksHave ?? 0) > 0 && place;
  }, { what: `the chunks of ${name} to be checked` });
}

interface RunOptions {
  readonly file: HeldFile;
  /** The chunks of the last checkpoint that is known of. */
  readonly before: Bitfield;
}

interface KilledRunOptions extends RunOptions {
  readonly random: Random;
  /** Not before a checkpoint has been made. */
  readonly afterCheckpoint: boolean;
}

/** Starts a daemon, lets it fetch, kills it; gives what it had at its start, by its checkpoint. */
async function killedRun(
  dataDir: string,
  { file, before, random, afterCheckpoint }: KilledRunOptions,
): Promise<{ readonly have: Bitfield; readonly isKilled: boolean }> {
  await using daemon = await startDaemon({ dataDir, logLevel: "warn" });
  const have = await checkpointOf(daemon, { file, before });
  const leftBytes = file.data.length - bytesIn(have, file);
  const killBytes = Math.floor(random.unit() * leftBytes);
  let askedBytes = 0;
  await using holder = await RawHolder.start(daemon.node, file, {
    behaviour: {
      onRequest: async (range, serving) => {
        askedBytes += rangeBytes(file.data.length, range).length;
        if (askedBytes <= killBytes) return serving.serve(range);
        // The request that goes too far is not served: the file cannot become whole first.
        if (afterCheckpoint) await checkpointMade(dataDir, file);
        daemon.kill("SIGKILL");
      },
    },
  });
  await using client = await connectTo(daemon);
  const isKilled = await isCutShort(async () => {
    for await (const event of client.get(requestFor(file.name))) {
      if (event.kind === "found") assertEquals(event.bytesHad, bytesIn(have, file));
    }
  });
  if (isKilled) await daemon.process.ended();
  assertNoneHad(holder.requested, have);
  return { have, isKilled };
}

/** Waits until the catalogue knows of chunks of `file`; they may come after a pause only. */
async function checkpointMade(dataDir: string, file: HeldFile): Promise<void> {
  using catalogue = new DatabaseSync(`${dataDir}/catalogue.sqlite`, { readOnly: true });
  const partial = catalogue.prepare(
    "SELECT 1 FROM partials WHERE root = ? AND have <> zeroblob(?)",
  );
  const haveBytes = Math.ceil(chunkCount(file.data.length) / 8);
  await waitUntil(() => partial.get(file.root, haveBytes) !== undefined, {
    what: "a checkpoint to be made",
  });
}

/** Whether the daemon went away while it fetched; otherwise the fetch must have gone well. */
async function isCutShort(fetch: () => Promise<void>): Promise<boolean> {
  try {
    await fetch();
    return false;
  } catch (error) {
    if (error instanceof FetchFailure && error.exit === "noDaemon") return true;
    throw error;
  }
}

/** Starts a daemon and lets it bring the rest, as a person would. */
async function completedRun(
  dataDir: string,
  { file, before, output }: RunOptions & { readonly output: string },
): Promise<void> {
  await using daemon = await startDaemon({ dataDir, logLevel: "warn" });
  const have = await checkpointOf(daemon, { file, before });
  await using holder = await RawHolder.start(daemon.node, file);
  await using fetch = daemon.fetch([file.name, "-o", output]);
  const done = await fetch.done();
  assertEquals((await fetch.event("found")).bytesHad, bytesIn(have, file));
  assert(done.bytesLocal >= bytesIn(have, file), `${done.bytesLocal} bytes were local`);
  assertEquals(done.bytesLocal + bytesFetched(done), file.data.length);
  // What lies on the disk is used without a checkpoint only where there never was one.
  if (have.count > 0) assertEquals(done.bytesLocal, bytesIn(have, file));
  assertNoneHad(holder.requested, have);
  const [verified] = await ask(daemon, "verify", { target: file.name });
  assertEquals(verified?.ok, true);
}

/** What a daemon says it has; held to the last checkpoint, and to what is on the disk. */
async function checkpointOf(
  daemon: DaemonProcess,
  { file, before }: RunOptions,
): Promise<Bitfield> {
  const place = await partOf(daemon, file.name);
  const chunks = chunkCount(file.data.length);
  const have = new Bitfield(chunks);
  for (const range of rangesOf(place?.have ?? "none", chunks)) have.addRange(range);
  assertEquals(have.count, place?.chunksHave ?? 0);
  for (const range of before.ranges()) assert(have.hasRange(range), "a checkpoint went back");
  if (have.count === 0) return have;
  using data = await Deno.open(place!.path);
  for (const range of newRanges(have, before)) await assertOnDisk(data, file, range);
  return have;
}

/** The chunks of `have` that are not in `before`: those were looked at when they were new. */
function newRanges(have: Bitfield, before: Bitfield): Generator<ChunkRange> {
  const rest = have.clone();
  for (const { first, count } of before.ranges()) {
    for (let index = first; index < first + count; index++) rest.remove(index);
  }
  return rest.ranges();
}

async function assertOnDisk(data: Deno.FsFile, file: HeldFile, range: ChunkRange): Promise<void> {
  const { offset, length } = rangeBytes(file.data.length, range);
  const bytes = new Uint8Array(length);
  await data.seek(offset, Deno.SeekMode.Start);
  for (let at = 0; at < length;) {
    const count = await data.read(bytes.subarray(at));
    assert(count !== null, `chunks ${range.first}+${range.count} are not on the disk`);
    at += count;
  }
  const expected = file.data.subarray(offset, offset + length);
  const isSame = Buffer.compare(bytes, expected) === 0;
  assert(isSame, `chunks ${range.first}+${range.count} are wrong on the disk`);
}

function assertNoneHad(requested: readonly ChunkRange[], have: Bitfield): void {
  for (const { first, count } of requested) {
    for (let index = first; index < first + count; index++) {
      assert(!have.has(index), `chunk ${index} was here and is fetched again`);
    }
  }
}

/** Serves so many bytes, then answers nothing more. */
function stallsAfter(bytesMax: number): Behaviour {
  let bytes = 0;
  return {
    onRequest: (range, serving) => {
      bytes += rangeBytes(serving.file.data.length, range).length;
      if (bytes <= bytesMax) serving.serve(range);
    },
  };
}

/** Waits until a transfer has begun and no longer moves; gives what came. */
async function stalledBytes(daemon: DaemonProcess): Promise<number> {
  let last = 0;
  return await waitUntil(async () => {
    const [status] = await ask(daemon, "status", {});
    const bytes = status?.transfers[0]?.bytesDone ?? 0;
    const isStill = bytes > 0 && bytes === last;
    last = bytes;
    return isStill && bytes;
  }, { what: "a transfer to stall", everyMs: 500 });
}

/** Ranges as a report writes them, of a file of so many chunks. */
function rangesOf(text: string, chunks: number): ChunkRange[] {
  if (text === "all") return [{ first: 0, count: chunks }];
  assert(!text.endsWith("..."), `too many runs to read: ${text}`);
  if (text === "none") return [];
  return text.split(",").map((run) => {
    const [first, last = first] = run.split("-").map(Number);
    return { first: first!, count: last! - first! + 1 };
  });
}

function bytesIn(have: Bitfield, file: HeldFile): number {
  let bytes = 0;
  for (const range of have.ranges()) bytes += rangeBytes(file.data.length, range).length;
  return bytes;
}
