/** Mirrors as sources of a swarm, beside peers and without, and chunks that come by other ways. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { concatBytes } from "../../../../src/base/bytes.ts";
import { systemClock } from "../../../../src/base/clock.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../../../src/base/geometry.ts";
import { newNodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { seededRandom, systemRandom } from "../../../../src/base/random.ts";
import { NO_PACES } from "../../../../src/base/rates/pace.ts";
import { ChunkHasher } from "../../../../src/daemon/swarm/chunk_hasher.ts";
import { mirrorProvider, type Provider } from "../../../../src/daemon/swarm/provider.ts";
import { Swarm } from "../../../../src/daemon/swarm/swarm.ts";
import type { SwarmEvent, SwarmObserver } from "../../../../src/daemon/swarm/swarm_events.ts";
import { Connection } from "../../../../src/net/connection.ts";
import type { Mirrors } from "../../../../src/http/mirrors.ts";
import { memoryPair } from "../../../support/memory_transport.ts";
import { FileServer, RawServer, withMirrors } from "../../net/mirror_fixture.ts";
import { content, giveLeaves, openStore, rootOf, TempDir } from "../../store/store_fixture.ts";

const CHUNKS = 150;
const BYTES = content(CHUNKS * CHUNK_BYTES - 5_000);
const ROOT = rootOf(BYTES);
const ALL = { first: 0, count: CHUNKS };
const WAIT_MS = 20_000;

/** Notes what a swarm tells; each outcome can be waited for. */
class Observer implements SwarmObserver {
  readonly gains: { range: ChunkRange; provider: Provider }[] = [];
  readonly banned_: string[] = [];
  readonly #outcome = Promise.withResolvers<unknown>();
  readonly #some = Promise.withResolvers<void>();

  swarmEvent(event: SwarmEvent): void {
    switch (event.kind) {
      case "gained":
        this.gains.push(event);
        return this.#some.resolve();
      case "completed":
        return this.#outcome.resolve("completed");
      case "failed":
        return this.#outcome.reject(event.error);
      case "banned":
        this.banned_.push(event.nodeId);
        return;
      case "mirror-wrong":
        return this.#outcome.resolve({ mirror: event.provider.label, index: event.index });
      case "mirror-failed":
        return this.#outcome.resolve(event.error?.code ?? null);
    }
  }

  /** How it ended: "completed", a mirror's wrong chunk, or the code of its error. */
  get outcome(): Promise<unknown> {
    return within(this.#outcome.promise);
  }

  /** Resolves when the first chunks are here. */
  get some(): Promise<void> {
    return within(this.#some.promise);
  }

  chunksBy(kind: Provider["kind"]): number {
    let chunks = 0;
    for (const { range, provider } of this.gains) if (provider.kind === kind) chunks += range.count;
    return chunks;
  }
}

async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("It did not happen")), WAIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Case {
  readonly swarm: Swarm;
  readonly observer: Observer;
  readonly mirrors: Mirrors;
}

/** Runs a test with a swarm on a real store, which has the leaves, and nothing else, if wanted. */
function withSwarm(
  options: { readonly leaves: boolean },
  test: (given: Case) => Promise<void>,
): Promise<void> {
  return withMirrors(async (mirrors) => {
    using dir = new TempDir();
    const { store } = await openStore(dir.path);
    const hasher = new ChunkHasher(systemClock);
    const file = { root: ROOT, name: "file.bin", sizeBytes: BYTES.length };
    const download = store.beginDownload(file);
    if (options.leaves) giveLeaves(download, BYTES);
    const swarm = new Swarm(
      {
        clock: systemClock,
        log: silentLogger,
        random: seededRandom(1),
        hasher,
        rates: NO_PACES,
        struck: () => {},
        misbehaved: () => {},
      },
      download,
      { file, wanted: ALL, inflightBytesMax: limits.inflightBytesMax, hasOwnPath: false },
    );
    const observer = new Observer();
    swarm.subscribe(observer);
    swarm.start();
    const ticking = setInterval(() => swarm.tick(performance.now()), 50);
    try {
      await test({ swarm, observer, mirrors });
    } finally {
      clearInterval(ticking);
      await swarm.suspend();
      hasher.close();
      await store.close();
    }
  });
}

/** What mirrors were the first to give. */
function mirrorsOf({ ledger }: Swarm): { readonly mirror: string; readonly bytes: number }[] {
  return [...ledger].filter(({ provider }) => provider.kind === "mirror")
    .map(({ provider, bytes }) => ({ mirror: provider.label, bytes }));
}

function readBack(swarm: Swarm): Uint8Array {
  const bytes = new Uint8Array(BYTES.length);
  for (let first = 0; first < CHUNKS; first += 32) {
    const range = { first, count: Math.min(32, CHUNKS - first) };
    swarm.download.readRun(range, bytes, first * CHUNK_BYTES);
  }
  return bytes;
}

/** An answer of which only the head ever comes. */
function held({ status, headers }: Response, ended: () => void): Response {
  return new Response(new ReadableStream({ cancel: ended }), { status, headers });
}

/** Half of the range that is asked for, and then the end of the connection. */
function halved(head: string): { readonly send: Uint8Array } {
  const asked = /^range: bytes=(\d+)-(\d+)/im.exec(head)!;
  const first = Number(asked[1]), end = Number(asked[2]) + 1;
  const lines = [
    "HTTP/1.1 206 Partial Content",
    `Content-Range: bytes ${first}-${end - 1}/${BYTES.length}`,
    `Content-Length: ${end - first}`,
  ];
  const begin = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  return { send: concatBytes([begin, BYTES.subarray(first, (first + end) / 2)]) };
}

/** The bytes of chunks. */
function bytesOf({ first, count }: ChunkRange): Uint8Array<ArrayBuffer> {
  return BYTES.slice(first * CHUNK_BYTES, (first + count) * CHUNK_BYTES);
}

Deno.test("Swarm.joinMirror() brings a file by ranges of it, each asked once", () =>
  withSwarm({ leaves: true }, async ({ swarm, observer, mirrors }) => {
    await using server = new FileServer(BYTES);
    const mirror = mirrors.file([server.url()]);
    swarm.joinMirror(mirror);
    assertEquals(
      swarm.report().sources.map(({ peer, nodeId }) => [peer, nodeId]),
      [[server.host, null]],
    );
    assertEquals([swarm.sourceCount, swarm.peerCount, swarm.wantsSources], [1, 0, true]);
    assertEquals(await observer.outcome, "completed");
    assertEquals(readBack(swarm), BYTES);
    assertEquals(observer.chunksBy("mirror"), CHUNKS);
    const { length } = BYTES;
    assertEquals([swarm.peerBytes, swarm.bytesDone], [0, length]);
    assertEquals(mirror.bytesGiven.get(server.host), length);
    assertEquals(mirrorsOf(swarm), [{ mirror: server.host, bytes: length }]);
    assertEquals(swarm.ledger.peers(), []);
    assert(server.requests.every(({ headers }) => headers.has("range")));
  }));

Deno.test("Swarm.joinMirror() asks for nothing before the leaves are here", () =>
  withSwarm({ leaves: false }, async ({ swarm, observer, mirrors }) => {
    await using server = new FileServer(BYTES);
    swarm.joinMirror(mirrors.file([server.url()]));
    swarm.tick(performance.now());
    assertEquals([server.requests.length, swarm.needsSources], [0, true]);
    giveLeaves(swarm.download, BYTES);
    swarm.start();
    assertEquals(await observer.outcome, "completed");
    assertEquals(readBack(swarm), BYTES);
  }));

Deno.test("Swarm lets a mirror go whose chunk is not what the leaves say, and bans nobody", () =>
  withSwarm({ leaves: true }, async ({ swarm, observer, mirrors }) => {
    const other = BYTES.slice();
    other[37 * CHUNK_BYTES + 11]! ^= 1;
    await using server = new FileServer(other);
    swarm.joinMirror(mirrors.file([server.url()]));
    assertEquals(await observer.outcome, { mirror: server.host, index: 37 });
    assertEquals([swarm.sourceCount, observer.banned_], [0, []]);
    assert(!swarm.download.have.has(37));
    for (const { range } of observer.gains) {
      assert(range.first > 37 || range.first + range.count <= 37);
    }
  }));

Deno.test("Swarm goes on with a mirror that breaks off, and takes the rest from the next", () =>
  withSwarm({ leaves: true }, async ({ swarm, observer, mirrors }) => {
    await using good = new FileServer(BYTES);
    await using weak = new RawServer(halved);
    swarm.joinMirror(mirrors.file([weak.url(), good.url()]));
    assertEquals(await observer.outcome, "completed");
    assertEquals(readBack(swarm), BYTES);
    assert(weak.heads.length > 0 && good.requests.length > 0);
    assert(mirrorsOf(swarm).some(({ mirror }) => mirror === good.host));
  }));

Deno.test("Swarm says when its mirrors give no more, and why", async () => {
  const failing = (answer: (server: FileServer) => Response | undefined, bytes = BYTES) =>
    withSwarm({ leaves: true }, async ({ swarm, observer, mirrors }) => {
      await using server = new FileServer(bytes, (_request, server) => answer(server));
      swarm.joinMirror(mirrors.file([server.url()]));
      codes.push(await observer.outcome);
      assertEquals(swarm.sourceCount, 0);
      swarm.tick(performance.now());
      assert(swarm.needsSources);
    });
  const codes: unknown[] = [];
  await failing(() => new Response(null, { status: 404 }));
  await failing(() => new Response(null, { status: 500 }));
  await failing(() => undefined, content(BYTES.length + CHUNK_BYTES));
  assertEquals(codes, ["refused", "refused", "changed"]);
});

Deno.test("Swarm asks nothing more of a mirror that was taken out, nor ends what it gave", () =>
  withSwarm({ leaves: true }, async ({ swarm, observer, mirrors }) => {
    const ended = Promise.withResolvers<void>();
    let requests = 0;
    // The second range and those after it never come.
    await using server = new FileServer(BYTES, (request, server) => {
      if (++requests === 1) return undefined;
      return held(server.answer(request), () => ended.resolve());
    });
    const leave = swarm.joinMirror(mirrors.file([server.url()]));
    await observer.some;
    leave();
    leave();
    await within(ended.promise);
    const asked = requests;
    swarm.tick(performance.now());
    assertEquals([swarm.sourceCount, requests], [0, asked]);
    assert(swarm.bytesDone > 0 && swarm.needsSources);
  }));

Deno.test("Swarm.feed() takes what matches the leaves, and cancels what it was asked elsewhere", () =>
  withSwarm({ leaves: true }, async ({ swarm, observer, mirrors }) => {
    const asked = Promise.withResolvers<void>(), ended = Promise.withResolvers<void>();
    await using server = new FileServer(BYTES, (request, server) => {
      asked.resolve();
      return held(server.answer(request), () => ended.resolve());
    });
    const mirror = mirrors.file([server.url()]);
    swarm.joinMirror(mirror);
    await within(asked.promise);
    const provider = mirrorProvider("other.example");
    const begin = bytesOf({ first: 0, count: 40 });
    begin[3 * CHUNK_BYTES]! ^= 1;
    begin[40 * CHUNK_BYTES - 1]! ^= 1;
    assertEquals(swarm.feed(provider, { first: 0, count: 40 }, begin), [3, 39]);
    assertEquals(observer.gains.map(({ range }) => range), [
      { first: 0, count: 3 },
      { first: 4, count: 35 },
    ]);
    for (let first = 0; first < CHUNKS; first += 50) {
      const range = { first, count: Math.min(50, CHUNKS - first) };
      assertEquals(swarm.feed(provider, range, bytesOf(range)), []);
    }
    assertEquals(await observer.outcome, "completed");
    await within(ended.promise);
    assertEquals(readBack(swarm), BYTES);
    assertEquals(mirrorsOf(swarm), [{ mirror: "other.example", bytes: BYTES.length }]);
  }));

Deno.test("Swarm.feed() refuses what cannot be held against leaves", () =>
  withSwarm({ leaves: false }, async ({ swarm, observer }) => {
    const provider = mirrorProvider("a");
    const range = { first: 0, count: 1 };
    assertThrows(() => swarm.feed(provider, range, bytesOf(range)), RangeError);
    giveLeaves(swarm.download, BYTES);
    swarm.start();
    assertThrows(() => swarm.feed(provider, range, bytesOf(range).subarray(1)), RangeError);
    assertEquals(swarm.feed(provider, range, bytesOf(range)), []);
    // What is here already is held against the leaves as well, and not counted twice.
    assertEquals(swarm.feed(provider, range, new Uint8Array(CHUNK_BYTES)), [0]);
    assertEquals(swarm.feed(provider, range, bytesOf(range)), []);
    assertEquals([observer.gains.length, swarm.bytesDone], [1, CHUNK_BYTES]);
    await Promise.resolve();
  }));

Deno.test("Swarm has a mirror give what a peer that stalls was asked for", () =>
  withSwarm({ leaves: true }, async ({ swarm, observer, mirrors }) => {
    await using server = new FileServer(BYTES);
    const [near, far] = memoryPair();
    const connection = new Connection(near), holder = new Connection(far);
    const hearing = holder.receive({ frame: () => {} }).catch(() => {});
    const nodeId = newNodeId(systemRandom);
    const using_ = swarm.useSource(connection, {
      nodeId,
      peer: "192.0.2.1:1",
      whole: true,
      bitfield: new Uint8Array(),
    });
    assertEquals([swarm.peerCount, swarm.peersGiving, swarm.peersBytesPerSecond], [1, 1, 0]);
    swarm.joinMirror(mirrors.file([server.url()]));
    assertEquals(await observer.outcome, "completed");
    assertEquals(readBack(swarm), BYTES);
    assertEquals(observer.chunksBy("mirror"), chunkCount(BYTES.length));
    await swarm.suspend();
    await using_;
    holder.close();
    await hearing;
  }));
