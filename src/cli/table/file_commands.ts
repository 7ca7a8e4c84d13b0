/** The commands for the files of this machine: shared, kept, given away, checked. */

import { limits } from "../../base/limits.ts";
import { type CommandSpec, flag } from "../arguments/arguments.ts";
import { CLIENT, JSON_LINES, WIDE } from "./shared_flags.ts";

export const SHARE: CommandSpec = {
  name: "share",
  summary: "Offer files or directories to others",
  positional: { name: "PATH...", min: 1, max: Infinity },
  about: [
    "The daemon shares these paths from now on, and after a restart. Nothing is copied. A " +
    "directory is shared with everything below it, and changes in it are noticed. Symbolic links " +
    "below it are not followed, so that nothing outside is ever given away; a PATH that is a link " +
    "itself is. Files whose names end in .part are skipped. Needs read access to the daemon's data " +
    "directory.",
    "A file whose content changed though its size and time did not is withheld, for a disk may have " +
    "lost data: status, list and doctor name it. Put it right, or offer it as it is with --again.",
  ],
  flags: [
    flag("--again", {
      help: "Offer what is withheld at and below these paths as it is now.",
    }),
    CLIENT,
    JSON_LINES,
  ],
  examples: [
    { line: "pacsrv share ~/isos notes.pdf", note: "share a directory and a file" },
    { line: "pacsrv share --again ~/isos/linux.iso", note: "take a withheld file as it is now" },
  ],
  load: async () => (await import("../commands/files.ts")).runShare,
};

export const UNSHARE: CommandSpec = {
  name: "unshare",
  summary: "Stop offering a file or a directory",
  positional: { name: "NAME|ROOT|PATH", min: 1, max: 1 },
  about: [
    "The daemon stops offering it. A shared file stays where it is; a downloaded file is removed " +
    "from the daemon's store. An argument that contains a slash, or is . or .., is a path. A file " +
    "inside a shared directory is excluded from then on. If several different files have NAME, " +
    "nothing is done without --all. Needs read access to the daemon's data directory. Exit code 3: " +
    "nothing here has that name, root or path.",
  ],
  flags: [
    flag("--all", { help: "Take all files that have the name, however many differ." }),
    CLIENT,
    JSON_LINES,
  ],
  examples: [
    { line: "pacsrv unshare ~/isos/", note: "stop sharing a directory" },
    { line: "pacsrv unshare notes.pdf", note: "stop sharing the files of this name" },
  ],
  load: async () => (await import("../commands/files.ts")).runUnshare,
};

export const PIN: CommandSpec = {
  name: "pin",
  summary: "Keep a download, whatever room is needed",
  positional: { name: "NAME|ROOT", min: 1, max: 1 },
  about: [
    "The daemon never removes this download to make room, nor as an old version, until unpin. If " +
    "several files have NAME, all of them are pinned. What is shared in place stays anyway. Needs " +
    "read access to the daemon's data directory. Exit code 3: nothing here has that name or root.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv pin linux.iso", note: "keep it" }],
  load: async () => (await import("../commands/keeping.ts")).runPin,
};

export const UNPIN: CommandSpec = {
  name: "unpin",
  summary: "Let a pinned download go when room is needed",
  positional: { name: "NAME|ROOT", min: 1, max: 1 },
  about: [
    "Ends what pin did; nothing is removed at once. Needs read access to the daemon's data " +
    "directory. Exit code 3: nothing here has that name or root.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv unpin linux.iso", note: "it may go" }],
  load: async () => (await import("../commands/keeping.ts")).runUnpin,
};

export const CLEAN: CommandSpec = {
  name: "clean",
  summary: "Remove downloads that are not to be kept, or say which would go and why",
  about: [
    "Has the daemon clean now as it does by itself: down to " +
    `${limits.keepLowPercent}% of --keep, and until ${
      200 - limits.keepLowPercent
    }% of --min-free are free. First go old versions (--keep-versions) and parts that nobody went on ` +
    `with for ${
      limits.partialKeptMs / 86_400_000
    } days. Then what other nodes are known to have goes ` +
    "before what nobody else is known to have, each from the one that was used longest ago: fetched, " +
    "given to others or read. What is pinned, in use, on its way or shared in place stays. Who has " +
    "what says a directory (tracker), which is asked first, or the last search. Prints what went, and " +
    "why; where that is not enough, by how much the downloads are over it and what of them stays. It " +
    "fails when the disk does not let a file go. Needs read access to the daemon's data directory.",
  ],
  flags: [
    flag("--dry-run", { help: "Remove nothing; print what would go." }),
    CLIENT,
    JSON_LINES,
    WIDE,
  ],
  examples: [{ line: "pacsrv clean --dry-run", note: "what would go, and why" }],
  load: async () => (await import("../commands/keeping.ts")).runClean,
};

export const LIST: CommandSpec = {
  name: "list",
  summary: "List the daemon's files, and which chunks of them are here",
  about: [
    "One line per location of a file: name, size, chunks that are here, kind (shared, downloaded " +
    "or partial), trust (see pacsrv help status), root, path. What is pinned says so beside its kind. A " +
    "narrow terminal gets short roots and no paths, unless --wide is given; a pipe gets all of it.",
  ],
  flags: [CLIENT, JSON_LINES, WIDE],
  examples: [{ line: "pacsrv list --json", note: "for a program" }],
  load: async () => (await import("../commands/files.ts")).runList,
};

export const PUSH: CommandSpec = {
  name: "push",
  summary: "Send a file to another node",
  positional: { name: "NAME|ROOT [PEER]", min: 1, max: 2 },
  about: [
    "The daemon offers one of its files to the node at PEER (HOST:PORT, default port 8048); " +
    "without PEER, to nodes that a directory (tracker) names. If several files have that name, it " +
    "offers all of them. A node accepts files only up to its --accept-uploads, at most " +
    `${limits.pushesTakenMax} at once and ${limits.pushesTakenPerHostMax} from one address. It ` +
    "fetches from every node that has the file, so this node may send less than the whole file. A " +
    `push below ${limits.pushBytesPerSecondMin / 1024} KiB/s for a minute is given up, and ` +
    "so is one whose sender is gone if no other node has the file. Prints each answer and how it " +
    "ended. Needs read access to the daemon's data directory. Exit code 1: no node has the whole " +
    "file in the end.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [
    { line: "pacsrv push linux.iso 10.0.0.7", note: "to this node" },
    { line: "pacsrv push linux.iso", note: "to one that a directory names" },
  ],
  afterSignal: "Push again: what the peer already has is not sent again.",
  load: async () => (await import("../commands/push.ts")).runPush,
};

export const VERIFY: CommandSpec = {
  name: "verify",
  summary: "Read files again and check every chunk",
  positional: { name: "NAME|ROOT", min: 0, max: 1 },
  about: [
    "The daemon reads the files with this name or root, or all of them, from disk and checks each " +
    "chunk. A damaged shared file is no longer offered; of a damaged downloaded file the good " +
    "chunks are kept, and the next fetch gets the rest. Needs read access to the daemon's data " +
    "directory. Exit code 3: nothing here has that name or root. 4: something was damaged.",
  ],
  flags: [CLIENT, JSON_LINES, WIDE],
  examples: [{ line: "pacsrv verify", note: "check everything" }],
  afterSignal: "What was found is kept; verify again checks all of it anew.",
  load: async () => (await import("../commands/files.ts")).runVerify,
};
