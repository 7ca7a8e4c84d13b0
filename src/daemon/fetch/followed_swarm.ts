/** The swarm of the candidate that one fetch follows: joined, left, and hashed while it comes. */

import { EnvironmentError, FetchFailure, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Candidate } from "../../core/fetch/candidates.ts";
import type { FetchPolicyEvent } from "../../core/fetch/fetch_events.ts";
import type { PeersPlace } from "../../core/fetch/view_effects.ts";
import { wantedChunks } from "../../core/fetch/wanted_range.ts";
import type { FetchRequest, UsedFiles } from "../../wire/fetching.ts";
import { formatAddress } from "../../wire/host.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { OfferingHolder, Verdict } from "../discovery/searches.ts";
import { HERE } from "../swarm/provider.ts";
import type { Swarm } from "../swarm/swarm.ts";
import type { SwarmObserver } from "../swarm/swarm_events.ts";
import type { FetchHost } from "./fetch_host.ts";
import { RunningSha256 } from "./file_reader.ts";
import { hasSha256, readerOf } from "./local_lookup.ts";

/** What the swarm is joined for. */
interface FollowedSwarmOptions {
  readonly observer: SwarmObserver;
  /** Where the data is written; by default, the store's own place. */
  readonly path: string | undefined;
  /** What the fetch uses. */
  readonly use: UsedFiles;
  readonly tell: (event: FetchPolicyEvent) => void;
}

/** The swarm that a fetch takes part in. */
export class FollowedSwarm {
  readonly #host: FetchHost;
  readonly #request: FetchRequest;
  readonly #options: FollowedSwarmOptions;
  #swarm: Swarm | null = null;
  /** The one that was followed last, until it is thrown away. */
  #last: Swarm | null = null;
  /** The SHA-256 of what is followed, while it comes. */
  #hash: RunningSha256 | null = null;
  /** Never rejects: what a disk refuses is told to the one who left. */
  #leaving: Promise<unknown> = Promise.resolve();
  /** How many swarms are just being left. */
  #leavings = 0;
  /** Whether it waits for another download, of the same root or at the same path, to end. */
  #isWaiting = false;

  constructor(host: FetchHost, request: FetchRequest, options: FollowedSwarmOptions) {
    this.#host = host;
    this.#request = request;
    this.#options = options;
  }

  get swarm(): Swarm | null {
    return this.#swarm;
  }

  get last(): Swarm | null {
    return this.#last;
  }

  /** Where its chunks are read; null while nothing is followed. */
  get place(): PeersPlace | null {
    if (this.#swarm === null) return null;
    const { file, download: { have } } = this.#swarm;
    return {
      has: (range) => have.hasRange(range),
      reader: readerOf(this.#host.store, file),
      ranges: have.ranges(),
    };
  }

  /** Joins the swarm of a candidate, and tells what became of that. */
  follow(candidate: Candidate): void {
    const { root, sizeBytes } = candidate;
    const { tell, observer, path } = this.#options;
    // Only one swarm at a time may write at a path.
    if (path !== undefined && this.#leavings > 0) {
      tell({ kind: "occupied" });
      return this.#tellAfter(this.left());
    }
    this.#options.use.add(root);
    if (this.#host.store.isComplete(root)) return tell({ kind: "is-here", candidate });
    const file = { root, name: this.#request.name || candidate.name, sizeBytes };
    let swarm: Swarm | undefined;
    try {
      swarm = this.#host.swarms.join(file, {
        wanted: wantedChunks(this.#request, sizeBytes),
        observer,
        ...(path === undefined ? {} : { path }),
      });
    } catch (error) {
      if (error instanceof FetchFailure || error instanceof EnvironmentError) throw error;
      // A size that its root cannot have, a bad name.
      const fields = { root, name: candidate.name, error: messageOf(error) };
      this.#host.log.warn("an offer cannot be true", fields);
      return tell({ kind: "impossible", candidate });
    }
    if (swarm === undefined) {
      tell({ kind: "occupied" });
      return this.#tellAfter(this.#host.swarms.freed(file));
    }
    this.#swarm = this.#last = swarm;
    this.#host.log.info("fetching", { ...file });
    tell({ kind: "joined" });
  }

  /** The answer to a holder whose chunks are wanted. */
  want(swarm: Swarm, holder: OfferingHolder, { file, bitfield }: MessageOf<"offer">): Verdict {
    const { nodeId, address: { host, port } } = holder;
    return {
      kind: "want",
      root: file.root,
      searchOn: swarm.sourceCount + 1 < limits.sourcesEnough,
      use: (connection) => {
        const peer = formatAddress(host, port || connection.remote.port);
        return swarm.useSource(connection, { nodeId, peer, whole: file.whole, bitfield });
      },
    };
  }

  /** Brings in what is missing; what is here already is told first. */
  start(): void {
    const swarm = this.#swarm;
    const { tell, observer } = this.#options;
    if (swarm === null) return;
    if (swarm.hasBegun) {
      for (const range of swarm.download.have.ranges()) {
        observer.swarmEvent({ kind: "gained", range, provider: HERE });
      }
    }
    if (swarm.isComplete) tell({ kind: "completed" });
    else swarm.start();
  }

  /** Hashes what comes as it comes. */
  hashAsItComes(): void {
    if (this.#swarm === null) return;
    this.#hash = new RunningSha256(readerOf(this.#host.store, this.#swarm.file));
  }

  /** Chunks came. */
  gained(): void {
    if (this.#swarm !== null) this.#hash?.gained(this.#swarm.download.have);
  }

  /** Whether what the swarm brought has the SHA-256 that is wanted. */
  async isRight(signal: AbortSignal): Promise<boolean> {
    const { sha256 } = this.#request;
    const how = { sha256, signal, running: this.#hash };
    return await hasSha256(this.#host.store, this.#swarm!.file, how);
  }

  /**
   * Leaves the swarm; resolves when that is done.
   *
   * @throws {EnvironmentError} "changed" when a chunk that is wanted was lost just before the finish.
   */
  async leave(how: "suspend" | "discard" | "finish"): Promise<void> {
    const swarm = this.#swarm;
    this.stopHashing();
    if (swarm === null) return await this.left();
    this.#swarm = null;
    const left = this.#host.swarms.leave(swarm, this.#options.observer, how);
    this.#leaving = Promise.allSettled([this.#leaving, left]);
    this.#leavings++;
    try {
      await left;
    } finally {
      this.#leavings--;
    }
    if (how === "finish") this.#checkHere(swarm);
  }

  /** A part is suspended, not finished: but all of it that is wanted has to be here. */
  #checkHere({ file: { name, sizeBytes }, download: { have } }: Swarm): void {
    if (have.hasRange(wantedChunks(this.#request, sizeBytes))) return;
    const what = "chunks turned out to be bad when all had come";
    throw new EnvironmentError("changed", `Cannot finish ${name}: ${what}`);
  }

  /** Resolves when nothing is being left. */
  async left(): Promise<void> {
    await this.#leaving;
  }

  /** What came of a candidate is not the file: nothing is kept of it. */
  async throwAway({ root }: Candidate): Promise<void> {
    this.#last = null;
    await this.left();
    // It may have been put away to be gone on with before it was found out.
    this.#host.store.discardWaiting(root);
  }

  stopHashing(): void {
    this.#hash?.stop();
    this.#hash = null;
  }

  /** Has the policy look again when the store, or the path, is free. */
  #tellAfter(isFree: Promise<void>): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const again = () => {
      this.#isWaiting = false;
      this.#options.tell({ kind: "freed" });
    };
    isFree.then(again, again);
  }
}
