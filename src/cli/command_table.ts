/**
 * Every command with its flags, in the order of the help. The parser, the help texts, COMMANDS.md,
 * the man pages, the shell completions, the suggestions and the keys of the configuration file all
 * come from here. The code of a command is loaded only when it runs.
 */

import { UsageError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type CommandSpec, flag, type FlagSpec, SHELLS } from "./arguments/arguments.ts";
import { suggestion } from "./arguments/suggest.ts";

const CLIENT = flag("--client HOST:PORT", {
  default: "127.0.0.1:8049",
  help: "Where the daemon serves its clients.",
});

const JSON_LINES = flag("--json", {
  help: "Print one JSON object per line, for programs.",
});

const SYNC_DB = flag("--sync-db DIR", {
  help: "Directory of pacman's sync databases, /var/lib/pacman/sync on Arch Linux. A file that " +
    "they name must have the size and SHA-256 that they give.",
});

/** Which network to join. */
const NETWORK_NAME: readonly FlagSpec[] = [
  flag("--network NAME", {
    default: "pacsrv",
    help: "Name of the network. Nodes with another name are ignored.",
  }),
  flag("--network-key-file FILE", {
    help: `File with the network's secret, ${limits.networkKeyBytesMin} to ` +
      `${limits.networkKeyBytesMax} bytes. Only nodes that hold the same secret can join.`,
  }),
];

const NETWORK: readonly FlagSpec[] = [
  ...NETWORK_NAME,
  flag("--ttl N", {
    default: String(limits.ttlDefault),
    help: `How many more links a search travels after the first, 0 to ${limits.ttlMax}. 0 asks ` +
      "the neighbours only.",
  }),
  flag("--no-callback", {
    help: "Tell others that they cannot connect to this node, for example behind NAT. Holders " +
      "then answer over the links without trying to connect, and this node connects to them.",
  }),
];

const PEER = flag("--peer HOST:PORT", {
  repeatable: true,
  help: "A node to keep a link with. Repeatable. The default port is 8048.",
});

const DIRECTORIES = flag("--directory HOST:PORT", {
  repeatable: true,
  help: "A directory (tracker) that learns what this node offers, and that searches ask. " +
    "Repeatable. The default port is 8047.",
});

const CONFIG = flag("--config FILE", {
  help: 'TOML file with any of these settings. Flags override it. "pacsrv help config" shows an ' +
    "example.",
});

const LOG: readonly FlagSpec[] = [
  flag("--log-level debug|info|warn|error", {
    default: "info",
    help: "Lowest level that is logged.",
  }),
  flag("--log-format text|json", {
    default: "text",
    help: "Log lines for people, or one JSON object per line.",
  }),
];

const DAEMON: CommandSpec = {
  name: "daemon",
  summary: "Run a node: share files, find files on other nodes, serve this machine's clients",
  about: [
    "Runs until SIGTERM or SIGINT, and then ends within 2 s. When its ports accept connections, " +
    'and not before, it prints one line on stdout: "ready node=HOST:PORT client=HOST:PORT ' +
    'id=HEX", followed by "gateway=HOST:PORT" if there is a gateway. The log goes to stderr. ' +
    "SIGHUP rescans the shared directories; changes are noticed without it, too.",
    "To join a network, name one of its nodes with --peer: the daemon learns of others from it. " +
    "Name directories (trackers) with --directory.",
    "Sharing never copies: files stay where they are. Files fetched through the daemon are kept " +
    "in the data directory and offered to others.",
    "--gateway serves HTTP, so that pacman can use it as CacheServer or as the first Server: it " +
    "has what other nodes have, and answers 404 for the rest. With --mirror it also gets the " +
    "rest, and all databases, from the mirrors (origins).",
  ],
  flags: [
    flag("--data DIR", {
      defaultText: "/var/lib/pacsrv for root, else $XDG_DATA_HOME/pacsrv",
      help: "Directory for downloads, catalogue and token. Created if missing.",
    }),
    flag("--node HOST:PORT", {
      defaultText: "port 8048 on all addresses",
      help: "Address for other nodes. Port 0 picks a free port.",
    }),
    {
      ...CLIENT,
      help: "Address for clients on this machine. Port 0 picks a free port.",
    },
    PEER,
    DIRECTORIES,
    flag("--share PATH", {
      repeatable: true,
      help: "A file or directory to offer to others. Repeatable.",
    }),
    ...NETWORK,
    flag("--min-connections N", {
      default: String(limits.linksMin),
      help:
        "With fewer links than this, the node also dials nodes that it hears of. 0: only those " +
        "named by --peer.",
    }),
    flag("--max-connections N", {
      default: String(limits.linksMax),
      help: `Most links to other nodes, 1 to ${limits.linksCeiling}. Transfers do not count.`,
    }),
    flag("--accept-uploads BYTES", {
      default: "0",
      help:
        "Accept files that others push, up to this size of the data directory (500M, 2G). All " +
        "downloads count. 0 accepts none. Nothing is removed to make room.",
    }),
    flag("--max-load N", {
      default: String(limits.uploadsLoadedDefault),
      help: "Number of concurrent uploads at which directories list this node last. It still " +
        "refuses nobody.",
    }),
    flag("--gateway HOST:PORT", {
      defaultText: "none",
      help: "Address for HTTP clients such as pacman. The default host is 127.0.0.1, the default " +
        "port 8050. Port 0 picks a free port. Anyone who can connect can get any file: listen " +
        "beyond this machine only on networks that you trust.",
    }),
    flag("--mirror URL", {
      repeatable: true,
      help: "A mirror (origin) behind the gateway, http or https, as in a mirrorlist: $repo and " +
        "$arch are replaced. Without them the requested path is appended. Repeatable; the first " +
        "is tried first.",
    }),
    SYNC_DB,
    flag("--gateway-wait SECONDS", {
      default: String(limits.gatewayWaitMs / 1000),
      help: "How long the gateway searches before it answers that nobody has the file, up to " +
        `${limits.gatewayWaitMsMax / 1000}.`,
    }),
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
      note: "read settings from a file, but log everything",
    },
    {
      line: "pacsrv daemon --gateway 127.0.0.1 --sync-db /var/lib/pacman/sync " +
        "--share /var/cache/pacman/pkg",
      note: "serve the packages of other nodes to pacman, and share its cache with them",
    },
  ],
  load: async () => (await import("./commands/service.ts")).runDaemon,
};

const DIRECTORY: CommandSpec = {
  name: "directory",
  summary: "Run a directory (tracker): tell nodes which nodes have a file",
  about: [
    "Nodes started with --directory tell it what they offer, and ask it while they search over " +
    "their links. It keeps everything in memory and writes no file: stop and start it at any " +
    "time, and it knows everything again after one --refresh. A network may have none, one, or " +
    "many.",
    "Runs until SIGTERM or SIGINT. When it accepts connections it prints one line on stdout: " +
    '"ready directory=HOST:PORT id=HEX". The log goes to stderr.',
  ],
  flags: [
    flag("--listen HOST:PORT", {
      defaultText: "port 8047 on all addresses",
      help: "Address for nodes. Port 0 picks a free port.",
    }),
    ...NETWORK_NAME,
    flag("--replicas N", {
      default: String(limits.replicasDefault),
      help: "Whole copies of a popular file to aim for, up to " +
        `${limits.replicasMax}: nodes with room are asked to take copies. 0: no copies are made, ` +
        "and load does not order the nodes.",
    }),
    flag("--refresh SECONDS", {
      default: String(limits.directoryRefreshMs / 1000),
      help: "How often a node reports, " +
        `${limits.directoryRefreshMsMin / 1000} to ${
          limits.directoryRefreshMsMax / 1000
        }. A node ` +
        `that is silent for ${limits.directoryMissedMax} times as long is asked once, then ` +
        "forgotten.",
    }),
    flag("--max-queries N", {
      default: String(limits.directoryQueriesPerSecond),
      help: "Queries per second from one address. A search counts as " +
        `${limits.directorySearchCost}, or more if it compares or returns much.`,
    }),
    CONFIG,
    ...LOG,
  ],
  examples: [
    { line: "pacsrv directory", note: "serve the default network" },
    {
      line: "pacsrv directory --network office --network-key-file office.key --replicas 2",
      note: "only nodes with the key; two copies of popular files",
    },
  ],
  load: async () => (await import("./commands/service.ts")).runDirectory,
};

const FETCH: CommandSpec = {
  name: "fetch",
  summary: "Get a file from the network",
  positional: { name: "NAME|ROOT|URL", min: 0, max: 1 },
  about: [
    "Asks the daemon of this machine. Without a daemon, or with --alone, the command runs a node " +
    "of its own for the duration of the fetch, which asks the nodes named by --peer and the " +
    "directories (trackers) named by --directory. Every chunk is verified as it arrives.",
    "NAME is a label that anyone may use; ROOT, 64 hexadecimal digits, identifies the content. " +
    "--root, --sha256 or --size say which file of the name is meant. Without them, the file that " +
    "a directory names is taken, else the one that most nodes offer.",
    "A URL (http, https or file) gives the name, its last path segment, and a server (mirror, or " +
    "origin) to use if no node has the file or the nodes are slow. Without a daemon, or when the " +
    "daemon fails for a reason other than the file, the file comes directly from the URL: " +
    "FILE.part is resumed, redirects are followed, and http_proxy, https_proxy and no_proxy are " +
    "used. A file that the daemon refused, or that no mirror has, comes from the URL only if " +
    "--root, --sha256 or --sync-db can check it. pacman's databases (.db, .files) always come " +
    "directly from the URL. A user name and password in a URL go to that server and into no " +
    "message. For pacman: " +
    '"XferCommand = /usr/bin/pacsrv fetch %u -o %o".',
    "Without -o the file goes to the current directory under its name. That replaces a file of " +
    "the name that you typed, but never a file whose name came from the network.",
    "The output appears complete or not at all: it is written under a hidden name next to its " +
    "destination and renamed at the end. -o FILE.part is the exception: it is written in place, " +
    "existing bytes are checked and used, and it stays if the fetch fails.",
    'With --json each event is one line on stdout, with the key "event": searching, found, ' +
    "restarted (now following another file of that name), progress, and finally done, with the " +
    "bytes from each provider, or failed, with the exit code.",
  ],
  flags: [
    flag("-o, --output FILE|-", {
      defaultText: "./NAME",
      help: "Output file, or an existing directory. FILE.part is written in place, resumed, and " +
        "kept on failure. - is stdout, which gets the bytes once all are verified.",
    }),
    flag("--root HEX", { help: "The file's identity: its BitTorrent v2 pieces root." }),
    flag("--sha256 HEX", { help: "SHA-256 that the file must have." }),
    flag("--size BYTES", { help: "Size that the file must have." }),
    { ...SYNC_DB, help: `${SYNC_DB.help} A daemon uses its own instead.` },
    flag("--chunks FIRST-LAST", {
      help: "Only these chunks of 16,384 bytes, counted from 0: into the daemon's store or, with " +
        "-o, into a file of just those bytes (never resumed).",
    }),
    flag("--timeout SECONDS", {
      defaultText: "none; a search without offers ends after 5 s",
      help: "Time limit for the whole fetch.",
    }),
    { ...JSON_LINES, help: "Print events as JSON, one object per line, on stdout." },
    flag("-q, --quiet", { help: "Print nothing but errors." }),
    CLIENT,
    flag("--alone", {
      help: "Use no daemon: run a node in this process. Needs --peer or --directory; without " +
        "them a URL is fetched without a node.",
    }),
    { ...PEER, help: "A node to ask, without a daemon. Repeatable." },
    { ...DIRECTORIES, help: "A directory (tracker) to ask, without a daemon. Repeatable." },
    flag("--node HOST:PORT", {
      defaultText: "a free port on all addresses",
      help: "Without a daemon: address where the nodes that have the file connect.",
    }),
    ...NETWORK,
  ],
  examples: [
    { line: "pacsrv fetch linux.iso", note: "fetch a file into this directory" },
    { line: "pacsrv fetch linux.iso -o /srv/ --sha256 HEX", note: "the one with this SHA-256" },
    {
      line: "pacsrv fetch linux.iso --alone --peer 10.0.0.2:8048",
      note: "without a daemon, from one node",
    },
    { line: "pacsrv fetch backup.tar -o - | tar x", note: "into a pipe" },
    {
      line: "pacsrv fetch https://mirror.example.org/iso/linux.iso",
      note: "from other nodes, or from this URL",
    },
  ],
  load: async () => (await import("./commands/fetch.ts")).runFetch,
};

const SHARE: CommandSpec = {
  name: "share",
  summary: "Offer files or directories to others",
  positional: { name: "PATH...", min: 1, max: Infinity },
  about: [
    "The daemon shares these paths from now on, and after a restart. Nothing is copied. A " +
    "directory is shared with everything below it, and changes in it are noticed. Symbolic links " +
    "to files are followed; links to directories below a share are not. Files whose names end in " +
    ".part are skipped. Needs read access to the daemon's data directory.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv share ~/isos notes.pdf", note: "share a directory and a file" }],
  load: async () => (await import("./commands/files.ts")).runShare,
};

const UNSHARE: CommandSpec = {
  name: "unshare",
  summary: "Stop offering a file or a directory",
  positional: { name: "NAME|ROOT|PATH", min: 1, max: 1 },
  about: [
    "The daemon stops offering it. A shared file stays where it is; a downloaded file is removed " +
    "from the daemon's store. An argument that contains a slash, or is . or .., is a path. A file " +
    "inside a shared directory is excluded from then on. Needs read access to the daemon's data " +
    "directory.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [
    { line: "pacsrv unshare ~/isos/", note: "stop sharing a directory" },
    { line: "pacsrv unshare notes.pdf", note: "stop sharing the files of this name" },
  ],
  load: async () => (await import("./commands/files.ts")).runUnshare,
};

const LIST: CommandSpec = {
  name: "list",
  summary: "List the daemon's files, and which chunks of them are here",
  about: [
    "One line per location of a file: name, size, chunks that are here, kind (shared, downloaded " +
    "or partial), trust (see pacsrv help status), root, path.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv list --json", note: "for a program" }],
  load: async () => (await import("./commands/files.ts")).runList,
};

const SEARCH: CommandSpec = {
  name: "search",
  summary: "Ask the network which files match a pattern",
  positional: { name: "GLOB", min: 1, max: 1 },
  about: [
    "Floods the pattern over the links, asks the directories (trackers), and prints each file " +
    "once: name, size, how many nodes have it whole and in part, who named it (here: this node; " +
    "flood: nodes, over the links; or the address of a directory), root. In the pattern, * matches " +
    "any run of characters and ? any single character; quote it, so that the shell does not expand " +
    "it. Ends after 2 s without an answer, or after 5 s. Exit code 3: nothing matches.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv search '*.iso'", note: "all names that end in .iso" }],
  load: async () => (await import("./commands/network.ts")).runSearch,
};

const INFO: CommandSpec = {
  name: "info",
  summary: "Show what the network knows about a file",
  positional: { name: "NAME|ROOT", min: 1, max: 1 },
  about: [
    "Asks the nodes and the directories (trackers), as search does, and prints for each file of " +
    "that name, the most widely held first: size, type, root, SHA-256 if known, how many nodes have " +
    "it whole and in part, and who named it. A SHA-256 is known if fetch --sha256 checked it; " +
    "directories pass it on. The node counts are lower bounds: a directory and the flood may count " +
    "the same nodes, so the greater number is shown. Exit code 3: nobody has it.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv info linux.iso", note: "the files of this name" }],
  load: async () => (await import("./commands/network.ts")).runInfo,
};

const WHERE: CommandSpec = {
  name: "where",
  summary: "Show which nodes have a file, and how busy they are",
  positional: { name: "NAME|ROOT", min: 1, max: 1 },
  about: [
    "One line per node that has the file or part of it, the least busy first: address, load (100% " +
    "is fully loaded, see --max-load of the daemon; - if no directory (tracker) reported it), share " +
    "of the chunks, rounded down, who named it, node id, root. A node that is not reachable " +
    "provides files only over connections that it opens. Exit code 3: nobody has it.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv where linux.iso", note: "who has it" }],
  load: async () => (await import("./commands/network.ts")).runWhere,
};

const PUSH: CommandSpec = {
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
  load: async () => (await import("./commands/push.ts")).runPush,
};

const FILES: CommandSpec = {
  name: "files",
  summary: "List the files that another node offers",
  positional: { name: "PEER", min: 1, max: 1 },
  about: [
    "Asks the node at PEER (HOST:PORT, default port 8048) and prints one line per file: name, " +
    "size, chunks that are there, root.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv files 10.0.0.7", note: "what this node offers" }],
  load: async () => (await import("./commands/files.ts")).runFiles,
};

const PEERS: CommandSpec = {
  name: "peers",
  summary: "List the nodes that the daemon is linked with",
  about: [
    "One line per link: address, who opened it, where the node listens, round trip, age, node id.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv peers", note: "who is connected" }],
  load: async () => (await import("./commands/network.ts")).runPeers,
};

const STATUS: CommandSpec = {
  name: "status",
  summary: "Show the state of the daemon, or of a directory",
  about: [
    "Shows the node, its files by trust, its counters, where the bytes of all fetches came from " +
    "and how many the mirrors (origins) did not have to send, the gateway, the pacman databases, " +
    "the directories (trackers), running fetches with their sources and chunks, and uploads.",
    "Trust says what a file is trusted by. sync-db: a pacman database has its SHA-256. sha256, " +
    "root: a fetch required that value. mirror: a mirror sent it, or agrees. peers: most nodes " +
    "offered it. local: it is shared by this machine. unchecked: a database names it, and it is " +
    "not compared yet. contradicted: it differs from the database. Files that are unchecked or " +
    "contradicted are not offered.",
    "served counts the whole files that other nodes got from here; messages counts searches and " +
    "answers sent over links. Counters start at 0 with the daemon, except those marked over all " +
    "runs.",
    "For each directory: whether the last contact was answered, whether it can connect to this " +
    "node, and how many files of this node it lists. --directory asks a directory itself, without " +
    "a daemon: its clients, files, query count and refusals.",
  ],
  flags: [
    CLIENT,
    JSON_LINES,
    flag("--files", {
      help: "Print one line per file instead: trust, size, name, path.",
    }),
    flag("--directory HOST:PORT", {
      help: "Ask this directory instead of the daemon. The default port is 8047.",
    }),
    ...NETWORK_NAME.map((flag) => ({ ...flag, help: `With --directory: ${flag.help}` })),
  ],
  examples: [
    { line: "pacsrv status", note: "the daemon" },
    { line: "pacsrv status --files", note: "what each file is trusted by" },
    { line: "pacsrv status --directory 10.0.0.2", note: "a directory" },
  ],
  load: async () => (await import("./commands/status.ts")).runStatus,
};

const EXPLAIN: CommandSpec = {
  name: "explain",
  summary: "Show how a file was fetched: providers, decisions, bytes",
  positional: { name: "NAME|ROOT", min: 1, max: 1 },
  about: [
    "For each remembered fetch of the name or root, the last one first: when and how it ended, " +
    "what the file is trusted by, which provider sent which chunks, what was decided and why, the " +
    "time to the first byte, and how many bytes the mirrors (origins) did not have to send. Bytes " +
    "that turned out to be wrong are listed as thrown away, with their provider. A " +
    "running fetch shows its state so far. A rejected root from the log also finds its fetch.",
    `The daemon remembers the last ${limits.fetchRecordsMax} fetches, failed ones and the gateway's ` +
    "included, across restarts. Exit code 3: no fetch of that name or root is remembered.",
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
    "The daemon reads the files with this name or root, or all of them, from disk and checks each " +
    "chunk. A damaged shared file is no longer offered; of a damaged downloaded file the good " +
    "chunks are kept, and the next fetch gets the rest. Needs read access to the daemon's data " +
    "directory. Exit code 4: something was damaged.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [{ line: "pacsrv verify", note: "check everything" }],
  load: async () => (await import("./commands/files.ts")).runVerify,
};

const DOCTOR: CommandSpec = {
  name: "doctor",
  summary: "Check the setup of this machine, and say what to change",
  about: [
    "Checks the daemon, its ports, links and directories (trackers), the data directory and its " +
    "disk, read access to shared paths and pacman's databases, the gateway and whether pacman " +
    "uses it, the mirrors (origins) that --config names, and the clock. Prints one line per check " +
    "(ok, note, warning or problem) and below it what to change, as a line to type or to put into " +
    "a file. Changes nothing. Run it as root or as the daemon's user; other users cannot check " +
    "everything.",
    "Exit code 0: no problem found. 1: there are problems.",
  ],
  flags: [
    flag("--config FILE", {
      defaultText: "none; the daemon's own answers",
      help: "The daemon's configuration file.",
    }),
    flag("--pacman-conf FILE", {
      default: "/etc/pacman.conf",
      help: "pacman's configuration. Without that file, pacman is not checked.",
    }),
    flag("--client HOST:PORT", {
      defaultText: "from --config, else 127.0.0.1:8049",
      help: CLIENT.help,
    }),
    JSON_LINES,
  ],
  examples: [
    { line: "pacsrv doctor --config /etc/pacsrv.toml", note: "check everything" },
  ],
  load: async () => (await import("./doctor/doctor.ts")).doctorFor(DAEMON),
};

const COMPLETIONS: CommandSpec = {
  name: "completions",
  summary: "Print a script that completes pacsrv command lines in a shell",
  positional: { name: SHELLS.join("|"), min: 1, max: 1 },
  about: [
    "Prints the completion script of a shell on stdout. It completes commands, flags, their values " +
    "where these are a fixed list, and paths.",
    "bash: put it into ~/.local/share/bash-completion/completions/pacsrv, or source it from " +
    "~/.bashrc. zsh: put it as _pacsrv into a directory of $fpath. fish: put it into " +
    "~/.config/fish/completions/pacsrv.fish. The package for Arch Linux and the task install do so.",
  ],
  flags: [],
  examples: [
    {
      line: "pacsrv completions fish > ~/.config/fish/completions/pacsrv.fish",
      note: "for fish",
    },
    { line: "source <(pacsrv completions bash)", note: "for this bash" },
  ],
  load: async () => (await import("./completion_script.ts")).completionsOf(COMMANDS),
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
  COMPLETIONS,
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
