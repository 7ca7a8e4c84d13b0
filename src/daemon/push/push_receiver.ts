/**
 * Taking files that others ask this node to take: whether, and then how. A person allows so many
 * bytes for it; all that was ever downloaded counts against them, and what is on its way.
 *
 * The file comes in by an ordinary fetch of its root, so nothing is believed that is not checked.
 * Nothing is ever removed to make room.
 */

import { messageOf, PeerFault } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import type { Connection } from "../../net/connection.ts";
import { withDeadline } from "../../net/deadline.ts";
import { expectMessage, type RemoteIdentity } from "../../net/handshake.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { UploadAnswer } from "../../wire/directory_messages.ts";
import type { FetchObserver } from "../../wire/fetch_observer.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import { onlyKinds } from "../../wire/gate.ts";
import type { Done, MessageOf } from "../../wire/messages.ts";
import { checkOffer, peerLabel } from "../discovery/offer_exchange.ts";
import { MinimumRate } from "../upload/minimum_rate.ts";
import type { Searcher } from "../discovery/searches.ts";

/** What taking needs of the node that it is done for. */
export interface PushReceiverHost {
  readonly store: ChunkStore;
  readonly log: Logger;
  /** Whether this node is too busy to take anything now. */
  isFull(nowMs: number): boolean;
  /** Fetches a file; `begun` is given whom holders that are at hand may be offered to. */
  fetch(
    request: FetchRequest,
    options: {
      readonly observer: FetchObserver;
      readonly signal: AbortSignal;
      readonly begun?: (searcher: Searcher) => void;
    },
  ): Promise<Done>;
  /** Whether a fetch of `root` is going on. */
  isFetching(root: Root): boolean;
}

/** A place that is kept for one file until {@linkcode PushReceiver.take} has ended. */
export interface IncomingPush {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
  /** Where the asker is that gives the file itself; null for a directory, which only names it. */
  readonly providerHost: string | null;
}

/** Who asks this node to take a file. */
export interface PushAsker {
  readonly host: string;
  /** Whether it may also name a file that it does not give itself. */
  readonly isDirectory: boolean;
}

/** The files that this node lets itself be given. */
export class PushReceiver {
  readonly #host: PushReceiverHost;
  readonly #acceptBytes: number;
  readonly #underWay = new Map<Root, IncomingPush>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  /** `acceptBytes` is what all downloads together may come to; 0: nothing is taken. */
  constructor(host: PushReceiverHost, options: { readonly acceptBytes: number }) {
    this.#host = host;
    this.#acceptBytes = options.acceptBytes;
  }

  /** Bytes that may still be taken. */
  get room(): number {
    if (this.#acceptBytes === 0) return 0;
    return Math.max(0, this.#acceptBytes - this.#takenBytes());
  }

  /**
   * What to say to an upload request; with "accepted" a place is kept, which {@linkcode take} or
   * {@linkcode takeElsewhere} gives back.
   *
   * @throws {PeerFault} when no file can be so big.
   */
  consider(
    { file: { file }, serves }: MessageOf<"upload-request">,
    { host, isDirectory }: PushAsker,
  ): { readonly answer: UploadAnswer; readonly incoming?: IncomingPush } {
    const { root, name, sizeBytes } = file;
    const { store } = this.#host;
    if (sizeBytes > limits.fetchBytesMax) {
      throw new PeerFault(
        "malformed",
        `Cannot take a file: ${sizeBytes} bytes exceed ${limits.fetchBytesMax}`,
      );
    }
    if (store.isComplete(root)) return { answer: "have" };
    // A provider asks so how far its file has got: it is still on its way, not unwanted.
    if (this.#underWay.has(root)) return { answer: "busy" };
    if (this.#acceptBytes === 0 || !serves && !isDirectory) return { answer: "unwilling" };
    const files = store.downloadedFiles + this.#underWay.size + 1;
    if (
      this.#takenBytes() + this.#bytesLeft(file) > this.#acceptBytes ||
      files * limits.takenFileBytesMin > this.#acceptBytes
    ) return { answer: "no-room" };
    const providerHost = serves ? host : null;
    const isFull = this.#underWay.size >= limits.pushesTakenMax || this.#hasMany(providerHost) ||
      this.#host.isFull(performance.now()) || this.#stopping.signal.aborted;
    if (isFull) return { answer: "busy" };
    const incoming = { root, name, sizeBytes, providerHost };
    this.#underWay.set(root, incoming);
    return { answer: "accepted", incoming };
  }

  /**
   * Takes the file from the asker, over the connection on which it was accepted; other holders may
   * join. Resolves when the file is here or will not come.
   *
   * @throws {PeerFault} when the asker offers another file than it asked to take.
   */
  async take(
    incoming: IncomingPush,
    connection: Connection,
    remote: RemoteIdentity,
  ): Promise<void> {
    let talk = Promise.resolve();
    try {
      await this.#during(incoming, async () => {
        const offer = await this.#offerOf(incoming, connection);
        const from = peerLabel(connection, remote);
        await this.#fetch(incoming, {
          from,
          begun: (searcher, left) => {
            talk = use(searcher, { connection, remote, offer, left });
            // It is waited for below, when the fetch has ended.
            talk.catch(() => {});
          },
        });
      });
      // Another fetch of this file may go on with the connection, but not in the place of this one.
      await talk;
    } finally {
      connection.close();
    }
  }

  /** Takes the file from whoever has it, because `from` wishes so. Never rejects. */
  async takeElsewhere(incoming: IncomingPush, from: string): Promise<void> {
    await this.#during(incoming, () => this.#fetch(incoming, { from }));
  }

  /** Gives up what is under way; resolves when it is put away. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#tasks);
  }

  async #offerOf(incoming: IncomingPush, connection: Connection): Promise<MessageOf<"offer">> {
    const { signal } = this.#stopping;
    const close = () => connection.close();
    signal.addEventListener("abort", close, { once: true });
    connection.setGate(onlyKinds("Cannot take a file", ["offer"]));
    try {
      return await withDeadline(
        connection,
        "Cannot take a file",
        async () => sameFile(expectMessage(await connection.receiveOne(), "offer"), incoming),
      );
    } finally {
      signal.removeEventListener("abort", close);
    }
  }

  async #during(incoming: IncomingPush, work: () => Promise<void>): Promise<void> {
    const task = work();
    this.#tasks.add(task);
    try {
      await task;
    } finally {
      this.#tasks.delete(task);
      this.#underWay.delete(incoming.root);
      this.#dropEmpty(incoming.root);
    }
  }

  async #fetch(
    { root, name, sizeBytes }: IncomingPush,
    { from, begun }: {
      readonly from: string;
      /** Is given what to call when the provider, of whom the fetch took something, is gone. */
      readonly begun?: (searcher: Searcher, left: () => void) => void;
    },
  ): Promise<void> {
    const { log } = this.#host;
    const fields = { name, root, sizeBytes, from };
    log.info("taking a file", fields);
    const chunks = null, sha256 = null;
    const request = {
      name,
      root,
      sha256,
      sizeBytes,
      chunks,
      deliver: false,
      timeoutMs: 0,
      searchMs: 0,
      mirrors: [],
    };
    const watch = new Watch();
    try {
      await this.#host.fetch(request, {
        observer: watch,
        signal: AbortSignal.any([this.#stopping.signal, watch.signal]),
        begun: (searcher) => begun?.(searcher, () => watch.providerLeft()),
      });
      log.info("took a file", fields);
    } catch (cause) {
      const error = messageOf(watch.signal.aborted ? watch.signal.reason : cause);
      log.warn("a file that was to be taken did not come", { ...fields, error });
    }
  }

  /** A download of which nothing came is no use to anybody, and anybody can have it begun. */
  #dropEmpty(root: Root): void {
    const { store, log } = this.#host;
    if (this.#host.isFetching(root) || store.isComplete(root)) return;
    if (store.download(root)?.have.count !== 0) return;
    try {
      store.remove(root);
    } catch (error) {
      log.warn("cannot remove a download of which nothing came", { root, error: messageOf(error) });
    }
  }

  /** Whether the provider at `host` gives as many files as one may at once. */
  #hasMany(host: string | null): boolean {
    if (host === null) return false;
    const ofHost = [...this.#underWay.values()].filter(({ providerHost }) => providerHost === host);
    return ofHost.length >= limits.pushesTakenPerHostMax;
  }

  #takenBytes(): number {
    let bytes = this.#host.store.downloadedBytes();
    for (const incoming of this.#underWay.values()) bytes += this.#bytesLeft(incoming);
    return bytes;
  }

  /**
   * What does not count as downloaded yet. A size is a claim: more may be here of the root than it
   * says, which makes no room for anything else.
   */
  #bytesLeft({ root, sizeBytes }: Pick<IncomingPush, "root" | "sizeBytes">): number {
    return Math.max(0, sizeBytes - this.#host.store.downloadedBytes(root));
  }
}

/** Looks how a file comes, and gives it up when it takes a place for too little. */
class Watch implements FetchObserver {
  readonly #pace = new MinimumRate(performance.now());
  readonly #givenUp = new AbortController();
  #bytesHad = 0;
  /** Since when the provider is gone and nobody else gives; null while it is there. */
  #aloneSinceMs: number | null = null;

  /** Aborted, with the reason, when the file is not worth its place. */
  get signal(): AbortSignal {
    return this.#givenUp.signal;
  }

  /** Others who have the file must be there soon now. */
  providerLeft(): void {
    this.#aloneSinceMs = performance.now();
  }

  event(event: Parameters<FetchObserver["event"]>[0]): void {
    if (event.kind === "found") this.#bytesHad = event.bytesHad;
    if (event.kind === "progress") {
      // When all is here it only has to be put away.
      if (event.bytesDone === event.bytesTotal) return;
      this.#look({ bytes: event.bytesDone - this.#bytesHad, sources: event.sources });
    } else if (event.kind === "searching") this.#look({ bytes: 0, sources: 0 });
  }

  readable(): void {}

  gained(): void {}

  #look({ bytes, sources }: { readonly bytes: number; readonly sources: number }): void {
    const nowMs = performance.now();
    if (this.#pace.tick(bytes, nowMs)) this.#givenUp.abort(new Error("It came too slowly"));
    if (this.#aloneSinceMs === null) return;
    if (sources > 0) this.#aloneSinceMs = nowMs;
    else if (nowMs - this.#aloneSinceMs > limits.pushAloneMs) {
      this.#givenUp.abort(new Error("Its giver has gone, and nobody else gives it"));
    }
  }
}

/** Has the fetch hear the asker's offer, as if it had called back, and answers it. */
async function use(
  searcher: Searcher,
  { connection, remote, offer, left }: {
    readonly connection: Connection;
    readonly remote: RemoteIdentity;
    readonly offer: MessageOf<"offer">;
    readonly left: () => void;
  },
): Promise<void> {
  const { nodeId, listenPort } = remote;
  const address = { host: connection.remote.host, port: listenPort };
  const verdict = searcher.offered({ nodeId, address }, [offer]);
  if (verdict.kind === "want") {
    connection.send({ kind: "want", root: verdict.root, searchOn: false });
    try {
      return await verdict.use(connection);
    } finally {
      left();
    }
  }
  connection.send({ kind: "enough" });
  await connection.closeAfterWriting();
}

function sameFile(
  offer: MessageOf<"offer">,
  { root, sizeBytes }: IncomingPush,
): MessageOf<"offer"> {
  checkOffer(offer, false);
  if (offer.file.root === root && offer.file.sizeBytes === sizeBytes) return offer;
  throw new PeerFault(
    "bad-data",
    `Cannot take a file: ${offer.file.sizeBytes} bytes of root ${offer.file.root} are offered, ` +
      `not ${sizeBytes} of ${root}`,
  );
}
