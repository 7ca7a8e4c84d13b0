/**
 * Which part of a file this node asks far holders for while near nodes get the same file: each part
 * crosses the line once, and near nodes give each other the rest. Pure: what happens and the time come
 * in; it says which stripes may be asked for.
 *
 * A fellow is a near node that has a part of the file, and may be getting the rest as this one does.
 *
 * Rules
 *  1. A stripe falls to one of the fellows that count, this node among them (`rendezvous.ts`).
 *  2. A fellow counts while it comes further with what falls to it: in `nearLostMs`, or on a line so thin
 *     that some chunks take longer, in as long as those take this node. Before anything came here, it
 *     is waited for. One that had a part when it came, and never came further, may have kept that from
 *     another day: it counts no more when this node has nothing left to ask for, for `nearTakeOverMs`.
 *  3. Who has nothing left to ask for during `nearStalledMs` takes over what falls to fellows that are
 *     much slower than itself (`nearSlowTimes`), as far as it knows; the last stripe first, since they
 *     begin at the other side; who is next in rank at first, and more and more of them as time goes on.
 *  4. Who begins while near nodes seek the file asks for nothing until those are connected, but no
 *     longer than `nearSettleMs`.
 */

import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { isBefore, type WeightSeed, weightSeed } from "./rendezvous.ts";
import { Stripes } from "./stripes.ts";

/** One near node that has a part. */
interface Fellow {
  readonly seed: WeightSeed;
  readonly joinedMs: number;
  /** When it last had more than before of what falls to it; null: never, and it had a part before. */
  progressMs: number | null;
  /** Chunks that it had more of that since it joined. */
  chunks: number;
  /** Whether nobody waits for it before it comes further. */
  isPassedOver: boolean;
  isCounted: boolean;
}

/** How the download is just now. */
interface FarView {
  readonly nowMs: number;
  /** How long a chunk takes from far holders; null while none came. */
  readonly chunkMs: number | null;
  /** Whether far holders are asked for nothing, and nothing is left to ask them for. */
  readonly isIdle: boolean;
  /** Whether a stripe has chunks that are missing, and that only far ones have. */
  readonly isOpen: (stripe: number) => boolean;
}

/** The share of one node. */
export class FarShare {
  readonly stripes: Stripes;
  readonly #file: Root;
  readonly #self: WeightSeed;
  readonly #fellows = new Map<number, Fellow>();
  /** By stripe, whether this node may ask for it. */
  readonly #allowed: Uint8Array;
  readonly #taken = new Set<number>();
  readonly #expected: number;
  readonly #settleMs: number;
  #isSettling: boolean;
  /** Whether what fell to one that is gone falls to nobody yet. */
  #hasLeft = false;
  /** Since when it has nothing left to ask for; and since when it takes over. */
  #idleMs: number | null = null;
  #takesOverMs: number | null = null;

  constructor(options: {
    readonly root: Root;
    readonly nodeId: NodeId;
    readonly sizeBytes: number;
    /** Near nodes that seek the file just now, and are to be fellows. */
    readonly expected: number;
    readonly nowMs: number;
  }) {
    const { root, nodeId, sizeBytes, expected, nowMs } = options;
    this.stripes = new Stripes(sizeBytes);
    this.#file = root;
    this.#self = weightSeed(root, nodeId);
    this.#allowed = new Uint8Array(this.stripes.count).fill(expected > 0 ? 0 : 1);
    this.#expected = expected;
    this.#isSettling = expected > 0;
    this.#settleMs = nowMs + limits.nearSettleMs;
  }

  /** Whether any stripe falls to another, or may do so in a moment. */
  get isDivided(): boolean {
    return this.#isSettling || this.#fellows.size > 0;
  }

  /** Whether this node may ask far holders for a stripe. */
  allows(stripe: number): boolean {
    return this.#allowed[stripe] === 1;
  }

  /** A fellow can be asked; `id` is that of its connection. `isEmpty`: it is only beginning. */
  joined(
    id: number,
    { nodeId, isEmpty, nowMs }: {
      readonly nodeId: NodeId;
      readonly isEmpty: boolean;
      readonly nowMs: number;
    },
  ): void {
    this.#fellows.set(id, {
      seed: weightSeed(this.#file, nodeId),
      joinedMs: nowMs,
      progressMs: isEmpty ? nowMs : null,
      chunks: 0,
      isPassedOver: false,
      isCounted: false,
    });
  }

  left(id: number): void {
    this.#hasLeft = this.#fellows.delete(id) || this.#hasLeft;
  }

  /** It has more than before; returns whether it counts again that did not. */
  gained(id: number, ranges: readonly ChunkRange[], nowMs: number): boolean {
    const fellow = this.#fellows.get(id);
    if (fellow === undefined) return false;
    for (const [stripe, { count }] of this.stripes.split(ranges)) {
      if (!this.#fallsTo(fellow, stripe)) continue;
      fellow.chunks += count;
      fellow.progressMs = nowMs;
      fellow.isPassedOver = false;
    }
    return fellow.progressMs === nowMs && !fellow.isCounted;
  }

  /** Looks at the time, and at how it goes; returns whether other stripes are allowed than before. */
  update(view: FarView): boolean {
    const { nowMs, isIdle } = view;
    if (!isIdle) this.#idleMs = null;
    else this.#idleMs ??= nowMs;
    const wasSettling = this.#isSettling;
    this.#isSettling = wasSettling && nowMs < this.#settleMs && this.#fellows.size < this.#expected;
    if (this.#isSettling) {
      this.#idleMs = null;
      return false;
    }
    let hasChanged = wasSettling || this.#hasLeft;
    this.#hasLeft = false;
    for (const fellow of this.#fellows.values()) {
      const counts = this.#counts(fellow, view);
      if (counts !== fellow.isCounted) hasChanged = true;
      fellow.isCounted = counts;
    }
    hasChanged = this.#takeOver(view) || hasChanged;
    return hasChanged && this.#allow();
  }

  /** Rule 1; returns whether other stripes are allowed than before. */
  #allow(): boolean {
    let hasChanged = false;
    const fellows = this.#counted();
    for (let stripe = 0; stripe < this.stripes.count; stripe++) {
      const isOwn = this.#taken.has(stripe) ||
        !fellows.some(({ seed }) => isBefore(seed, this.#self, stripe));
      if (isOwn === (this.#allowed[stripe] === 1)) continue;
      this.#allowed[stripe] = isOwn ? 1 : 0;
      hasChanged = true;
    }
    return hasChanged;
  }

  #fallsTo(fellow: Fellow, stripe: number): boolean {
    if (isBefore(this.#self, fellow.seed, stripe)) return false;
    for (const other of this.#fellows.values()) {
      if (other === fellow || !other.isCounted) continue;
      if (isBefore(other.seed, fellow.seed, stripe)) return false;
    }
    return true;
  }

  #counted(): Fellow[] {
    return [...this.#fellows.values()].filter(({ isCounted }) => isCounted);
  }

  /** Rule 2. */
  #counts(fellow: Fellow, { nowMs, chunkMs }: FarView): boolean {
    const { progressMs } = fellow;
    if (progressMs === null) {
      const isLeft = this.#idleMs !== null && nowMs - this.#idleMs >= limits.nearTakeOverMs;
      fellow.isPassedOver ||= isLeft;
      return !fellow.isPassedOver;
    }
    if (chunkMs === null) return true;
    return nowMs - progressMs < Math.max(limits.nearLostMs, limits.nearStalledChunks * chunkMs);
  }

  /** Rule 3; returns whether it took anything over. */
  #takeOver({ nowMs, chunkMs, isOpen }: FarView): boolean {
    if (this.#idleMs === null) return false;
    if (this.#takesOverMs === null) {
      if (nowMs - this.#idleMs < limits.nearStalledMs) return false;
      this.#takesOverMs = nowMs;
    }
    const rank = Math.floor(2 ** ((nowMs - this.#takesOverMs) / limits.nearStalledMs));
    const fellows = this.#counted();
    for (let stripe = this.stripes.count - 1; stripe >= 0; stripe--) {
      if (this.allows(stripe)) continue;
      const before = fellows.filter(({ seed }) => isBefore(seed, this.#self, stripe));
      if (before.length > rank || !isOpen(stripe)) continue;
      const first = before.find((fellow) => this.#fallsTo(fellow, stripe));
      if (first !== undefined && !isMuchSlower(first, { chunkMs, nowMs })) continue;
      this.#taken.add(stripe);
      return true;
    }
    return false;
  }
}

/** Whether a fellow is much slower than this node, or that is to be found out. */
function isMuchSlower(
  { chunks, joinedMs }: Fellow,
  { chunkMs, nowMs }: Pick<FarView, "chunkMs" | "nowMs">,
): boolean {
  return chunkMs === null ||
    chunks * chunkMs * limits.nearSlowTimes < nowMs - joinedMs;
}
