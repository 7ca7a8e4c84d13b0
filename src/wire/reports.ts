/**
 * What the ANSWER frames of the client port carry, as JSON: one object an item, in lists.
 * ASK arguments stand beside them. CLIENT_API.md shows an example of each.
 */

import type { FlightId, NodeId, Root } from "../base/ids.ts";
import type { FetchRecord } from "../base/fetch_record.ts";
import type { FileTrust, SyncDatabaseReport } from "../base/package_index.ts";
import type { LogLevel } from "../base/log.ts";
import type { DialBackAnswer } from "./directory_messages.ts";
import type { ByNearness } from "./nearness.ts";

export type { SyncDatabaseReport } from "../base/package_index.ts";

/** `status`: one of these. */
export interface StatusReport {
  /** The version of the daemon. */
  readonly version: string;
  readonly nodeId: NodeId;
  /** Listening addresses as HOST:PORT. */
  readonly node: string;
  /** Whether it tells others that they can connect to it; false with `--no-callback`. */
  readonly acceptsConnections: boolean;
  /**
   * Another node that has the id of this one, as from a copied data directory; null when none was met
   * lately.
   */
  readonly clone: {
    /** Where it was met. */
    readonly host: string;
    /** How long ago, in ms. */
    readonly agoMs: number;
  } | null;
  /** Where it serves its clients. */
  readonly client: string;
  /** Its data directory. */
  readonly dataDir: string;
  /** The name of its network. */
  readonly network: string;
  /** Whether the network has a key. */
  readonly keyed: boolean;
  /** Where it is, as it was told; null: nobody said. */
  readonly site: string | null;
  readonly uptimeMs: number;
  /** The lowest level that it logs. */
  readonly logLevel: LogLevel;
  /** Links that are up. */
  readonly links: number;
  /** How many nodes and hosts are kept out because they misbehaved. */
  readonly banned: number;
  /** How many files are here. */
  readonly files: {
    /** Files that are shared. */
    readonly shared: number;
    /** Files that were fetched, and are whole. */
    readonly downloaded: number;
    /** Files of which a part is here. */
    readonly partial: number;
    /** Bytes of all of them. */
    readonly bytes: number;
    /** Files that still wait to be hashed. */
    readonly hashing: number;
  };
  /**
   * Shared files that are withheld: they changed though their time did not. The first ones, and
   * `trust` counts all.
   */
  readonly withheld: readonly { readonly path: string; readonly root: Root }[];
  /** What it counted. */
  readonly counters: Counters;
  /** All fetches in progress, the last begun first. */
  readonly fetches: readonly FetchingReport[];
  /** Fetches in progress that nodes give to. */
  readonly transfers: readonly TransferReport[];
  /** What it is getting from mirrors together with others, or still gives those. */
  readonly flights: readonly FlightReport[];
  /** Files that are just being given to other nodes. */
  readonly uploads: readonly UploadReport[];
  /** The nodes that the daemon was told to keep links with. */
  readonly peers: readonly GivenPeerReport[];
  /** What it found on the LAN; null when it does not look there (`--discover`). */
  readonly lan: LanReport | null;
  /** The directories that the daemon was told of. */
  readonly directories: readonly DirectoryReport[];
  /** The limits that hold now. */
  readonly rates: RatesReport;
  /** Where its gateway listens, as HOST:PORT; null without one. */
  readonly gateway: string | null;
  /** Databases that its gateway gives though no mirror vouches for them now. */
  readonly staleDatabases: readonly StaleDatabaseReport[];
  /** The repositories' databases that it reads. */
  readonly syncDatabases: readonly SyncDatabaseReport[];
  /** What the downloads take of the disk, what they may, and what was removed for it. */
  readonly keeping: KeepingReport;
  /** Where the bytes of all fetches came from. */
  readonly savings: SavingsReport;
  /** What is fetched before anybody asks for it; null without a gateway or databases. */
  readonly prefetch: PrefetchReport | null;
  /** What its fetches took from mirrors: since the daemon started, and over all runs. */
  readonly copies: { readonly sinceStart: CopiesReport; readonly allRuns: CopiesReport };
  /** How many complete files are trusted by what. */
  readonly trust: Readonly<Record<FileTrust, number>>;
}

/** How a daemon finds nodes on the networks that its machine is on. */
export interface LanReport {
  /** Each interface with a family of addresses, as "eth0 IPv4". */
  readonly segments: readonly {
    /** The interface and the family. */
    readonly segment: string;
    /** Why nobody is looked for there; null when somebody is. */
    readonly problem: string | null;
  }[];
  /** How many nodes of its network announce themselves. */
  readonly nodes: number;
  /** How many nodes of other networks do. */
  readonly strangers: number;
  /** The nodes that were heard last. */
  readonly heard: readonly {
    /** Where it accepts connections, as HOST:PORT. */
    readonly peer: string;
    /** Whether it is of the network of this node: "own" or "other". */
    readonly network: "own" | "other";
    /** Where it was heard. */
    readonly segment: string;
    /** How long ago it was heard. */
    readonly heardMs: number;
  }[];
}

/** What the downloads take of the disk, and what they may; what is shared in place does not count. */
export interface KeepingReport {
  /** Bytes of all downloads, whole or in part. */
  readonly bytes: number;
  /** Bytes that are still to come for fetches under way. */
  readonly comingBytes: number;
  /** What all downloads may come to, `--keep`; null: as much as there is room for. */
  readonly keepBytes: number | null;
  /** What shall stay free on the disk, `--min-free`; null: nothing is said. */
  readonly minFreeBytes: number | null;
  /** What is free on it; null where nobody knows. */
  readonly freeBytes: number | null;
  /** How many versions of a package are kept, `--keep-versions`; null: all. */
  readonly versions: number | null;
  /** How the downloads are over what they may come to; null while they are not. */
  readonly over: {
    /** Bytes over `keepBytes`, or missing of `minFreeBytes`; what is still to come does not count. */
    readonly bytes: number;
    /** Bytes of downloads that stay because they are pinned. */
    readonly pinnedBytes: number;
    /** Bytes of those that stay because somebody reads them, or is given them. */
    readonly inUseBytes: number;
    /** Bytes that are here of fetches under way. */
    readonly fetchingBytes: number;
  } | null;
  /** Downloads that are pinned. */
  readonly pinned: number;
  /** Downloads that were to go, and that the disk did not let go. */
  readonly stuckFiles: number;
  /** Their bytes. */
  readonly stuckBytes: number;
  /** Why the disk did not, of the last of them; null for none. */
  readonly stuckWhy: string | null;
  /** Downloads for which no room could be made, since the daemon started. */
  readonly refused: number;
  /** Downloads that were removed to make room, or as out of date, since it started. */
  readonly cleanedFiles: number;
  /** Their bytes. */
  readonly cleanedBytes: number;
  /** The same over all runs with this data directory. */
  readonly totalCleanedFiles: number;
  /** Their bytes, over all runs. */
  readonly totalCleanedBytes: number;
}

/** How fast files may go over the line, in bytes a second; null: as fast as it goes. */
export interface RatesReport {
  /** To nodes. */
  readonly upload: number | null;
  /** From nodes. */
  readonly download: number | null;
  /** From mirrors. */
  readonly mirror: number | null;
  /** The part of the schedule that says so, and until when; null while none holds. */
  readonly schedule: {
    /** Days and times, as they were written: `mon-fri 11:30-13:30`. */
    readonly part: string;
    /** HH:MM in the time of the machine. */
    readonly until: string;
  } | null;
  /** Networks that do not go by what the networks of the machine say. */
  readonly networks: readonly {
    /** The first address and the length of the prefix: `10.0.0.0/8`. */
    readonly network: string;
    /** For each of the three; null: none; "line": those of the line hold. */
    readonly rate: number | "line" | null;
  }[];
}

/**
 * Where the bytes came from of finished fetches for which any had to come, over all runs with this
 * data directory. Reading a file that is here whole does not count.
 */
export interface SavingsReport {
  /** Fetches that this counts. */
  readonly files: number;
  /** Bytes of these that were here before. */
  readonly bytesLocal: number;
  /** Bytes that nodes gave. */
  readonly bytesPeers: number;
  /** Bytes that mirrors gave. */
  readonly bytesMirror: number;
  /**
   * Bytes that peers gave of fetches that named a mirror, of the gateway, or of packages that a
   * database names: no mirror had to give them.
   */
  readonly bytesSaved: number;
  /** The last 24 hours by the clock, those in which a fetch ended, the first one first. */
  readonly hours: readonly SavingsSpanReport[];
  /** The last 30 days in the time zone of the daemon, likewise. */
  readonly days: readonly SavingsSpanReport[];
}

/** What is fetched before anybody asks for it. */
export interface PrefetchReport {
  /** Whether that is done now. */
  readonly isOn: boolean;
  /** Packages that clients of the gateway took lately. */
  readonly packages: number;
  /** The file that is being fetched so; null when none is. */
  readonly fetching: string | null;
  /** Bytes that were fetched so and then taken by a client, over all runs. */
  readonly bytesSaved: number;
  /** Bytes that were fetched so, and dropped since nobody took them. */
  readonly bytesWasted: number;
}

/** Where the bytes came from of fetches that ended within an hour or a day. */
export interface SavingsSpanReport {
  /** When it began, ISO 8601. */
  readonly startsAt: string;
  /** Bytes that nodes gave. */
  readonly bytesPeers: number;
  /** Bytes that mirrors gave. */
  readonly bytesMirror: number;
  /** Bytes that no mirror had to give. */
  readonly bytesSaved: number;
}

/** A database that the gateway gives though no mirror vouches for it now. */
export interface StaleDatabaseReport {
  /** As it was asked for last: `/REPO/os/ARCH/NAME`. */
  readonly path: string;
  /** How long ago a mirror last vouched for it. */
  readonly ageMs: number;
  /** For how long it has been given so. */
  readonly sinceMs: number;
}

/** What fetches took from mirrors, and what came of it; those that run and that failed count too. */
export interface CopiesReport {
  /** All bytes that mirrors gave, also those that came twice or were of no use. */
  readonly bytesMirrors: number;
  /** Bytes of files that came, from whomever, each once. */
  readonly bytesUnique: number;
  /** The one over the other: 1 where mirrors gave all of it once; null when nothing came. */
  readonly copies: number | null;
}

/** How a daemon gets on with one directory. */
export interface DirectoryReport {
  /** Its address as HOST:PORT. */
  readonly directory: string;
  /** The other address by which this node speaks to it, so that this one is left alone; or null. */
  readonly sameAs: string | null;
  /** Whether its last contact was answered. */
  readonly answers: boolean;
  /** How it reaches this node: "reachable", "checking", "unreachable"; null before any answer. */
  readonly reach: string | null;
  /** The limit for which it refused the last batch; null when it took it. */
  readonly denied: string | null;
  /** Files of this node that it lists. */
  readonly filesListed: number;
  /** Time since its last answer; null before any. */
  readonly answeredMs: number | null;
  /** Why it does not answer; null when it does, or was not asked yet. */
  readonly problem: ProblemReport | null;
}

/** Why something that a person named cannot be had. */
export interface ProblemReport {
  /** Stays the same while the words may change. */
  readonly code: string;
  /** The rest of a sentence about the other side: "nothing listens there". */
  readonly text: string;
  /** For how long. */
  readonly sinceMs: number;
}

/** A node that the daemon was told to keep a link with. */
export interface GivenPeerReport {
  /** Its address as HOST:PORT, as it was given; `srv:NAME` for a name in DNS that stands for no node now. */
  readonly peer: string;
  /** The node that was last met there; null before any. */
  readonly nodeId: NodeId | null;
  /** Whether there is a link with it, it is dialled for the first time, or that failed. */
  readonly state: "linked" | "dialling" | "failed";
  /** Why there is no link; null when there is one, or nothing has failed yet. */
  readonly problem: ProblemReport | null;
}

/** Counted since the daemon started, except what `total` says. */
export interface Counters {
  /** Queries that came over links. */
  readonly queriesSeen: number;
  /** Queries that were passed on. */
  readonly queriesForwarded: number;
  /** Queries that were dropped, as duplicates or as too many. */
  readonly queriesDropped: number;
  /** Queries that were answered with an offer. */
  readonly queriesAnswered: number;
  /** Searches and answers that were sent over links. */
  readonly messagesSent: number;
  /** Bytes that came from other nodes. */
  readonly bytesIn: number;
  /** Bytes that went to other nodes. */
  readonly bytesOut: number;
  /** The same by how near the other nodes are: on this machine, in its subnets, at its site, elsewhere. */
  readonly bytesInBy: ByNearness;
  /** Bytes that went to them, by the same. */
  readonly bytesOutBy: ByNearness;
  readonly strikes: number;
  /** Uploads in which one requester got at least as many bytes as the file has. */
  readonly filesServed: number;
  /** Files that it fetched for linked nodes that could not. */
  readonly filesRelayed: number;
  /** Requests for such that it refused. */
  readonly relaysRefused: number;
  /** Some of it over all runs with this data directory. */
  readonly totalBytesIn: number;
  /** Bytes that went to other nodes, over all runs. */
  readonly totalBytesOut: number;
  /** Strikes over all runs. */
  readonly totalStrikes: number;
  /** Files served over all runs. */
  readonly totalFilesServed: number;
}

/** A fetch in progress, whoever gives. */
export interface FetchingReport {
  /** "" while only the root is known. */
  readonly name: string;
  /** Null while it is not known. */
  readonly root: Root | null;
  /** How long it runs. */
  readonly elapsedMs: number;
  /** Bytes that are to be here in the end; null while nobody gives it. */
  readonly bytesTotal: number | null;
  /** Bytes of these that are here, those of an earlier fetch included. */
  readonly bytesDone: number;
  /** How fast they come. */
  readonly bytesPerSecond: number;
  /** Who gave bytes of it, each byte once, those that gave most first. */
  readonly sources: readonly {
    /** A node, a mirror, or this machine. */
    readonly kind: "peer" | "mirror" | "here";
    /** HOST:PORT of a peer, HOST or HOST:PORT of a mirror, "" for this machine. */
    readonly source: string;
    /** Null for all but peers. */
    readonly nodeId: NodeId | null;
    /** Bytes that it was the first to give. */
    readonly bytes: number;
    /** How fast it gives. */
    readonly bytesPerSecond: number;
  }[];
}

/** A fetch in progress to which nodes give. */
export interface TransferReport {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
  readonly bytesDone: number;
  readonly bytesPerSecond: number;
  /** Chunks that are here: "all", or ranges as "0-31,64". */
  readonly have: string;
  /** Who gives it. */
  readonly sources: readonly {
    /** HOST:PORT of a peer, HOST or HOST:PORT of a mirror. */
    readonly peer: string;
    /** Null for a mirror. */
    readonly nodeId: NodeId | null;
    readonly bytes: number;
    readonly bytesPerSecond: number;
    readonly strikes: number;
    /** Whether it stalls. */
    readonly snubbed: boolean;
  }[];
}

/** A file in flight: it comes from mirrors, and the nodes that get it at the same time share it. */
export interface FlightReport {
  /** What it is known by as long as it has no root. */
  readonly flight: FlightId;
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string | null;
  readonly chunks: number;
  readonly chunksHave: number;
  /** Chunks that are here: "all", or ranges as "0-31,64". */
  readonly have: string;
  /** Chunks that this node is just reading from its mirror for all, as "64-127"; null: none. */
  readonly reads: string | null;
  /** Chunks of those that are here which its own mirror gave. */
  readonly chunksMirror: number;
  /** The nodes with which it shares the file. */
  readonly fellows: readonly {
    readonly peer: string;
    readonly nodeId: NodeId;
    readonly chunksHave: number;
    /** Chunks that came from it. */
    readonly chunksGiven: number;
  }[];
}

/** A file being given to another node. */
export interface UploadReport {
  readonly root: Root;
  readonly name: string;
  readonly peer: string;
  readonly nodeId: NodeId;
  /** Bytes that it was given. */
  readonly bytes: number;
}

/** `list`: one for each place that a file has. */
export interface FileReport {
  readonly name: string;
  readonly root: Root;
  readonly sizeBytes: number;
  readonly type: string;
  /** Whether it is shared where it lies, was fetched, or is here in part. */
  readonly origin: "shared" | "downloaded" | "partial";
  readonly path: string;
  readonly chunks: number;
  readonly chunksHave: number;
  /** Chunks that are here: "all", or ranges as "0-31,64"; "none" when the file is withheld. */
  readonly have: string;
  readonly trust: FileTrust;
  /** Whether it is pinned, so that it is not removed to make room. */
  readonly pinned: boolean;
}

/** `peers`: one for each link, each ban, each that it was told of in vain, and each of before. */
export interface PeerReport {
  /** "" where every node at the host is banned. */
  readonly nodeId: NodeId | "";
  /** Its host; `srv:NAME` for a name in DNS that stands for no node. */
  readonly host: string;
  /** The port of its end of the link; 0 where there can be none. */
  readonly port: number;
  /** Where it listens; 0 when it cannot be reached. */
  readonly listenPort: number;
  /**
   * Who opened the link; "banned" where there is none, nor shall be: ports are 0 then; "none" for a
   * node that the daemon was told of and has no link with; "directory" for a directory; "past" for a
   * node without a link that gave or took bytes of files.
   */
  readonly direction: "in" | "out" | "banned" | "none" | "directory" | "past";
  /** Round trip of the link in ms; null while it is not known. */
  readonly roundTripMs: number | null;
  /** How long there is a link, in ms; 0 without one. */
  readonly connectedMs: number;
  /** Why it is banned, "wrong-data", "flooding", "false-host" or "faults", and for how long yet; or null. */
  readonly ban: {
    /** Why: "wrong-data", "flooding", "false-host" or "faults". */
    readonly reason: string;
    /** For how long yet, in ms. */
    readonly endsInMs: number;
  } | null;
  /** Why there is no link with a node, or no answer of a directory, that it was told of; or null. */
  readonly problem: ProblemReport | null;
  /** Bytes of files that fetches had from it, over all runs; so many nodes are remembered. */
  readonly bytesHad: number;
  /** Bytes of files that it was given, over all runs. */
  readonly bytesGiven: number;
  /** When it last gave or took any, ISO 8601; null where that is not remembered. */
  readonly lastAt: string | null;
}

/** How far a file is that has no root yet: nodes are just getting it from mirrors. */
export interface InFlightReport {
  /** What it is known by meanwhile. */
  readonly flight: FlightId;
  readonly chunks: number;
  /** Chunks of the node that has most of it. */
  readonly chunksHave: number;
}

/** `search`: one for each file, most peers first; then one for each that is in flight. */
export interface SearchReport {
  readonly name: string;
  /** Null while it is in flight. */
  readonly root: Root | null;
  readonly sizeBytes: number;
  readonly type: string;
  /** Nodes that have it whole; this one counts when it does. */
  readonly peersWhole: number;
  /** Nodes that have a part of it, or are just getting it; this one counts when it does. */
  readonly peersPart: number;
  /** How many of these nodes no connection leads to, as far as that was tried. */
  readonly peersUnreached: number;
  /** Null when it has a root. */
  readonly inFlight: InFlightReport | null;
  /** Who said so: "flood", "here", or the HOST:PORT of a directory. */
  readonly from: readonly string[];
}

/** `info`: one for each root that goes by the name, most holders first; then what is in flight. */
export interface InfoReport {
  readonly name: string;
  /** Null while it is in flight. */
  readonly root: Root | null;
  readonly sizeBytes: number;
  readonly type: string;
  /** Null when nobody said it. */
  readonly sha256: string | null;
  readonly peersWhole: number;
  readonly peersPart: number;
  /** How many of these nodes no connection leads to, as far as that was tried. */
  readonly peersUnreached: number;
  readonly inFlight: InFlightReport | null;
  readonly from: readonly string[];
}

/**
 * `where`: one for each node that holds the file or a part of it, least loaded first; then one for
 * each that is just getting it.
 */
export interface HolderReport {
  /** HOST:PORT, or "" when nobody can connect to it. */
  readonly peer: string;
  readonly nodeId: NodeId;
  /** Null while it is in flight. */
  readonly root: Root | null;
  /** What it is known by while it is in flight; null when it has a root. */
  readonly flight: FlightId | null;
  readonly sizeBytes: number;
  readonly chunks: number;
  readonly chunksHave: number;
  /** 0 idle to 1,000 fully loaded; null when only the flood knows it. */
  readonly loadPermille: number | null;
  /**
   * How a connection comes about: "here" (it is this node), "in" (that node opened one), "out" (this
   * node did), "none"; null when nobody tried.
   */
  readonly reach: "here" | "in" | "out" | "none" | null;
  /** Why none comes about; null otherwise. */
  readonly problem: string | null;
  readonly from: readonly string[];
}

/** `push`: two for each peer: what it answered, and, if it takes the file, how that ended. */
export interface PushReport {
  readonly peer: string;
  readonly nodeId: NodeId | null;
  readonly name: string;
  readonly root: Root;
  /** An answer ("accepted", "have", "no-room", "busy", "unwilling"), "self", "refused", "unreachable", "done", "failed". */
  readonly result: string;
  /** Bytes that this node gave it. */
  readonly bytes: number;
}

/** `files`: one for each file of the peer. */
export interface PeerFileReport {
  readonly name: string;
  readonly root: Root;
  readonly sizeBytes: number;
  readonly type: string;
  readonly chunks: number;
  readonly chunksHave: number;
  readonly sha256: string | null;
}

/**
 * `explain`: one for each fetch of the name or root that runs or is remembered, the last one first.
 * Of one that runs `endedAt` is null, and the rest is as of now.
 */
export type ExplainReport = Omit<FetchRecord, "endedAt"> & {
  /** When it ended, ISO 8601; null while it runs. */
  readonly endedAt: string | null;
};

/** `verify`: one for each file. */
export interface VerifyReport {
  readonly name: string;
  readonly root: Root;
  readonly path: string;
  /** Whether all of it is right. */
  readonly ok: boolean;
  /** Chunks that are wrong; 0 of a file that cannot be read at all. */
  readonly badChunks: number;
}

/** `share` and `unshare`: one for each path. */
export interface ShareReport {
  /** The path or name. */
  readonly path: string;
  /** What was done, for a person: "shared", "not shared any more". */
  readonly result: string;
}

/** `pin` and `unpin`: one for each file of the name or root. */
export interface PinReport {
  readonly name: string;
  readonly root: Root;
  /** What holds now, for a person: "pinned", "not pinned any more". */
  readonly result: string;
}

/** `clean`: one for each download that went, or would go, the first to go first. */
export interface CleanReport {
  readonly name: string;
  /** Null while nobody knows it. */
  readonly root: Root | null;
  /** Bytes that were here of it. */
  readonly bytes: number;
  /**
   * Why: "old-version" (newer ones are here), "old-part" (nobody went on with it), "held-by-others"
   * (used longest ago of what other nodes have), "least-used" (of what nobody else is known to have).
   */
  readonly why: "old-version" | "old-part" | "held-by-others" | "least-used";
  /** How many other nodes are known to have it. */
  readonly others: number;
  /** When it was fetched, given to somebody or read last, ISO 8601. */
  readonly usedAt: string;
}

/** `reach`: one for each of some nodes that were asked to connect to this one. */
export interface ReachReport {
  readonly peer: string;
  readonly nodeId: NodeId;
  /** "busy": it did not try, or could not be asked. */
  readonly answer: DialBackAnswer;
}

/** What an answer does not have though it is there. */
export interface LeftOut {
  /** How many items, or offers of them, at the most; null when nobody knows. */
  readonly more: number | null;
  /** Why. */
  readonly why: string;
  /** What a person can do about it, or "". */
  readonly hint: string;
}

/** `log`: one of these. */
export interface LogReport {
  /** The lowest level that is logged now. */
  readonly level: LogLevel;
  /** The one before; null where none was to be set. */
  readonly before: LogLevel | null;
}

/** Arguments of the ASK verbs. */
export interface AskArguments {
  readonly status: Record<string, never>;
  readonly list: Record<string, never>;
  readonly peers: Record<string, never>;
  readonly search: { readonly glob: string; readonly timeoutMs?: number };
  /** `again`: offer what is withheld at and below the paths as it is now. */
  readonly share: { readonly paths: readonly string[]; readonly again?: boolean };
  /** `all`: a name may stand for several files. */
  readonly unshare: { readonly target: string; readonly all?: boolean };
  readonly pin: { readonly target: string };
  readonly unpin: { readonly target: string };
  /** `dryRun`: nothing is removed. */
  readonly clean: { readonly dryRun?: boolean };
  readonly verify: { readonly target?: string };
  readonly info: { readonly target: string; readonly timeoutMs?: number };
  readonly where: { readonly target: string; readonly timeoutMs?: number };
  readonly push: { readonly target: string; readonly peer?: string };
  readonly files: { readonly peer: string };
  readonly explain: { readonly target: string };
  readonly reach: Record<string, never>;
  readonly log: { readonly level: LogLevel };
}

/** Items of the answers. */
export interface AnswerItems {
  readonly status: StatusReport;
  readonly list: FileReport;
  readonly peers: PeerReport;
  readonly search: SearchReport;
  readonly share: ShareReport;
  readonly unshare: ShareReport;
  readonly pin: PinReport;
  readonly unpin: PinReport;
  readonly clean: CleanReport;
  readonly verify: VerifyReport;
  readonly info: InfoReport;
  readonly where: HolderReport;
  readonly push: PushReport;
  readonly files: PeerFileReport;
  readonly explain: ExplainReport;
  readonly reach: ReachReport;
  readonly log: LogReport;
}
