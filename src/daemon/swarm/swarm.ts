/**
 * One file on its way in: the store's download, the policy that shares the work out
 * (`chunk_scheduler.ts`), and the sources that do it: peers (`swarm_peers.ts`), and mirrors beside
 * them. Fetches subscribe to it; when the last one leaves, what came so far is kept. Where sources
 * come from is the fetch's matter.
 */

import { type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { FetchFailure } from "../../base/errors.ts";
import { formatRanges } from "../../base/bitfield.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Connection } from "../../net/connection.ts";
import type { MirrorFile } from "../../http/mirrors.ts";
import type { PartialDownload } from "../../store/downloads/partial_download.ts";
import type { TransferReport } from "../../wire/reports.ts";
import { ChunkScheduler } from "./chunk_scheduler.ts";
import { MirrorSource } from "./mirror_source.ts";
import type { Provider } from "./provider.ts";
import { RateMeter } from "./rate_meter.ts";
import type { SwarmContext, SwarmEvent, SwarmFile, SwarmObserver } from "./swarm_events.ts";
import { type SwarmHolder, SwarmPeers } from "./swarm_peers.ts";
import type { TransferLedger } from "./transfer_ledger.ts";

/** All transfers that bring one file in. */
export class Swarm {
  readonly file: SwarmFile;
  readonly wanted: ChunkRange;
  readonly download: PartialDownload;
  readonly rate = new RateMeter();
  readonly #scheduler: ChunkScheduler;
  readonly #peers: SwarmPeers;
  readonly #hasOwnPath: boolean;
  readonly #observers = new Set<SwarmObserver>();
  #checkpointing: Promise<void> | null = null;
  #checking: Promise<void> | null = null;

  constructor(
    context: SwarmContext,
    download: PartialDownload,
    options: {
      readonly file: SwarmFile;
      readonly wanted: ChunkRange;
      readonly inflightBytesMax: number;
      /** Whether the data is written outside the store's own place. */
      readonly hasOwnPath: boolean;
    },
  ) {
    this.file = options.file;
    this.wanted = options.wanted;
    this.download = download;
    this.#hasOwnPath = options.hasOwnPath;
    const tell = (event: SwarmEvent) => {
      for (const observer of [...this.#observers]) observer.swarmEvent(event);
    };
    this.#scheduler = new ChunkScheduler(context, download, { ...options, tell, isDivided: true });
    this.#peers = new SwarmPeers(this.#scheduler);
    context.hasher.prepare(this.bytesTotal);
  }

  /** Who gave what of it. */
  get ledger(): TransferLedger {
    return this.#scheduler.ledger;
  }

  /** Whether chunks that are here may be read: the leaves are known and what was found is checked. */
  get hasBegun(): boolean {
    return this.#scheduler.hasBegun;
  }

  get hasLeaves(): boolean {
    return this.download.hasLeaves;
  }

  /** Whether all chunks of the file are here. */
  get isFull(): boolean {
    return this.download.have.isFull;
  }

  /** Whether all wanted chunks are here. */
  get isComplete(): boolean {
    return this.#scheduler.isComplete;
  }

  /** Whether all who gave, or were to give, chunks are gone and offer it no more. */
  get isWithdrawn(): boolean {
    return this.#peers.areWithdrawn;
  }

  /** Whether any peer ever gave, or was to give, chunks. */
  get hadSources(): boolean {
    return this.#peers.hadAny;
  }

  /** Peers and mirrors that may give chunks now. */
  get sourceCount(): number {
    return this.#scheduler.sources.length;
  }

  /** Peers that may give chunks now; a mirror is none. */
  get peerCount(): number {
    return this.#peers.size;
  }

  /** How many peers give chunks, or would if they were asked: those that do not stall. */
  get peersGiving(): number {
    return this.#peers.giving.length;
  }

  /** Whether this node's own rate, not the peers, is why no more comes of them. */
  get isHeld(): boolean {
    return this.#peers.areHeld;
  }

  /** How fast the peers that give chunks are, all together, while something is asked of them. */
  get peersBytesPerSecond(): number {
    return this.#peers.giving.reduce((sum, state) => sum + state.rateBytesPerSecond, 0);
  }

  /** Checked bytes of the wanted chunks that peers were the first to give. */
  get peerBytes(): number {
    return this.ledger.sum("peer");
  }

  /** Bytes of the wanted chunks that were there at the start. */
  get bytesHad(): number {
    return this.#scheduler.bytesHad;
  }

  /** Bytes of the wanted chunks that are here. */
  get bytesDone(): number {
    return this.bytesHad + this.ledger.sum();
  }

  /** Bytes of the wanted chunks altogether. */
  get bytesTotal(): number {
    return this.wanted.count === 0 ? 0 : rangeBytes(this.file.sizeBytes, this.wanted).length;
  }

  subscribe(observer: SwarmObserver): void {
    this.#observers.add(observer);
  }

  /** Ends the subscription; returns whether nobody is left. */
  unsubscribe(observer: SwarmObserver): boolean {
    this.#observers.delete(observer);
    return this.#observers.size === 0;
  }

  hasSource(nodeId: NodeId): boolean {
    return this.#peers.hasNode(nodeId);
  }

  /** Whether nobody who could give what is missing is giving it. */
  get needsSources(): boolean {
    if (this.#scheduler.isOver) return false;
    return this.hasBegun ? this.#scheduler.needsSources : !this.#peers.areLeavesComing;
  }

  /** Whether another peer would be of use. */
  get wantsSources(): boolean {
    return !this.#scheduler.isOver && !this.isComplete && this.#peers.size < limits.sourcesMax;
  }

  /** Begins; completes at once when nothing is missing. Without leaves it waits for a source. */
  start(): void {
    const { download } = this;
    if (!download.hasLeaves || this.hasBegun) return;
    if (download.areLeavesProven) return this.#scheduler.begin();
    // Leaves of an earlier run: nobody is blamed, and nothing counts, by what rotted.
    this.#checking ??= download.checkLeaves()
      .then((isSound) => isSound ? this.#scheduler.begin() : this.#peers.leavesLost())
      .catch((error) => this.#scheduler.fail(error as Error))
      .finally(() => this.#checking = null);
  }

  /**
   * Makes room for one more source when all places are taken, one of them by a source that has
   * nothing to give; false when every one of them is of use.
   */
  makeRoom(): boolean {
    return !this.#scheduler.isOver && this.hasBegun && this.needsSources && this.#peers.makeRoom();
  }

  /**
   * Takes chunks from a holder over `connection` until it ends, which this waits for.
   *
   * @throws {PeerFault} when the holder's bitfield is none of this file.
   */
  async useSource(connection: Connection, holder: SwarmHolder): Promise<void> {
    if (this.#scheduler.isOver) return connection.close();
    await this.#peers.use(connection, holder);
  }

  /**
   * Has a mirror give ranges of the file beside the peers, from when the leaves are here; the
   * function that this returns takes it out again.
   */
  joinMirror(mirror: MirrorFile): () => void {
    if (this.#scheduler.isOver) return () => {};
    const { name } = this.file;
    const { log } = this.#scheduler.context;
    const id = this.#scheduler.newSourceId();
    const source = new MirrorSource(this.#scheduler, mirror, { id });
    log.debug("mirror joined", { mirror: source.provider.label, name });
    this.#scheduler.add(source);
    return () => {
      source.end();
      if (!this.#scheduler.remove(source)) return;
      log.debug("mirror left", { mirror: source.provider.label, name });
    };
  }

  /**
   * Takes whole chunks that came by another way than from a source: what matches the leaves is
   * written and counts as given by `provider`. Returns the indices of what does not. All at once, so
   * `data` should be no more than a few megabytes.
   *
   * @throws {RangeError} before {@linkcode hasBegun}, and when `data` is not the chunks of `range`.
   */
  feed(provider: Provider, range: ChunkRange, data: Uint8Array): number[] {
    return this.#scheduler.feed(provider, range, data);
  }

  /** Lets time pass: snubbing, checkpoints. */
  tick(nowMs: number): void {
    if (this.#scheduler.isOver) return;
    this.rate.add(this.ledger.sum(), nowMs);
    this.#peers.tick(nowMs);
    this.#scheduler.tick(nowMs);
    if (this.#checkpointing === null && this.download.checkpointDue(nowMs)) {
      this.#checkpointing = this.download.checkpoint()
        .catch((error) => this.#scheduler.fail(error as Error))
        .finally(() => this.#checkpointing = null);
    }
  }

  setBudget(inflightBytesMax: number): void {
    this.#scheduler.setBudget(inflightBytesMax);
  }

  /** Stops all transfers and keeps what came, as of now. */
  async suspend(): Promise<void> {
    this.#scheduler.end("the fetch was stopped");
    await this.#checkpointing;
    // In a file of somebody else's choosing, holes would look like data.
    // Before it began, all there is was found there, and others may know what it is.
    await this.download.suspend({ cutToPrefix: this.#hasOwnPath && this.hasBegun });
  }

  /** Ends it for all who follow it: what came was removed from the store by somebody else. */
  withdraw(): void {
    const what = `Cannot fetch ${this.file.name}: it was unshared here while it came`;
    this.#scheduler.fail(
      new FetchFailure("notFound", what, { hint: "What had come is removed; fetch it again." }),
    );
  }

  /** Stops all transfers and throws away what came. */
  async discard(): Promise<void> {
    this.#scheduler.end("the fetch was given up");
    await this.#checkpointing;
    await this.download.discard();
  }

  /** Ends the transfers of a complete file and gives it its place. */
  async finish(): Promise<void> {
    this.#scheduler.end("the file is complete");
    await this.#checkpointing;
    if (this.download.have.isFull) await this.download.finish();
    else await this.download.suspend();
  }

  /** How it is shown to a person: the peers first, then the mirrors. */
  report(): TransferReport {
    const { root, name, sizeBytes } = this.file;
    const states = new Map(this.#scheduler.states.map((state) => [state.source, state]));
    const { sources } = this.#scheduler;
    const isMirror = ({ provider }: typeof sources[number]) => provider.kind === "mirror";
    const inOrder = [...sources.filter((one) => !isMirror(one)), ...sources.filter(isMirror)];
    return {
      root,
      name,
      sizeBytes,
      bytesDone: this.bytesDone,
      bytesPerSecond: Math.round(this.rate.bytesPerSecond),
      have: formatRanges(this.download.have),
      sources: inOrder.map(({ id, provider, strikes = 0 }) => ({
        peer: provider.label,
        nodeId: provider.nodeId,
        bytes: states.get(id)?.bytesGood ?? 0,
        bytesPerSecond: Math.round(states.get(id)?.rateBytesPerSecond ?? 0),
        strikes,
        snubbed: states.get(id)?.snubbed ?? false,
      })),
    };
  }
}
