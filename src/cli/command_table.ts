/**
 * Every command with its flags, in the order of the help. The parser, the help texts, the
 * suggestions and the configuration file are all fed from here; the code of a command is loaded
 * only when it is run.
 */

import { UsageError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { CommandSpec, FlagSpec } from "./flag_spec.ts";
import { suggestion } from "./suggest.ts";

const CLIENT: FlagSpec = {
  name: "client",
  value: "HOST:PORT",
  default: "127.0.0.1:8049",
  help: "Where the daemon serves its clients.",
};

const JSON_LINES: FlagSpec = {
  name: "json",
  help: "Print one JSON object a line, for programs.",
};

const SYNC_DB: FlagSpec = {
  name: "sync-db",
  value: "DIR",
  help: "Where pacman keeps the databases of its repositories, /var/lib/pacman/sync on Arch " +
    "Linux: the size and SHA-256 that they name are what a file of that name must have.",
};

/** Which network it is, for whoever takes part in it. */
const NETWORK_NAME: readonly FlagSpec[] = [
  {
    name: "network",
    value: "NAME",
    default: "pacsrv",
    inConfig: true,
    help: "Name of the network; nodes of another name are left alone.",
  },
  {
    name: "network-key-file",
    value: "FILE",
    inConfig: true,
    isPath: true,
    help: `File with the network's secret, ${limits.networkKeyBytesMin} to ` +
      `${limits.networkKeyBytesMax} bytes. With it, only nodes that hold the same secret get in.`,
  },
];

const NETWORK: readonly FlagSpec[] = [
  ...NETWORK_NAME,
  {
    name: "ttl",
    value: "N",
    default: String(limits.ttlDefault),
    inConfig: true,
    isNumber: true,
    help: `How many links a search travels after the first, 0 to ${limits.ttlMax}; 0 asks the ` +
      "neighbours only.",
  },
  {
    name: "no-callback",
    inConfig: true,
    help: "Say that nobody can connect to this node, as behind a NAT. Holders then answer over " +
      "the links at once, instead of trying first, and this node connects to them.",
  },
];

const PEER: FlagSpec = {
  name: "peer",
  value: "HOST:PORT",
  repeatable: true,
  inConfig: true,
  help: "A node to keep a link with; may be given several times. The port is 8048 if left out.",
};

const DIRECTORIES: FlagSpec = {
  name: "directory",
  value: "HOST:PORT",
  repeatable: true,
  inConfig: true,
  help: "A directory to tell what is here, and to ask beside the nodes; may be given several " +
    "times. The port is 8047 if left out.",
};

const CONFIG: FlagSpec = {
  name: "config",
  value: "FILE",
  help: 'TOML file with any of these settings; a flag wins over the file. "pacsrv help ' +
    'config" shows one.',
};

const LOG: readonly FlagSpec[] = [
  {
    name: "log-level",
    value: "debug|info|warn|error",
    default: "info",
    inConfig: true,
    help: "The least important lines that are logged.",
  },
  {
    name: "log-format",
    value: "text|json",
    default: "text",
    inConfig: true,
    help: "Log lines for people, or one JSON object a line.",
  },
];

const DAEMON: CommandSpec = {
  name: "daemon",
  summary: "Run a node: share files, find them at others, serve the clients of this machine",
  about: [
    "Runs until SIGTERM or SIGINT. When it is ready, and not before, it prints one line on " +
    "stdout: ready node=HOST:PORT client=HOST:PORT id=HEX, and gateway=HOST:PORT at its end where " +
    "there is a gateway. The log goes to stderr. SIGHUP makes it look through the shared " +
    "directories at once; it notices changes by itself too.",
    "Sharing never copies: files stay where they are. What is fetched through the daemon lies " +
    "in the data directory and is offered to others.",
    "With --gateway it speaks HTTP, so that pacman can name it in its configuration: as " +
    "CacheServer (or as first Server) it gives what other nodes have and answers 404 for the " +
    "rest; with --mirror, as Server, it gets the rest, and all databases, from the mirrors.",
  ],
  flags: [
    {
      name: "data",
      value: "DIR",
      defaultText: "/var/lib/pacsrv for root, else $XDG_DATA_HOME/pacsrv",
      inConfig: true,
      isPath: true,
      help: "Directory for downloads, catalogue and token; made when missing.",
    },
    {
      name: "node",
      value: "HOST:PORT",
      defaultText: "port 8048 on all addresses",
      inConfig: true,
      help: "Where other nodes connect. Port 0 takes a free one.",
    },
    {
      ...CLIENT,
      inConfig: true,
      help: "Where clients of this machine connect. Port 0 takes a free one.",
    },
    PEER,
    DIRECTORIES,
    {
      name: "share",
      value: "PATH",
      repeatable: true,
      inConfig: true,
      isPath: true,
      help: "A file or a directory to offer to others; may be given several times.",
    },
    ...NETWORK,
    {
      name: "min-connections",
      value: "N",
      default: String(limits.linksMin),
      inConfig: true,
      isNumber: true,
      help: "With fewer links than this, nodes that others tell of are dialled too; with 0, only " +
        "those named by --peer.",
    },
    {
      name: "max-connections",
      value: "N",
      default: String(limits.linksMax),
      inConfig: true,
      isNumber: true,
      help: `The most links to other nodes, 1 to ${limits.linksCeiling}. Transfers do not count.`,
    },
    {
      name: "accept-uploads",
      value: "BYTES",
      default: "0",
      inConfig: true,
      help: "How much the data directory may hold, with files that others ask this node to take: " +
        "500M, 2G. All downloads count. With 0 none is taken. Nothing is removed to make room.",
    },
    {
      name: "max-load",
      value: "N",
      default: String(limits.uploadsLoadedDefault),
      inConfig: true,
      isNumber: true,
      help: "With so many uploads at once, this node counts as fully loaded: directories name it " +
        "last. Nobody is refused because of it.",
    },
    {
      name: "gateway",
      value: "HOST:PORT",
      defaultText: "none",
      inConfig: true,
      help: "Where HTTP clients such as pacman connect. The host is 127.0.0.1 if left out, the " +
        "port 8050; port 0 takes a free one. Whoever can connect can ask for any file: another " +
        "host than this machine's own is for networks that you trust.",
    },
    {
      name: "mirror",
      value: "URL",
      repeatable: true,
      inConfig: true,
      help: "A mirror behind the gateway, as in a mirrorlist: $repo and $arch are replaced, " +
        "without them the path that was asked for is appended. http or https; may be given " +
        "several times, and the first is asked first.",
    },
    { ...SYNC_DB, inConfig: true, isPath: true },
    {
      name: "gateway-wait",
      value: "SECONDS",
      default: String(limits.gatewayWaitMs / 1000),
      inConfig: true,
      isNumber: true,
      isDecimal: true,
      help: "How long the gateway looks for a file that nobody seems to have, up to " +
        `${limits.gatewayWaitMsMax / 1000}.`,
    },
    CONFIG,
    ...LOG,
  ],
  examples: [
    {
      line: "pacsrv daemon --share /srv/files",
      note: "share a directory and wait for others",
    },
    {
      line: "pacsrv daemon --peer 10.0.0.2 --peer 10.0.0.3:9000",
      note: "join a network through two of its nodes",
    },
    {
      line: "pacsrv daemon --config /etc/pacsrv.toml --log-level debug",
      note: "take the settings from a file, but log everything",
    },
    {
      line: "pacsrv daemon --gateway 127.0.0.1 --sync-db /var/lib/pacman/sync " +
        "--share /var/cache/pacman/pkg",
      note: "give pacman on this machine the packages of its neighbours, and them its own",
    },
  ],
  load: async () => (await import("./commands/daemon.ts")).runDaemon,
};

const DIRECTORY: CommandSpec = {
  name: "directory",
  summary: "Run a directory: tell nodes at once who has which file",
  about: [
    "Nodes that are told of it by --directory tell it what they offer and ask it before, and " +
    "beside, asking around. It keeps everything in memory and reads and writes no file: it may be " +
    "stopped and started at any moment, and knows all again after one refresh. A network may have " +
    "none, one, or many.",
    "Runs until SIGTERM or SIGINT. When it is ready it prints one line on stdout: ready " +
    "directory=HOST:PORT id=HEX. The log goes to stderr.",
  ],
  flags: [
    {
      name: "listen",
      value: "HOST:PORT",
      defaultText: "port 8047 on all addresses",
      inConfig: true,
      help: "Where nodes connect. Port 0 takes a free one.",
    },
    ...NETWORK_NAME,
    {
      name: "replicas",
      value: "N",
      default: String(limits.replicasDefault),
      inConfig: true,
      isNumber: true,
      help: "Of a file that is asked for often, nodes with room for it are asked to take copies " +
        `until there are so many, up to ${limits.replicasMax}; 0: none are made, and nodes are ` +
        "named without regard to their load.",
    },
    {
      name: "refresh",
      value: "SECONDS",
      default: String(limits.directoryRefreshMs / 1000),
      inConfig: true,
      isNumber: true,
      help: "How often a node shall say that it is there, " +
        `${limits.directoryRefreshMsMin / 1000} to ${limits.directoryRefreshMsMax / 1000}. One ` +
        `that is silent for ${limits.directoryMissedMax} times as long is asked once and then ` +
        "forgotten.",
    },
    {
      name: "max-queries",
      value: "N",
      default: String(limits.directoryQueriesPerSecond),
      inConfig: true,
      isNumber: true,
      help: "Questions a second that one address may ask; a search counts as " +
        `${limits.directorySearchCost}, and more if it has much to compare or to name.`,
    },
    CONFIG,
    ...LOG,
  ],
  examples: [
    { line: "pacsrv directory", note: "serve the nodes of the default network" },
    {
      line: "pacsrv directory --network office --network-key-file office.key --replicas 2",
      note: "only for nodes that hold the key; two copies of what is popular",
    },
  ],
  load: async () => (await import("./commands/directory.ts")).runDirectory,
};

const FETCH: CommandSpec = {
  name: "fetch",
  summary: "Get a file from the network",
  positional: { name: "NAME|ROOT|URL", min: 0, max: 1 },
  about: [
    "Asks the daemon of this machine for the file; where no daemon runs, or with --alone, runs a " +
    "node of its own for the time of the fetch, which asks the nodes named by --peer and the " +
    "directories named by --directory. Every chunk is verified as it comes, and the output " +
    "appears whole or not at all.",
    "The argument is the file's name. 64 hexadecimal digits are its root, unless --root is given " +
    "too. Names are labels that anybody may use: --root, --sha256 or --size say which file is " +
    "meant. Without any of them, the file that a directory names is taken, else the one that most " +
    "nodes offer under the name.",
    "A URL (http, https or file) names the file by the last part of its path, and says where it " +
    "is if no node has it, or none is fast enough. Where no daemon runs, or it fails, the file " +
    "comes straight from there; databases of pacman (.db, .files) always do. So pacman can use " +
    "it: XferCommand = /usr/bin/pacsrv fetch %u -o %o",
    "Without -o the file is written to the current directory under its name; an existing file " +
    "of the name that was asked for is replaced, but never one whose name others chose.",
  ],
  flags: [
    {
      name: "output",
      short: "o",
      value: "FILE|-",
      defaultText: "./NAME",
      help: "Where to write; an existing directory takes the file under its name. A FILE.part " +
        "is written in place, resumed, and left there on failure. - is stdout, which gets the " +
        "bytes once all of them are verified.",
    },
    { name: "root", value: "HEX", help: "The file's identity: BitTorrent v2 pieces root." },
    { name: "sha256", value: "HEX", help: "SHA-256 that the whole file must have." },
    { name: "size", value: "BYTES", help: "Size that the file must have." },
    { ...SYNC_DB, help: `${SYNC_DB.help} A daemon that fetches goes by its own.` },
    {
      name: "chunks",
      value: "FIRST-LAST",
      help: "Only these chunks of 16,384 bytes, counted from 0: into the daemon's store, or, " +
        "with -o, as that range of bytes (never resumed).",
    },
    {
      name: "timeout",
      value: "SECONDS",
      defaultText: "none; a search without any offer ends after 5 s",
      help: "Time for the whole fetch.",
    },
    { ...JSON_LINES, help: "Print events as JSON, one object a line, on stdout." },
    { name: "quiet", short: "q", help: "Print nothing but errors." },
    CLIENT,
    {
      name: "alone",
      help: "Use no daemon: run a node in this process. Needs --peer or --directory; a URL is " +
        "fetched without a node if neither is given.",
    },
    { ...PEER, help: "A node for the own node to ask; may be given several times." },
    { ...DIRECTORIES, help: "A directory for the own node to ask; may be given several times." },
    {
      name: "node",
      value: "HOST:PORT",
      defaultText: "a free port on all addresses",
      help: "Where the own node waits for the nodes that have the file.",
    },
    ...NETWORK,
  ],
  examples: [
    { line: "pacsrv fetch linux.iso", note: "get a file into this directory" },
    { line: "pacsrv fetch linux.iso -o /srv/ --sha256 HEX", note: "the one with this SHA-256" },
    {
      line: "pacsrv fetch linux.iso --alone --peer 10.0.0.2:8048",
      note: "without a daemon, asking one node",
    },
    { line: "pacsrv fetch backup.tar -o - | tar x", note: "into a pipe" },
    {
      line: "pacsrv fetch http://mirror.example.org/iso/linux.iso",
      note: "from other nodes, or from there",
    },
  ],
  load: async () => (await import("./commands/fetch.ts")).runFetch,
};

const SHARE: CommandSpec = {
  name: "share",
  summary: "Offer files or directories to others",
  positional: { name: "PATH...", min: 1, max: Infinity },
  about: [
    "Tells the daemon to share these paths from now on, also after a restart. Nothing is copied. " +
    "A directory is shared with all below it, and what changes in it is noticed.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv share ~/isos notes.pdf", note: "share a directory and a file" }],
  load: async () => (await import("./commands/share.ts")).runShare,
};

const UNSHARE: CommandSpec = {
  name: "unshare",
  summary: "Stop offering a file or a directory",
  positional: { name: "NAME|ROOT|PATH", min: 1, max: 1 },
  about: [
    "Tells the daemon to offer this no more. A shared file stays where it is; a downloaded one is " +
    "removed from the daemon's store. What contains a slash, and . and .., is taken as a path.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [
    { line: "pacsrv unshare ~/isos/", note: "stop sharing a directory" },
    { line: "pacsrv unshare notes.pdf", note: "drop what goes by this name" },
  ],
  load: async () => (await import("./commands/unshare.ts")).runUnshare,
};

const LIST: CommandSpec = {
  name: "list",
  summary: "List the files of the daemon, and which chunks of them are here",
  about: [
    "A line for each place that a file has: name, size, chunks that are here, whether it is " +
    "shared, downloaded or partial, root, path.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv list --json", note: "the same for a program" }],
  load: async () => (await import("./commands/list.ts")).runList,
};

const SEARCH: CommandSpec = {
  name: "search",
  summary: "Ask the network which files match a pattern",
  positional: { name: "GLOB", min: 1, max: 1 },
  about: [
    "Floods the pattern through the network, asks the directories, and prints each file once: " +
    "name, size, how many nodes have it whole and in part, who said so (here, flood, or the " +
    "address of a directory), root. In the pattern, * is any run of characters and ? any one; " +
    "quote it, so that the shell leaves it alone. Exit code 3: nobody has a match.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv search '*.iso'", note: "all names that end in .iso" }],
  load: async () => (await import("./commands/search.ts")).runSearch,
};

const INFO: CommandSpec = {
  name: "info",
  summary: "Show what the network knows of a file",
  positional: { name: "NAME|ROOT", min: 1, max: 1 },
  about: [
    "Asks the network and the directories, and prints for each file of the name: size, type, " +
    "root, SHA-256 where somebody knows it, how many nodes have it whole and in part, and who " +
    "said so. Two files may go by one name; both are shown. Exit code 3: nobody has it.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv info linux.iso", note: "what goes by this name" }],
  load: async () => (await import("./commands/info.ts")).runInfo,
};

const WHERE: CommandSpec = {
  name: "where",
  summary: "Show which nodes hold a file, and how busy they are",
  positional: { name: "NAME|ROOT", min: 1, max: 1 },
  about: [
    "A line for each node that holds the file or a part of it, the least busy first: address, " +
    "load (100% is fully loaded; - where only the flood knows the node), share of the chunks, who " +
    "said so, node id, root. Exit code 3: nobody has it.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv where linux.iso", note: "who has it" }],
  load: async () => (await import("./commands/where.ts")).runWhere,
};

const PUSH: CommandSpec = {
  name: "push",
  summary: "Give a file to another node",
  positional: { name: "NAME|ROOT [PEER]", min: 1, max: 2 },
  about: [
    "The daemon offers one of its files to the node at PEER (HOST:PORT; the port is 8048 if left " +
    "out); without PEER, to nodes that a directory names. A node takes files only within what its " +
    "daemon was allowed by --accept-uploads. Prints what each node answers, and how it ended. " +
    "Exit code 1: no node has the file whole in the end.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [
    { line: "pacsrv push linux.iso 10.0.0.7", note: "to this node" },
    { line: "pacsrv push linux.iso", note: "to one that a directory names" },
  ],
  load: async () => (await import("./commands/push.ts")).runPush,
};

const FILES: CommandSpec = {
  name: "files",
  summary: "List the files that another node offers",
  positional: { name: "PEER", min: 1, max: 1 },
  about: [
    "Asks the node at PEER (HOST:PORT; the port is 8048 if left out) and prints a line for each " +
    "file: name, size, chunks that are there, root.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv files 10.0.0.7", note: "what this node offers" }],
  load: async () => (await import("./commands/files.ts")).runFiles,
};

const PEERS: CommandSpec = {
  name: "peers",
  summary: "List the nodes that the daemon has links with",
  about: ["A line for each link: address, who opened it, round trip, age, node id."],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv peers", note: "who is connected" }],
  load: async () => (await import("./commands/peers.ts")).runPeers,
};

const STATUS: CommandSpec = {
  name: "status",
  summary: "Show the state of the daemon, or of a directory",
  about: [
    "The node, its files and by what they are trusted, its counters since the start, what it " +
    "saved the mirrors, its gateway, the databases of pacman that it reads, the directories that " +
    "it was told of, the fetches in progress with their sources and the chunks that are here, " +
    "and the uploads.",
    "A file is trusted by: sync-db, a repository's database has its SHA-256; sha256 or root, " +
    "somebody gave that; mirror, a mirror gave it; peers, most of them offered it; local, it is " +
    "shared by this machine. What a database names goes to nobody while it is unchecked, nor " +
    "when it is contradicted.",
  ],
  flags: [
    CLIENT,
    JSON_LINES,
    {
      name: "files",
      help: "One line a file instead: by what it is trusted, size, name, path.",
    },
    {
      name: "directory",
      value: "HOST:PORT",
      help: "Ask this directory instead of the daemon: its clients, files, questions, and since " +
        "when it runs. The port is 8047 if left out.",
    },
    ...NETWORK_NAME.map((flag) => ({ ...flag, help: `With --directory: ${flag.help}` })),
  ],
  examples: [
    { line: "pacsrv status", note: "how it goes" },
    { line: "pacsrv status --files", note: "by what each file is trusted" },
    { line: "pacsrv status --directory 10.0.0.2", note: "what a directory knows" },
  ],
  load: async () => (await import("./commands/status.ts")).runStatus,
};

const EXPLAIN: CommandSpec = {
  name: "explain",
  summary: "Tell how a file came: who gave which bytes, and why",
  positional: { name: "NAME|ROOT", min: 1, max: 1 },
  about: [
    "For each fetch of the name or root that the daemon remembers, the last one first: when and " +
    "how it ended, by what the file is trusted, who gave how much of it, what was decided on the " +
    `way and why, and what that saved the mirrors. The last ${limits.fetchRecordsMax} fetches are ` +
    "remembered. Exit code 3: none of this name or root is.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv explain linux.iso", note: "where this file came from" }],
  load: async () => (await import("./commands/explain.ts")).runExplain,
};

const VERIFY: CommandSpec = {
  name: "verify",
  summary: "Read files again and check every chunk",
  positional: { name: "NAME|ROOT", min: 0, max: 1 },
  about: [
    "The daemon reads the files of this name or root, or all of them, from disk and checks each " +
    "chunk; what is rotten is withdrawn. Exit code 4: something was.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv verify", note: "check everything" }],
  load: async () => (await import("./commands/verify.ts")).runVerify,
};

const DOCTOR: CommandSpec = {
  name: "doctor",
  summary: "Look for what is wrong with the setup, and say what to change",
  about: [
    "Looks at the daemon, its ports, peers, directories, data directory and shared paths, at the " +
    "databases of pacman, at the gateway and whether the configuration of pacman uses it, at " +
    "clock and disk. A line for each: ok, note, warning or problem, and under it what to change. " +
    "Changes nothing itself. Run it as root, or as the daemon's user, to have it see everything.",
    "Exit code 0: no problem was found. 1: there are problems.",
  ],
  flags: [
    {
      name: "config",
      value: "FILE",
      defaultText: "none; what the daemon says of itself",
      help: "The configuration file that the daemon is run with.",
    },
    {
      name: "pacman-conf",
      value: "FILE",
      default: "/etc/pacman.conf",
      help: "The configuration of pacman; where there is none, nothing is said of pacman.",
    },
    {
      name: "client",
      value: "HOST:PORT",
      defaultText: "as the file of --config says, else 127.0.0.1:8049",
      help: CLIENT.help,
    },
    JSON_LINES,
  ],
  examples: [
    { line: "pacsrv doctor --config /etc/pacsrv.toml", note: "look at everything" },
  ],
  load: async () => (await import("./doctor/doctor.ts")).runDoctor,
};

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  DAEMON,
  DIRECTORY,
  FETCH,
  SHARE,
  UNSHARE,
  LIST,
  SEARCH,
  INFO,
  WHERE,
  PUSH,
  FILES,
  PEERS,
  EXPLAIN,
  STATUS,
  VERIFY,
  DOCTOR,
];

/**
 * The command of a name.
 *
 * @throws {UsageError} when there is none, with the nearest one.
 */
export async function findCommand(name: string): Promise<CommandSpec> {
  const command = COMMANDS.find((command) => command.name === name);
  if (command !== undefined) return command;
  const names = [...COMMANDS.map((command) => command.name), "help"];
  const nearest = await suggestion(name, [...names, "--version", "--help"]);
  const list = `The commands are ${names.join(", ")}.`;
  throw new UsageError(`Cannot run pacsrv ${JSON.stringify(name)}: there is no such command`, {
    hint: nearest === undefined ? list : `Did you mean "pacsrv ${nearest}"? ${list}`,
  });
}
