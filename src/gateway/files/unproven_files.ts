/**
 * Files of which only other nodes say that they are what is meant: no SHA-256 is known, and no mirror
 * (origin) gave them. One that was tampered with would fail pacman's check each time that it is given.
 *
 * The rules:
 *
 * 1. A client that got such a file to its last byte and asks for it from its first byte again came back
 *    for it: what it got was of no use to it. The file is given to nobody any more, and the copy that
 *    was fetched is removed.
 * 2. For `unprovenDoubtMs` nodes are not believed either what that name means: the mirrors give the file
 *    past the node, and without a mirror nobody has it, so that pacman asks its next server.
 * 3. Who asks for the first time gets it: a gateway may serve many machines.
 *
 * It knows nothing of HTTP but who asks.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import type { Clock } from "../../base/clock.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { TimedMap } from "./timed_map.ts";

/** What the node knows of the files that it has. */
export interface FileProofs {
  /** Whether a file that is here is known to be what its name means, by more than what nodes say. */
  isProven(root: Root, name: string): boolean;
  /** Removes the copy of a file that was fetched, where nothing proves it; what is shared stays. */
  contradicted(root: Root, name: string): void;
}

/** A client that got a file. */
interface GivenFile {
  readonly client: string;
  readonly name: string;
  readonly root: Root;
}

/** Who was given what is not proved. */
export class UnprovenFiles {
  readonly #proofs: FileProofs;
  readonly #options: { readonly clock: Clock; readonly log: Logger };
  /** By client and name; the one longest ago goes. */
  readonly #given = new BoundedMap<string, GivenFile>(limits.unprovenGivenMax);
  /** Names of which nodes are not believed what they mean. */
  readonly #doubted = new TimedMap<true>({
    forMs: limits.unprovenDoubtMs,
    max: limits.unprovenGivenMax,
  });

  constructor(proofs: FileProofs, options: { readonly clock: Clock; readonly log: Logger }) {
    this.#proofs = proofs;
    this.#options = options;
  }

  /**
   * Whether nodes are to be asked for what a client wants of this name, and what is here may be given.
   *
   * @param options.isFromFirst Whether the client wants it from its first byte on, and has none of it.
   */
  mayGive(
    client: string,
    name: string,
    { isFromFirst }: { readonly isFromFirst: boolean },
  ): boolean {
    const { clock, log } = this.#options;
    const given = isFromFirst ? this.#given.get(keyOf(client, name)) : undefined;
    // It may have been proved since.
    if (given !== undefined && !this.#proofs.isProven(given.root, name)) {
      this.#given.delete(keyOf(client, name));
      const what = "a client came back for a file that only nodes vouch for: it is not given again";
      log.warn(what, { name, root: given.root, client });
      this.#proofs.contradicted(given.root, name);
      this.#doubted.set(name, true, clock.nowMs());
    }
    return this.#doubted.get(name, clock.nowMs()) === undefined;
  }

  /** A client has got all of a file, or the end of it. */
  given({ client, name, root }: GivenFile): void {
    if (this.#proofs.isProven(root, name)) return;
    this.#given.set(keyOf(client, name), { client, name, root });
  }

  /** Lets time pass. */
  tick(nowMs: number): void {
    this.#doubted.tick(nowMs);
  }
}

function keyOf(client: string, name: string): string {
  return `${client} ${name}`;
}
