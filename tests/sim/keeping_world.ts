/**
 * A fleet of nodes in virtual time, each with a quota, that fetch files as popular as packages are: by the
 * very policy of keeping (`core/keeping`) or by plain least recently used. A node fetches from others
 * what any of them has, and from the mirror what none has.
 */

import type { NodeId, Root } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { HolderBook } from "../../src/core/keeping/holder_book.ts";
import { type KeptFile, roomPlan } from "../../src/core/keeping/keeping_policy.ts";

/** By what a node decides what goes: see ARCHITECTURE.md. */
export const KEEPING_WAYS = ["lru", "searches", "directory"] as const;
export type KeepingWay = typeof KEEPING_WAYS[number];

export interface KeepingCase {
  readonly seed: number;
  readonly way: KeepingWay;
  readonly nodes: number;
  readonly files: number;
  /** Files of middling size that a node has room for. */
  readonly roomFiles: number;
  readonly requests: number;
  /** The exponent of Zipf's law, by which a file is asked for: 0 for all alike. */
  readonly skew: number;
  /** Whether a node is emptied now and then, as one that is set up anew. */
  readonly nodesDie?: boolean;
}

export interface KeepingResult {
  /** Bytes that mirrors gave, over those that were asked for, in the second half of the run. */
  readonly mirrorShare: number;
  /** The same of what was here already. */
  readonly hereShare: number;
  /** Different files that some node has at the end, of all that were ever asked for. */
  readonly filesAlive: number;
  /** How often the last copy in the fleet was removed. */
  readonly lastCopiesRemoved: number;
  /** The most that a node had, over its quota. */
  readonly fullestShare: number;
}

/** What a node tells a directory takes so long to be known there: a batch, and the next tick. */
const DIRECTORY_DELAY_MS = 1_500;
/** How many holders a search hears of before it has enough. */
const OFFERS_HEARD = 4;
const MIDDLE_BYTES = 1_000_000;

interface SimFile {
  readonly root: Root;
  readonly bytes: number;
  /** Who has it, and who a directory believes has it. */
  readonly holders: Set<SimNode>;
  readonly listed: Set<SimNode>;
}

interface SimNode {
  readonly id: NodeId;
  readonly book: HolderBook;
  readonly files: Map<SimFile, number>;
  bytes: number;
}

/** Runs one case. */
export function runKeeping(how: KeepingCase): KeepingResult {
  const { seed, way, roomFiles, requests, skew } = how;
  const random = seededRandom(seed);
  const hex = (bytes: number) => random.bytes(bytes).toHex();
  const keepBytes = roomFiles * MIDDLE_BYTES;
  const nodes = Array.from({ length: how.nodes }, (): SimNode => {
    const id = hex(16) as NodeId;
    return { id, book: new HolderBook(id), files: new Map(), bytes: 0 };
  });
  const files = Array.from({ length: how.files }, (): SimFile => ({
    root: hex(32) as Root,
    // A few are big, most are small, as packages are.
    bytes: Math.round(MIDDLE_BYTES * Math.min(16, Math.exp(2 * random.unit() - 1.17))),
    holders: new Set(),
    listed: new Set(),
  }));
  const pick = zipf(how.files, skew, random);
  /** What a directory is yet to learn, in order. */
  const news: { readonly atMs: number; readonly tell: () => void }[] = [];
  let nowMs = 0, lastCopiesRemoved = 0, fullestShare = 0;
  const asked = new Set<SimFile>();
  const bytes = { asked: 0, here: 0, mirror: 0 };

  const has = (node: SimNode, file: SimFile, isThere: boolean) => {
    if (isThere) file.holders.add(node);
    else file.holders.delete(node);
    news.push({
      atMs: nowMs + DIRECTORY_DELAY_MS,
      tell: () => void (isThere ? file.listed.add(node) : file.listed.delete(node)),
    });
  };
  const drop = (node: SimNode, file: SimFile) => {
    node.files.delete(file);
    node.bytes -= file.bytes;
    has(node, file, false);
    node.book.forget(file.root);
    if (file.holders.size === 0) lastCopiesRemoved++;
  };
  const makeRoom = (node: SimNode, needed: number) => {
    const over = node.bytes + needed - keepBytes;
    if (over <= 0) return;
    const of = new Map<string, SimFile>();
    const facts = Array.from(node.files, ([file, usedUnixMs]): KeptFile => {
      of.set(file.root, file);
      if (way === "directory") {
        node.book.asked(file.root, { sinceMs: nowMs });
        for (const other of file.listed) {
          node.book.heard(file.root, other.id, { isWhole: true, nowMs });
        }
      }
      const known = way === "lru" ? { others: 0, isKeeper: true } : node.book.of(file.root, nowMs);
      return {
        key: file.root,
        bytes: file.bytes,
        usedUnixMs,
        hold: null,
        isPartial: false,
        newerVersions: 0,
        isCurrent: false,
        ...known,
      };
    });
    for (const { file: { key } } of roomPlan(facts, over)) drop(node, of.get(key)!);
  };

  for (let i = 0; i < requests; i++) {
    // A request a second in the whole fleet.
    nowMs += 2_000 * random.unit();
    while (news.length > 0 && news[0]!.atMs <= nowMs) news.shift()!.tell();
    if (how.nodesDie && i % Math.ceil(requests / how.nodes) === 0) {
      const node = nodes[Math.floor(random.unit() * nodes.length)]!;
      for (const file of [...node.files.keys()]) {
        node.files.delete(file);
        node.bytes -= file.bytes;
        has(node, file, false);
      }
    }
    const node = nodes[Math.floor(random.unit() * nodes.length)]!, file = files[pick()]!;
    asked.add(file);
    const counts = i >= requests / 2;
    if (counts) bytes.asked += file.bytes;
    if (node.files.has(file)) {
      node.files.set(file, nowMs);
      if (counts) bytes.here += file.bytes;
      continue;
    }
    const holders = [...file.holders];
    if (holders.length === 0 && counts) bytes.mirror += file.bytes;
    makeRoom(node, file.bytes);
    for (const holder of sample(holders, OFFERS_HEARD, random)) {
      node.book.heard(file.root, holder.id, { isWhole: true, nowMs });
    }
    // One of them gives it.
    const [giver] = sample(holders, 1, random);
    if (giver?.files.has(file)) giver.files.set(file, nowMs);
    node.files.set(file, nowMs);
    node.bytes += file.bytes;
    has(node, file, true);
    fullestShare = Math.max(fullestShare, node.bytes / keepBytes);
  }
  const filesAlive = [...asked].filter(({ holders }) => holders.size > 0).length / asked.size;
  return {
    mirrorShare: bytes.mirror / bytes.asked,
    hereShare: bytes.here / bytes.asked,
    filesAlive,
    lastCopiesRemoved,
    fullestShare,
  };
}

function zipf(count: number, skew: number, random: { unit(): number }): () => number {
  const sums: number[] = [];
  let sum = 0;
  for (let i = 1; i <= count; i++) sums.push(sum += i ** -skew);
  return () => {
    const at = random.unit() * sum;
    let low = 0, high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function sample<T>(items: readonly T[], max: number, random: { unit(): number }): T[] {
  const left = [...items];
  return Array.from(
    { length: Math.min(max, left.length) },
    () => left.splice(Math.floor(random.unit() * left.length), 1)[0]!,
  );
}
