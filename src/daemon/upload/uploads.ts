/** All uploads of a node: who is being served with what. */

import { PeerFault } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { LogFields } from "../../base/log.ts";
import { isFar } from "../../core/nearness/nearness.ts";
import type { Connection } from "../../net/connection.ts";
import type { RemoteIdentity } from "../../net/handshake.ts";
import type { UploadReport } from "../../wire/reports.ts";
import { peerLabel } from "../discovery/offer_exchange.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import type { OfferingHolder } from "../discovery/searches.ts";
import { fileOfRoot } from "../discovery/offers.ts";
import { Upload, type UploadedFile } from "./upload.ts";
import { uploadPlace } from "./upload_places.ts";

/** The requesters being served. */
export class Uploads {
  /** Uploads that ended after their requester had got at least as many bytes as the file has. */
  filesServed = 0;
  readonly #context: NodeContext;
  readonly #uploads = new Set<Upload>();
  readonly #byRoot = new Map<Root, Set<Upload>>();
  readonly #nearBegan: (file: Root, requester: OfferingHolder) => void;
  /** Of uploads that have ended. */
  #endedBytes = 0;

  constructor(
    context: NodeContext,
    { nearBegan = () => {} }: {
      /** Is told of a near requester that is given what is still coming here: it gets it as well. */
      readonly nearBegan?: (file: Root, requester: OfferingHolder) => void;
    } = {},
  ) {
    this.#context = context;
    this.#nearBegan = nearBegan;
  }

  /** How many are being served. */
  get size(): number {
    return this.#uploads.size;
  }

  /** File bytes handed to connections since the start. */
  get bytesSent(): number {
    let bytes = this.#endedBytes;
    for (const upload of this.#uploads) bytes += upload.bytesSent;
    return bytes;
  }

  /** Uploads whose requester has asked for something lately. */
  active(nowMs: number): number {
    let count = 0;
    for (const upload of this.#uploads) if (upload.idleMs(nowMs) <= limits.uploadEvictMs) count++;
    return count;
  }

  /** Whether a requester at `host` would be served, if need be instead of another. */
  hasRoomFor(host: string): boolean {
    return this.#placeFor(host).kind !== "none";
  }

  /**
   * Serves `root` over a connection on which it was offered, until that ends; returns how many bytes
   * of the file were sent. A file that `isPushed` is given up when the other side takes too long.
   */
  async serve(
    connection: Connection,
    remote: RemoteIdentity,
    { root, isPushed = false }: { readonly root: Root; readonly isPushed?: boolean },
  ): Promise<number> {
    const here = fileOfRoot(this.#context, root, { evenBegun: true });
    if (here === undefined) {
      connection.close();
      return 0;
    }
    const file: UploadedFile = {
      root,
      name: here.name,
      sizeBytes: here.sizeBytes,
      nodeId: remote.nodeId,
      peer: peerLabel(connection, remote),
      isPushed,
    };
    if (!this.#makeRoomFor(connection.remote.host)) {
      connection.send({ kind: "bye", reason: "too many uploads" });
      await connection.closeAfterWriting();
      return 0;
    }
    const upload = new Upload(this.#context, connection, file);
    const ofRoot = this.#byRoot.get(root) ?? new Set<Upload>();
    this.#byRoot.set(root, ofRoot);
    this.#uploads.add(upload);
    ofRoot.add(upload);
    this.#context.log.debug("serving", { name: file.name, peer: file.peer });
    const { nodeId, listenPort: port } = remote;
    const isComing = !this.#context.store.isComplete(root);
    if (isComing && port !== 0 && !isFar(connection.nearness)) {
      this.#nearBegan(root, { nodeId, address: { host: connection.remote.host, port } });
    }
    try {
      await upload.run();
      return upload.bytesSent;
    } finally {
      this.#remove(upload);
      this.#countServed(upload);
      this.#logEnd(connection.reason, { name: file.name, peer: file.peer, nodeId: file.nodeId });
    }
  }

  #countServed({ bytesSent, file }: Upload): void {
    if (bytesSent < file.sizeBytes) return;
    this.filesServed++;
    this.#context.store.addStatistic("filesServed", 1);
  }

  #logEnd(reason: Error | undefined, fields: LogFields): void {
    const { log } = this.#context;
    if (reason instanceof PeerFault) {
      log.warn("a peer broke the protocol", { ...fields, reason: reason.message });
    } else log.debug("stopped serving", { ...fields, reason: reason?.message ?? "closed" });
  }

  /** Notes that this node has more of a file that it may be serving at the same time. */
  gained(root: Root, range: ChunkRange): void {
    const ofRoot = this.#byRoot.get(root);
    if (ofRoot === undefined) return;
    for (const upload of ofRoot) upload.gained(range);
  }

  /** Ends the uploads of a file that is not offered any more. */
  withdraw(root: Root, reason: string): void {
    for (const upload of [...this.#byRoot.get(root) ?? []]) upload.withdraw(reason);
  }

  /** Ends the uploads that are idle or too slow, and sends the others what was noted. */
  tick(nowMs: number): void {
    for (const upload of this.#uploads) {
      if (upload.isTooSlow(nowMs)) this.#endSlow(upload);
      else if (upload.idleMs(nowMs) > limits.uploadIdleMs) this.#end(upload, "idle");
      else upload.flushGained();
    }
  }

  reports(): UploadReport[] {
    return [...this.#uploads].map(({ file: { root, name, peer, nodeId }, bytesSent }) => ({
      root,
      name,
      peer,
      nodeId,
      bytes: bytesSent,
    }));
  }

  #makeRoomFor(host: string): boolean {
    const place = this.#placeFor(host);
    if (place.kind === "instead") this.#end(place.of, place.reason);
    return place.kind !== "none";
  }

  #placeFor(host: string): ReturnType<typeof uploadPlace<Upload>> {
    return uploadPlace(host, this.#uploads, this.#context.clock.nowMs());
  }

  /** It counts no more at once: the last words may take a while. */
  #end(upload: Upload, reason: string): void {
    upload.withdraw(reason);
    this.#remove(upload);
  }

  #endSlow(upload: Upload): void {
    const { name, root, peer } = upload.file;
    this.#context.log.info("a peer takes a file that is pushed too slowly", { name, root, peer });
    this.#end(upload, "too slow");
  }

  /** May be called again for the same upload. */
  #remove(upload: Upload): void {
    if (!this.#uploads.delete(upload)) return;
    this.#endedBytes += upload.bytesSent;
    const { root, nodeId, peer } = upload.file;
    const { clock, store } = this.#context;
    store.peerTotals.add({ nodeId, peer, bytesGiven: upload.bytesSent }, clock.unixMs());
    const ofRoot = this.#byRoot.get(root);
    ofRoot?.delete(upload);
    if (ofRoot?.size === 0) this.#byRoot.delete(root);
  }
}
