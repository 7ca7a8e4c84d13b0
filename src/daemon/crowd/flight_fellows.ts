/**
 * The fellows that a file in flight is shared with: who is taken in, and who is left because it is
 * silent, gives nothing or breaks the protocol; what each says goes to the policy, and what the policy
 * says of each is done. What chunks come of it is the scheduler's.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import { isMisdeed, PeerFault, unreachable } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Crowd } from "../../core/crowd/crowd.ts";
import type { CrowdEvent, FellowMessage } from "../../core/crowd/crowd_events.ts";
import type { SourceReport } from "../../core/download/download.ts";
import type { Connection } from "../../net/connection.ts";
import { isLoopback } from "../../wire/host.ts";
import type { Rejection } from "../../wire/messages.ts";
import type { ChunkScheduler } from "../swarm/chunk_scheduler.ts";
import type { PeerSink, PeerSource } from "../swarm/peer_source.ts";
import type { SwarmContext } from "../swarm/swarm_events.ts";
import type { UploadContext } from "../upload/upload.ts";
import { Fellow, type FellowIdentity } from "./fellow.ts";
import { type FlightFile, rootOfFlight } from "./flight_file.ts";
import type { FlightStorage } from "./flight_storage.ts";
import type { PassedWrong } from "./passed_wrong.ts";

/** What the fellows of any file need of their node. */
export interface FellowsHost extends SwarmContext {
  readonly nodeId: NodeId;
  /** Nodes that passed on what was wrong lately: only what they read themselves is taken of them. */
  readonly passedWrong: Pick<PassedWrong, "has">;
  /** A fellow is gone that was given so many bytes. */
  gave(fellow: { readonly nodeId: NodeId; readonly peer: string }, bytes: number): void;
}

/** What they are fellows of, and whom they tell. */
interface FlightFellowsOptions {
  readonly file: FlightFile;
  readonly storage: FlightStorage;
  readonly crowd: Pick<Crowd, "isTrusted" | "stripes">;
  readonly scheduler: ChunkScheduler<FlightStorage>;
  /** Tells the policy. */
  readonly tell: (event: CrowdEvent) => void;
  /** There are more, or fewer. */
  readonly changed: () => void;
  /** One says that its mirror has chunks otherwise. */
  readonly accused: (from: NodeId, range: ChunkRange) => void;
}

/** The fellows of one file. */
export class FlightFellows implements PeerSink {
  readonly #host: FellowsHost;
  readonly #options: FlightFellowsOptions;
  readonly #fellows = new Map<NodeId, Fellow>();
  /** The addresses of all that ever were fellows. */
  readonly #labels = new BoundedMap<NodeId, string>(limits.rememberedMax);
  /** Whether what fellows did not read themselves is taken of them. */
  #takesPassedOn = true;
  #state: "taking" | "giving" | "closed" = "taking";

  constructor(host: FellowsHost, options: FlightFellowsOptions) {
    this.#host = host;
    this.#options = options;
  }

  [Symbol.iterator](): IterableIterator<Fellow> {
    return this.#fellows.values();
  }

  get size(): number {
    return this.#fellows.size;
  }

  get(nodeId: NodeId): Fellow | undefined {
    return this.#fellows.get(nodeId);
  }

  /** One that is a fellow, or was, as people know it. */
  labelOf(nodeId: NodeId): string {
    return this.#labels.get(nodeId) ?? nodeId;
  }

  /** Whether one listens at this address. */
  hasAt(address: string): boolean {
    return this.#fellows.values().some(({ peer }) => peer === address);
  }

  /**
   * Whether one more may come in. Of two connections with the same one, which are there when both
   * sides dial, both sides keep that of the lower id.
   */
  hasRoomFor(
    nodeId: NodeId,
    { isDialled, address: { host } }: Pick<FellowIdentity, "isDialled" | "address">,
  ): boolean {
    const self = this.#host.nodeId;
    if (this.#state === "closed" || nodeId === self) return false;
    if (!this.#options.crowd.isTrusted(nodeId)) return false;
    const before = this.#fellows.get(nodeId);
    if (before !== undefined) {
      return before.isDialled !== isDialled && (isDialled ? self < nodeId : nodeId < self);
    }
    const fellows = [...this.#fellows.values()];
    const ofHost = isLoopback(host) ? [] : fellows.filter((fellow) => fellow.host === host);
    if (ofHost.length >= limits.fellowsPerHostMax) return false;
    return fellows.length < limits.fellowsMax || this.#leastOfUse() !== undefined;
  }

  /** Keeps a fellow until its connection ends, which this waits for. */
  async join(connection: Connection, identity: FellowIdentity): Promise<void> {
    const { nodeId, peer, address } = identity;
    if (!this.hasRoomFor(nodeId, identity)) return connection.close();
    this.#leave(this.#fellows.get(nodeId), "another connection is kept");
    if (this.#fellows.size >= limits.fellowsMax) this.#leave(this.#leastOfUse(), "others are");
    const { log } = this.#host;
    const { scheduler, tell, changed, file: { name } } = this.#options;
    const fellow = this.#newFellow(connection, identity);
    this.#fellows.set(nodeId, fellow);
    this.#labels.set(nodeId, peer);
    log.debug("fellow joined", { peer, name });
    scheduler.add(fellow.source);
    tell({ kind: "joined", nodeId, address: address.port === 0 ? null : address });
    changed();
    try {
      await fellow.run();
    } finally {
      connection.close();
      this.#host.gave({ nodeId, peer }, fellow.bytesSent);
      this.#broke(fellow);
      this.#gone(fellow);
    }
  }

  /** A node gave what is not true: it is no fellow any more, and what it read counts no more. */
  distrust(nodeId: NodeId): void {
    this.#options.tell({ kind: "distrusted", nodeId });
  }

  /** What a node passed on was not true: others have it too, so only what each read itself is taken. */
  passedWrong(): void {
    if (!this.#takesPassedOn) return;
    this.#takesPassedOn = false;
    this.#options.tell({ kind: "passed-wrong" });
  }

  /** Tells them that the mirror has a chunk otherwise than it was given. */
  accuse(chunk: number): void {
    for (const fellow of this.#fellows.values()) fellow.accuse(chunk);
  }

  /** Nothing more is taken of them. They stay connected: they may still want chunks from here. */
  land(): void {
    this.#state = "giving";
    for (const { source } of this.#fellows.values()) this.#options.scheduler.leave(source);
  }

  close(reason: string): void {
    this.#state = "closed";
    for (const fellow of this.#fellows.values()) fellow.end(reason);
  }

  /**
   * Leaves those that are silent for too long, or take nothing of what is only given.
   *
   * @param leastPerSecond Bytes a second that each must give of what it is asked for.
   */
  tick(nowMs: number, { leastPerSecond }: { readonly leastPerSecond: number }): void {
    const states = new Map(
      this.#options.scheduler.states.map((state) => [state.source, state] as const),
    );
    for (const fellow of [...this.#fellows.values()]) {
      const state = states.get(fellow.source.id);
      if (fellow.silentMs(nowMs) > limits.fellowLostMs) this.#leave(fellow, "silent");
      else if (this.#state === "giving") {
        if (fellow.idleMs(nowMs) > limits.uploadIdleMs) fellow.end("idle");
      } else if (state !== undefined) this.#judge(fellow, state, { leastPerSecond, nowMs });
    }
  }

  /** A fellow may be asked for these chunks as well. */
  mayAsk(nodeId: NodeId, ranges: readonly ChunkRange[]): void {
    const source = this.#fellows.get(nodeId)?.source;
    if (source === undefined || source.have === "all") return;
    const { id, have } = source;
    const { scheduler } = this.#options;
    const news = ranges.filter((range) => have.addRange(range) > 0);
    if (news.length > 0) scheduler.step({ kind: "source-has", source: id, ranges: news });
  }

  /** A fellow may be asked for these chunks, and no others. */
  mayOnlyAsk(nodeId: NodeId, ranges: readonly ChunkRange[]): void {
    const source = this.#fellows.get(nodeId)?.source;
    if (source === undefined || source.have === "all") return;
    const { id, have } = source;
    const gone = have.clone();
    for (const range of ranges) gone.removeRange(range);
    const lost = [...gone.ranges()];
    for (const range of lost) have.removeRange(range);
    this.#options.scheduler.step({ kind: "source-lost", source: id, ranges: lost });
    this.mayAsk(nodeId, ranges);
  }

  // PeerSink

  chunks(source: PeerSource, range: ChunkRange, data: Uint8Array, wrong: readonly number[]): void {
    this.#options.scheduler.chunks(source, range, data, wrong);
  }

  rejected(source: PeerSource, range: ChunkRange, _rejection: Rejection): void {
    const { scheduler, tell } = this.#options;
    scheduler.passed(source, range);
    if (source.have !== "all") source.have.removeRange(range);
    tell({ kind: "refused", nodeId: source.provider.nodeId, ranges: [range] });
  }

  dropped(source: PeerSource, reason: "bad-data" | "silent"): void {
    source.connection.close(new PeerFault("silent", `Left a fellow: ${reason}`));
  }

  has(): void {
    throw new PeerFault("unexpected", "Cannot take HAVE of a fellow: it says GAINED");
  }

  leaves(): void {
    throw new PeerFault("unexpected", "Cannot take LEAVES of a file in flight");
  }

  leavesArriving(): void {
    // They are refused when they are whole.
  }

  #newFellow(connection: Connection, identity: FellowIdentity): Fellow {
    const { log, clock, rates } = this.#host;
    const { file: { id, name, sizeBytes }, scheduler, crowd, storage, accused } = this.#options;
    const fellow = new Fellow(connection, {
      sink: scheduler,
      peers: this,
      upload: { clock, log, rates, store: uploadStoreOf(storage) },
      file: { root: rootOfFlight(id), name, sizeBytes, tellsNews: false },
      sourceId: scheduler.newSourceId(),
      identity,
      stripes: crowd.stripes.count,
      heard: (message) => this.#heard(fellow, message),
      accuses: (range) => accused(identity.nodeId, range),
    });
    return fellow;
  }

  #heard({ nodeId: from }: Fellow, message: FellowMessage): void {
    const { tell } = this.#options;
    switch (message.kind) {
      case "report":
      case "fellows":
        return tell({ kind: "heard", from, message });
      case "announce": {
        if (message.origin !== from && !this.#mayPassOn(from)) return;
        // What this node read it knows itself.
        const origin = message.origin === this.#host.nodeId ? null : message.origin;
        return tell({ kind: "heard", from, message: { ...message, origin } });
      }
      default:
        return unreachable(message);
    }
  }

  /** Whether chunks are taken of a node that it did not read itself. */
  #mayPassOn(nodeId: NodeId): boolean {
    const { passedWrong, clock } = this.#host;
    return this.#takesPassedOn && !passedWrong.has(nodeId, clock.nowMs());
  }

  /** Looks whether a fellow gives what it is asked for. */
  #judge(
    { patience, nodeId, peer, source }: Fellow,
    state: SourceReport,
    pace: { readonly leastPerSecond: number; readonly nowMs: number },
  ): void {
    // It may well give more than this node takes.
    if (source.pace.isHeld || source.pace.isWaiting) return patience.excuse(state, pace.nowMs);
    const was = patience.isWithholding;
    patience.look(state, pace);
    if (patience.isWithholding === was) return;
    const { log } = this.#host;
    const fields = { peer, nodeId, name: this.#options.file.name };
    if (patience.isOver) {
      log.warn("a fellow does not give what it said it has", fields);
      return this.distrust(nodeId);
    }
    if (!was) log.info("a fellow lets others wait", fields);
    this.#options.tell({ kind: "withholds", nodeId, isOn: !was });
  }

  /** One that others have nothing of: it has to go when another comes. */
  #leastOfUse(): Fellow | undefined {
    const nowMs = this.#host.clock.nowMs();
    return this.#fellows.values().find((fellow) =>
      fellow.patience.isWithholding || fellow.silentMs(nowMs) > limits.fellowSilentMs
    );
  }

  /** A connection may have ended otherwise than it should: who is to blame is no fellow any more. */
  #broke({ nodeId, peer, connection: { reason: error } }: Fellow): void {
    if (!(error instanceof PeerFault)) return;
    const { log } = this.#host;
    const fields = { peer, nodeId, name: this.#options.file.name, reason: error.message };
    if (!isMisdeed(error)) log.info("left a fellow", fields);
    else {
      log.warn("a fellow broke the protocol", fields);
      this.distrust(nodeId);
    }
  }

  #leave(fellow: Fellow | undefined, reason: string): void {
    if (fellow === undefined) return;
    fellow.end(reason);
    this.#gone(fellow);
  }

  #gone(fellow: Fellow): void {
    const { nodeId, peer, source, connection: { reason } } = fellow;
    if (this.#fellows.get(nodeId) !== fellow) return;
    this.#fellows.delete(nodeId);
    const { scheduler, file: { name }, tell, changed } = this.#options;
    scheduler.remove(source);
    const why = reason === undefined ? "closed" : reason.message;
    this.#host.log.debug("fellow left", { peer, name, reason: why });
    if (this.#state === "closed") return;
    tell({ kind: "left", nodeId });
    changed();
  }
}

/** The file as an upload reads it. */
function uploadStoreOf(storage: FlightStorage): UploadContext["store"] {
  return {
    isComplete: () => storage.have.isFull,
    availableChunks: () => storage.have,
    readRun: (_root: Root, range: ChunkRange, target: Uint8Array, offset: number) =>
      storage.readRun(range, target, offset),
    areLeavesProven: () => true,
    ready: () => Promise.resolve(),
    readLeaves: () => {
      throw new RangeError("Cannot read leaves of a file in flight");
    },
    scrubRange: () => Promise.resolve(),
    chunkClose: () => {},
    // The flight uses it for all of them.
    use: () => ({ [Symbol.dispose]: () => {} }),
  };
}
