/**
 * A daemon whose disk changes under it: what it has, whole or in part, downloaded or shared, is
 * damaged in every way from a seed, and a client fetches it over the client port. Not one wrong byte
 * may come, whatever is damaged, and with a holder at hand the file must come.
 *
 * `ROT_SEED=4711` runs one round alone, `ROT_ROUNDS=100` more of them.
 */

import { assert, assertEquals } from "@std/assert";
import { silentLogger } from "../../../../src/base/log.ts";
import { DatabaseSync } from "node:sqlite";
import { createHash } from "node:crypto";
import { FetchFailure } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES, chunkCount } from "../../../../src/base/geometry.ts";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { type Random, randomBelow, seededRandom } from "../../../../src/base/random.ts";
import { DaemonClient } from "../../../../src/client/daemon_client.ts";
import { Answerer } from "../../../../src/daemon/control/answers.ts";
import { ClientServer } from "../../../../src/daemon/control/client_server.ts";
import { openToken } from "../../../../src/daemon/control/token.ts";
import type { Node, NodeOptions } from "../../../../src/daemon/node/node.ts";
import { tcpTransport } from "../../../../src/net/tcp_transport.ts";
import type { ChunkStore } from "../../../../src/store/chunk_store.ts";
import type { FetchRequest } from "../../../../src/wire/fetching.ts";
import { requestFor } from "../../../support/fetch_request.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import { type Damage, damage } from "../../../support/rot.ts";
import { testNode } from "../../../support/test_node.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  openStore,
  rootOf,
  TempDir,
  type Warning,
} from "../../store/store_fixture.ts";

const FILES = 100;
const ROUNDS = Number(Deno.env.get("ROT_ROUNDS") ?? 4);
const ONLY = Deno.env.get("ROT_SEED");
/** Generous: what does not come at all shall fail the test instead of hanging it. */
const WAIT_MS = 60_000;

/** One file, how much of it the damaged daemon has, and what happens to it. */
interface Case {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly root: Root;
  readonly sha256: string;
  readonly state: "downloaded" | "shared" | "partial";
  readonly target: "data" | "leaves" | "both" | "row";
  readonly damage: Damage;
  readonly showsTime: boolean;
  /** Whether it is damaged while the daemon runs, after the file was fetched once, or before a start. */
  readonly when: "running" | "fetched" | "stopped";
  /** Whether the other node has it. */
  readonly isHeld: boolean;
  readonly asked: "root" | "sha256" | "name";
}

function drawCase(random: Random, name: string): Case {
  const pick = <T>(...from: readonly T[]): T => from[randomBelow(random, from.length)]!;
  const chunks = 1 + randomBelow(random, 12);
  const bytes = content(
    chunks * CHUNK_BYTES - randomBelow(random, CHUNK_BYTES),
    randomBelow(random, 2 ** 31),
  );
  bytes.set(random.bytes(8));
  const state = pick<Case["state"]>("downloaded", "downloaded", "shared", "partial", "partial");
  const when = pick<Case["when"]>("running", "fetched", "stopped");
  const at = randomBelow(random, bytes.length);
  const harm = pick<Damage>(
    { kind: "byte", at },
    { kind: "page", at },
    { kind: "zeros", from: at },
    { kind: "cut", from: at },
    { kind: "gone" },
  );
  const showsTime = randomBelow(random, 4) === 0;
  // What changed openly is a new file under its name: only the name cannot tell.
  const isNew = state === "shared" && showsTime && harm.kind !== "gone";
  return {
    name,
    bytes,
    root: rootOf(bytes),
    sha256: createHash("sha256").update(bytes).digest("hex"),
    state,
    target: pick<Case["target"]>("data", "data", "data", "leaves", "both", ...ofCatalogue(when)),
    damage: harm,
    showsTime,
    when,
    isHeld: randomBelow(random, 8) > 0,
    asked: isNew ? pick("root", "sha256") : pick("root", "sha256", "name"),
  };
}

function ofCatalogue(when: Case["when"]): Case["target"][] {
  return when === "stopped" ? ["row", "row"] : [];
}

function requestOf({ name, root, sha256, asked, bytes, isHeld }: Case): FetchRequest {
  const known = asked === "root" ? { root } : asked === "sha256" ? { sha256 } : {};
  const searchMs = isHeld ? WAIT_MS : 250;
  return requestFor(name, { ...known, sizeBytes: bytes.length, deliver: true, searchMs });
}

/** Damages what the daemon has of a file. */
function strike({ root, target, damage: what, showsTime, name, state }: Case, dir: TempDir): void {
  const places = {
    downloaded: `data/files/${root}/${name}`,
    partial: `data/partial/${root}`,
    shared: `shared/${name}`,
  };
  const data = dir.join(places[state]);
  const leaves = dir.join(`data/leaves/${root.slice(0, 2)}/${root}`);
  const struck = target === "data" ? [data] : target === "leaves" ? [leaves] : [data, leaves];
  for (const path of struck) {
    const size = sizeOf(path);
    // A single chunk has no leaf layer.
    if (size > 0) damage(path, within(what, size), { showsTime });
  }
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

function within(what: Damage, size: number): Damage {
  if ("at" in what) return { ...what, at: what.at % size };
  return "from" in what ? { ...what, from: what.from % size } : what;
}

/** Has the catalogue say what is not so. */
function strikeRow({ root, state, damage: what }: Case, db: DatabaseSync): void {
  if (state === "partial") {
    db.prepare("UPDATE partials SET have = ?, leaves = 1 WHERE root = ?")
      .run(new Uint8Array([0xff, 0xf0]).subarray(0, sizeOfBitfield(db, root)), root);
  } else if (what.kind === "byte") {
    db.prepare("INSERT OR REPLACE INTO sha256s VALUES (?, ?)").run(root, "ab".repeat(32));
  } else {
    const other = root.slice(0, 10) + (root[10] === "0" ? "1" : "0") + root.slice(11);
    db.prepare("UPDATE places SET root = ? WHERE root = ?").run(other, root);
  }
}

function sizeOfBitfield(db: DatabaseSync, root: Root): number {
  const row = db.prepare("SELECT length(have) AS bytes FROM partials WHERE root = ?").get(root);
  return Number(row?.["bytes"] ?? 0);
}

/** A daemon without its process: a node, its store and its client port. */
class Daemon implements AsyncDisposable {
  readonly store: ChunkStore;
  readonly warnings: Warning[];
  readonly node: Node;
  readonly #server: ClientServer;

  private constructor(
    { store, warnings }: { readonly store: ChunkStore; readonly warnings: Warning[] },
    node: Node,
    server: ClientServer,
  ) {
    this.store = store;
    this.warnings = warnings;
    this.node = node;
    this.#server = server;
  }

  static async start(
    dataDir: string,
    { ephemeral = false, ...options }:
      & Pick<NodeOptions, "nodeId" | "transport">
      & Partial<NodeOptions>
      & { readonly ephemeral?: boolean },
  ): Promise<Daemon> {
    const opened = await openStore(dataDir, { ephemeral });
    const node = testNode({ store: opened.store, ...options });
    const answerer = new Answerer({
      node,
      version: "1",
      log: { ...silentLogger, level: "info" },
      lan: () => null,
      clientAddress: () => "127.0.0.1:1",
      gatewayAddress: () => null,
      staleDatabases: () => [],
      syncDatabases: () => [],
      prefetch: () => null,
    });
    const host = { node, answerer, token: await openToken(dataDir) };
    const server = new ClientServer(host, tcpTransport, { host: "127.0.0.1", port: 0 });
    node.start();
    server.start();
    return new Daemon(opened, node, server);
  }

  /** What a client gets of a file, or how its fetch failed. */
  async fetch(request: FetchRequest): Promise<Uint8Array | FetchFailure> {
    await using client = await this.#connect();
    const late = setTimeout(() => client.close(), WAIT_MS);
    let bytes = new Uint8Array(request.sizeBytes!);
    try {
      for await (const event of client.get(request)) {
        if (event.kind === "data") bytes.set(event.bytes, event.offset);
        else if (event.kind === "restarted") bytes = new Uint8Array(request.sizeBytes!);
      }
      return bytes;
    } catch (error) {
      if (error instanceof FetchFailure) return error;
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  /**
   * A client gives a daemon some seconds to answer. Here all of both sides is one process, which a
   * busy machine may keep from running for as long: then the client comes again.
   */
  async #connect(): Promise<DaemonClient> {
    const untilMs = performance.now() + WAIT_MS;
    for (;;) {
      try {
        return await DaemonClient.connect(this.#server.address);
      } catch (error) {
        if (performance.now() > untilMs) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.stop();
    await this.node.stop();
    await this.store.close();
  }
}

/** Puts into a store what a case says. */
async function prepare(store: ChunkStore, { name, bytes, root, state }: Case): Promise<void> {
  if (state === "shared") return;
  if (state === "downloaded") return void await addDownloaded(store, name, bytes);
  const download = store.beginDownload({ root, name, sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  const chunks = chunkCount(bytes.length);
  giveChunks(download, bytes, { first: 0, count: Math.ceil(chunks / 2) });
  await download.suspend();
}

async function round(seed: number): Promise<{ readonly mended: number; readonly named: number }> {
  const random = seededRandom(seed);
  const cases = Array.from({ length: FILES }, (_, i) => drawCase(random, `f${i}.bin`));
  using here = new TempDir();
  using there = new TempDir();
  const transport = new MemoryTransport({ bufferBytes: 256 * 1024 });
  const holder = await Daemon.start(there.join("data"), {
    nodeId: "22".repeat(16) as NodeId,
    transport,
    ephemeral: true,
  });
  await using _ = holder;
  const held = cases.filter(({ isHeld }) => isHeld);
  await Promise.all(held.map(({ name, bytes }) => addDownloaded(holder.store, name, bytes)));
  for (const { state, name, bytes } of cases) {
    if (state === "shared") here.write(`shared/${name}`, bytes);
  }
  {
    const { store } = await openStore(here.join("data"));
    await using _ = store;
    await Promise.all(cases.map((one) => prepare(store, one)));
    for (const one of cases) if (one.state !== "partial") store.noteSha256(one.root, one.sha256);
    store.shares.add(here.join("shared"));
    store.shares.start();
    await store.shares.settled();
  }
  for (const one of cases) {
    if (one.when === "stopped" && one.target !== "row") strike(one, here);
  }
  {
    using db = new DatabaseSync(here.join("data/catalogue.sqlite"));
    for (const one of cases) if (one.target === "row") strikeRow(one, db);
  }
  const options = {
    nodeId: "11".repeat(16) as NodeId,
    transport,
    peers: [holder.node.address],
  };
  await using daemon = await Daemon.start(here.join("data"), options);
  const linked = Promise.withResolvers<void>();
  daemon.node.links.changes.listen(() => daemon.node.links.size > 0 && linked.resolve());
  if (daemon.node.links.size > 0) linked.resolve();
  await linked.promise;
  let mended = 0, named = 0;
  const left = [...cases];
  const work = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      const isMended = await tryCase(one, daemon, here);
      if (isMended) mended++;
      else named++;
    }
  };
  await Promise.all(Array.from({ length: 24 }, work));
  return { mended, named };
}

/** Whether the right bytes came; else the fetch said that it has not got them. */
async function tryCase(one: Case, daemon: Daemon, here: TempDir): Promise<boolean> {
  const { bytes, isHeld, when, name, state } = one;
  const request = requestOf(one);
  if (when === "fetched" && (isHeld || state !== "partial")) {
    assertRight(await daemon.fetch(request), one);
  }
  // A partial file that came whole by then lies elsewhere.
  const isWhole = daemon.store.isComplete(one.root) && state === "partial";
  if (when !== "stopped") strike(isWhole ? { ...one, state: "downloaded" } : one, here);
  for (let time = 1; time <= 2; time++) {
    const startMs = performance.now();
    const got = await daemon.fetch(request);
    if (!(got instanceof FetchFailure)) assertRight(got, one);
    else {
      const tookMs = Math.round(performance.now() - startMs);
      const what = `${name}, ${state}, damaged while ${when}, time ${time}`;
      assert(!isHeld, `${what}, did not come in ${tookMs} ms, and has a holder: ${got.message}`);
      return false;
    }
  }
  assertEquals(bytes.length, request.sizeBytes);
  return true;
}

function assertRight(got: Uint8Array | FetchFailure, { bytes, ...one }: Case): void {
  assert(!(got instanceof FetchFailure), `${JSON.stringify(one)}: ${(got as Error).message}`);
  const at = got.findIndex((byte, i) => byte !== bytes[i]);
  assert(at < 0, `wrong bytes came, from ${at} of ${bytes.length}: ${JSON.stringify(one)}`);
}

Deno.test({
  name: "a client gets no wrong byte of 1,000 files that rotted on the disk",
  async fn() {
    const seeds = ONLY === undefined
      ? Array.from({ length: ROUNDS }, (_, i) => i + 1)
      : [Number(ONLY)];
    const wrong: string[] = [];
    let mended = 0, named = 0;
    for (const seed of seeds) {
      try {
        const found = await round(seed);
        mended += found.mended;
        named += found.named;
      } catch (error) {
        wrong.push(`ROT_SEED=${seed}: ${(error as Error).message}`);
      }
    }
    assertEquals(wrong, []);
    assertEquals(mended + named, seeds.length * FILES);
  },
});
