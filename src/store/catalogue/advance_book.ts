/**
 * Which packages clients take, and what was fetched before anybody asked for it: in the catalogue, so that
 * a restart forgets nothing. What follows from it is decided in `core/prefetch/prefetch.ts`.
 */

import type { AdvanceRow, Catalogue, PackageRow } from "./catalogue.ts";

/** What one store keeps of it. */
export class AdvanceBook {
  /** As they were when the store was opened; what changed last comes last. */
  readonly packages: readonly PackageRow[];
  readonly files: readonly AdvanceRow[];
  readonly #remember: (write: (catalogue: Catalogue) => void) => void;

  constructor(
    known: { readonly packages: readonly PackageRow[]; readonly files: readonly AdvanceRow[] },
    options: { readonly remember: (write: (catalogue: Catalogue) => void) => void },
  ) {
    this.packages = known.packages;
    this.files = known.files;
    this.#remember = options.remember;
  }

  putUsed(used: PackageRow): void {
    this.#remember((catalogue) => catalogue.putPackage(used));
  }

  removeUsed(used: Pick<PackageRow, "directory" | "package">): void {
    this.#remember((catalogue) => catalogue.removePackage(used));
  }

  putFile(file: AdvanceRow): void {
    this.#remember((catalogue) => catalogue.putAdvanceFile(file));
  }

  removeFile(fileName: string): void {
    this.#remember((catalogue) => catalogue.removeAdvanceFile(fileName));
  }
}
