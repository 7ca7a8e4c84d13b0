/** Opens the catalogue of a data directory and reads it; a damaged one is moved aside. */

import { EnvironmentError, messageOf } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import {
  type AdvanceRow,
  Catalogue,
  type GivenFile,
  type KeptRow,
  type PackageRow,
  type PartialRow,
  type PeerTotal,
  type SavingsSpan,
} from "./catalogue.ts";
import type { DataDirectory } from "../files/data_directory.ts";
import { codeOf, environmentError } from "../files/io.ts";
import { joinPath, type OnWarning, splitPath, type StoredFile } from "../files/stored_file.ts";

/** All that a catalogue held when it was opened, but the shared paths. */
export interface CatalogueContents {
  readonly storedFiles: readonly StoredFile[];
  readonly partials: readonly PartialRow[];
  readonly sha256s: ReadonlyMap<Root, string>;
  readonly statistics: ReadonlyMap<string, number>;
  /** What passed between this node and others. */
  readonly peerTotals: readonly PeerTotal[];
  /** What came in which hour. */
  readonly savings: readonly SavingsSpan[];
  /** By what finished fetches trusted their files. */
  readonly trusts: readonly { readonly root: Root; readonly trust: string }[];
  readonly givenFiles: readonly GivenFile[];
  readonly keptFiles: readonly KeptRow[];
  readonly packages: readonly PackageRow[];
  readonly advanceFiles: readonly AdvanceRow[];
}

/**
 * Opens and reads the catalogue. When it is damaged, it is kept beside under another name, a new
 * one takes its place, and shared paths, withheld files and pins are carried over if they can be read.
 *
 * @throws {EnvironmentError} when the disk refuses, or a newer program wrote it.
 */
export async function openCatalogue(
  directory: DataDirectory,
  warn: OnWarning,
): Promise<{ readonly catalogue: Catalogue; readonly contents: CatalogueContents }> {
  dropOldCopies(directory.cataloguePath, { kept: limits.damagedCataloguesKept });
  try {
    return await openAndRead(directory);
  } catch (error) {
    if (!(error instanceof EnvironmentError && error.code === "corrupt")) throw error;
    const shares = await salvage(directory, (catalogue) => catalogue.shares());
    const withheld = await salvage(directory, (catalogue) => catalogue.withheld());
    const kept = await salvage(directory, (catalogue) => catalogue.kept());
    // With the one to come.
    dropOldCopies(directory.cataloguePath, { kept: limits.damagedCataloguesKept - 1 });
    const aside = moveAside(directory.cataloguePath);
    warn("The catalogue was damaged and a new one replaces it; all shared files are hashed again", {
      path: directory.cataloguePath,
      keptAs: aside,
      cause: messageOf(error),
      sharesKept: shares.length,
    });
    const opened = await openAndRead(directory);
    opened.catalogue.putShares(shares);
    opened.catalogue.putWithheld(withheld);
    opened.catalogue.putKept(kept);
    return { ...opened, contents: { ...opened.contents, keptFiles: kept } };
  }
}

async function openAndRead(directory: DataDirectory) {
  const catalogue = await Catalogue.open(directory.cataloguePath, directory.filesPath);
  try {
    // Reading everything is also the check that everything can be read.
    const contents = {
      storedFiles: [...catalogue.storedFiles("shared"), ...catalogue.storedFiles("downloaded")],
      partials: catalogue.partials(),
      sha256s: catalogue.sha256s(),
      statistics: catalogue.statistics(),
      peerTotals: catalogue.peerTotals(),
      savings: catalogue.savings(),
      trusts: catalogue.recordTrusts(),
      givenFiles: catalogue.givenFiles(),
      keptFiles: catalogue.kept(),
      packages: catalogue.packages(),
      advanceFiles: catalogue.advanceFiles(),
    };
    catalogue.shares();
    catalogue.withheld();
    return { catalogue, contents };
  } catch (error) {
    catalogue.close();
    throw error;
  }
}

async function salvage<T>(
  directory: DataDirectory,
  read: (catalogue: Catalogue) => T[],
): Promise<T[]> {
  try {
    using catalogue = await Catalogue.open(directory.cataloguePath, directory.filesPath);
    return read(catalogue);
  } catch {
    return [];
  }
}

const DAMAGED = ".damaged-";

/** Removes the oldest catalogues that were moved aside; what cannot be removed stays. */
function dropOldCopies(path: string, { kept }: { readonly kept: number }): void {
  const { directory, file } = splitPath(path);
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name)
    .filter((name) => name.startsWith(file + DAMAGED));
  // The name of each says when it was moved.
  const copies = [...new Set(names.map((name) => name.replace(/-(wal|shm)$/, "")))].sort();
  for (const copy of copies.slice(0, Math.max(0, copies.length - kept))) {
    for (const name of names.filter((name) => name.startsWith(copy))) {
      try {
        Deno.removeSync(joinPath(directory, name));
      } catch {
        // It is tried again at the next start.
      }
    }
  }
}

function moveAside(path: string): string {
  const aside = `${path}${DAMAGED}${new Date().toISOString().replaceAll(":", "")}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    try {
      Deno.renameSync(path + suffix, aside + suffix);
    } catch (error) {
      if (codeOf(error) !== "not-found") throw environmentError(error, `move ${path + suffix}`);
    }
  }
  return aside;
}
