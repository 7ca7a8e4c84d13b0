/**
 * The records of the last fetches that ended, in the catalogue, so that a person can be told how a
 * file came. An ephemeral store keeps none.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import { isHash, type Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type FetchRecord, isFetchRecord, isRecordOf } from "../../base/fetch_record.ts";
import { FILE_TRUSTS, type FileTrust } from "../../base/package_index.ts";
import type { RecordKind } from "./catalogue.ts";
import type { StoreContext } from "./store_context.ts";

/** The fetch records of one store. */
export class FetchHistory {
  readonly #context: StoreContext;
  /** The trust of the last fetch that brought each root: as many as there are fetch records. */
  readonly #trusts = new BoundedMap<Root, FileTrust>(limits.fetchRecordsMax);

  constructor(
    context: StoreContext,
    trusts: Iterable<{ readonly root: Root; readonly trust: string }> = [],
  ) {
    this.#context = context;
    for (const { root, trust } of trusts) {
      const known = FILE_TRUSTS.find((one) => one === trust);
      if (known !== undefined) this.#trusts.set(root, known);
    }
  }

  /** Keeps a fetch record. A disk that refuses is only told of. */
  add(record: FetchRecord): void {
    const { name, root, trust, endedAt } = record;
    const kind = kindOf(record);
    const row = { name, root, kind, trust, endedAt, json: JSON.stringify(record) };
    this.#context.remember((catalogue) => catalogue.putRecord(row));
    const isKept = this.#context.catalogue !== undefined;
    if (isKept && kind === "brought" && root !== null) this.#trusts.set(root, trust);
  }

  /**
   * The fetches of a name or root that are remembered, the last one first; of a root also those that
   * rejected it.
   */
  of(target: string): FetchRecord[] {
    const { catalogue } = this.#context;
    if (catalogue === undefined) return [];
    const rows = isHash(target)
      ? catalogue.recordsOf("root", target.toLowerCase())
      : catalogue.recordsOf("name", target);
    return rows.flatMap((json) => parseRecord(json) ?? [])
      .filter((record) => isRecordOf(record, target));
  }

  /** By what the last fetch that brought `root` trusted it; undefined when none is remembered. */
  trustOf(root: Root): FileTrust | undefined {
    return this.#trusts.get(root);
  }
}

function kindOf(
  { outcome, sizeBytes, bytesPeers, bytesMirror, bytesThrownAway }: FetchRecord,
): RecordKind {
  const bytes = bytesPeers + bytesMirror;
  if (outcome !== "done") return bytes + bytesThrownAway > 0 ? "in-vain" : "failed";
  return bytes > 0 || sizeBytes === 0 ? "brought" : "here";
}

function parseRecord(json: string): FetchRecord | undefined {
  try {
    const kept: unknown = JSON.parse(json);
    if (typeof kept !== "object" || kept === null) return undefined;
    // A record of before has no such sum: what counts is the least that it can be.
    const value = { bytesMirrors: (kept as Partial<FetchRecord>).bytesMirror, ...kept };
    return isFetchRecord(value) ? value : undefined;
  } catch {
    // Damaged: as good as forgotten.
    return undefined;
  }
}
