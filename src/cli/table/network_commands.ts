/** The commands that ask what others have. */

import { type CommandSpec } from "../arguments/arguments.ts";
import { CLIENT, JSON_LINES, WIDE } from "./shared_flags.ts";

export const SEARCH: CommandSpec = {
  name: "search",
  summary: "Ask the network which files match a pattern",
  positional: { name: "GLOB", min: 1, max: 1 },
  about: [
    "Floods the pattern over the links, asks the directories (trackers), and prints each file " +
    "once: name, size, how many nodes have it whole and in part, who named it (here: this node; " +
    "flood: nodes, over the links; or the address of a directory), root. In the pattern, * matches " +
    "any run of characters and ? any single character; quote it, so that the shell does not expand " +
    "it. A file that nodes are getting from mirrors has no root yet: it is shown as in flight, with " +
    "how much the node has that has most. Ends when all nodes have answered, after 2 s without an answer, or after 5 s; a long " +
    "list that has begun to come is heard to its end, for 30 s at most. Exit code 3: nothing matches.",
    "Nothing is left out in silence: where more matches than is shown (a node that is too old, gone " +
    "or not reachable told only a part, or the daemon has no room for more than some 100,000 names), " +
    "a line on standard error says how many, as far as that is known, and what to do about it. " +
    'With --json it is a last line, as {"leftOut":{"more":300,"why":"...","hint":"..."}}, with more ' +
    "null where nobody knows. The same goes for info, where and files.",
  ],
  flags: [CLIENT, JSON_LINES, WIDE],
  examples: [{ line: "pacsrv search '*.iso'", note: "all names that end in .iso" }],
  load: async () => (await import("../commands/network.ts")).runSearch,
};

export const INFO: CommandSpec = {
  name: "info",
  summary: "Show what the network knows about a file",
  positional: { name: "NAME|ROOT", min: 1, max: 1 },
  about: [
    "Asks the nodes and the directories (trackers), as search does, and prints for each file of " +
    "that name, the most widely held first: size, type, root, SHA-256 if known, how many nodes have " +
    "it whole and in part, and who named it. A SHA-256 is known if fetch --sha256 checked it; " +
    "directories pass it on. The node counts are lower bounds: a directory and the flood may count " +
    "the same nodes, so the greater number is shown. Files in flight are shown as by search. Exit " +
    "code 3: nobody has it.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv info linux.iso", note: "the files of this name" }],
  load: async () => (await import("../commands/network.ts")).runInfo,
};

export const WHERE: CommandSpec = {
  name: "where",
  summary: "Show which nodes have a file, and how busy they are",
  positional: { name: "NAME|ROOT", min: 1, max: 1 },
  about: [
    "One line per node that has the file or part of it, the least busy first: address, load (100% " +
    "is fully loaded, see --max-load of the daemon; - if no directory (tracker) reported it), share " +
    "of the chunks, rounded down, who named it, node id, root. A node that is not reachable " +
    "provides files only over connections that it opens. Nodes that are getting it from mirrors come " +
    "last, with in flight for the root. Exit code 3: nobody has it.",
  ],
  flags: [CLIENT, JSON_LINES, WIDE],
  examples: [{ line: "pacsrv where linux.iso", note: "who has it" }],
  load: async () => (await import("../commands/network.ts")).runWhere,
};

export const FILES: CommandSpec = {
  name: "files",
  summary: "List the files that another node offers",
  positional: { name: "PEER", min: 1, max: 1 },
  about: [
    "Asks the node at PEER (HOST:PORT, default port 8048) and prints one line per file: name, " +
    "size, chunks that are there, root.",
  ],
  flags: [CLIENT, JSON_LINES, WIDE],
  examples: [{ line: "pacsrv files 10.0.0.7", note: "what this node offers" }],
  load: async () => (await import("../commands/files.ts")).runFiles,
};

export const PEERS: CommandSpec = {
  name: "peers",
  summary: "List the nodes that the daemon is linked with",
  about: [
    "One line per link: address, who opened it, where the node listens, round trip, age, bytes of files " +
    "that this node had from it and gave it over all runs, node id. " +
    "Then one line for each node that the daemon was told of (--peer) and has no link with, and for " +
    "each directory (tracker): since when that is so, and why. Then one line for each node without a link " +
    "that gave or took files, the last one first: such transfers need no link. Of 1,000 nodes that is " +
    "remembered; a fetch and an upload count when they end. Ids are not proved within a network.",
  ],
  flags: [CLIENT, JSON_LINES, WIDE],
  examples: [{ line: "pacsrv peers", note: "who is connected" }],
  load: async () => (await import("../commands/network.ts")).runPeers,
};
