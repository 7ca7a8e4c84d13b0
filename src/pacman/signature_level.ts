/** What pacman wants of the signatures of packages (`pacman.conf(5)`, `SigLevel`). No I/O here. */

import type { PacmanConf } from "./pacman_conf.ts";

/** Whether pacman asks for the signature of a package, and whether it can do without. */
type SignatureLevel = "required" | "optional" | "never";

const LEVELS: Readonly<Record<string, SignatureLevel>> = {
  Required: "required",
  PackageRequired: "required",
  Optional: "optional",
  PackageOptional: "optional",
  Never: "never",
  PackageNever: "never",
};

/** What holds for packages of `repository`; null, or one that has no section: what holds for all. */
export function signatureLevel(conf: PacmanConf, repository: string | null): SignatureLevel {
  const own = conf.repositories.find(({ name }) => name === repository)?.sigLevel;
  // As pacman is without a word: it requires them.
  return levelOf(own?.value) ?? levelOf(conf.sigLevel?.value) ?? "required";
}

/** The last word that says anything of packages counts. */
function levelOf(value: string | undefined): SignatureLevel | undefined {
  const words = value?.split(/\s+/) ?? [];
  return words.flatMap((word) => LEVELS[word] ?? []).at(-1);
}
