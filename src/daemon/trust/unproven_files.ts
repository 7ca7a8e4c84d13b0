/**
 * Files of which only other nodes say that they are what is meant: no SHA-256 is known, and no mirror
 * (origin) gave them. One that was tampered with would fail the check of its client, such as pacman,
 * each time that it is given.
 *
 * The rules:
 *
 * 1. A client of the gateway that got such a file to its last byte and asks for it from its first byte
 *    again came back for it: what it got was of no use to it. The copy that was fetched is removed, and
 *    for `unprovenDoubtMs` nodes are not believed any more what that name means, for this client.
 * 2. For the others they are believed, or one client could keep a good file from all of them. Where
 *    `unprovenDoubters` clients came back for one name, nodes are believed by nobody for
 *    `unprovenDoubtAllMs`.
 * 3. Who asks for the first time gets what nodes give: a gateway may serve many machines.
 * 4. Where nodes are not believed, mirrors alone give the file: one copy for all who want it, which is
 *    kept, and proved. Without a mirror nobody has it, so that pacman asks its next server.
 * 5. As soon as a file of that name is here that is proved, there is nothing to doubt.
 * 6. `fetch URL` is for the users of this machine, who may well ask twice for what is right: nothing is
 *    removed for that. But what is at the URL is asked, not guessed: where a copy that nothing proves
 *    is here, or was given before, or nodes are not believed, rule 4 holds. What the mirror gives has the
 *    same root, which proves the copy, or another, and then the copy is removed. Where no mirror gives
 *    it, the copy is given once, and no more: then the fetch fails and says so.
 *
 * All of it is remembered over a restart (`store/catalogue/given_files.ts`). It knows nothing of HTTP
 * but who asks.
 */

import type { Clock } from "../../base/clock.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import type { GivenFiles } from "../../store/catalogue/given_files.ts";
import type { FileProofs } from "./file_proofs.ts";

/** The users of this machine, who have no host. */
export const LOCAL_CLIENT = "";

interface UnprovenFilesOptions {
  readonly proofs: FileProofs;
  readonly givenFiles: GivenFiles;
  readonly clock: Pick<Clock, "unixMs">;
  readonly log: Logger;
}

/** Who was given what is not proved. */
export class UnprovenFiles {
  readonly #options: UnprovenFilesOptions;

  constructor(options: UnprovenFilesOptions) {
    this.#options = options;
  }

  /**
   * Whether nodes are believed what a client wants of this name, and what is here may be given.
   *
   * @param options.isFromFirst Whether the client wants it from its first byte on, and has none of it.
   */
  mayGive(
    client: string,
    name: string,
    { isFromFirst }: { readonly isFromFirst: boolean },
  ): boolean {
    if (isFromFirst) this.#noteIfBack(client, name);
    return !this.#isDoubted(client, name) || this.#options.proofs.hasProven(name);
  }

  /** Whether a client was given a file of this name that nothing has proved since. */
  wasGiven(client: string, name: string): boolean {
    const { givenFiles, proofs } = this.#options;
    const given = givenFiles.get({ client, name });
    return given !== undefined && !proofs.isProven(given.root, name);
  }

  /** A client has got all of a file, or the end of it. */
  given(
    { client, name, root }: { readonly client: string; readonly name: string; readonly root: Root },
  ): void {
    const { givenFiles, proofs } = this.#options;
    if (proofs.isProven(root, name)) return givenFiles.delete({ client, name });
    givenFiles.put({ client, name, root, doubtedUnixMs: null });
  }

  /** Rule 1. */
  #noteIfBack(client: string, name: string): void {
    const { givenFiles, proofs, clock, log } = this.#options;
    const given = givenFiles.get({ client, name });
    if (given === undefined || given.doubtedUnixMs !== null) return;
    const { root } = given;
    // It may have been proved since.
    if (proofs.isProven(root, name)) return givenFiles.delete(given);
    const what = "a client came back for a file that only nodes vouch for: it is not given again";
    log.warn(what, { name, root, client });
    proofs.contradicted(root, name);
    givenFiles.put({ ...given, doubtedUnixMs: clock.unixMs() });
  }

  /** Rules 1 and 2. */
  #isDoubted(client: string, name: string): boolean {
    const { givenFiles, clock } = this.#options;
    const unixMs = clock.unixMs();
    // The system's time may have been set back.
    const sinceMs = (doubtedUnixMs: number | null) => Math.abs(unixMs - doubtedUnixMs!);
    let doubters = 0;
    for (const doubt of givenFiles.doubted(name)) {
      const ms = sinceMs(doubt.doubtedUnixMs);
      if (doubt.client === client && ms < limits.unprovenDoubtMs) return true;
      if (ms < limits.unprovenDoubtAllMs) doubters++;
    }
    return doubters >= limits.unprovenDoubters;
  }
}
