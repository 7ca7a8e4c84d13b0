// A node with a mirror beside it, in the test process: fetches of it are watched as those see them
// who may give away only what is released.

import { hash } from "node:crypto";
import { Bitfield } from "../../../src/base/bitfield.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../../src/base/geometry.ts";
import { newNodeId } from "../../../src/base/ids.ts";
import { systemRandom } from "../../../src/base/random.ts";
import type { Node } from "../../../src/daemon/node/node.ts";
import { tcpTransport } from "../../../src/net/tcp_transport.ts";
import type { ChunkStore } from "../../../src/store/chunk_store.ts";
import { formatAddress } from "../../../src/wire/host.ts";
import type {
  FetchNotice,
  FetchObserver,
  FetchRequest,
  FileReader,
} from "../../../src/wire/fetching.ts";
import type { Done } from "../../../src/wire/messages.ts";
import { testNode } from "../../support/test_node.ts";
import { addDownloaded, openStore, TempDir } from "../../unit/store/store_fixture.ts";
import { requestFor } from "../../support/fetch_request.ts";
import { Mirror } from "./mirror.ts";
import { type Behaviour, holdFile, RawHolder } from "./raw_holder.ts";
import { waitUntil, within } from "./wait.ts";

/** The network of all nodes of a rig. */
const NETWORK = "test";

/** SHA-256 in hexadecimal. */
export function sha256Of(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/** One node, its mirror, and those that were put beside them. */
export class FetchRig implements AsyncDisposable {
  readonly mirror: Mirror;
  readonly node: Node;
  readonly store: ChunkStore;
  readonly #mirrorDir: TempDir;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(
    parts: { mirror: Mirror; node: Node; store: ChunkStore; mirrorDir: TempDir },
    cleanup: AsyncDisposableStack,
  ) {
    this.mirror = parts.mirror;
    this.node = parts.node;
    this.store = parts.store;
    this.#mirrorDir = parts.mirrorDir;
    this.#cleanup = cleanup;
  }

  /** Starts the node; the mirror has `files`, by name. */
  static async start(files: Readonly<Record<string, Uint8Array>> = {}): Promise<FetchRig> {
    await using cleanup = new AsyncDisposableStack();
    const mirrorDir = cleanup.use(new TempDir());
    for (const [name, bytes] of Object.entries(files)) mirrorDir.write(name, bytes);
    const mirror = cleanup.use(Mirror.start(mirrorDir.path));
    const { node, store } = await startNode(cleanup, []);
    return new FetchRig({ mirror, node, store, mirrorDir }, cleanup.move());
  }

  /** The URL of a file at the mirror. */
  url(name: string): string {
    return `${this.mirror.url}/${name}`;
  }

  /** Puts another file at the mirror. */
  put(name: string, bytes: Uint8Array): void {
    this.#mirrorDir.write(name, bytes);
  }

  /** A neighbour that has the file, and gives it as the test says. */
  async holder(name: string, bytes: Uint8Array, behaviour: Behaviour = {}): Promise<RawHolder> {
    const { host, port } = this.node.address;
    const known = this.node.links.size;
    const holder = await RawHolder.start(formatAddress(host, port), holdFile(name, bytes), {
      behaviour,
      node: { network: NETWORK },
    });
    this.#cleanup.use(holder);
    await this.linked(known + 1);
    return holder;
  }

  /** A real node that has the file, linked with this one. */
  async neighbour(name: string, bytes: Uint8Array): Promise<Node> {
    const known = this.node.links.size;
    const { node, store } = await startNode(this.#cleanup, [this.node.address]);
    await addDownloaded(store, name, bytes);
    await this.linked(known + 1);
    return node;
  }

  async linked(count: number): Promise<void> {
    await waitUntil(() => this.node.links.size >= count, { what: `${count} links`, everyMs: 5 });
  }

  /** Begins to fetch `name`, from the mirror too unless `fields` say otherwise. */
  fetch(
    name: string,
    fields: Partial<FetchRequest> = {},
    how: { readonly from?: number; readonly path?: string } = {},
  ): WatchedFetch {
    const request = requestFor(name, { mirrors: [this.url(name)], ...fields });
    return new WatchedFetch(this.node, request, how);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}

async function startNode(
  cleanup: AsyncDisposableStack,
  peers: readonly { readonly host: string; readonly port: number }[],
): Promise<{ node: Node; store: ChunkStore }> {
  const dir = cleanup.use(new TempDir());
  const { store } = await openStore(dir.path);
  cleanup.use(store);
  const node = testNode({
    nodeId: newNodeId(systemRandom),
    network: NETWORK,
    linksMin: 0,
    store,
    transport: tcpTransport,
    peers,
  });
  cleanup.defer(() => node.stop());
  node.start();
  return { node, store };
}

/** A fetch, and what its observer was told. */
export class WatchedFetch implements FetchObserver {
  readonly done: Promise<Done>;
  readonly events: FetchNotice[] = [];
  /** Looks at chunks that are released, before they count. */
  beforeReleased: ((range: ChunkRange) => void) | undefined;
  /** Chunks that may be given away, of the file that is shown now. */
  releasedChunks = new Bitfield(0);
  readonly #abort = new AbortController();
  #reader: FileReader | null = null;
  #gainedChunks = new Bitfield(0);
  /** What was released, as it read at that time. */
  #bytes = new Uint8Array();
  #problem: string | undefined;

  constructor(
    node: Node,
    request: FetchRequest,
    how: { readonly from?: number; readonly path?: string },
  ) {
    this.done = node.fetch(request, { observer: this, signal: this.#abort.signal, ...how });
    this.done.catch(() => {});
  }

  event(event: FetchNotice): void {
    this.events.push(event);
    if (event.kind === "restarted") this.#forget(this.#reader?.sizeBytes ?? 0);
  }

  readable(reader: FileReader): void {
    if (reader.sizeBytes !== this.#reader?.sizeBytes) {
      if (this.releasedChunks.count > 0) this.#problem = "another size without a restart";
      this.#forget(reader.sizeBytes);
    }
    this.#reader = reader;
  }

  gained(range: ChunkRange): void {
    this.#gainedChunks.addRange(range);
  }

  released(range: ChunkRange): void {
    this.beforeReleased?.(range);
    if (!this.#gainedChunks.hasRange(range)) {
      this.#problem = `released before gained: ${range.first}`;
    }
    for (const run of this.releasedChunks.missingRuns(range)) {
      // At once, as somebody would who waits for it.
      this.#reader!.readRun(run, this.#bytes, run.first * CHUNK_BYTES);
    }
    this.releasedChunks.addRange(range);
  }

  get restarts(): number {
    return this.events.filter(({ kind }) => kind === "restarted").length;
  }

  /** Waits until it was told this. */
  async until(kind: FetchNotice["kind"]): Promise<void> {
    const isTold = () => this.events.some((event) => event.kind === kind);
    await waitUntil(isTold, { what: kind, everyMs: 2 });
  }

  /** Waits until so many chunks may be given away. */
  async untilReleased(chunks: number): Promise<void> {
    await waitUntil(() => this.releasedChunks.count >= chunks, {
      what: `${chunks} released chunks, ${this.releasedChunks.count} are`,
      everyMs: 2,
    });
  }

  /** Ends the fetch, and waits for that. */
  async abort(reason?: Error): Promise<void> {
    this.#abort.abort(reason);
    await this.done.catch(() => {});
  }

  /** Its end, within a bound, and all that was given away; throws if something was told wrongly. */
  async ended(): Promise<{ readonly done: Done; readonly bytes: Uint8Array }> {
    const done = await within(this.done, { what: "the fetch" });
    if (this.#problem !== undefined) throw new Error(this.#problem);
    return { done, bytes: this.#bytes };
  }

  #forget(sizeBytes: number): void {
    this.releasedChunks = new Bitfield(chunkCount(sizeBytes));
    this.#gainedChunks = new Bitfield(chunkCount(sizeBytes));
    this.#bytes = new Uint8Array(sizeBytes);
  }
}
