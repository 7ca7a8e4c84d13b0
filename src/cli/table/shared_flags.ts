/** Flags that several commands have. */

import { limits } from "../../base/limits.ts";
import { flag, type FlagSpec } from "../arguments/arguments.ts";

export const CLIENT = flag("--client HOST:PORT", {
  default: "127.0.0.1:8049",
  help: "Where the daemon serves its clients.",
});

export const JSON_LINES = flag("--json", {
  help: "Print one JSON object per line, for programs.",
});

export const WIDE = flag("--wide", {
  help:
    "On a terminal, do not shorten or leave out what does not fit: whole roots, names and paths.",
});

export const SYNC_DB = flag("--sync-db DIR", {
  help: "Directory of pacman's sync databases, /var/lib/pacman/sync on Arch Linux. A file that " +
    "they name must have the size and SHA-256 that they give.",
});

/** Which network to join. */
export const NETWORK_NAME: readonly FlagSpec[] = [
  flag("--network NAME", {
    default: "pacsrv",
    help: "Name of the network. Nodes with another name are ignored.",
  }),
  flag("--network-key-file FILE", {
    repeatable: true,
    help: `File with the network's secret, ${limits.networkKeyBytesMin} to ` +
      `${limits.networkKeyBytesMax} bytes. Only nodes that hold the same secret can join, and all ` +
      "that they send each other is encrypted. Twice while the secret is changed: this node dials " +
      "with the first and lets in who has either.",
  }),
];

export const NETWORK: readonly FlagSpec[] = [
  ...NETWORK_NAME,
  flag("--ttl N", {
    default: String(limits.ttlDefault),
    help: `How many more links a search travels after the first, 0 to ${limits.ttlMax}. 0 asks ` +
      "the neighbours only.",
  }),
  flag("--site NAME", {
    defaultText: "none",
    help:
      "Where this machine is, as an office or a building. Nodes that name the same site, or are in a " +
      "subnet of this machine, are asked for a file before all others, and share what they take from " +
      "those, so that it crosses a line between sites once. Nodes that name another site are far.",
  }),
  flag("--no-callback", {
    help: "Tell others that they cannot connect to this node, for example behind NAT. Holders " +
      "then answer over the links without trying to connect, and this node connects to them.",
  }),
];

export const PEER = flag("--peer HOST:PORT", {
  repeatable: true,
  help: "A node to keep a link with. Repeatable. The default port is 8048.",
});

export const DIRECTORIES = flag("--directory HOST:PORT", {
  repeatable: true,
  help: "A directory (tracker) that learns what this node offers, and that searches ask. " +
    "Repeatable. The default port is 8047.",
});

export const MIRROR_DELAY = flag("--mirror-delay SECONDS", {
  defaultText: `${limits.hedgeMs / 1000}, and none where no node can be asked`,
  help: "How long other nodes are given before a mirror is asked for anything, 0 to " +
    `${
      limits.mirrorDelayMsMax / 1000
    }. A value that is given also counts while none of the nodes ` +
    "that this one knows can be reached.",
});

export const CONFIG = flag("--config FILE", {
  help: 'TOML file with any of these settings. Flags override it. "pacsrv help config" shows an ' +
    "example.",
});

export const LOG: readonly FlagSpec[] = [
  flag("--log-level debug|info|warn|error", {
    default: "info",
    help: "Lowest level that is logged.",
  }),
  flag("--log-format text|json", {
    default: "text",
    help: "Log lines for people, or one JSON object per line.",
  }),
];

export const METRICS: readonly FlagSpec[] = [
  flag("--metrics HOST:PORT", {
    defaultText: "none",
    help:
      "Address for monitors, over HTTP: /metrics (figures for Prometheus), /healthz (200 while it " +
      "runs), /readyz (200 while it can do its work, else 503 with the reason), and of a daemon / (a " +
      "page for a browser). The default host is 127.0.0.1, the default port 8052. Port 0 picks a free " +
      "port. Anyone who can connect can read all of it: the figures name no file and no node, the page " +
      "names both.",
  }),
  flag("--metrics-name NAME", {
    repeatable: true,
    help:
      "A name by which monitors and browsers reach --metrics, such as node7.lan. Addresses, localhost and the " +
      "name of this machine are answered anyway, and no other. Repeatable.",
  }),
];
