/**
 * All swarms of a node, one for each file and part wanted; shares the bytes in flight among them.
 */

import { messageOf } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { LogFields } from "../../base/log.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import { Swarm } from "./swarm.ts";
import type { SwarmContext, SwarmFile, SwarmObserver } from "./swarm_events.ts";

/** The files on their way in. */
export class Swarms {
  readonly #context: SwarmContext;
  readonly #store: ChunkStore;
  readonly #swarms = new Map<Root, Swarm>();
  /** Ends of swarms that are being closed: a new one of the same root must wait for it. */
  readonly #closing = new Map<Root, Promise<void>>();
  /** Who waits for a root to be free. */
  readonly #waiting = new Map<Root, PromiseWithResolvers<void>>();

  constructor(context: SwarmContext, store: ChunkStore) {
    this.#context = context;
    this.#store = store;
  }

  [Symbol.iterator](): IterableIterator<Swarm> {
    return this.#swarms.values();
  }

  /** Resolves when no swarm of this root runs, or is being closed. */
  async freed({ root }: SwarmFile): Promise<void> {
    if (!this.#swarms.has(root)) return await this.#closing.get(root);
    const waiting = this.#waiting.get(root) ?? Promise.withResolvers<void>();
    this.#waiting.set(root, waiting);
    await waiting.promise;
  }

  /**
   * Joins or makes the swarm of `file`; undefined when one runs that brings another part of it, or
   * takes the root for a file of another size: the store has one download of a root at a time.
   *
   * `path` is where the data is to be written; by default, the store's own place.
   *
   * @throws {EnvironmentError} when the store cannot begin the download.
   */
  join(
    file: SwarmFile,
    options: {
      readonly wanted: ChunkRange;
      readonly observer: SwarmObserver;
      readonly path?: string;
    },
  ): Swarm | undefined {
    const key = file.root;
    const { wanted, observer, path } = options;
    const running = this.#swarms.get(key);
    if (running !== undefined) {
      if (running.file.sizeBytes !== file.sizeBytes) return undefined;
      if (!covers(running.wanted, wanted)) return undefined;
      running.subscribe(observer);
      return running;
    }
    if (this.#closing.has(key)) return undefined;
    const download = this.#store.beginDownload({
      root: file.root,
      name: file.name,
      sizeBytes: file.sizeBytes,
      wanted,
      ...(path === undefined ? {} : { path }),
    });
    const swarm = new Swarm(this.#context, download, {
      file,
      wanted,
      inflightBytesMax: share(this.#swarms.size + 1),
      hasOwnPath: path !== undefined,
    });
    swarm.subscribe(observer);
    this.#swarms.set(key, swarm);
    this.#shareBudget();
    return swarm;
  }

  /** Ends the subscription; the last one to leave says what becomes of the swarm. */
  async leave(
    swarm: Swarm,
    observer: SwarmObserver,
    last: "suspend" | "discard" | "finish",
  ): Promise<void> {
    const isLast = swarm.unsubscribe(observer);
    const key = swarm.file.root;
    // A complete file is put in its place at once, though others may still look at it.
    if (!isLast && last !== "finish") return;
    if (this.#swarms.get(key) !== swarm) return await this.#closing.get(key);
    this.#swarms.delete(key);
    this.#shareBudget();
    const closing = swarm[last]().finally(() => {
      this.#closing.delete(key);
      this.#waiting.get(key)?.resolve();
      this.#waiting.delete(key);
    });
    this.#closing.set(key, closing);
    await closing;
  }

  /** What came of a root was removed from the store: if a swarm brings it, that is over. */
  withdrawn(root: Root): void {
    this.#swarms.get(root)?.withdraw();
  }

  tick(nowMs: number): void {
    for (const swarm of this.#swarms.values()) swarm.tick(nowMs);
  }

  /** Suspends everything, for the end of the daemon; what fails is told and stops nothing else. */
  async suspendAll(): Promise<void> {
    const swarms = [...this.#swarms.values()];
    this.#swarms.clear();
    for (const waiting of this.#waiting.values()) waiting.resolve();
    await Promise.all([
      ...swarms.map((swarm) => this.#told(swarm.suspend(), { ...swarm.file })),
      ...Array.from(this.#closing, ([root, closing]) => this.#told(closing, { root })),
    ]);
  }

  async #told(ending: Promise<void>, fields: LogFields): Promise<void> {
    try {
      await ending;
    } catch (error) {
      this.#context.log.warn("cannot put a download away", { ...fields, error: messageOf(error) });
    }
  }

  #shareBudget(): void {
    for (const swarm of this.#swarms.values()) swarm.setBudget(share(this.#swarms.size));
  }
}

function share(swarms: number): number {
  return Math.floor(limits.inflightBytesMax / Math.max(1, swarms));
}

function covers(outer: ChunkRange, inner: ChunkRange): boolean {
  return outer.first <= inner.first && outer.first + outer.count >= inner.first + inner.count;
}
