/** The commands that run a service: a node, a directory. */

import { limits } from "../../base/limits.ts";
import { type CommandSpec, flag } from "../arguments/arguments.ts";
import {
  CLIENT,
  CONFIG,
  DIRECTORIES,
  LOG,
  METRICS,
  MIRROR_DELAY,
  NETWORK,
  NETWORK_NAME,
  PEER,
  SYNC_DB,
} from "./shared_flags.ts";

export const DAEMON: CommandSpec = {
  name: "daemon",
  summary: "Run a node: share files, find files on other nodes, serve this machine's clients",
  about: [
    "Runs until SIGTERM or SIGINT, and then ends within 2 s. When its ports accept connections, " +
    'and not before, it prints one line on stdout: "ready node=HOST:PORT client=HOST:PORT ' +
    'id=HEX", then "gateway=HOST:PORT" if there is a gateway, "metrics=HOST:PORT" if there is a ' +
    'port for monitors, then "shared=N": how many files it ' +
    "shares, those that it still has to hash included (status says how many these are; of a large " +
    "directory, what was found by then). The log goes to stderr. " +
    "SIGHUP rescans the shared directories (changes are noticed without it, too) and reads the " +
    "settings again: peer, discover, directory, share, mirror, gateway-name, accept-uploads, " +
    "relay-files, keep, min-free, keep-versions, the rates and log-level take effect at once and nothing in " +
    "flight breaks. The log says what changed and what " +
    "needs a restart; with an error in the file nothing changes.",
    "To join a network, name one of its nodes with --peer: the daemon learns of others from it. On a " +
    "LAN none has to be named: --discover all. " +
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
    {
      ...PEER,
      value: "HOST:PORT|srv:NAME",
      help: `${PEER.help} srv:NAME stands for nodes that DNS lists (SRV records of ` +
        "_pacsrv._tcp.NAME, looked up again every minute); " +
        `up to ${limits.srvPeersMax} of them are taken.`,
    },
    flag("--discover all|INTERFACE,...|none", {
      default: "none",
      help: "Find nodes of the same network on the LANs of this machine, and be found there, by " +
        "multicast DNS (UDP port 5353): on all interfaces, or on those named.",
    }),
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
        "downloads count. 0 accepts none. Nothing is removed to make room for them.",
    }),
    flag("--keep BYTES", {
      defaultText: "no limit",
      help: "What all downloads in the data directory may come to (500M, 20G). Before a fetch " +
        "begins, others go to make room for it, or it is refused: see pacsrv help clean. What is " +
        "shared in place does not count and is never removed.",
    }),
    flag("--min-free BYTES|N%", {
      defaultText: "none",
      help:
        "What shall stay free on the disk of the data directory, as bytes or as a part of it: " +
        "downloads go to make it so.",
    }),
    flag("--keep-versions N", {
      defaultText: "all",
      help: "Of each package keep only the newest N versions among the downloads, and those that " +
        "the databases of --sync-db name.",
    }),
    flag("--relay-files", {
      help:
        "Fetch files that linked nodes ask for because they cannot connect to those that have " +
        "them (both behind NAT, IPv4 and IPv6), and serve them like all others. Within " +
        "--accept-uploads, which it needs.",
    }),
    flag("--max-load N", {
      default: String(limits.uploadsLoadedDefault),
      help: "Number of concurrent uploads at which directories list this node last. It still " +
        "refuses nobody.",
    }),
    flag("--upload-rate RATE", {
      default: "unlimited",
      help:
        "How fast files may go to other nodes, all together, in bytes a second (500K, 2M). Only " +
        "over the line: not within the networks that this machine is attached to.",
    }),
    flag("--download-rate RATE", {
      default: "unlimited",
      help: "The same for files that come from other nodes.",
    }),
    flag("--mirror-rate RATE", {
      default: "unlimited",
      help: "The same for all that mirrors (origins) send.",
    }),
    flag("--rate NETWORK=RATE", {
      repeatable: true,
      inFile: "table",
      help:
        "A network with a rate of its own for each of these three, as in 10.0.0.0/8=unlimited; " +
        '"line": it is reached over the line. Of networks that hold an address the smallest counts. ' +
        "Repeatable.",
    }),
    flag("--schedule PART", {
      repeatable: true,
      inFile: "tables",
      help: "Rates for a part of the week, in the time of this machine: 'from=11:30 to=13:30 " +
        "days=mon-fri upload-rate=100K'. It may end on the next day; without days it is of each. " +
        "Repeatable.",
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
    flag("--gateway-name NAME", {
      repeatable: true,
      help:
        "A name by which other machines reach the gateway, such as cache.lan. It answers to its " +
        "addresses, to localhost and to the name of this machine anyway, and to no other: a page " +
        "in a browser could have a name of its own lead here. Repeatable.",
    }),
    SYNC_DB,
    flag("--pacman-conf FILE", {
      defaultText: "/etc/pacman.conf of the root of --sync-db",
      help: "pacman's configuration. Where it requires signatures (SigLevel), the gateway gives " +
        "pacman no package whose signature it cannot give. Without that file they are required. Its " +
        "servers are mirrors from which users without the token may have packages fetched, inside " +
        "the network too.",
    }),
    flag("--gateway-wait SECONDS", {
      default: String(limits.gatewayWaitMs / 1000),
      help: "How long the gateway searches before it answers that nobody has the file, up to " +
        `${limits.gatewayWaitMsMax / 1000}.`,
    }),
    flag("--stale-databases AGE", {
      default: "0",
      help:
        "Give pacman a database though no mirror answers, if one vouched for it within this time " +
        "(90m, 12h, 7d). pacman then asks no other server for it. 0: it gets the mirror's error, " +
        "and asks its next server.",
    }),
    flag("--prefetch", {
      help:
        "After pacman has synced, fetch the new versions of packages that clients of the gateway took " +
        "lately, before anybody asks: from nodes, and after " +
        `${
          limits.backgroundDelayMs / 60_000
        } minutes from the mirrors. Needs --gateway and --sync-db.`,
    }),
    {
      ...MIRROR_DELAY,
      help:
        `${MIRROR_DELAY.help} For all fetches that do not say, those of the gateway included: ` +
        "pacman gives up after 10 s without a byte, unless its DisableDownloadTimeout is set.",
    },
    ...METRICS,
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
  takesSignals: true,
  load: async () => {
    const { daemonWith } = await import("../commands/service.ts");
    // Loaded when somebody looks.
    return daemonWith(async (daemon) =>
      (await import("../overview/page_state.ts")).pageState(daemon, Date.now())
    );
  },
};

export const DIRECTORY: CommandSpec = {
  name: "directory",
  summary: "Run a directory (tracker): tell nodes which nodes have a file",
  about: [
    "Nodes started with --directory tell it what they offer, and ask it while they search over " +
    "their links. It keeps everything in memory and writes no file: stop and start it at any " +
    "time, and it knows everything again after one --refresh. A network may have none, one, or " +
    "many.",
    "Runs until SIGTERM or SIGINT. When it accepts connections it prints one line on stdout: " +
    '"ready directory=HOST:PORT id=HEX", and "metrics=HOST:PORT" if there is a port for monitors. The ' +
    "log goes to stderr.",
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
    flag("--max-clients N", {
      default: String(limits.directoryClientsMax),
      help: "Nodes that report to it at most. In a full directory the network, and in it the " +
        "address, with the most gives one to a network, or an address, that has fewer.",
    }),
    flag("--max-files N", {
      default: String(limits.listingsMax),
      help:
        "Files that all nodes may list together, each at up to 1 KB of memory. Room is shared " +
        "in the same way.",
    }),
    ...METRICS,
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
  takesSignals: true,
  load: async () => (await import("../commands/service.ts")).runDirectory,
};
