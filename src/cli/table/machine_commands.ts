/** The commands that tell of this machine: its daemon, its fetches, its setup. */

import { limits } from "../../base/limits.ts";
import { LOG_LEVELS } from "../../base/log.ts";
import { type CommandSpec, flag } from "../arguments/arguments.ts";
import { DAEMON, DIRECTORY } from "./service_commands.ts";
import { CLIENT, JSON_LINES, NETWORK_NAME, WIDE } from "./shared_flags.ts";

export const STATUS: CommandSpec = {
  name: "status",
  summary: "Show the state of the daemon, or of a directory",
  about: [
    "Shows the node, its files by trust, its counters, where the bytes of all fetches came from " +
    "and how many the mirrors (origins) did not have to send, the gateway, the pacman databases, " +
    "the directories (trackers), running fetches with their sources and chunks, files in flight, and " +
    "uploads.",
    "A file is in flight while it comes from mirrors: the nodes that get it at the same time share " +
    "it, and each reads a part from its mirror. For each: how much is here, which part this node " +
    "reads, and what the others have and gave. copies says what mirrors sent over what came, since " +
    "the start and over all runs: 1.00 if they sent all of it once. Added up over the machines that " +
    "got the same files it says how often the line to the mirror carried them.",
    "Trust says what a file is trusted by. sync-db: a pacman database has its SHA-256. sha256, " +
    "root: a fetch required that value. mirror: a mirror sent it, or agrees. peers: most nodes " +
    "offered it. local: it is shared by this machine. unchecked: a database names it, and it is " +
    "not compared yet. contradicted: it differs from the database. damaged: its content changed " +
    "though its time did not. Files that are unchecked, contradicted or damaged are not offered.",
    "served counts the whole files that other nodes got from here; messages counts searches and " +
    "answers sent over links. Counters start at 0 with the daemon, except those marked over all " +
    "runs.",
    "For each node that the daemon was told of (--peer): whether there is a link with it, or since " +
    "when there is none, and why. For each directory: whether the last contact was answered, whether it can connect to this " +
    "node, and how many files of this node it lists. --directory asks a directory itself, without " +
    "a daemon: its clients, files, query count and refusals.",
  ],
  flags: [
    CLIENT,
    JSON_LINES,
    WIDE,
    flag("--files", {
      help: "Print one line per file instead: trust, size, name, path.",
    }),
    flag("--watch", {
      help:
        "Show it again each second until Ctrl-C: in place on a terminal; with --json, and where " +
        "the output is no terminal, as one JSON object per line.",
    }),
    flag("--directory HOST:PORT", {
      help: "Ask this directory instead of the daemon. The default port is 8047.",
    }),
    ...NETWORK_NAME.map((flag) => ({ ...flag, help: `With --directory: ${flag.help}` })),
  ],
  examples: [
    { line: "pacsrv status", note: "the daemon" },
    { line: "pacsrv status --watch", note: "the daemon, again each second" },
    { line: "pacsrv status --files", note: "what each file is trusted by" },
    { line: "pacsrv status --directory 10.0.0.2", note: "a directory" },
  ],
  load: async () => (await import("../commands/status.ts")).runStatus,
};

export const TOP: CommandSpec = {
  name: "top",
  summary: "Watch the daemon on the whole terminal",
  about: [
    "Shows on the whole terminal, again each second: what is wrong and what to do about it, files on " +
    "their way here with a bar for each source, those on their way to others, what was saved in each of " +
    "the last 24 hours, links and directories (trackers). It is what the page of --metrics shows in a " +
    "browser. What there is no room for is counted.",
    "q or Ctrl-C ends it. Without a terminal it is an error: status --watch --json prints lines.",
  ],
  flags: [CLIENT],
  examples: [{ line: "pacsrv top", note: "what this machine is doing" }],
  takesSignals: true,
  load: async () => (await import("../overview/top.ts")).runTop,
};

export const EXPLAIN: CommandSpec = {
  name: "explain",
  summary: "Show how a file was fetched: providers, decisions, bytes",
  positional: { name: "NAME|ROOT", min: 1, max: 1 },
  about: [
    "For each remembered fetch of the name or root, the last one first: when and how it ended, " +
    "what the file is trusted by, which provider sent which chunks, what was decided and why, the " +
    "time to the first byte, how many bytes the mirrors (origins) did not have to send, and why one " +
    "was asked. Of a file that several nodes got at the same time it says which part this node read " +
    "from its mirror, and from whom it took over. Bytes " +
    "that turned out to be wrong are listed as thrown away, with their provider. A " +
    "running fetch shows its state so far. A rejected root from the log also finds its fetch.",
    `The daemon remembers the last ${limits.fetchRecordsMax} fetches, failed ones and the gateway's ` +
    "included, across restarts. Exit code 3: no fetch of that name or root is remembered.",
  ],
  flags: [CLIENT, JSON_LINES, WIDE],
  examples: [{ line: "pacsrv explain linux.iso", note: "where this file came from" }],
  load: async () => (await import("../commands/explain.ts")).runExplain,
};

export const DOCTOR: CommandSpec = {
  name: "doctor",
  summary: "Check the setup of this machine, and say what to change",
  about: [
    "Checks the daemon, its ports (whether linked nodes can connect to it, and whether others can " +
    "use the client or gateway port), links and directories (trackers), the data directory and its " +
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
  load: async () => (await import("../doctor/doctor.ts")).doctorFor(DAEMON),
};

export const LOG_LEVEL: CommandSpec = {
  name: "log",
  summary: "Show or change the log level of the daemon",
  positional: { name: LOG_LEVELS.join("|"), min: 0, max: 1 },
  about: [
    "Without a level, prints the lowest level that the daemon logs. With one, changes it, and prints " +
    "both. It holds until the daemon is started again, or reads its settings again (SIGHUP); " +
    "log-level in its configuration is for good. Only the user that runs the daemon may change it.",
  ],
  flags: [CLIENT, JSON_LINES],
  examples: [
    { line: "pacsrv log debug", note: "log everything for a while" },
    { line: "pacsrv log", note: "show the level" },
  ],
  load: async () => (await import("../commands/log.ts")).runLog,
};

export const CONFIG_CHECK: CommandSpec = {
  name: "config",
  summary: "Check a configuration file before it is used",
  positional: { name: "check [FILE]", min: 1, max: 2 },
  about: [
    "Reads the file as a service would, and prints all that is wrong with it: the line where it is " +
    "known, the key, what is allowed, and the nearest key to one that there is not. Exit code 2 " +
    "then, 0 where all is right. It changes nothing and asks no daemon. FILE is /etc/pacsrv.toml if " +
    "none is named.",
    'What the keys mean says "pacsrv help config".',
  ],
  flags: [
    flag("--service daemon|directory", {
      default: "daemon",
      help: "What the file is for: their keys differ.",
    }),
    JSON_LINES,
  ],
  examples: [
    { line: "pacsrv config check", note: "the file of the package" },
    { line: "pacsrv config check new.toml", note: "another file, before it is put in its place" },
  ],
  load: async () => {
    const { configOf } = await import("../commands/config.ts");
    return configOf({ daemon: DAEMON, directory: DIRECTORY });
  },
};
