/**
 * What one simulated fetch finds in the world: contents that go by one name, peers that offer them,
 * mirrors that give them, and how each of them fails. All of it follows from a seed. No bytes go
 * about: a chunk is a number that says which content it is of.
 */

import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import type { NodeId, Root } from "../../src/base/ids.ts";
import { type Random, randomBelow, seededRandom } from "../../src/base/random.ts";
import type { WaitingClient } from "../../src/core/fetch/client_hold.ts";
import type { FetchRequest } from "../../src/wire/fetching.ts";

/** A file as it might be: the first one is the right one. */
export interface Content {
  readonly id: number;
  readonly chunks: number;
  readonly sizeBytes: number;
  readonly root: Root;
  readonly sha256: string;
  /** The chunks in which it differs from the right one; each is of its own then. */
  readonly differs: ReadonlySet<number>;
}

/** A node that offers a content. Times are in ms from the start; rates in chunks a second. */
export interface SimPeer {
  readonly nodeId: NodeId;
  readonly port: number;
  readonly content: Content;
  /** When its offer comes: once by the flood, or named by a directory and dialled. */
  readonly offersMs: number;
  readonly isListed: boolean;
  /** Whether it gives leaves at all. */
  readonly givesLeaves: boolean;
  readonly chunksPerSecond: number;
  /** It gives no more after so many chunks. */
  readonly stallsAfter: number;
  /** The part of its chunks that do not fit its own leaves. */
  readonly lies: number;
  readonly diesMs: number;
  /** Its file is not gone then, but replaced by this one, which it offers so much later. */
  readonly successor: { readonly content: Content; readonly afterMs: number } | null;
}

/** A server with a content. */
export interface SimMirror {
  readonly label: string;
  readonly content: Content;
  readonly answersMs: number;
  readonly chunksPerSecond: number;
  /** It says no. */
  readonly status: number | null;
  /** Its answers break off after so many chunks. */
  readonly breaksAfter: number;
  /** It sends nothing more after so many chunks, and is left when it was silent for long. */
  readonly stallsAfter: number;
  readonly givesRanges: boolean;
  /** It says no before this. */
  readonly comesBackMs: number;
  /** It has another content from then on. */
  readonly changesMs: number;
  readonly later: Content;
}

/** All of it. */
export interface World {
  readonly seed: number;
  readonly random: Random;
  readonly request: FetchRequest;
  readonly contents: readonly Content[];
  readonly right: Content;
  readonly peers: readonly SimPeer[];
  readonly mirrors: readonly SimMirror[];
  /** A complete file of the name that is here. */
  readonly here: Content | null;
  /** A file that becomes complete here while the fetch runs, as another fetch brings it. */
  readonly comesHere: { readonly content: Content; readonly atMs: number } | null;
  readonly linkCount: number;
  readonly isAlone: boolean;
  /** Whether mirror and peers write to one place. */
  readonly sharesPlace: boolean;
  /** Whether nodes are not believed what the file is. */
  readonly mirrorsAlone: boolean;
  /** Whether whoever reads can never give back what it was shown. */
  readonly isStrict: boolean;
  /** Such a reader, where it cannot wait for the check of the whole. */
  readonly client: WaitingClient | null;
  /** Somebody stops it. */
  readonly stopsMs: number;
}

const NEVER = Infinity;
/** How long such a reader waits without a mirror. */
const HOLD_MS = 8_000;
const NAME = "file.pkg.tar.zst";

/** The number that chunk `index` of a content is: the same in all that agree there. */
export function chunkOf({ id, differs }: Content, index: number): number {
  return differs.has(index) ? id * 1_000_000 + index : index;
}

/** A peer as it is at a time: with another content once its file was replaced; null when it is gone. */
export function peerAt(peer: SimPeer, nowMs: number): SimPeer | null {
  const { diesMs, successor } = peer;
  if (nowMs < diesMs) return peer;
  if (successor === null || nowMs < diesMs + successor.afterMs) return null;
  return { ...peer, content: successor.content, diesMs: NEVER, successor: null };
}

/** The world of a seed. */
export function worldOf(seed: number): World {
  const random = seededRandom(seed);
  const chance = (part: number) => random.unit() < part;
  const below = (bound: number) => randomBelow(random, bound);
  const chunks = 1 + (chance(0.3) ? below(4) : below(60));
  const right = contentOf(0, chunks, new Set());
  const contents = [right];
  for (let id = 1; id <= below(4); id++) {
    contents.push(wrongContent(random, id, right));
  }
  const any = (part: number) => chance(part) ? right : contents[below(contents.length)]!;
  const knows = random.unit();
  const mirrors = chance(0.75)
    ? Array.from({ length: 1 + below(3) }, (_, i) => mirrorOf(random, i, any(0.75), any(0.5)))
    : [];
  const peers = Array.from(
    { length: below(6) },
    (_, i) => peerOf(random, i, { content: any(0.6), next: any(0.4) }),
  );
  const isPart = chance(0.1) && chunks > 2;
  const request: FetchRequest = {
    name: NAME,
    root: knows > 0.8 ? right.root : null,
    sha256: knows < 0.5 ? right.sha256 : null,
    sizeBytes: knows < 0.3 ? right.sizeBytes : null,
    chunks: isPart ? { first: 1, count: 1 + below(chunks - 1) } : null,
    deliver: true,
    timeoutMs: chance(0.1) ? 200 + below(20_000) : 0,
    searchMs: 0,
    mirrors: mirrors.map(({ label }) => `http://${label}/${NAME}`),
    mirrorDelayMs: chance(0.15) ? below(20_000) : null,
    background: false,
  };
  const isStrict = chance(0.7);
  // Of seeds of their own: the world is the same without.
  const isInHurry = isStrict && seededRandom(seed ^ 0x5eed).unit() < 0.5;
  const isUnknown = request.root === null && request.sha256 === null && mirrors.length > 0;
  const mirrorsAlone = isUnknown && seededRandom(seed ^ 0xa10e).unit() < 0.3;
  return {
    seed,
    random,
    request,
    contents,
    right,
    peers,
    mirrors,
    here: chance(0.05) ? any(0.5) : null,
    comesHere: chance(0.05) ? { content: any(0.6), atMs: below(5_000) } : null,
    linkCount: chance(0.9) ? 1 + below(4) : 0,
    isAlone: chance(0.3),
    sharesPlace: chance(0.15),
    mirrorsAlone,
    isStrict,
    client: isInHurry ? { holdMs: mirrors.length > 0 ? null : HOLD_MS } : null,
    stopsMs: chance(0.05) ? below(10_000) : NEVER,
  };
}

function contentOf(id: number, chunks: number, differs: ReadonlySet<number>): Content {
  const hex = (kind: number) => (kind * 1_000 + id + 1).toString(16).padStart(64, "0");
  // Never a size whose last chunk could be two hashes of a bigger tree.
  const sizeBytes = chunks * CHUNK_BYTES - 100 - id;
  return { id, chunks, sizeBytes, root: hex(1) as Root, sha256: hex(2), differs };
}

/** One that differs in its head, somewhere, in its last chunk, or in its size. */
function wrongContent(random: Random, id: number, right: Content): Content {
  const kind = randomBelow(random, 4);
  if (kind === 3) {
    const chunks = Math.max(1, right.chunks + (random.unit() < 0.5 ? 1 : -1));
    return contentOf(id, chunks, new Set(Array.from({ length: chunks }, (_, i) => i)));
  }
  const at = kind === 0 ? 0 : kind === 1 ? right.chunks - 1 : randomBelow(random, right.chunks);
  const wrong = contentOf(id, right.chunks, new Set([at]));
  return { ...wrong, sizeBytes: right.sizeBytes };
}

function peerOf(
  random: Random,
  index: number,
  { content, next }: { readonly content: Content; readonly next: Content },
): SimPeer {
  const chance = (part: number) => random.unit() < part;
  const late = chance(0.2);
  return {
    nodeId: (index + 1).toString(16).padStart(32, "0") as NodeId,
    port: chance(0.8) ? 1_000 + index : 0,
    content,
    offersMs: late ? randomBelow(random, 8_000) : 1 + randomBelow(random, 60),
    isListed: chance(0.2),
    givesLeaves: chance(0.9),
    chunksPerSecond: 10 ** (random.unit() * 4),
    stallsAfter: chance(0.2) ? randomBelow(random, 20) : NEVER,
    lies: chance(0.1) ? random.unit() : 0,
    diesMs: chance(0.2) ? randomBelow(random, 5_000) : NEVER,
    successor: chance(0.5) && next !== content
      ? { content: next, afterMs: randomBelow(random, 3_000) }
      : null,
  };
}

function mirrorOf(random: Random, index: number, content: Content, later: Content): SimMirror {
  const chance = (part: number) => random.unit() < part;
  return {
    label: `mirror${index}`,
    content,
    answersMs: chance(0.15) ? randomBelow(random, 7_000) : 2 + randomBelow(random, 150),
    chunksPerSecond: 10 ** (random.unit() * 4),
    status: chance(0.15) ? [404, 403, 500, 503][randomBelow(random, 4)]! : null,
    breaksAfter: chance(0.15) ? 1 + randomBelow(random, 20) : NEVER,
    stallsAfter: chance(0.1) ? randomBelow(random, 20) : NEVER,
    givesRanges: chance(0.8),
    comesBackMs: chance(0.1) ? randomBelow(random, 3_000) : 0,
    changesMs: chance(0.08) ? randomBelow(random, 3_000) : NEVER,
    later,
  };
}
