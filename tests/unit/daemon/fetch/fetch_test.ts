/** How a fetch ends, asks again and dials, with time that the test lets pass, and holders it plays. */

import { assert, assertEquals, assertGreater, assertMatch, assertRejects } from "@std/assert";
import { systemClock } from "../../../../src/base/clock.ts";
import { EnvironmentError, FetchFailure, messageOf } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../../../src/base/geometry.ts";
import { newNodeId, newQueryId, type Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { seededRandom, systemRandom } from "../../../../src/base/random.ts";
import { Bitfield } from "../../../../src/base/bitfield.ts";
import { NO_PACES } from "../../../../src/base/rates/pace.ts";
import { CoalescedReads } from "../../../../src/http/coalesced_reads.ts";
import { ChunkHasher } from "../../../../src/daemon/swarm/chunk_hasher.ts";
import type { DirectoryError } from "../../../../src/daemon/directories/directory_errors.ts";
import { HolderBook } from "../../../../src/core/keeping/holder_book.ts";
import { Fetch } from "../../../../src/daemon/fetch/fetch.ts";
import type { Searcher } from "../../../../src/daemon/discovery/searches.ts";
import { Swarms } from "../../../../src/daemon/swarm/swarms.ts";
import { RejectedFiles } from "../../../../src/daemon/trust/rejected_files.ts";
import { Connection } from "../../../../src/net/connection.ts";
import { Mirrors } from "../../../../src/http/mirrors.ts";
import {
  CHUNKS_HEADER_BYTES,
  decodePayload,
  writeChunksHeader,
} from "../../../../src/wire/codec.ts";
import type { FetchRequest } from "../../../../src/wire/fetching.ts";
import type { Hit, Message, MessageOf } from "../../../../src/wire/messages.ts";
import type { FileOffer, Holder, KnownFile } from "../../../../src/wire/structures.ts";
import type { ChunkStore } from "../../../../src/store/chunk_store.ts";
import { content, leavesOf, openStore, rootOf, TempDir } from "../../store/store_fixture.ts";
import { memoryPair } from "../../../support/memory_transport.ts";
import { ShiftedClock } from "../../../support/shifted_clock.ts";
import { requestFor } from "../../../support/fetch_request.ts";

const CHUNKS = 64;
const BYTES = content(CHUNKS * CHUNK_BYTES - 77);
const LEAVES = leavesOf(BYTES);
const ROOT = rootOf(BYTES);
const NAME = "file.bin";

/** How long a test waits for anything, in time that really passes. */
const WAIT_MS = 10_000;

/** How a holder answers; by default it says nothing at all. */
interface Answers {
  readonly leaves?: (range: ChunkRange) => Message;
  readonly chunks?: (range: ChunkRange) => Uint8Array;
}

const honestLeaves = ({ first, count }: ChunkRange): Message => ({
  kind: "leaves",
  first,
  hashes: LEAVES.slice(first * 32, (first + count) * 32),
});

function honestChunks({ first, count }: ChunkRange): Uint8Array {
  const data = BYTES.subarray(first * CHUNK_BYTES, (first + count) * CHUNK_BYTES);
  const frame = new Uint8Array(CHUNKS_HEADER_BYTES + data.length);
  writeChunksHeader(frame, first, data.length);
  frame.set(data, CHUNKS_HEADER_BYTES);
  return frame;
}

/** A fetch on a real store, whose queries and dials are counted and go nowhere. */
class Fetching implements AsyncDisposable {
  readonly fetch: Fetch;
  readonly store: ChunkStore;
  readonly swarms: Swarms;
  readonly ended: Promise<unknown>;
  queriesMade = 0;
  queriesLive = 0;
  /** Questions to directories apart from those that go with a query. */
  asked = 0;
  dialled: string[] = [];
  /** Who hears the offer of each holder that was dialled. */
  readonly dials: Pick<Searcher, "offered">[] = [];
  /** What every dial fails with. */
  dialError: Error | undefined;
  chunksGained = 0;
  isEnded = false;
  readonly links = { size: 1, dialling: 0, faults: [] };
  /** What stands against the answer of the only directory. */
  readonly errors: DirectoryError[] = [];
  readonly #stop = new AbortController();
  readonly #dials = Promise.withResolvers<void>();
  readonly #hasher = new ChunkHasher(systemClock);
  readonly #mirrors = new Mirrors({ log: silentLogger });
  readonly #connections: Connection[] = [];
  readonly #tasks: Promise<unknown>[] = [];
  readonly #close: () => Promise<void>;
  /** One clock for all: the fetch, its swarms and the ticks. */
  readonly #clock = new ShiftedClock();

  private constructor(
    { store }: Awaited<ReturnType<typeof openStore>>,
    request: Partial<FetchRequest>,
    close: () => Promise<void>,
  ) {
    this.#close = close;
    this.store = store;
    const hasher = this.#hasher;
    const random = seededRandom(1);
    this.swarms = new Swarms({
      clock: this.#clock,
      log: silentLogger,
      random,
      hasher,
      rates: NO_PACES,
      struck: () => {},
      misbehaved: () => {},
    }, store);
    this.fetch = new Fetch(
      {
        store,
        clock: this.#clock,
        nearnessOf: () => "far" as const,
        offerPolicy: { trustOf: () => "peers" },
        holders: new HolderBook(newNodeId(systemRandom)),
        swarms: this.swarms,
        log: silentLogger,
        links: this.links,
        overlay: { addressCount: 0 },
        dialNodes: () => {},
        isAlone: true,
        nodeId: newNodeId(systemRandom),
        coming: () => [],
        hasNetworkKey: false,
        flights: {
          random,
          begin: () => undefined,
          dial: () => {},
          isDialling: () => false,
          join: () => Promise.resolve(),
          onSought: () => () => {},
          misbehaved: () => {},
          passedWrong: () => {},
        },
        directories: {
          size: 1,
          errors: this.errors,
          findFellows: () => ({ isAwaited: false, end: () => {} }),
          leaseName: () => () => {},
          findHolders: () => {
            this.asked++;
            return { isThrough: false, end: () => {} };
          },
        },
        search: () => {
          this.queriesMade++;
          this.queriesLive++;
          return { outcome: null, retire: () => {}, end: () => void this.queriesLive-- };
        },
        dialHolder: ({ port }, _root, searcher) => {
          this.dialled.push(String(port));
          this.dials.push(searcher);
          return this.dialError === undefined
            ? this.#dials.promise
            : Promise.reject(this.dialError);
        },
        dialProblem: messageOf,
        askRelays: () => Promise.resolve(),
        mirrors: this.#mirrors,
        mirrorReads: new CoalescedReads(),
        rejectedFiles: new RejectedFiles(),
      },
      requestFor(NAME, request),
      {
        observer: {
          event: () => {},
          readable: () => {},
          gained: ({ count }) => this.chunksGained += count,
        },
      },
    );
    this.ended = this.fetch.run(this.#stop.signal).finally(() => this.isEnded = true);
    this.ended.catch(() => {});
  }

  static async start(request: Partial<FetchRequest> = {}): Promise<Fetching> {
    const dir = new TempDir();
    const opened = await openStore(dir.path);
    const fetching = new Fetching(opened, request, async () => {
      await opened.store.close();
      dir[Symbol.dispose]();
    });
    await fetching.until(() => fetching.queriesMade > 0, "the first query");
    return fetching;
  }

  /** A holder that calls back, and is wanted. It has the first `count` chunks. */
  join(answers: Answers, count = CHUNKS): Connection {
    const { holder, answer } = this.callBack(answers, count);
    assert(holder !== undefined, `its offer is answered with ${answer}`);
    return holder;
  }

  /** The same for one that may come when the fetch has just ended. */
  callBack(
    answers: Answers,
    count = CHUNKS,
  ): { readonly holder?: Connection; readonly answer: string } {
    const isWhole = count === CHUNKS;
    const have = new Bitfield(CHUNKS);
    have.addRange({ first: 0, count });
    const verdict = this.fetch.offered(
      { nodeId: newNodeId(systemRandom), address: { host: "192.0.2.1", port: 0 } },
      [{
        kind: "offer",
        file: {
          root: ROOT,
          name: NAME,
          type: "",
          sizeBytes: BYTES.length,
          chunksHave: count,
          whole: isWhole,
        },
        bitfield: isWhole ? new Uint8Array() : have.page(0, Math.ceil(CHUNKS / 8)),
      }],
    );
    if (verdict.kind !== "want") return { answer: verdict.kind };
    const [near, far] = memoryPair({ bufferBytes: 100_000 });
    const holder = new Connection(far), connection = new Connection(near);
    this.#connections.push(holder, connection);
    const frames: Uint8Array[] = [];
    holder.setBulk({ nextFrame: () => frames.shift() ?? null });
    this.#tasks.push(
      holder.receive({
        frame({ code, payload }) {
          const message = decodePayload(code, payload);
          if (message.kind === "leaves-request" && answers.leaves !== undefined) {
            holder.send(answers.leaves(message));
          }
          if (message.kind === "request" && answers.chunks !== undefined) {
            frames.push(answers.chunks(message));
            holder.wake();
          }
        },
      }).catch(() => {}),
      verdict.use(connection).catch(() => {}),
    );
    return { holder, answer: verdict.kind };
  }

  /** Lets time pass by seconds until the fetch ends, or `totalMs` have gone; fast, unlike time. */
  async pass(totalMs: number, stepMs = 1_000): Promise<void> {
    for (let passedMs = 0; passedMs < totalMs && !this.isEnded; passedMs += stepMs) {
      this.#clock.aheadMs += stepMs;
      this.swarms.tick(this.#clock.nowMs());
      this.fetch.tick(this.#clock.nowMs());
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async until(predicate: () => boolean, what: string): Promise<void> {
    const endMs = systemClock.nowMs() + WAIT_MS;
    while (!predicate()) {
      if (systemClock.nowMs() > endMs) throw new Error(`Waited in vain for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** Holds the fetch to having ended for want of anybody to ask. */
  async hasFailed(): Promise<void> {
    assert(this.isEnded, "it still waits");
    await assertRejects(() => this.ended, FetchFailure, "Cannot fetch");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#dials.resolve();
    await this.ended.catch(() => {});
    for (const connection of this.#connections) connection.close();
    await Promise.all(this.#tasks);
    this.#hasher.close();
    this.#mirrors.close();
    await this.#close();
  }
}

Deno.test("Fetch ends when its sources have given all they have, and nobody has the rest", async () => {
  await using fetching = await Fetching.start();
  fetching.join({ leaves: honestLeaves, chunks: honestChunks }, 8);
  await fetching.until(() => fetching.chunksGained === 8, "what there is");
  await fetching.pass(30_000);
  assertEquals(fetching.isEnded, false, "another holder may still come");
  await fetching.pass(20_000);
  await fetching.hasFailed();
});

Deno.test("Fetch goes on when a holder of the rest comes late", async () => {
  await using fetching = await Fetching.start();
  fetching.join({ leaves: honestLeaves, chunks: honestChunks }, 8);
  await fetching.until(() => fetching.chunksGained === 8, "what there is");
  await fetching.pass(25_000);
  fetching.join({ leaves: honestLeaves, chunks: honestChunks });
  await fetching.ended;
  assertEquals(fetching.chunksGained, CHUNKS);
});

Deno.test("Fetch ends when its only source rejects the request for leaves", async () => {
  await using fetching = await Fetching.start();
  let rejected = 0;
  fetching.join({
    leaves({ first, count }) {
      rejected++;
      return { kind: "reject", range: { first, count }, rejection: "busy" } as Message;
    },
  });
  await fetching.until(() => rejected > 0, "the request for leaves");
  await fetching.pass(60_000);
  await fetching.hasFailed();
});

Deno.test("Fetch ends when its only source is silent about leaves", async () => {
  await using fetching = await Fetching.start();
  fetching.join({});
  await fetching.pass(60_000);
  await fetching.hasFailed();
});

Deno.test("Fetch hears a bounded number of queries, however often it asks again", async () => {
  await using fetching = await Fetching.start();
  // What comes now and then keeps it from giving up.
  for (const chunks of [8, 16, 24]) {
    fetching.join({ leaves: honestLeaves, chunks: honestChunks }, chunks);
    await fetching.until(() => fetching.chunksGained === chunks, "what there is");
    await fetching.pass(24_000, 6_000);
  }
  assertGreater(fetching.queriesMade, limits.queriesHeard);
  assertEquals(fetching.queriesLive, limits.queriesHeard);
});

Deno.test("Fetch dials a bounded number of holders at once, and none twice, however many hits come", async () => {
  await using fetching = await Fetching.start();
  const hit = (port: number) => fetching.fetch.hit(hitOf(port, { sizeBytes: 5, chunksHave: 1 }));
  for (let i = 0; i < 50; i++) hit(1_000);
  assertEquals(fetching.dialled, ["1000"]);
  for (let i = 0; i < 500; i++) hit(1_001 + i);
  assertEquals(fetching.dialled.length, limits.sourcesMax);
});

Deno.test("Fetch does not believe a hit, nor end because it names too short a file", async () => {
  await using fetching = await Fetching.start({ chunks: { first: 10, count: 2 } });
  const short = { root: OTHER, sizeBytes: 5, chunksHave: chunkCount(5) };
  fetching.fetch.hit(hitOf(9, short));
  await fetching.pass(500, 100);
  assertEquals([fetching.isEnded, [...fetching.swarms].length], [false, 0]);
  fetching.join({ leaves: honestLeaves, chunks: honestChunks });
  await fetching.ended;
  assertEquals(fetching.chunksGained, 2);
});

Deno.test("Fetch ends when several sources are silent about leaves in turn", async () => {
  await using fetching = await Fetching.start();
  fetching.join({});
  fetching.join({});
  await fetching.pass(90_000);
  await fetching.hasFailed();
});

for (
  const { what, answers } of [
    { what: "leaves", answers: {} },
    { what: "chunks", answers: { leaves: honestLeaves } },
  ]
) {
  Deno.test(`Fetch ends though its only source, silent about ${what}, comes back each time it is dropped`, async () => {
    await using fetching = await Fetching.start();
    for (let seconds = 0; seconds < 120 && !fetching.isEnded; seconds++) {
      const [swarm] = fetching.swarms;
      if (swarm === undefined || swarm.sourceCount === 0) fetching.callBack(answers);
      await fetching.pass(1_000);
    }
    await fetching.hasFailed();
  });
}

/** What a directory says of holders at these ports. */
function named(ports: readonly number[], values: Partial<Holder> = {}): Holder[] {
  return ports.map((port) => ({
    root: ROOT,
    sizeBytes: BYTES.length,
    nodeId: newNodeId(systemRandom),
    host: port === 0 ? "" : "192.0.2.1",
    port,
    chunksHave: CHUNKS,
    loadPermille: 0,
    ...values,
  }));
}

/** A holder that answers by the reverse path; port 0: it accepts no connections. */
function hitOf(port: number, values: Partial<FileOffer> = {}): Hit {
  const file = { root: ROOT, name: NAME, type: "", sizeBytes: BYTES.length };
  return {
    kind: "hit",
    id: newQueryId(systemRandom),
    hops: 1,
    nodeId: newNodeId(systemRandom),
    holderHost: port === 0 ? "" : "192.0.2.1",
    holderPort: port,
    offers: [{ ...file, chunksHave: CHUNKS, whole: true, ...values }],
  };
}

function known(values: Partial<KnownFile> = {}): KnownFile {
  const file = { root: ROOT, name: NAME, type: "", sizeBytes: BYTES.length, sha256: null };
  return { ...file, whole: 1, part: 0, ...values };
}

/** A whole file as a holder offers it. */
function wholeOffer(values: Partial<MessageOf<"offer">["file"]> = {}): MessageOf<"offer"> {
  const file = { root: ROOT, name: NAME, type: "", sizeBytes: BYTES.length, chunksHave: CHUNKS };
  return { kind: "offer", file: { ...file, whole: true, ...values }, bitfield: new Uint8Array() };
}

/** A holder that nobody can dial. */
function anyHolder() {
  return { nodeId: newNodeId(systemRandom), address: { host: "192.0.2.7", port: 0 } };
}

const OTHER = "ab".repeat(32) as Root;
const directory = "192.0.2.9:8047";

Deno.test("Fetch.listed() dials a few at a time in the order given, and none of them again", async () => {
  await using fetching = await Fetching.start();
  const ports = Array.from({ length: 50 }, (_, i) => 1_000 + i);
  fetching.fetch.listed({ directory, files: [], holders: named([0, ...ports]) });
  assertEquals(fetching.dialled, ports.slice(0, 8).map(String));
  fetching.fetch.listed({ directory, files: [], holders: named(ports) });
  assertEquals(fetching.dialled.length, 8);
  for (const dial of fetching.dials) dial.offered(anyHolder(), []);
  fetching.fetch.listed({ directory, files: [], holders: named(ports) });
  assertEquals(fetching.dialled, ports.slice(0, 16).map(String), "those after them come next");
});

Deno.test("Fetch.listed() keeps nobody from being dialled because of a HIT", async () => {
  await using fetching = await Fetching.start();
  const ports = Array.from({ length: 50 }, (_, i) => 1_000 + i);
  fetching.fetch.listed({ directory, files: [], holders: named(ports) });
  const before = fetching.dialled.length;
  for (let i = 0; i < limits.sourcesMax; i++) {
    fetching.fetch.hit(hitOf(2_000 + i));
  }
  assertEquals(fetching.dialled.length, before + limits.sourcesMax);
});

Deno.test("Fetch.listed() dials nobody for another file than is sought", async () => {
  await using fetching = await Fetching.start({ name: "", root: ROOT, sizeBytes: BYTES.length });
  const sizeBytes = BYTES.length + 1;
  const holders = [...named([1], { root: OTHER }), ...named([2], { sizeBytes }), ...named([3])];
  fetching.fetch.listed({ directory, files: [], holders });
  assertEquals(fetching.dialled, ["3"]);
});

Deno.test("Fetch.listed() has what a directory names lead over what more nodes offer", async () => {
  await using fetching = await Fetching.start();
  for (let i = 0; i < 3; i++) {
    fetching.fetch.offered(anyHolder(), [wholeOffer({ root: OTHER })]);
  }
  assertEquals([...fetching.swarms].map(({ file }) => file.root), [OTHER]);
  fetching.fetch.listed({ directory, files: [known()], holders: named([1]) });
  assertEquals([...fetching.swarms].map(({ file }) => file.root), [OTHER], "nobody offers it yet");
  assertEquals(fetching.dialled, ["1"]);
  fetching.join({ leaves: honestLeaves, chunks: honestChunks });
  await fetching.ended;
  assertEquals(fetching.chunksGained, CHUNKS);
});

Deno.test("Fetch.listed() takes a file that its holder offers under another of its names", async () => {
  const offer = [wholeOffer({ name: "other.bin" })];
  await using fetching = await Fetching.start();
  assertEquals(fetching.fetch.offered(anyHolder(), offer).kind, "more", "no directory names it");
  fetching.fetch.listed({ directory, files: [known()], holders: named([1]) });
  assertEquals(fetching.dials[0]?.offered(anyHolder(), offer).kind, "want");
});

Deno.test("Fetch.listed() waits a while longer when a directory spares those who have the file", async () => {
  const spared = { directory, files: [], holders: [] };
  await using told = await Fetching.start();
  told.fetch.listed({ directory, files: [known()], holders: [] });
  await told.pass(limits.searchMs - 1_000);
  told.fetch.listed(spared);
  await told.pass(limits.searchMs - 1_000);
  assertEquals(told.isEnded, false);
  // Not for ever, whatever the directory goes on to say.
  for (let i = 0; i < 10; i++) {
    told.fetch.listed(spared);
    await told.pass(1_000);
  }
  await assertRejects(() => told.ended, FetchFailure, "nobody has it");
});

Deno.test("Fetch.listed() waits no longer when nobody has the whole file", async () => {
  await using told = await Fetching.start();
  told.fetch.listed({ directory, files: [known({ whole: 0, part: 1 })], holders: [] });
  await told.pass(limits.searchMs - 1_000);
  told.fetch.listed({ directory, files: [], holders: [] });
  await told.pass(2_000);
  await assertRejects(() => told.ended, FetchFailure, "nobody has it");
});

Deno.test("Fetch asks directories every second while it has few sources, and floods no more", async () => {
  await using fetching = await Fetching.start();
  await fetching.pass(4_000, 250);
  assertGreater(fetching.asked, 2);
  assertEquals(fetching.queriesMade, 1);
  const before = fetching.asked;
  for (let i = 0; i < 8; i++) fetching.join({});
  await fetching.pass(4_000, 250);
  assertEquals(fetching.asked, before, "eight sources are enough");
});

Deno.test("Fetch ends soon when it is alone, its directories failed, and there is nobody else", async () => {
  for (const isFailed of [true, false]) {
    await using fetching = await Fetching.start();
    fetching.links.size = 0;
    fetching.errors.push({ directory: "d:8047", reason: "Connection refused", isFailed });
    await fetching.pass(2_000, 100);
    assertEquals(fetching.isEnded, isFailed);
    if (isFailed) await assertRejects(() => fetching.ended, FetchFailure, "d:8047 (Connection");
  }
  await using linked = await Fetching.start();
  linked.errors.push({ directory: "d:8047", reason: "Connection refused", isFailed: true });
  await linked.pass(2_000, 100);
  assertEquals(linked.isEnded, false, "a link may bring somebody");
});

Deno.test("Fetch says which holders are not reached, and remembers it of each one", async () => {
  await using fetching = await Fetching.start();
  fetching.dialError = new EnvironmentError("unreachable", "Network is unreachable");
  fetching.fetch.listed({ directory, files: [], holders: named([0]) });
  fetching.fetch.hit(hitOf(0));
  fetching.fetch.hit(hitOf(8_048));
  await fetching.pass(10_000);
  const { message } = await assertRejects(() => fetching.ended, FetchFailure);
  assertMatch(
    message,
    /: 3 nodes have it, but no connection to any of them comes about, and they cannot connect to this node \(/,
  );
  assertMatch(message, /node [0-9a-f]{8}: it accepts no connections; /);
  assertMatch(message, /192\.0\.2\.1:8048: Network is unreachable/);
  const [record] = fetching.store.history.of(NAME);
  assertEquals(record!.outcome, message);
  const steps = record!.steps.filter(({ what }) => what.startsWith("No connection to"));
  assertEquals(steps.length, 3, JSON.stringify(record!.steps));
});

Deno.test("Fetch does not count a holder as unreached that offers after all", async () => {
  await using fetching = await Fetching.start();
  fetching.dialError = new EnvironmentError("unreachable", "Network is unreachable");
  const hit = hitOf(8_048);
  fetching.fetch.hit(hit);
  fetching.fetch.hit({ ...hitOf(0), offers: [{ ...hit.offers[0]!, name: "other" }] });
  await fetching.pass(250);
  const offer = { kind: "offer", file: hit.offers[0]!, bitfield: new Uint8Array() } as const;
  const address = { host: "192.0.2.1", port: 0 };
  fetching.fetch.offered({ nodeId: hit.nodeId, address }, [offer]);
  await fetching.pass(60_000);
  const { message } = await assertRejects(() => fetching.ended, FetchFailure);
  assert(message.includes("nobody has the rest of it"), message);
});
