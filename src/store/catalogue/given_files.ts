/**
 * Which clients were given which files that nothing proves, and which of them came back: in memory, and
 * in the catalogue, so that a restart forgets nothing. What follows from it is decided in
 * `daemon/trust/unproven_files.ts`. An ephemeral store keeps it in memory alone.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import { limits } from "../../base/limits.ts";
import type { Catalogue, GivenFile } from "./catalogue.ts";

/** Names one client and one file. */
type GivenKey = Pick<GivenFile, "client" | "name">;

/** The given files of one store. */
export class GivenFiles {
  readonly #remember: (write: (catalogue: Catalogue) => void) => void;
  /** By client and name; the one that changed longest ago goes. */
  readonly #files = new BoundedMap<string, GivenFile>(limits.unprovenGivenMax, {
    onEvict: (_key, file) => this.#forgotten(file),
  });
  /** Those of {@linkcode #files} whose clients came back, by name and client. */
  readonly #doubted = new Map<string, Map<string, GivenFile>>();

  constructor(
    known: Iterable<GivenFile>,
    options: { readonly remember: (write: (catalogue: Catalogue) => void) => void },
  ) {
    this.#remember = options.remember;
    for (const file of known) this.#set(file);
  }

  get({ client, name }: GivenKey): GivenFile | undefined {
    return this.#files.get(keyOf({ client, name }));
  }

  /** Clients that came back for a file of this name. */
  doubted(name: string): Iterable<GivenFile> {
    return this.#doubted.get(name)?.values() ?? [];
  }

  put(file: GivenFile): void {
    this.#set(file);
    this.#remember((catalogue) => catalogue.putGivenFile(file));
  }

  delete(key: GivenKey): void {
    if (this.#files.delete(keyOf(key))) this.#forgotten(key);
  }

  #set(file: GivenFile): void {
    this.#undoubt(file);
    this.#files.set(keyOf(file), file);
    if (file.doubtedUnixMs === null) return;
    const ofName = this.#doubted.get(file.name) ?? new Map<string, GivenFile>();
    this.#doubted.set(file.name, ofName.set(file.client, file));
  }

  #forgotten(key: GivenKey): void {
    this.#undoubt(key);
    this.#remember((catalogue) => catalogue.removeGivenFile(key));
  }

  #undoubt({ client, name }: GivenKey): void {
    const ofName = this.#doubted.get(name);
    if (ofName?.delete(client) && ofName.size === 0) this.#doubted.delete(name);
  }
}

function keyOf({ client, name }: GivenKey): string {
  return `${client} ${name}`;
}
