/**
 * The mirrors of one swarm: who joins, who leaves, and what becomes of their ranges. One mirror is
 * `mirror_source.ts`; when mirrors are of use is judged in `mirror_coordination.ts`.
 */

import type { ChunkRange } from "../../base/geometry.ts";
import type { MirrorFile } from "../../http/mirrors.ts";
import type { MirrorError } from "../../http/mirror_error.ts";
import { MirrorSource, type MirrorSourceObserver } from "./mirror_source.ts";
import type { SwarmCore } from "./swarm_core.ts";

/** The mirrors that give ranges of one file. */
export class SwarmMirrors implements MirrorSourceObserver {
  readonly #core: SwarmCore;
  readonly #sources = new Map<number, MirrorSource>();

  constructor(core: SwarmCore) {
    this.#core = core;
  }

  get size(): number {
    return this.#sources.size;
  }

  get(id: number): MirrorSource | undefined {
    return this.#sources.get(id);
  }

  [Symbol.iterator](): IterableIterator<MirrorSource> {
    return this.#sources.values();
  }

  /** Takes a mirror in; what this returns takes it out again. */
  join(mirror: MirrorFile): () => void {
    const { file, host } = this.#core;
    const source = new MirrorSource(this, mirror, {
      id: this.#core.newSourceId(),
      sizeBytes: file.sizeBytes,
      hasher: host.hasher,
    });
    this.#sources.set(source.id, source);
    host.log.debug("mirror joined", { mirror: source.provider.label, name: file.name });
    this.#core.step({ kind: "source-joined", source: source.id, have: "all" });
    return () => this.#gone(source);
  }

  /** The policy has begun: those who are here already can be asked now. */
  begun(): void {
    for (const source of this.#sources.keys()) {
      this.#core.step({ kind: "source-joined", source, have: "all" });
    }
  }

  /** The policy takes a mirror for lost: it gives nothing, and may do so again later. */
  drop(source: MirrorSource): void {
    this.#failed(source, null);
  }

  /** The swarm is over. */
  end(): void {
    for (const source of this.#sources.values()) source.leave();
    this.#sources.clear();
  }

  // MirrorSourceObserver: called by mirrors as their ranges come in.

  leafDigits(range: ChunkRange): string {
    return this.#core.leafDigits(range);
  }

  arriving({ id: source }: MirrorSource, bytes: number): void {
    this.#core.step({ kind: "arriving", source, bytes });
  }

  mirrored(source: MirrorSource, range: ChunkRange, data: Uint8Array): void {
    if (this.#core.isOver()) return;
    // It may have been cancelled while it came, because a peer was sooner.
    if (this.#core.classify(source, range) !== "asked") return this.passed(source, range);
    this.#core.good(source, range, { data });
  }

  passed({ id: source }: MirrorSource, range: ChunkRange): void {
    this.#core.step({ kind: "rejected", source, range });
  }

  mirrorWrong(source: MirrorSource, index: number): void {
    const { provider } = source;
    this.#gone(source);
    if (this.#core.isOver()) return;
    const { file, host } = this.#core;
    const fields = { mirror: provider.label, name: file.name, chunk: index };
    host.log.warn("a mirror's chunk is not what the peers' leaves say", fields);
    this.#core.tell((observer) => observer.mirrorWrong(provider, index));
  }

  mirrorFailed(source: MirrorSource, error: MirrorError): void {
    this.#failed(source, error);
  }

  #failed(source: MirrorSource, error: MirrorError | null): void {
    const { provider } = source;
    this.#gone(source);
    if (!this.#core.isOver()) this.#core.tell((observer) => observer.mirrorFailed(provider, error));
  }

  #gone(source: MirrorSource): void {
    if (!this.#sources.delete(source.id)) return;
    source.leave();
    if (this.#core.isOver()) return;
    const { file, host } = this.#core;
    host.log.debug("mirror left", { mirror: source.provider.label, name: file.name });
    this.#core.step({ kind: "source-left", source: source.id });
  }
}
