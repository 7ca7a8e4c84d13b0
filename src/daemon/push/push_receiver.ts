/**
 * Taking files that others ask this node to take: whether, and then how. A person allows so many
 * bytes for it; all downloads that are here count against them, and what is on its way. A person also
 * says whether linked nodes may have it fetch a file from elsewhere, which they cannot have otherwise:
 * this node is a holder like any other then, and no proxy.
 *
 * The file comes in by an ordinary fetch of its root, so nothing is believed that is not checked.
 * Nothing is removed to make room for it: others could have this node give up what it has. What is taken
 * stays within what is kept (`daemon/keeping`) without that.
 */

import type { Clock } from "../../base/clock.ts";
import { messageOf, PeerFault } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Connection } from "../../net/connection.ts";
import { closeOnAbort, withDeadline } from "../../net/deadline.ts";
import { expectMessage, type RemoteIdentity } from "../../net/handshake.ts";
import type { UploadAnswer } from "../../wire/directory_messages.ts";
import type { FetchNotice, FetchObserver, FetchRequest } from "../../wire/fetching.ts";
import { onlyKinds } from "../../wire/framer.ts";
import type { Done, MessageOf } from "../../wire/messages.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { checkOffer, peerLabel } from "../discovery/offer_exchange.ts";
import type { Searcher } from "../discovery/searches.ts";
import type { Swarm } from "../swarm/swarm.ts";
import type { LoadMeter } from "../upload/load_meter.ts";
import { MinimumRate } from "../upload/minimum_rate.ts";

/** What is taken from others; what is on its way when that changes goes on. */
export interface Accepting {
  /** What all downloads together may come to; 0: nothing is taken. */
  readonly acceptBytes: number;
  /** Whether files are also taken from elsewhere for linked nodes that cannot have them otherwise. */
  readonly relaysFiles: boolean;
}

interface PushReceiverOptions {
  readonly accepting: Accepting;
  /** A node that is fully loaded takes nothing. */
  readonly loadMeter: LoadMeter;
  /** Knows how much of what is kept at most is left. */
  readonly keeper: { readonly roomBytes: number };
  /** The files that are being fetched. */
  readonly swarms: Iterable<Swarm>;
  /** Fetches a file; `begun` is given the fetch, to which holders at hand may be offered. */
  readonly fetch: (
    request: FetchRequest,
    options: {
      readonly observer: FetchObserver;
      readonly signal: AbortSignal;
      readonly begun?: (searcher: Searcher) => void;
      readonly isForOthers: true;
    },
  ) => Promise<Done>;
}

/** One of the few files that may be on their way, until {@linkcode PushReceiver.take} has ended. */
interface IncomingPush {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
  /** From where it is asked; null when a directory asks. */
  readonly askerHost: string | null;
  /** Whether a linked node asks, which cannot have it otherwise. */
  readonly isRelayed: boolean;
}

/** The node or directory that asks this node to take a file. */
interface PushAsker {
  readonly host: string;
  /** Whether it may also name a file that it does not provide itself. */
  readonly isDirectory: boolean;
  /** Whether there is a link with it. */
  readonly isLinked: boolean;
}

/** The files that others push to this node. */
export class PushReceiver {
  readonly #context: NodeContext;
  readonly #options: PushReceiverOptions;
  readonly #underWay = new Map<Root, IncomingPush>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  /** Files that linked nodes had fetched here, and those that this node did not take for them. */
  readonly relays = { files: 0, refused: 0 };
  accepting: Accepting;

  constructor(context: NodeContext, options: PushReceiverOptions) {
    this.#context = context;
    this.#options = options;
    this.accepting = options.accepting;
  }

  /** Bytes that may still be taken. */
  get room(): number {
    const { acceptBytes } = this.accepting;
    if (acceptBytes === 0) return 0;
    const comingBytes = this.#comingBytes();
    return Math.max(
      0,
      Math.min(
        acceptBytes - this.#context.store.downloadedBytes(),
        this.#options.keeper.roomBytes,
      ) - comingBytes,
    );
  }

  /**
   * What to say to an upload request. With "accepted" the file counts as on its way until
   * {@linkcode take} or {@linkcode takeElsewhere} has ended.
   *
   * @throws {PeerFault} when no file can be so big.
   */
  consider(
    request: MessageOf<"upload-request">,
    asker: PushAsker,
  ): { readonly answer: UploadAnswer; readonly incoming?: IncomingPush } {
    const isUnderWay = this.#underWay.has(request.file.file.root);
    const considered = this.#consider(request, asker);
    const isTaken = considered.answer === "accepted" || considered.answer === "have" || isUnderWay;
    if (!isTaken && !request.serves && !asker.isDirectory) this.relays.refused++;
    return considered;
  }

  #consider(
    { file: { file }, serves }: MessageOf<"upload-request">,
    { host, isDirectory, isLinked }: PushAsker,
  ): { readonly answer: UploadAnswer; readonly incoming?: IncomingPush } {
    const { root, name, sizeBytes } = file;
    const { clock, store } = this.#context;
    const { loadMeter } = this.#options;
    const { acceptBytes, relaysFiles } = this.accepting;
    const isRelayed = !serves && !isDirectory;
    if (sizeBytes > limits.fetchBytesMax) {
      throw new PeerFault(
        "malformed",
        `Cannot take a file: ${sizeBytes} bytes exceed ${limits.fetchBytesMax}`,
      );
    }
    if (store.isComplete(root)) return { answer: "have" };
    // A provider asks so how far its file has got: it is still on its way, not unwanted.
    if (this.#underWay.has(root)) return { answer: "busy" };
    const isUnwilling = acceptBytes === 0 || isRelayed && !(relaysFiles && isLinked);
    if (isUnwilling) return { answer: "unwilling" };
    const files = store.downloadedFiles + this.#underWay.size + 1;
    if (
      this.#bytesLeft(file) > this.room || files * limits.takenFileBytesMin > acceptBytes
    ) return { answer: "no-room" };
    const askerHost = isDirectory && !serves ? null : host;
    const isFull = this.#underWay.size >= limits.pushesTakenMax || this.#hasMany(askerHost) ||
      loadMeter.isFull(clock.nowMs()) || this.#stopping.signal.aborted;
    if (isFull) return { answer: "busy" };
    const incoming = { root, name, sizeBytes, askerHost, isRelayed };
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
    let transfer = Promise.resolve();
    try {
      await this.#during(incoming, async () => {
        const offer = await this.#offerOf(incoming, connection);
        const from = peerLabel(connection, remote);
        await this.#fetch(incoming, {
          from,
          begun: (searcher, left) => {
            transfer = use(searcher, { connection, remote, offer, left });
            // It is waited for below, when the fetch has ended.
            transfer.catch(() => {});
          },
        });
      });
      // Another fetch of this file may go on with the connection, but it counts as no push.
      await transfer;
    } finally {
      connection.close();
    }
  }

  /** Takes the file from any node that has it, because `from` wishes so. Never rejects. */
  async takeElsewhere(incoming: IncomingPush, from: string): Promise<void> {
    await this.#during(incoming, () => this.#fetch(incoming, { from }));
  }

  /** Gives up what is under way; resolves when it is put away. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#tasks);
  }

  async #offerOf(incoming: IncomingPush, connection: Connection): Promise<MessageOf<"offer">> {
    using _ = closeOnAbort(connection, this.#stopping.signal);
    connection.setGate(onlyKinds("Cannot take a file", ["offer"]));
    return await withDeadline(
      connection,
      "Cannot take a file",
      async () => sameFile(expectMessage(await connection.receiveOne(), "offer"), incoming),
    );
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
    { root, name, sizeBytes, isRelayed }: IncomingPush,
    { from, begun }: {
      readonly from: string;
      /** Is given the fetch, and what to call when the provider that it used is gone. */
      readonly begun?: (searcher: Searcher, left: () => void) => void;
    },
  ): Promise<void> {
    const { clock, log } = this.#context;
    const fields = { name, root, sizeBytes, from };
    log.info("taking a file", fields);
    const isHeld = () =>
      [...this.#options.swarms].some((swarm) => swarm.file.root === root && swarm.isHeld);
    const watch = new Watch(clock, isHeld);
    try {
      await this.#options.fetch({ ...REQUEST, name, root, sizeBytes }, {
        observer: watch,
        signal: AbortSignal.any([this.#stopping.signal, watch.signal]),
        begun: (searcher) => begun?.(searcher, () => watch.providerLeft()),
        isForOthers: true,
      });
      if (isRelayed) this.relays.files++;
      log.info("took a file", fields);
    } catch (cause) {
      const error = messageOf(watch.signal.aborted ? watch.signal.reason : cause);
      log.warn("a file that was to be taken did not come", { ...fields, error });
    }
  }

  /** A download of which nothing came is no use to anybody, and anybody can have it begun. */
  #dropEmpty(root: Root): void {
    const { store, log } = this.#context;
    const isFetched = [...this.#options.swarms].some(({ file }) => file.root === root);
    if (isFetched || store.isComplete(root)) return;
    if (store.download(root)?.have.count !== 0) return;
    try {
      store.remove(root);
    } catch (error) {
      log.warn("cannot remove a download of which nothing came", { root, error: messageOf(error) });
    }
  }

  /** Whether as many files are on their way for those at `host` as one may ask for at once. */
  #hasMany(host: string | null): boolean {
    if (host === null) return false;
    const ofHost = [...this.#underWay.values()].filter(({ askerHost }) => askerHost === host);
    return ofHost.length >= limits.pushesTakenPerHostMax;
  }

  /** What those on their way are still to bring. */
  #comingBytes(): number {
    let bytes = 0;
    for (const incoming of this.#underWay.values()) bytes += this.#bytesLeft(incoming);
    return bytes;
  }

  /**
   * What does not count as downloaded yet. A size is a claim: more may be here of the root than it
   * says, which makes no room for anything else.
   */
  #bytesLeft({ root, sizeBytes }: Pick<IncomingPush, "root" | "sizeBytes">): number {
    return Math.max(0, sizeBytes - this.#context.store.downloadedBytes(root));
  }
}

/** A fetch from peers alone, for as long as it takes; its observer bounds it. */
const REQUEST: Omit<FetchRequest, "name" | "root" | "sizeBytes"> = {
  sha256: null,
  chunks: null,
  deliver: false,
  timeoutMs: 0,
  searchMs: 0,
  mirrors: [],
  mirrorDelayMs: null,
  background: true,
};

/** Watches how a file comes, and gives it up when it comes too slowly. */
class Watch implements FetchObserver {
  readonly #clock: Clock;
  readonly #isHeld: () => boolean;
  readonly #rate: MinimumRate;
  readonly #givenUp = new AbortController();
  #bytesHad = 0;
  /** Since when the provider is gone and there is no other source; null while it is there. */
  #aloneSinceMs: number | null = null;

  /** @param isHeld Whether this node's own rate is why no more comes. */
  constructor(clock: Clock, isHeld: () => boolean) {
    this.#clock = clock;
    this.#isHeld = isHeld;
    this.#rate = new MinimumRate(clock.nowMs());
  }

  /** Aborted, with the reason, when the file is given up. */
  get signal(): AbortSignal {
    return this.#givenUp.signal;
  }

  /** Others who have the file must be there soon now. */
  providerLeft(): void {
    this.#aloneSinceMs = this.#clock.nowMs();
  }

  event(event: FetchNotice): void {
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
    const nowMs = this.#clock.nowMs();
    const isSlow = this.#isHeld() ? this.#rate.excuse(nowMs) : this.#rate.tick(bytes, nowMs);
    if (isSlow) this.#givenUp.abort(new Error("It came too slowly"));
    if (this.#aloneSinceMs === null) return;
    if (sources > 0) this.#aloneSinceMs = nowMs;
    else if (nowMs - this.#aloneSinceMs > limits.pushAloneMs) {
      this.#givenUp.abort(new Error("Its provider has gone, and nobody else has it"));
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
