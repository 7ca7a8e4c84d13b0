/** The command that gets files. */

import { limits } from "../../base/limits.ts";
import { type CommandSpec, flag } from "../arguments/arguments.ts";
import {
  CLIENT,
  DIRECTORIES,
  JSON_LINES,
  MIRROR_DELAY,
  NETWORK,
  PEER,
  SYNC_DB,
} from "./shared_flags.ts";

export const FETCH: CommandSpec = {
  name: "fetch",
  summary: "Get a file from the network",
  positional: { name: "NAME|ROOT|URL", min: 0, max: 1 },
  about: [
    "Asks the daemon of this machine. Without a daemon, or with --alone, the command runs a node " +
    "of its own for the duration of the fetch, which asks the nodes named by --peer and the " +
    "directories (trackers) named by --directory. Every chunk is verified as it arrives.",
    "NAME is a label that anyone may use; ROOT, 64 hexadecimal digits, identifies the content. " +
    "--root, --sha256 or --size say which file of the name is meant. Without them, the file that " +
    "a directory names is taken, else the one that most nodes offer; where several go by the name, " +
    "standard error says which one it is and why, and has the command that fetches each of the " +
    "others (with --json the event choice: root, sizeBytes, why, nodes, others with their command, " +
    "and more, the number of those that are not named). If the daemon has a file of the name, it takes " +
    "that and asks no other node: standard error says so, and of others only those that are here as " +
    "well are named (with --json, the event done has no sources and no mirrors then). A file that another node is just " +
    "getting from a mirror is waited for, as long as it comes further there.",
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
    "--match gets all files of the network whose names match a pattern (see pacsrv help search), " +
    `${limits.matchFetchesAtOnce} at a time, each as fetch NAME would get it, into the directory of ` +
    "-o or this one. A file that is there already is left as it is, and named. With more than " +
    `${limits.matchedFilesMax} matches nothing is fetched without --all. If files fail, the rest is ` +
    "fetched all the same; the exit code is that of the failures, or 1 if they differ. A NAME with * " +
    "or ? in it is taken for a pattern and refused, unless --root, --sha256 or --size are given.",
    'With --json each event is one line on stdout, with the key "event": searching (also how many ' +
    "nodes are just getting the file, and how much of it one has), found, " +
    "choice (several files go by the name), restarted (now following another one), progress (with stalled: null while bytes " +
    `come, else sinceMs, waitingFor and daemonSilent (not even a beat of the daemon came for ` +
    `${limits.daemonSilentMs / 1000} s), and bytesPerSecond 0, after ${
      limits.fetchStalledMs / 1000
    } s or, on a slow ` +
    "line, after the time of two chunks), and finally done, with the bytes from each provider, or " +
    "failed, with the exit code. With --match each of them has file, matched comes first (with " +
    "files, and what the search left out), skipped says what was there, and finished comes last, however it ends; a failed without file is of the search. If a signal ends the fetch, " +
    "interrupted comes before failed: the signal, bytesKept (at least so much is kept, and the " +
    "same command goes on from there) and bytesTotal (null if it is not known yet).",
  ],
  flags: [
    flag("-o, --output FILE|-", {
      defaultText: "./NAME",
      help: "Output file, or an existing directory. FILE.part is written in place, resumed, and " +
        "kept on failure. - is stdout, which gets the bytes once all are verified.",
    }),
    flag("--match GLOB", {
      help:
        "Get all files that match, instead of one: * is any run of characters, ? any single one.",
    }),
    flag("--all", {
      help: `With --match: get them even if they are more than ${limits.matchedFilesMax}.`,
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
      defaultText: "none; a search ends when all nodes say that they have nothing, or after 5 s",
      help: "Time limit for the whole fetch.",
    }),
    {
      ...MIRROR_DELAY,
      defaultText: "the daemon's",
    },
    flag("--background", {
      help: "Nobody waits for the file: without --mirror-delay, other nodes are given " +
        `${
          limits.backgroundDelayMs / 1000
        } s, or longer if the daemon gives them longer, before a ` +
        "mirror is asked.",
    }),
    { ...JSON_LINES, help: "Print events as JSON, one object per line, on stdout." },
    flag("-q, --quiet", {
      help: "Print nothing but errors, as for a job in the background of a terminal.",
    }),
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
    { line: "pacsrv fetch --match 'linux-*.zst' -o /srv/", note: "several files" },
    {
      line: "pacsrv fetch https://mirror.example.org/iso/linux.iso",
      note: "from other nodes, or from this URL",
    },
    {
      line: "pacsrv fetch --background https://mirror.example.org/iso/linux.iso",
      note: "the same for later: other nodes have time to give it",
    },
  ],
  takesSignals: true,
  load: async () => (await import("../commands/fetch.ts")).runFetch,
};
