/**
 * Files that turned out not to have the SHA-256 that was sought, and the nodes that offered them:
 * remembered for a while, so that a later fetch neither follows the one nor asks the others again.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

interface RejectedFile {
  /** Candidates, as `candidateKey` names them. */
  readonly keys: Set<string>;
  readonly nodes: Set<NodeId>;
  notedMs: number;
}

/** Wrong files and their providers, by the SHA-256 that was sought; of one node. */
export class RejectedFiles {
  /** The one that was noted last is kept longest. */
  readonly #bySha256 = new BoundedMap<string, RejectedFile>(limits.rejectedFilesMax);

  /** Remembers that the candidate of `key`, which `nodes` offered, is not the file of `sha256`. */
  note(
    sha256: string,
    wrong: { readonly key: string; readonly nodes: readonly NodeId[] },
    nowMs: number,
  ): void {
    const known = this.#find(sha256, nowMs) ?? { keys: new Set(), nodes: new Set(), notedMs: 0 };
    known.notedMs = nowMs;
    addBounded(known.keys, [wrong.key]);
    addBounded(known.nodes, wrong.nodes);
    this.#bySha256.set(sha256, known);
  }

  /** What is known to be wrong for `sha256`; empty sets when nothing is. */
  of(
    sha256: string,
    nowMs: number,
  ): { readonly keys: ReadonlySet<string>; readonly nodes: ReadonlySet<NodeId> } {
    return this.#find(sha256, nowMs) ?? { keys: new Set(), nodes: new Set() };
  }

  /**
   * Forgets what was concluded from the copy of `root` that was here: its bytes turned out not to be
   * what they were, so nothing of it speaks against the root, nor against those who offered it.
   */
  forget(root: Root): void {
    for (const [sha256, { keys }] of [...this.#bySha256]) {
      if ([...keys].some((key) => key.startsWith(root))) this.#bySha256.delete(sha256);
    }
  }

  #find(sha256: string, nowMs: number): RejectedFile | undefined {
    const known = this.#bySha256.get(sha256);
    if (known === undefined || nowMs - known.notedMs <= limits.wrongMs) return known;
    this.#bySha256.delete(sha256);
    return undefined;
  }
}

function addBounded<T>(set: Set<T>, values: readonly T[]): void {
  for (const value of values) if (set.size < limits.wrongPerFileMax) set.add(value);
}
