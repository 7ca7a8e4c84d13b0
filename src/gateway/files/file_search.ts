/** How one request gets its shared fetch: what the file has to be, and how long its client waits. */

import type { PackageFile, PackageIndex } from "../../base/package_index.ts";
import type { Exchange } from "../server/exchange.ts";
import { HeadWait, type HeadWaitBounds } from "./head_wait.ts";
import type { Joined, SharedFetches } from "./shared_fetches.ts";

interface FileSearchOptions {
  readonly sharedFetches: SharedFetches;
  /** What files have to be, as far as anybody can say. */
  readonly trust: PackageIndex | undefined;
  /** How long clients wait for the heads of their answers. */
  readonly wait: HeadWaitBounds;
}

/** Joins requests to shared fetches. */
export class FileSearch {
  readonly #parts: FileSearchOptions;

  constructor(parts: FileSearchOptions) {
    this.#parts = parts;
  }

  /** What the database of the repository says of the file, be it a package or a signature. */
  trusted({ path }: Exchange): PackageFile | undefined {
    return this.#parts.trust?.find(path.name, path.repository ?? undefined);
  }

  /** See {@linkcode SharedFetches.join}; who waits for a turn does so for as long as for all else. */
  join(
    { path: { name }, mirrors, via, signal, beganMs }: Exchange,
    { trusted, from, mirrorsAlone = false }: {
      readonly trusted: PackageFile | undefined;
      readonly from: number;
      /** Whether nodes are not believed what the file is. */
      readonly mirrorsAlone?: boolean;
    },
  ): ReturnType<SharedFetches["join"]> {
    const { wait: { searchMs, holdMs }, sharedFetches } = this.#parts;
    const untilMs = beganMs + holdMs;
    const wanted = { name, trusted, mirrors, mirrorsAlone, via, from, untilMs, signal };
    // Without a mirror it ends with its last client, by the time that each has.
    return sharedFetches.join({ ...wanted, searchMs: mirrors.length > 0 ? searchMs : holdMs });
  }

  /** Whether the file may be here whole. */
  mayBeHere({ path: { name } }: Exchange, trusted: PackageFile | undefined): boolean {
    return this.#parts.sharedFetches.mayBeHere({ name, trusted });
  }

  /** Joins what comes already; see {@linkcode SharedFetches.find}. */
  find({ path: { name } }: Exchange, trusted: PackageFile | undefined): Joined | undefined {
    return this.#parts.sharedFetches.find({ name, trusted, from: 0 });
  }

  /** The wait of a client whose shared fetch was begun or joined now. */
  waitOf(exchange: Exchange): HeadWait {
    return new HeadWait(exchange, this.#parts.wait);
  }

  /** A client has waited long enough: what nobody has begun to give is given up. */
  giveUp({ path: { name } }: Exchange, trusted: PackageFile | undefined, joined: Joined): void {
    joined.leave();
    this.#parts.sharedFetches.giveUp({ name, trusted }, joined.sharedFetch);
  }
}
