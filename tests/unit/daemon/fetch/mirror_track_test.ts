/** The mirror's part of a fetch: going on, beginning again, and when there is nobody left to ask. */

import { createHash } from "node:crypto";
import { assert, assertEquals } from "@std/assert";
import {
  CHUNK_BYTES,
  chunkCount,
  type ChunkRange,
  rangeBytes,
} from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { CoalescedReads } from "../../../../src/http/coalesced_reads.ts";
import { FetchRecorder } from "../../../../src/daemon/fetch/fetch_recorder.ts";
import { MirrorTrack, type MirrorTrackOwner } from "../../../../src/daemon/fetch/mirror_track.ts";
import { MirrorError, type Mirrors } from "../../../../src/http/mirrors.ts";
import type { ChunkStore } from "../../../../src/store/chunk_store.ts";
import type { FetchRequest } from "../../../../src/wire/fetching.ts";
import { requestFor } from "../../../support/fetch_request.ts";
import { FileServer, RawServer, withMirrors } from "../../net/mirror_fixture.ts";
import { content, openStore, rootOf, TempDir } from "../../store/store_fixture.ts";

const NAME = "file.bin";
const MIB = 1_024 * 1_024;
/** Further than what is let pass to reach an offset. */
const FAR = limits.mirrorSkipBytes + MIB;
const ONE = content(3 * MIB + 70, 1);
const TWO = content(3 * MIB + 70, 2);
const SHA256 = "5".repeat(64);
const WAIT_MS = 20_000;

/** Notes what a track tells; every change of it can be waited for. */
class Owner implements MirrorTrackOwner {
  readonly restarts: string[] = [];
  readonly failures: Error[] = [];
  /** Thrown when something has changed. */
  fault: Error | null = null;
  #changed = Promise.withResolvers<void>();

  /** Waits until `isSo`, which is looked at whenever something was told. */
  async until(isSo: () => boolean): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#tell();
    }, WAIT_MS);
    try {
      while (!isSo()) {
        if (isLate) throw new Error("It did not happen");
        await this.#changed.promise;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  opened(): void {
    this.#tell();
  }

  arrived(): void {
    this.#tell();
  }

  restarted(reason: string): void {
    this.restarts.push(reason);
    this.#tell();
  }

  changed(): void {
    this.#tell();
    if (this.fault !== null) throw this.fault;
  }

  failed(error: Error): void {
    this.failures.push(error);
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** One part of a fetch after the other, with the same store. */
class Rig {
  readonly store: ChunkStore;
  /** What was read for fellows from a chunk on. */
  readAhead: (chunk: number) => ChunkRange | null = () => null;
  /** Whether fellows are listened for. */
  isUndecided = false;
  readonly #mirrors: Mirrors;
  readonly #reads = new CoalescedReads();

  constructor(store: ChunkStore, mirrors: Mirrors) {
    this.store = store;
    this.#mirrors = mirrors;
  }

  begin(
    servers: readonly { url(path?: string): string }[],
    fields: Partial<FetchRequest> = {},
    path?: string,
    from = 0,
  ): { readonly track: MirrorTrack; readonly owner: Owner } {
    const mirrors = servers.map((server) => server.url(`/${NAME}`));
    const request = requestFor(NAME, { mirrors, ...fields });
    const host = {
      store: this.store,
      mirrors: this.#mirrors,
      mirrorReads: this.#reads,
      log: silentLogger,
    };
    const owner = new Owner();
    const journal = new FetchRecorder(performance.now());
    return {
      track: new MirrorTrack(host, request, {
        owner,
        journal,
        path,
        from,
        isShared: () => false,
        isUndecided: () => this.isUndecided,
        readAhead: (chunk) => this.readAhead(chunk),
      }),
      owner,
    };
  }

  /** All that mirrors give, or why they do not. */
  async bring(...args: Parameters<Rig["begin"]>): Promise<Outcome> {
    const { track, owner } = this.begin(...args);
    track.readTo(Infinity);
    await owner.until(() => track.isWhole || track.refusal !== null || owner.failures.length > 0);
    if (owner.failures.length > 0) throw owner.failures[0];
    const { restarts } = owner;
    const bytes = track.isWhole ? bytesOf(track) : null;
    const outcome = { bytes, restarts, refusal: track.refusal, name: track.unverified!.name };
    await track.end("discard");
    return outcome;
  }

  /** Has a server give the first bytes, and puts them away. */
  async leaveOff(
    servers: readonly { url(path?: string): string }[],
    fields: Partial<FetchRequest> = {},
  ): Promise<void> {
    const { track, owner } = this.begin(servers, fields);
    track.readTo(FAR);
    await owner.until(() => track.bytes >= FAR);
    await track.end("suspend");
  }
}

interface Outcome {
  readonly bytes: Uint8Array | null;
  readonly restarts: readonly string[];
  readonly refusal: MirrorError | null;
  readonly name: string;
}

function bytesOf({ unverified, sizeBytes }: MirrorTrack): Uint8Array {
  const bytes = new Uint8Array(sizeBytes!);
  const count = Math.ceil(sizeBytes! / CHUNK_BYTES);
  unverified!.reader(sizeBytes!).readRun({ first: 0, count }, bytes, 0);
  return bytes;
}

/** Which of the files it is: a list of what differs takes for ever. */
function which(bytes: Uint8Array | null): string {
  if (bytes === null) return "nothing";
  const isSame = (other: Uint8Array) =>
    bytes.length === other.length && bytes.every((byte, at) => byte === other[at]);
  return isSame(ONE) ? "one" : isSame(TWO) ? "two" : "a mixture";
}

function withRig(test: (rig: Rig, dir: TempDir) => Promise<void>): Promise<void> {
  return withMirrors(async (mirrors) => {
    using dir = new TempDir();
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    await test(new Rig(store, mirrors), dir);
  });
}

/** What a server was asked for: the ranges, and on which condition. */
function asked({ requests }: FileServer): (string | null)[][] {
  return requests.map(({ headers }) => [headers.get("range"), headers.get("if-range")]);
}

Deno.test("MirrorTrack goes on where an earlier fetch left off when the ETag is still the same", () =>
  withRig(async (rig) => {
    await using server = new FileServer(ONE);
    server.lastModified = null;
    await rig.leaveOff([server]);
    const { bytes, restarts } = await rig.bring([server]);
    assertEquals([which(bytes), restarts.length], ["one", 0]);
    const [, [range, condition] = []] = asked(server);
    assert(/^bytes=[1-9]/.test(range!), `${range}`);
    assertEquals(condition, '"one"');
  }));

Deno.test("MirrorTrack makes no file of two when the ETag is another one", () =>
  withRig(async (rig) => {
    await using server = new FileServer(ONE);
    server.lastModified = null;
    await rig.leaveOff([server]);
    server.bytes = TWO;
    server.etag = '"two"';
    const { bytes, refusal } = await rig.bring([server]);
    assertEquals([which(bytes), refusal], ["two", null]);
  }));

Deno.test("MirrorTrack makes no file of two where a mirror says nothing of which file it is", () =>
  withRig(async (rig) => {
    await using server = new FileServer(ONE);
    server.lastModified = server.etag = null;
    await rig.leaveOff([server]);
    server.bytes = TWO;
    assertEquals(which((await rig.bring([server])).bytes), "two");
    assertEquals(asked(server).at(-1), [null, null]);
    // Where the whole is checked in the end, what is here is not thrown away.
    await rig.leaveOff([server]);
    const { bytes, restarts } = await rig.bring([server], { sha256: SHA256 });
    assertEquals([which(bytes), restarts.length], ["two", 0]);
    assert(/^bytes=[1-9]/.test(asked(server).at(-1)![0]!));
    // Of a part nothing is checked.
    await rig.leaveOff([server]);
    server.bytes = ONE;
    const chunks = { first: 0, count: 150 };
    const { track, owner } = rig.begin([server], { sha256: SHA256, chunks });
    track.readTo(Infinity);
    await owner.until(() => track.isWhole);
    assertEquals(asked(server).at(-1), [`bytes=0-${150 * CHUNK_BYTES - 1}`, null]);
    await track.end("discard");
  }));

Deno.test("MirrorTrack makes no file of two where another mirror answers with an ETag of its own", () =>
  withRig(async (rig) => {
    let isUp = true;
    await using first = new FileServer(
      ONE,
      () => isUp ? undefined : new Response(null, { status: 500 }),
    );
    await using second = new FileServer(TWO);
    first.lastModified = second.lastModified = null;
    second.etag = '"of another server"';
    await rig.leaveOff([first, second]);
    isUp = false;
    assertEquals(which((await rig.bring([first, second])).bytes), "two");
  }));

Deno.test("MirrorTrack begins again when the file is newer, far behind its beginning too", () =>
  withRig(async (rig) => {
    await using server = new FileServer(ONE);
    await rig.leaveOff([server]);
    server.bytes = TWO;
    server.etag = '"two"';
    server.lastModified = "Wed, 02 Jul 2025 10:00:00 GMT";
    const { bytes, restarts } = await rig.bring([server]);
    assertEquals([which(bytes), restarts.length], ["two", 1]);
  }));

Deno.test("MirrorTrack goes on with a mirror without ranges that breaks off again and again", () =>
  withRig(async (rig) => {
    const lengths = [FAR, FAR - MIB, 16, ONE.length];
    await using server = new RawServer((_head, request) => ({
      send: whole(ONE, lengths[request - 1]!),
    }));
    const { bytes, restarts, refusal } = await rig.bring([server]);
    assertEquals([which(bytes), restarts.length, refusal], ["one", 0, null]);
    assertEquals(server.heads.length, lengths.length);
  }));

Deno.test("MirrorTrack goes on with the answer that gave the head, where a mirror knows no ranges", () =>
  withRig(async (rig) => {
    await using server = new FileServer(
      ONE,
      (_, { bytes }) => new Response(bytes, { headers: { "content-length": `${bytes.length}` } }),
    );
    rig.isUndecided = true;
    const { track, owner } = rig.begin([server]);
    track.readTo(CHUNK_BYTES);
    await owner.until(() => track.bytes >= CHUNK_BYTES);
    assert(!track.isWhole && !track.givesRanges);
    rig.isUndecided = false;
    track.readTo(Infinity);
    await owner.until(() => track.isWhole);
    assertEquals([which(bytesOf(track)), server.requests.length], ["one", 1]);
    await track.end("discard");
  }));

Deno.test("MirrorTrack leaves the answer that gave the head when fellows bring the file", () =>
  withRig(async (rig) => {
    const left = Promise.withResolvers<void>();
    await using server = new FileServer(ONE, (_, { bytes }) => {
      const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
        start: (controller) => controller.enqueue(bytes.slice(0, CHUNK_BYTES)),
        cancel: () => left.resolve(),
      });
      return new Response(body, { headers: { "content-length": `${bytes.length}` } });
    });
    rig.isUndecided = true;
    const { track, owner } = rig.begin([server]);
    track.readTo(CHUNK_BYTES);
    await owner.until(() => track.bytes >= CHUNK_BYTES);
    track.readTo(0);
    await left.promise;
    await track.end("discard");
  }));

Deno.test("MirrorTrack begins again where more is here than the mirror's file has", () =>
  withRig(async (rig, dir) => {
    await using server = new FileServer(ONE);
    const path = dir.join("out.part");
    await Deno.writeFile(path, content(4 * MIB, 3));
    const { bytes } = await rig.bring([server], { sha256: SHA256 }, path);
    assertEquals(which(bytes), "one");
    assertEquals(asked(server).map(([range]) => range), [`bytes=${4 * MIB}-`, null]);
    assertEquals((await Deno.stat(path)).size, ONE.length);
  }));

Deno.test("MirrorTrack asks from the first byte on where a mirror refuses every range", () =>
  withRig(async (rig, dir) => {
    await using server = new FileServer(
      ONE,
      ({ headers }) => headers.has("range") ? new Response(null, { status: 416 }) : undefined,
    );
    const path = dir.join("out.part");
    await Deno.writeFile(path, ONE.subarray(0, MIB));
    const { bytes, restarts } = await rig.bring([server], { sha256: SHA256 }, path);
    assertEquals([which(bytes), restarts.length], ["one", 0]);
  }));

Deno.test("MirrorTrack asks no mirror more than twice whose file has not the size that is wanted", () =>
  withRig(async (rig) => {
    await using first = new FileServer(ONE);
    await using second = new FileServer(TWO);
    const { refusal, restarts } = await rig.bring([first, second], { sizeBytes: ONE.length + 1 });
    assertEquals([refusal!.status, restarts.length], [404, 0]);
    assertEquals([first.requests.length, second.requests.length], [2, 2]);
  }));

Deno.test("MirrorTrack takes the name of a file that is known by its root from the URL", () =>
  withRig(async (rig) => {
    await using server = new FileServer(ONE);
    const { bytes, name } = await rig.bring([server], { name: "", root: rootOf(ONE) });
    assertEquals([which(bytes), name], ["one", NAME]);
    const directory = [server.url("/")];
    const { name: other } = await rig.bring([server], {
      name: "",
      root: rootOf(ONE),
      mirrors: directory,
    });
    assertEquals(other, rootOf(ONE));
  }));

Deno.test("MirrorTrack.end() puts away what can be gone on with, and no piece out of the middle", () =>
  withRig(async (rig, dir) => {
    await using server = new FileServer(ONE);
    const putAway = async (from: number) => {
      const { track, owner } = rig.begin([server], {}, undefined, from);
      track.readTo(FAR);
      await owner.until(() => track.bytes >= FAR);
      await track.end("suspend");
      return [...Deno.readDirSync(dir.join("data/incoming"))].length;
    };
    assertEquals(await putAway(CHUNK_BYTES), 0);
    assertEquals(await putAway(0), 1);
    // The rest of what was put away: it is that which grows.
    assertEquals(await putAway(CHUNK_BYTES), 1);
  }));

Deno.test("MirrorTrack.reject() leaves the mirrors alone that are not to blame", () =>
  withRig(async (rig) => {
    let isBusy = false;
    await using first = new FileServer(
      ONE,
      () => isBusy ? new Response(null, { status: 503 }) : undefined,
    );
    await using second = new FileServer(TWO);
    second.etag = '"of another server"';
    const { track, owner } = rig.begin([first, second]);
    track.readTo(FAR);
    await owner.until(() => track.bytes >= FAR);
    // The second gives a range beside peers.
    isBusy = true;
    using range = await track.file.open({ offset: 0, end: CHUNK_BYTES }, {
      signal: new AbortController().signal,
    });
    while (await range.read() !== null);
    isBusy = false;
    await track.reject("a range of it is wrong", second.host);
    assertEquals([track.refusal, owner.restarts.length, track.bytes >= FAR], [null, 0, true]);
    assertEquals([track.received.mirrorOf(0, ONE.length), track.file.mirror], [
      first.host,
      first.host,
    ]);
    track.readTo(Infinity);
    await owner.until(() => track.isWhole);
    assertEquals([which(bytesOf(track)), second.requests.length], ["one", 1]);
    await track.reject("all of it is wrong");
    assertEquals([track.refusal?.code, owner.restarts.length], ["unusable", 1]);
    assertEquals(track.refusal!.mirror, first.host);
    await track.end("discard");
  }));

Deno.test("MirrorTrack.reject() bans nobody for what an earlier fetch brought", () =>
  withRig(async (rig, dir) => {
    await using server = new FileServer(ONE);
    const path = dir.join("out.part");
    await Deno.writeFile(path, TWO.subarray(0, MIB));
    const { track, owner } = rig.begin([server], { sha256: SHA256 }, path);
    track.readTo(Infinity);
    await owner.until(() => track.isWhole);
    assertEquals(which(bytesOf(track)), "a mixture");
    await track.reject("its SHA-256 is wrong");
    await owner.until(() => track.isWhole);
    assertEquals([which(bytesOf(track)), track.refusal], ["one", null]);
    await track.end("discard");
  }));

Deno.test("MirrorTrack.rangesFailed() ends ranges only, as long as a mirror is left", () =>
  withRig(async (rig) => {
    await using server = new FileServer(ONE);
    const { track, owner } = rig.begin([server]);
    const error = new MirrorError("no-range", "It gives none", { mirror: server.host });
    track.rangesFailed(error);
    assertEquals([track.givesRanges, track.refusal], [false, null]);
    track.readTo(Infinity);
    await owner.until(() => track.isWhole);
    assertEquals(which(bytesOf(track)), "one");
    await track.end("discard");
    const other = rig.begin([server]).track;
    other.ban(server.host);
    other.rangesFailed(error);
    assertEquals(other.refusal, error);
    await other.end("discard");
  }));

Deno.test("MirrorTrack tells its owner what the owner itself throws, and ends nothing else", () =>
  withRig(async (rig) => {
    await using server = new FileServer(ONE, () => new Response(null, { status: 404 }));
    const { track, owner } = rig.begin([server]);
    owner.fault = new Error("The disk is full");
    track.readTo(Infinity);
    await owner.until(() => owner.failures.length > 0);
    assertEquals(owner.failures, [owner.fault]);
    await track.end("discard");
  }));

/** An answer of a whole file, of which only the first bytes come. */
function whole(bytes: Uint8Array, length: number): Uint8Array {
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`;
  const text = new TextEncoder().encode(head);
  const sent = new Uint8Array(text.length + length);
  sent.set(text);
  sent.set(bytes.subarray(0, length), text.length);
  return sent;
}

/** In the middle of a chunk. */
const MIDDLE = 2.5 * CHUNK_BYTES;

/** Has ONE, and gives no more than the first bytes of the whole of it until `goesOn`. */
function stoppingServer(stopsAt: number, goesOn: Promise<void>): FileServer {
  return new FileServer(ONE, (request, { bytes }) => {
    if (request.headers.has("range")) return undefined;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async start(controller) {
        controller.enqueue(bytes.slice(0, stopsAt));
        await goesOn;
        controller.enqueue(bytes.slice(stopsAt));
        controller.close();
      },
    });
    return new Response(body, { headers: { "content-length": `${bytes.length}` } });
  });
}

/** Waits until so many bytes came in order. */
async function reached(track: MirrorTrack, bytes: number): Promise<void> {
  while (track.bytes < bytes) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = track.changes.listen(resolve);
    await promise;
    end();
  }
}

Deno.test("MirrorTrack gives all of a chunk that others wrote while the mirror was in the middle of it", () =>
  withRig(async (rig) => {
    const goesOn = Promise.withResolvers<void>();
    await using server = stoppingServer(MIDDLE, goesOn.promise);
    const { track, owner } = rig.begin([server], { sha256: SHA256 });
    track.readTo(Infinity);
    await reached(track, MIDDLE);
    const others = new Uint8Array(3 * CHUNK_BYTES).fill(7);
    track.writeOthers(2 * CHUNK_BYTES, others);
    goesOn.resolve();
    await owner.until(() => track.isWhole || track.refusal !== null);
    assertEquals(which(bytesOf(track)), "one");
    await track.end("discard");
  }));

Deno.test("MirrorTrack goes on at the beginning of a chunk where others may write whole ones", () =>
  withRig(async (rig) => {
    const left = FAR + 100;
    await using server = new RawServer((_head, request) => ({
      send: whole(ONE, request % 2 === 1 ? left : ONE.length),
      hold: request % 2 === 1,
    }));
    const { track, owner } = rig.begin([server], { sha256: SHA256 });
    track.readTo(Infinity);
    await owner.until(() => track.bytes >= FAR);
    await track.end("suspend");
    const { track: next } = rig.begin([server], { sha256: SHA256 });
    next.prepare(ONE.length);
    assertEquals(next.bytes % CHUNK_BYTES, 0);
    assert(next.bytes >= FAR - CHUNK_BYTES, `${next.bytes}`);
    await next.end("discard");
  }));

Deno.test("MirrorTrack keeps what a mirror gave in order, whatever others write there", () =>
  withRig(async (rig) => {
    await using server = new FileServer(ONE);
    await rig.leaveOff([server], { sha256: SHA256 });
    const { track, owner } = rig.begin([server], { sha256: SHA256 });
    track.prepare(ONE.length);
    const begun = track.bytes;
    track.writeOthers(0, new Uint8Array(begun + 2 * CHUNK_BYTES).fill(7));
    const first = new Uint8Array(begun + CHUNK_BYTES);
    const count = first.length / CHUNK_BYTES;
    track.unverified!.reader(ONE.length).readRun({ first: 0, count }, first, 0);
    assert(first.subarray(0, begun).every((byte, at) => byte === ONE[at]), "the mirror's is kept");
    assert(first.subarray(begun).every((byte) => byte === 7), "others write what is missing");
    track.readTo(Infinity);
    await owner.until(() => track.isWhole || track.refusal !== null);
    assertEquals(which(bytesOf(track)), "one");
    await track.end("discard");
  }));

Deno.test("MirrorTrack gives all of a chunk that others gave wrong and that is dropped in its middle", () =>
  withRig(async (rig) => {
    const goesOn = Promise.withResolvers<void>();
    await using server = stoppingServer(MIDDLE, goesOn.promise);
    const { track, owner } = rig.begin([server], { sha256: SHA256 });
    track.prepare(ONE.length);
    track.writeOthers(2 * CHUNK_BYTES, new Uint8Array(3 * CHUNK_BYTES).fill(7));
    track.readTo(Infinity);
    await reached(track, MIDDLE);
    track.unfilled({ first: 2, count: 3 });
    goesOn.resolve();
    await owner.until(() => track.isWhole || track.refusal !== null);
    assert(track.isWholeFile, "no part of it is missing");
    assertEquals(which(bytesOf(track)), "one");
    await track.end("discard");
  }));

Deno.test("MirrorTrack reads nothing twice of what was read ahead for fellows", () =>
  withRig(async (rig) => {
    await using server = new FileServer(ONE);
    const chunks = chunkCount(ONE.length);
    const ahead: ChunkRange[] = [{ first: 20, count: 30 }, { first: chunks - 9, count: 9 }];
    rig.readAhead = (chunk) => ahead.find(({ first }) => first >= chunk) ?? null;
    const { track, owner } = rig.begin([server], { sha256: SHA256 });
    track.prepare(ONE.length);
    for (const range of ahead) {
      const { offset, length } = rangeBytes(ONE.length, range);
      track.writeOthers(offset, ONE.subarray(offset, offset + length));
    }
    track.readTo(Infinity);
    await owner.until(() => track.isWhole);
    assertEquals(which(bytesOf(track)), "one");
    assertEquals(asked(server).map(([range]) => range), [
      `bytes=0-${20 * CHUNK_BYTES - 1}`,
      `bytes=${50 * CHUNK_BYTES}-${(chunks - 9) * CHUNK_BYTES - 1}`,
    ]);
    assertEquals(track.nextChunk, chunks);
    assertEquals(
      await track.unverified!.sha256(),
      createHash("sha256").update(ONE).digest("hex"),
    );
    await track.end("discard");
  }));

Deno.test("MirrorTrack passes over what was read ahead only as far as is wanted, and asks for nothing", () =>
  withRig(async (rig) => {
    await using server = new FileServer(ONE);
    const run = { first: 0, count: 20 };
    rig.readAhead = (chunk) => chunk < 20 ? { first: chunk, count: 20 - chunk } : null;
    const { track, owner } = rig.begin([server], { sha256: SHA256 });
    track.prepare(ONE.length);
    const { length } = rangeBytes(ONE.length, run);
    track.writeOthers(0, ONE.subarray(0, length));
    track.readTo(CHUNK_BYTES);
    await owner.until(() => track.nextChunk > 0);
    assertEquals([track.nextChunk, track.bytes], [1, CHUNK_BYTES]);
    track.readTo(Infinity);
    await owner.until(() => track.isWhole);
    assertEquals(which(bytesOf(track)), "one");
    assertEquals(asked(server).map(([range]) => range), [`bytes=${length}-`]);
    await track.end("discard");
  }));
