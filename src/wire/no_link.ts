/** How it is said that a node has nobody to ask. */

/** Some that a node was told of, and why they are of no use to it. */
interface Unlinked {
  /** Nodes without a link, as HOST:PORT. */
  readonly peers: readonly { readonly peer: string; readonly reason: string }[];
  /** Directories without an answer, as HOST:PORT; all that it was told of. */
  readonly directories: readonly { readonly directory: string; readonly reason: string }[];
  /** Whether no daemon runs, so that there is none, and no log, to look at. */
  readonly isAlone: boolean;
}

/** What is missing, as the end of a sentence, and what can be done about it. */
export function noLinkWords(
  { peers, directories, isAlone }: Unlinked,
): { readonly text: string; readonly hint: string } {
  const why = peers.length === 0 ? "" : ` (${peerReasons(peers)})`;
  const text = `there is no link to any other node${why}`;
  if (directories.length === 0) {
    return {
      text,
      hint: isAlone
        ? "Name a node that runs with --peer."
        : "Name a node that runs with --peer, or see `pacsrv peers` and the daemon's log.",
    };
  }
  return {
    text: `${text}, and no directory answers: ${directoryReasons(directories)}`,
    hint: isAlone
      ? "Name another --directory, or a node that runs with --peer."
      : "See `pacsrv status` and the daemon's log, or name a node with --peer.",
  };
}

/** All of them in one line. */
export function peerReasons(peers: Unlinked["peers"]): string {
  return peers.map(({ peer, reason }) => `${peer}: ${reason}`).join("; ");
}

/** All of them in one line. */
export function directoryReasons(directories: Unlinked["directories"]): string {
  return directories.map(({ directory, reason }) => `${directory} (${reason})`).join(", ");
}
