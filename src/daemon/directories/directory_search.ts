/**
 * A search for names at one directory: page by page from version 3 of the protocol on, in one answer
 * with a bound at an older one.
 */

import { type Clock, sleep } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { KnownFile } from "../../wire/structures.ts";
import type { DirectoryClient } from "./directory_client.ts";

/** A part of what a directory knows. */
interface Page {
  readonly files: readonly KnownFile[];
  /** Whether it knows, or may know, more than it will name. */
  readonly isCut: boolean;
}

/** Asks for all names that match, until `isFull` or `signal` says that it is enough. */
export async function searchDirectory(
  client: Pick<DirectoryClient, "ask" | "askForPage">,
  glob: string,
  options: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly isFull: () => boolean;
    readonly heard: (page: Page) => void;
  },
): Promise<void> {
  const { signal, isFull, heard } = options;
  const max = limits.directorySearchMax;
  for (let from = 0;;) {
    const page = await nextPage(client, { ...options, glob, from, max });
    if (signal.aborted) return;
    if (page === undefined && from > 0) return heard({ files: [], isCut: true });
    if (page === undefined) break;
    const { files, next } = page;
    const isLast = next === null || isFull();
    heard({ files, isCut: page.isCut || isLast && next !== null });
    if (isLast) return;
    from = next;
  }
  const files = await client.ask((connection) => connection.search(glob, max));
  if (files !== undefined) heard({ files, isCut: files.length >= max });
}

/** A page after the first is asked for again when it is refused: long lists take a moment. */
async function nextPage(
  client: Pick<DirectoryClient, "askForPage">,
  options: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly glob: string;
    readonly from: number;
    readonly max: number;
  },
) {
  const { clock, signal, glob, from, max } = options;
  const triesMax = from === 0 ? 1 : limits.directoryPageTriesMax;
  for (let tries = 1; !signal.aborted; tries++) {
    const page = await client.askForPage((connection) =>
      connection.searchPage(glob, { from, max })
    );
    if (page !== undefined || tries === triesMax) return page;
    await sleep(clock, limits.directoryPauseMs, { signal }).catch(() => {});
  }
  return undefined;
}
