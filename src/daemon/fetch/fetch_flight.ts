/**
 * A fetch's part in a crowd: makes the file known to the nodes that get it too, takes them in, and
 * keeps what they gave where the mirrors' bytes are, until the fetch ends without having proved it.
 * Who gave what is wrong is found in `daemon/crowd/crowd_mending.ts`; what follows from it is decided in
 * `core/fetch` and `core/crowd`.
 */

import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { Expectation } from "../../core/crowd/expectation.ts";
import { flightOfMirror, flightOfSha256 } from "../../core/crowd/flight_id.ts";
import { FlightsElsewhere } from "../../core/crowd/flights_elsewhere.ts";
import type { CrowdFacts, FetchPolicyEvent } from "../../core/fetch/fetch_events.ts";
import { MirrorError } from "../../http/mirror_error.ts";
import type { UnverifiedDownload } from "../../store/downloads/unverified_download.ts";
import type { FetchRequest, FileReader } from "../../wire/fetching.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { Flight, FlightObserver } from "../crowd/flight.ts";
import type { FlightFile } from "../crowd/flight_file.ts";
import type { FellowSearch } from "../directories/fellow_searches.ts";
import { CrowdMending } from "../crowd/crowd_mending.ts";
import type { OfferingHolder, Verdict } from "../discovery/searches.ts";
import { HERE, type Provider } from "../swarm/provider.ts";
import type { FetchHost } from "./fetch_host.ts";
import type { FetchRecorder } from "./fetch_recorder.ts";
import type { MirrorTrack } from "./mirror_track.ts";

/** What the flight of a fetch works with. */
interface FetchFlightOptions {
  readonly track: MirrorTrack;
  readonly journal: FetchRecorder;
  readonly tell: (event: FetchPolicyEvent) => void;
  /** Asks the network again, now that the file has an id. */
  readonly searchAgain: () => void;
}

/** Whether a file may be shared while it comes: all of it is wanted, and only a mirror knows its root. */
export function mayFly(
  host: Pick<FetchHost, "hasNetworkKey" | "isAlone">,
  { name, root, chunks, sha256, sizeBytes }: FetchRequest,
  options: { readonly from: number; readonly hasOwnPath: boolean },
): boolean {
  if (host.isAlone || options.hasOwnPath || options.from > 0) return false;
  if (name === "" || root !== null || chunks !== null) return false;
  if ((sizeBytes ?? 0) > limits.flightBytesMax) return false;
  return sha256 !== null && sizeBytes !== null || host.hasNetworkKey;
}

/** The crowd of one fetch. */
export class FetchFlight implements FlightObserver, CrowdFacts {
  readonly #host: FetchHost;
  readonly #request: FetchRequest;
  readonly #options: FetchFlightOptions;
  readonly #ending = new AbortController();
  readonly #endSought: () => void;
  #flight: Flight | null = null;
  /** What directories are asked; null before the flight. */
  #search: FellowSearch | null = null;
  #sinceMs: number | null = null;
  readonly #expectation = new Expectation();
  /** When something came last. */
  #cameMs = -Infinity;
  #canRead = true;
  /** Whether the file at the mirror became another one: what has its SHA-256 as an id is mixed up. */
  #isAnother = false;
  #elsewhere: FlightsElsewhere | null = null;
  #mending: CrowdMending | null = null;
  /** Whether fellows were there when they changed last. */
  #hadFellows = false;

  constructor(host: FetchHost, request: FetchRequest, options: FetchFlightOptions) {
    this.#host = host;
    this.#request = request;
    this.#options = options;
    this.#endSought = host.flights.onSought((name) => this.#sought(name));
  }

  // CrowdFacts

  get sinceMs(): number | null {
    return this.#sinceMs;
  }

  get fellows(): number {
    return this.#flight?.fellowCount ?? 0;
  }

  /** Bytes of the file that are here while it is in flight. */
  get bytesHere(): number {
    return this.#flight === null ? 0 : this.#options.track.unverified?.bytesHad ?? 0;
  }

  get isExpected(): boolean {
    if (this.fellows > 0) return false;
    return this.#expectation.isOn(this.#nowMs) || this.areBeingNamed;
  }

  /** Whether directories are about to name fellows, or those that they named are being dialled. */
  get areBeingNamed(): boolean {
    const flight = this.#flight;
    if (flight === null || this.#nowMs - this.#sinceMs! >= limits.crowdNamedMs) return false;
    return this.#search!.isAwaited || this.#host.flights.isDialling(flight);
  }

  get canRead(): boolean {
    return this.#canRead;
  }

  get hasGivenPart(): boolean {
    return this.#options.track.file.givesParts;
  }

  /** The first chunks from `chunk` on that were read from the mirror for fellows; null: there are none. */
  readAhead(chunk: number): ChunkRange | null {
    return this.#flight?.storage.ofMirrorFrom(chunk) ?? null;
  }

  get isComing(): boolean {
    const sinceMs = Math.max(this.#cameMs, this.#sinceMs ?? -Infinity);
    return this.fellows > 0 && this.#nowMs - sinceMs < limits.crowdStarvedMs;
  }

  /** Whether fellows are still listened for, before much is read. */
  get isForming(): boolean {
    if (this.#flight === null || this.fellows > 0) return false;
    return this.isExpected || this.#nowMs - this.#sinceMs! < limits.crowdListenMs;
  }

  /** Whether fellows may still come, so that nobody knows how much of it the mirror is to give. */
  get isUndecided(): boolean {
    return this.isForming || this.#sinceMs === null;
  }

  get hasForeign(): boolean {
    return this.#flight?.storage.hasForeign ?? false;
  }

  /** Makes the file known to others, if its id is known by now. */
  begin(): void {
    const { name, sha256, sizeBytes } = this.#request;
    if (this.#flight !== null || this.#isAnother || this.#ending.signal.aborted) return;
    if (sha256 === null || sizeBytes === null || sizeBytes === 0) return;
    this.#begin({ id: flightOfSha256(sha256, sizeBytes), name, sizeBytes, sha256 });
  }

  /**
   * The mirror said how long the file is: it has an id now where nobody knows its SHA-256, or where
   * it became another one.
   */
  opened(sizeBytes: number): void {
    const { name, sha256 } = this.#request;
    const validators = this.#options.track.unverified?.validators ?? null;
    const isOfMirror = sha256 === null ? this.#host.hasNetworkKey : this.#isAnother;
    if (this.#flight !== null || !isOfMirror) return;
    if (validators === null || sizeBytes === 0 || sizeBytes > limits.flightBytesMax) return;
    const id = flightOfMirror(name, sizeBytes, validators);
    if (id === null) return;
    this.#begin({ id, name, sizeBytes, sha256 });
    this.#options.searchAgain();
  }

  /** What a holder is answered that has the same file in flight; null when it has not. */
  offered(holder: OfferingHolder, inFlight: readonly MessageOf<"in-flight">[]): Verdict | null {
    const flight = this.#flight;
    if (flight === null) return null;
    const { id } = flight.file;
    if (!inFlight.some((offer) => offer.flight === id)) {
      this.#elsewhere?.heard(inFlight);
      this.#followOthers();
      return null;
    }
    // Those that come later find room at it, and so the graph stays connected.
    if (flight.fellowCount >= limits.fellowsSoughtMax) return null;
    const { nodeId, address } = holder;
    if (!flight.hasRoomFor(nodeId, { isDialled: false, address })) return null;
    return {
      kind: "join",
      flight: id,
      searchOn: flight.fellowCount + 1 < limits.sourcesEnough,
      use: (connection, remote) =>
        this.#host.flights.join(connection, { id, remote, isDialled: false }),
    };
  }

  /** This node's share is to be read from its mirror, or not. */
  share(isOn: boolean): void {
    this.#flight?.share(isOn);
  }

  /** The mirror gave chunks in order. */
  gave(provider: Provider, range: ChunkRange): void {
    this.#flight?.gave(provider, range);
    this.#followOthers();
  }

  /** What came is of no use: the file at the mirror is another one. */
  restarted(reason: string): void {
    this.#flight?.close(reason);
    this.#flight = null;
    this.#elsewhere = null;
    // Nobody can be waited for before the mirror has said what its file is known by now.
    this.#sinceMs = null;
    this.#isAnother = true;
  }

  /** Compares chunks of each fellow with the mirror, where nothing else tells what is right. */
  async audit(): Promise<FetchPolicyEvent> {
    const isRight = await this.#unlessAnother(() => this.#mending!.audit());
    return { kind: "crowd-audited", isRight: isRight ?? false };
  }

  /** Finds out what fellows gave wrong, and has it missing again. */
  async mend(): Promise<FetchPolicyEvent> {
    const isMirrorDoubtful = this.#isAnother;
    const hasMended = await this.#unlessAnother(() => this.#mending!.mend({ isMirrorDoubtful }));
    return { kind: "crowd-mended", isSame: hasMended === false };
  }

  /** The file is complete: fellows are given it until they have it too. */
  land(reader: FileReader): void {
    this.#end();
    this.#mending?.landed();
    this.#flight?.land(reader);
    this.#flight = null;
  }

  /** Nothing more comes of it. */
  close(reason: string): void {
    this.#end();
    this.#leaveFlight(reason);
  }

  // FlightObserver

  arrived(range: ChunkRange, provider: Provider): void {
    const { journal, track } = this.#options;
    this.#cameMs = this.#nowMs;
    const { sizeBytes } = this.#flight!.file;
    journal.received(provider, range, { sizeBytes, track: "mirror" });
    const { unverified } = track;
    unverified?.hashOn(limits.crowdHashBytes);
    if (provider.kind === "mirror") this.#followOthers();
    if (unverified?.isWhole) track.filled();
  }

  fellowsChanged(): void {
    this.#options.track.changes.tell();
    const isLeft = this.#hadFellows && this.fellows === 0;
    const isLeftByMany = this.#elsewhere?.fellows(this.fellows) === true;
    // Many machines are through at the same moment: none of them need read the whole file again.
    if (this.fellows > 0) this.#openPlace();
    this.#hadFellows = this.fellows > 0;
    // They may have all of it by now, and offer it.
    if (isLeft) this.#expectation.left(this.#nowMs);
    if (isLeft || isLeftByMany) this.#options.searchAgain();
    this.#options.tell({ kind: "crowd-changed" });
  }

  noted(what: string): void {
    this.#options.journal.note(what, this.#nowMs);
  }

  mirrorFailed(error: MirrorError): void {
    const { message, code } = error;
    this.#canRead = false;
    if (code === "changed") return this.#becameAnother(error);
    this.noted(`The mirror gives nothing for others: ${message}`);
    // Nothing that others give could be compared with it.
    if (code === "no-range") this.#leaveFlight("the mirror gives no ranges");
    this.#options.tell({ kind: "crowd-changed" });
  }

  failed(error: Error): void {
    this.#options.tell({ kind: "failed", error });
  }

  get #nowMs(): number {
    return this.#host.clock.nowMs();
  }

  /** What comes of comparing with the mirror; undefined when that has another file by now. */
  async #unlessAnother<T>(compare: () => Promise<T>): Promise<T | undefined> {
    try {
      return await compare();
    } catch (error) {
      if (!(error instanceof MirrorError) || error.code !== "changed") throw error;
      await this.#options.track.becameAnother(error);
      return undefined;
    }
  }

  /** Starts over where others did, whose file the mirror has now. */
  #followOthers(): void {
    const { validators } = this.#options.track.file;
    if (validators === null || this.#elsewhere?.isFollowing(validators) !== true) return;
    const { mirror } = validators;
    const what = `Those who got it too found that mirror ${mirror} has another file now`;
    this.#elsewhere = null;
    this.mirrorFailed(new MirrorError("changed", what, { mirror }));
  }

  #becameAnother(error: MirrorError): void {
    const { track, tell } = this.#options;
    track.becameAnother(error).catch((error) => tell({ kind: "failed", error: error as Error }));
  }

  /** Leaves the fellows; nothing stays of what they gave, since nobody has proved it. */
  #leaveFlight(reason: string): void {
    const flight = this.#flight;
    this.#flight = null;
    if (flight === null) return;
    const { unverified } = this.#options.track;
    const isKept = unverified === null || unverified.isEnded;
    const gifts = isKept ? [] : flight.storage.ofPeers();
    for (const { ranges } of gifts) {
      for (const range of ranges) this.#options.track.unfilled(range);
    }
    flight.close(reason);
  }

  #end(): void {
    this.#ending.abort();
    this.#endSought();
  }

  #sought(name: string): void {
    if (name !== this.#request.name || this.fellows > 0) return;
    this.#expectation.sought(this.#nowMs);
    this.#options.tell({ kind: "crowd-changed" });
  }

  #begin(file: FlightFile): void {
    const { track } = this.#options;
    const flight = this.#host.flights.begin({
      file,
      place: {
        write: (offset, bytes) => {
          this.#place(file.sizeBytes);
          track.writeOthers(offset, bytes);
        },
        reader: (sizeBytes) => ({
          sizeBytes,
          readRun: (range, target, offset) =>
            this.#place(sizeBytes).reader(sizeBytes).readRun(range, target, offset),
        }),
      },
      mirror: track.file,
      observer: this,
    });
    this.#sinceMs = this.#nowMs;
    if (flight === undefined) return;
    this.#flight = flight;
    this.#canRead = true;
    if (!this.#isAnother) this.#elsewhere = new FlightsElsewhere(file);
    this.#askDirectories(flight);
    this.#mending = this.#newMending(flight);
    if (track.isOpen) this.#tellOfEarlier(track.unverified!);
  }

  #askDirectories(flight: Flight): void {
    const { directories, flights } = this.#host;
    const { file: { id, sizeBytes } } = flight;
    let toldCount = 0;
    const search = this.#search = directories.findFellows({ flight: id, sizeBytes }, (answer) => {
      const { directory, count, fellows } = answer;
      if (count > toldCount) this.noted(`Directory ${directory} knows ${count} that get it too`);
      toldCount = Math.max(toldCount, count);
      for (const { nodeId, ...address } of fellows) flights.dial(flight, { nodeId, address });
    });
    flight.onEnd(() => search.end());
    // For who seeks it by its name, and has no links: by any name, too.
    for (const name of [flight.file.name, ""]) flight.onEnd(directories.leaseName(name));
  }

  #newMending(flight: Flight): CrowdMending {
    const { clock, log, flights } = this.#host;
    const { track, journal } = this.#options;
    return new CrowdMending({
      flight,
      mirror: track.file,
      unfilled: (range) => track.unfilled(range),
      struck: (nodeId) => journal.strikes(nodeId, 1),
      clock,
      log,
      random: flights.random,
      noted: (what) => this.noted(what),
      misbehaved: (node) => flights.misbehaved(node, flight),
      passedWrong: (nodeId) => flights.passedWrong(nodeId, flight),
      signal: this.#ending.signal,
    });
  }

  /** Before fellows are asked for anything: what is there of an earlier fetch nobody may write over. */
  #openPlace(): void {
    try {
      this.#place(this.#flight!.file.sizeBytes);
    } catch (error) {
      this.failed(error as Error);
    }
  }

  /** The unverified download of the mirrors, opened when something is to be written there. */
  #place(sizeBytes: number) {
    const { track } = this.#options;
    const wasOpen = track.isOpen;
    const unverified = track.prepare(sizeBytes);
    if (this.fellows > 0) unverified.wantLeaves();
    if (!wasOpen) this.#tellOfEarlier(unverified);
    return unverified;
  }

  /** What is here before the flight: an earlier fetch left it, or the mirror gave it until now. */
  #tellOfEarlier({ have }: UnverifiedDownload): void {
    const flight = this.#flight;
    if (flight === null) return;
    const { sizeBytes } = flight.file;
    for (const { start, end } of [...have]) {
      const first = Math.ceil(start / CHUNK_BYTES);
      const last = end === sizeBytes ? chunkCount(sizeBytes) : Math.floor(end / CHUNK_BYTES);
      if (last > first) flight.gave(HERE, { first, count: last - first });
    }
  }
}
