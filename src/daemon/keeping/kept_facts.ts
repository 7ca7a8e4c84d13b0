/** What the policy of keeping (`core/keeping`) is told of the downloads of one node. */

import type { PackageIndex } from "../../base/package_index.ts";
import type { HolderBook } from "../../core/keeping/holder_book.ts";
import type { KeptFile } from "../../core/keeping/keeping_policy.ts";
import { compareVersions, packageOf, type PackageVersion } from "../../pacman/package_version.ts";
import type { KeptCopy } from "../../store/keeping.ts";

/** A download with what is known of it. */
export interface KeptFact extends KeptFile {
  readonly copy: KeptCopy;
}

interface FactsOptions {
  readonly holders: Pick<HolderBook, "of">;
  readonly nowMs: number;
}

/** The facts of downloads by which room is made. */
export function* roomFacts(
  copies: Iterable<KeptCopy>,
  options: FactsOptions,
): Generator<KeptFact> {
  for (const copy of copies) yield factOf(copy, options);
}

/** The same, and which versions of packages they are. */
export function* versionFacts(
  copies: Iterable<KeptCopy>,
  options: FactsOptions & { readonly trust: PackageIndex | undefined },
): Generator<KeptFact> {
  const all = [...copies];
  const newer = newerVersions(all);
  for (const copy of all) {
    const isCurrent = options.trust?.find(copy.name.replace(/\.sig$/, "")) !== undefined;
    yield { ...factOf(copy, options), newerVersions: newer.get(copy.name) ?? 0, isCurrent };
  }
}

function factOf(copy: KeptCopy, { holders, nowMs }: FactsOptions): KeptFact {
  const { path, root, bytes, usedUnixMs, isPinned, isInUse, isPartial } = copy;
  // What has no root yet is at its mirror.
  const { others, isKeeper } = root === null
    ? { others: 1, isKeeper: false }
    : holders.of(root, nowMs);
  return {
    copy,
    key: path,
    bytes,
    usedUnixMs,
    hold: isPinned ? "pinned" : isInUse ? "in-use" : null,
    isPartial,
    others,
    isKeeper,
    newerVersions: 0,
    isCurrent: false,
  };
}

/** How many newer versions of each package are here whole, by the names of its files. */
function newerVersions(copies: readonly KeptCopy[]): Map<string, number> {
  const families = new Map<string, Map<string, PackageVersion>>();
  for (const { name, isPartial } of copies) {
    const one = isPartial ? undefined : packageOf(name);
    if (one === undefined) continue;
    const family = families.get(one.family) ?? new Map<string, PackageVersion>();
    families.set(one.family, family.set(name, one));
  }
  const newer = new Map<string, number>();
  for (const family of families.values()) {
    // A package and its signature are one version.
    const versions = [...new Set([...family.values()].map(({ version }) => version))]
      .sort((a, b) => compareVersions(b, a));
    for (const [name, { version }] of family) newer.set(name, versions.indexOf(version));
  }
  return newer;
}
