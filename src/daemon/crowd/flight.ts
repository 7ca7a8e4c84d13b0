/**
 * One file in flight: what a node is just getting from a mirror, together with the fellows that get it
 * too. Has its mirror (`flight_mirror.ts`) and its fellows (`flight_fellows.ts`) do what
 * `core/crowd/crowd.ts` decides, and tells that what happened. It decides nothing.
 */

import type { HostPort } from "../../base/address.ts";
import type { Timer } from "../../base/clock.ts";
import { type OfKind, unreachable } from "../../base/errors.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { nameType } from "../../base/names.ts";
import { Crowd } from "../../core/crowd/crowd.ts";
import type { CrowdEffect, CrowdEvent } from "../../core/crowd/crowd_events.ts";
import { MirrorError } from "../../http/mirror_error.ts";
import type { MirrorFile } from "../../http/mirrors.ts";
import type { Connection } from "../../net/connection.ts";
import type { FileReader } from "../../wire/fetching.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { FlightReport } from "../../wire/reports.ts";
import { ChunkScheduler } from "../swarm/chunk_scheduler.ts";
import type { Provider } from "../swarm/provider.ts";
import type { SwarmEvent } from "../swarm/swarm_events.ts";
import { Accusations } from "./accusations.ts";
import type { FellowIdentity } from "./fellow.ts";
import type { FellowDial } from "./fellow_dials.ts";
import { type FellowsHost, FlightFellows } from "./flight_fellows.ts";
import { type FlightFile, rootOfFlight } from "./flight_file.ts";
import { chunksText, FlightMirror } from "./flight_mirror.ts";
import { flightReport } from "./flight_report.ts";
import { type FlightPlace, FlightStorage } from "./flight_storage.ts";
import { SecondLook } from "./second_look.ts";

/** What a flight needs of its node. */
export interface FlightHost extends FellowsHost {
  /** Dials a fellow that was heard of. */
  dialFellow(flight: Flight, dial: FellowDial): void;
}

/** Who hears of a flight: the fetch that it is of. */
export interface FlightObserver {
  /** Chunks came, from a fellow or from the mirror. */
  arrived(range: ChunkRange, provider: Provider): void;
  /** There are more fellows, or fewer. */
  fellowsChanged(): void;
  /** A person who asks afterwards is told so. */
  noted(what: string): void;
  /** The mirror gives no ranges, or nothing. */
  mirrorFailed(error: MirrorError): void;
  failed(error: Error): void;
}

/** What a mending tells the policy. */
type DoubtEvent = "proved" | "replaced" | "doubt-ended" | "retake";

/** One file in flight. */
export class Flight {
  readonly file: FlightFile;
  readonly storage: FlightStorage;
  readonly crowd: Crowd;
  /** Chunks that fellows say are wrong. */
  readonly accusations = new Accusations();
  /** What is to be read again of it. */
  readonly secondLook = new SecondLook();
  readonly #host: FlightHost;
  readonly #mirror: FlightMirror;
  readonly #scheduler: ChunkScheduler<FlightStorage>;
  readonly #fellows: FlightFellows;
  readonly #events: CrowdEvent[] = [];
  #isStepping = false;
  #observer: FlightObserver | null;
  #timer: Timer | null = null;
  #state: "flying" | "landed" | "closed" = "flying";
  #landedMs = Infinity;
  /** The complete file. */
  #landed: FileReader | null = null;
  /** While fellows are given the complete file. */
  #use: Disposable | null = null;
  readonly #ends: (() => void)[] = [];

  constructor(
    host: FlightHost,
    options: {
      readonly file: FlightFile;
      readonly place: FlightPlace;
      /** Null when it has none, or none is to be asked. */
      readonly mirror: MirrorFile | null;
      readonly observer: FlightObserver;
    },
  ) {
    const { file, place, mirror, observer } = options;
    const { id, name, sizeBytes } = file;
    this.file = file;
    this.#host = host;
    this.#observer = observer;
    this.storage = new FlightStorage(sizeBytes, place);
    const { have } = this.storage;
    this.crowd = new Crowd({
      flight: id,
      nodeId: host.nodeId,
      sizeBytes,
      have,
      nowMs: host.clock.nowMs(),
    });
    this.#scheduler = new ChunkScheduler(host, this.storage, {
      file: { root: rootOfFlight(id), name, sizeBytes },
      wanted: { first: 0, count: have.length },
      inflightBytesMax: limits.inflightBytesMax,
      tell: (event) => this.#swarmEvent(event),
      mayLose: true,
    });
    this.#scheduler.begin();
    this.#mirror = new FlightMirror({
      file,
      mirror,
      clock: host.clock,
      log: host.log,
      took: (firstChunk, bytes, provider) => this.#took(firstChunk, bytes, provider),
      tell: (event) => this.#step(event),
      noted: (what) => this.#observer?.noted(what),
      failed: (error) => this.#mirrorFailed(error),
    });
    this.#fellows = new FlightFellows(host, {
      file,
      storage: this.storage,
      crowd: this.crowd,
      scheduler: this.#scheduler,
      tell: (event) => this.#step(event),
      changed: () => {
        this.#useWhileGiven();
        this.#observer?.fellowsChanged();
      },
      accused: (from, range) => this.accusations.add(from, range),
    });
  }

  /** Fellows that it is connected with. */
  get fellowCount(): number {
    return this.#fellows.size;
  }

  /** Whether it is over, and nobody takes anything from it. */
  get isOver(): boolean {
    return this.#state === "closed" || this.#state === "landed" && this.#fellows.size === 0;
  }

  /** Whether it is over, and for so long that nobody comes any more who was told of it. */
  isDone(nowMs: number): boolean {
    return this.isOver &&
      (this.#state === "closed" || nowMs - this.#landedMs >= limits.flightLingerMs);
  }

  /** Calls `listener` when fellows can have it from here no more. */
  onEnd(listener: () => void): void {
    this.#ends.push(listener);
  }

  /** Whether fellows may come in. */
  get isOpen(): boolean {
    return this.#state !== "closed";
  }

  /** Whether the file is complete, and only fellows still take something. */
  get isLanded(): boolean {
    return this.#state === "landed";
  }

  /** Those that it shares the file with, where each can be dialled, and how much each has. */
  fellows(): { nodeId: NodeId; address: HostPort; chunksHave: number }[] {
    return [...this.#fellows].map(({ nodeId, address }) => ({
      nodeId,
      address,
      chunksHave: this.crowd.chunksAt(nodeId),
    }));
  }

  /** Whether its mirror gives any part of the file, as far as is known. */
  get givesRanges(): boolean {
    return this.#mirror.givesRanges;
  }

  /** How it is offered to those who search. */
  offer(): MessageOf<"in-flight"> {
    const { id: flight, name, sizeBytes, sha256 } = this.file;
    const chunksHave = this.storage.have.count;
    return { kind: "in-flight", flight, name, type: nameType(name), sizeBytes, sha256, chunksHave };
  }

  /** How it gets on. */
  report(): FlightReport {
    const { file, storage, crowd } = this;
    return flightReport(file, {
      storage,
      reads: this.#mirror.left,
      fellows: [...this.#fellows].map(({ peer, nodeId }) => ({
        peer,
        nodeId,
        chunksHave: crowd.chunksAt(nodeId),
      })),
    });
  }

  /** Whether this node is a fellow. */
  hasFellow(nodeId: NodeId): boolean {
    return this.#fellows.get(nodeId) !== undefined;
  }

  /** Whether a fellow listens at this address. */
  hasFellowAt(address: string): boolean {
    return this.#fellows.hasAt(address);
  }

  /** Whether one more fellow may come in. */
  hasRoomFor(nodeId: NodeId, how: Pick<FellowIdentity, "isDialled" | "address">): boolean {
    return this.#fellows.hasRoomFor(nodeId, how);
  }

  /** Has the mirror read from now on, or not. */
  share(isOn: boolean): void {
    this.#step({ kind: "reads", reads: isOn ? this.#mirror.reads : "nothing" });
  }

  /** Chunks came by another way: a mirror gave them to the fetch, in order. */
  gave(provider: Provider, range: ChunkRange): void {
    if (this.#state !== "flying") return;
    this.storage.gave(provider, range);
    this.#step({ kind: "gained", range, origin: this.#host.nodeId });
    this.#scheduler.step({ kind: "tick" });
  }

  /** Keeps a fellow until its connection ends, which this waits for. */
  async join(connection: Connection, identity: FellowIdentity): Promise<void> {
    await this.#fellows.join(connection, identity);
  }

  /** A node gave what is not true: it is no fellow any more, and what it read counts no more. */
  distrust(nodeId: NodeId): void {
    this.#fellows.distrust(nodeId);
  }

  /** What a node passed on was not true: others have it too, so only what each read itself is taken. */
  passedWrong(): void {
    this.#fellows.passedWrong();
  }

  /** Tells fellows that the mirror has a chunk otherwise than it was given. */
  accuse(chunk: number): void {
    this.#fellows.accuse(chunk);
  }

  /** Has what fellows gave read again, together with them: `secondLook` says what to read here. */
  doubt({ isNewRound }: { readonly isNewRound: boolean }): void {
    const gifts = this.storage.ofPeers().map(({ giver, ranges }) => ({
      giver: giver.provider.nodeId,
      isReader: giver.isReader,
      ranges,
    }));
    this.#step({ kind: "doubted", gifts, isNewRound });
  }

  /** What came of that. */
  tell(event: Extract<CrowdEvent, { readonly kind: DoubtEvent }>): void {
    this.#step(event);
  }

  /** Chunks that turned out to be wrong count as missing again. */
  lost(ranges: readonly ChunkRange[]): void {
    for (const range of ranges) this.storage.drop(range);
    this.#scheduler.step({ kind: "tick" });
    this.#step({ kind: "lost", ranges });
  }

  /** The file is complete and right; fellows are given it from there until they have it too. */
  land(reader: FileReader): void {
    if (this.#state !== "flying") return;
    this.#state = "landed";
    this.#landedMs = this.#host.clock.nowMs();
    this.#observer = null;
    this.#landed = reader;
    this.#useWhileGiven();
    this.storage.land(reader);
    this.#fellows.land();
    this.#scheduler.end("the file is complete");
    this.#step({ kind: "whole" });
  }

  /** Ends it: fellows get nothing from here any more. */
  close(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#observer = null;
    this.#mirror.stop();
    this.#timer?.cancel();
    this.#scheduler.end(reason);
    this.#fellows.close(reason);
    this.storage.close();
    this.#landed = null;
    this.#useWhileGiven();
    this.secondLook.readAgain(null);
    for (const end of this.#ends) end();
  }

  /** What fellows are given must not be removed meanwhile. */
  #useWhileGiven(): void {
    if (this.#landed !== null && this.#fellows.size > 0) this.#use ??= this.#landed.use?.() ?? null;
    else {
      this.#use?.[Symbol.dispose]();
      this.#use = null;
    }
  }

  /** Lets time pass: a fellow that is silent for too long is left. */
  tick(nowMs: number): void {
    if (this.#state === "closed") return;
    this.#scheduler.tick(nowMs);
    this.#fellows.tick(nowMs, { leastPerSecond: this.#leastPerSecond });
  }

  /** Bytes a second that a fellow must give: more slowly it is better read from the mirror. */
  get #leastPerSecond(): number {
    const mirrors = this.#mirror.bytesPerSecond;
    const parts = Math.max(limits.fellowMirrorPart, 2 * this.#fellows.size);
    return Math.max(limits.fellowBytesPerSecondMin, mirrors / parts);
  }

  #swarmEvent(event: SwarmEvent): void {
    switch (event.kind) {
      case "gained":
        return this.#gained(event.range, event.provider);
      case "failed":
        return this.#observer?.failed(event.error);
      default:
        // What became of a source matters to nobody here.
    }
  }

  #gained(range: ChunkRange, provider: Provider): void {
    if (provider.kind !== "peer") return;
    const { nodeId } = provider;
    const origin = nodeId === null ? null : this.crowd.originAt(nodeId, range.first);
    this.storage.gave(provider, range, { isReader: origin !== null && origin === nodeId });
    this.#step({ kind: "gained", range, origin });
    this.#observer?.arrived(range, provider);
  }

  /** Tells the policy what happened, one after the other, and does what it says. */
  #step(event: CrowdEvent): void {
    if (this.#state === "closed") return;
    this.#events.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        const nowMs = this.#host.clock.nowMs();
        for (const effect of this.crowd.step(next, nowMs)) this.#apply(effect);
      }
    } finally {
      this.#isStepping = false;
    }
    this.#wakeAt(this.crowd.wakeMs);
  }

  #wakeAt(atMs: number): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (atMs === Infinity || this.isOver) return;
    const { clock } = this.#host;
    const waitMs = Math.max(1, atMs - clock.nowMs());
    this.#timer = clock.after(waitMs, () => this.#step({ kind: "tick" }));
  }

  #apply(effect: CrowdEffect): void {
    switch (effect.kind) {
      case "read":
        return this.#read(effect);
      case "read-until":
        return this.#mirror.cutTo(effect.chunk);
      case "tell":
        for (const nodeId of effect.to) this.#fellows.get(nodeId)?.tell(effect.message);
        return;
      case "read-again":
        return this.secondLook.readAgain(effect.stripe);
      case "lose":
        return this.secondLook.lose(effect.ranges);
      case "dial":
        return this.#host.dialFellow(this, effect);
      case "may-ask":
        return this.#fellows.mayAsk(effect.nodeId, effect.ranges);
      case "may-only-ask":
        return this.#fellows.mayOnlyAsk(effect.nodeId, effect.ranges);
      case "close":
        return this.#fellows.get(effect.nodeId)?.end(effect.why);
      default:
        return unreachable(effect);
    }
  }

  #read({ range, why, from }: OfKind<CrowdEffect, "read">): void {
    const before = from === null ? "" : `, taken over from ${this.#fellows.labelOf(from)}`;
    this.#observer?.noted(`Asks the mirror for ${chunksText(range)}: ${why}${before}`);
    this.#mirror.read(range);
  }

  #mirrorFailed(error: Error): void {
    if (error instanceof MirrorError) this.#observer?.mirrorFailed(error);
    else this.#observer?.failed(error);
  }

  #took(firstChunk: number, bytes: Uint8Array, provider: Provider): void {
    if (this.#state !== "flying") return;
    const { have } = this.storage;
    const count = Math.ceil(bytes.length / CHUNK_BYTES);
    const news = have.missingRuns({ first: firstChunk, count });
    try {
      this.storage.writeRun(firstChunk, bytes);
    } catch (error) {
      return this.#observer?.failed(error as Error);
    }
    for (const range of news) {
      this.storage.gave(provider, range);
      this.#step({ kind: "gained", range, origin: this.#host.nodeId });
      this.#observer?.arrived(range, provider);
    }
  }
}
