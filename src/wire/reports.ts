/**
 * What the ANSWER frames of the client port carry, as JSON: one object an item, in lists.
 * ASK arguments stand beside them. CLIENT_API.md shows an example of each.
 */

import type { NodeId, Root } from "../base/ids.ts";
import type { FetchRecord } from "../base/fetch_record.ts";
import type { FileTrust, SyncDatabaseReport } from "../base/package_index.ts";

export type { SyncDatabaseReport } from "../base/package_index.ts";

/** `status`: one of these. */
export interface StatusReport {
  readonly version: string;
  readonly nodeId: NodeId;
  /** Listening addresses as HOST:PORT. */
  readonly node: string;
  readonly client: string;
  readonly dataDir: string;
  readonly network: string;
  /** Whether the network has a key. */
  readonly keyed: boolean;
  readonly uptimeMs: number;
  readonly links: number;
  /** How many nodes and hosts are kept out because they misbehaved. */
  readonly banned: number;
  readonly files: {
    readonly shared: number;
    readonly downloaded: number;
    readonly partial: number;
    readonly bytes: number;
    /** Files that still wait to be hashed. */
    readonly hashing: number;
  };
  readonly counters: Counters;
  readonly transfers: readonly TransferReport[];
  readonly uploads: readonly UploadReport[];
  /** The directories that the daemon was told of. */
  readonly directories: readonly DirectoryReport[];
  /** Where its gateway listens, as HOST:PORT; null without one. */
  readonly gateway: string | null;
  /** The repositories' databases that it reads. */
  readonly syncDatabases: readonly SyncDatabaseReport[];
  readonly savings: SavingsReport;
  /** How many complete files are trusted by what. */
  readonly trust: Readonly<Record<FileTrust, number>>;
}

/**
 * Where the bytes came from of finished fetches for which any had to come, over all runs with this
 * data directory. Reading a file that is here whole does not count.
 */
export interface SavingsReport {
  readonly files: number;
  /** Bytes of these that were here before. */
  readonly bytesLocal: number;
  readonly bytesPeers: number;
  readonly bytesMirror: number;
  /**
   * Bytes that peers gave of fetches that named a mirror, of the gateway, or of packages that a
   * database names: no mirror had to give them.
   */
  readonly bytesSaved: number;
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
}

/** Counted since the daemon started, except what `total` says. */
export interface Counters {
  readonly queriesSeen: number;
  readonly queriesForwarded: number;
  readonly queriesDropped: number;
  readonly queriesAnswered: number;
  readonly messagesSent: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly strikes: number;
  /** Uploads in which one requester got at least as many bytes as the file has. */
  readonly filesServed: number;
  /** The same over all runs with this data directory. */
  readonly totalBytesIn: number;
  readonly totalBytesOut: number;
  readonly totalStrikes: number;
  readonly totalFilesServed: number;
}

/** A fetch in progress. */
export interface TransferReport {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
  readonly bytesDone: number;
  readonly bytesPerSecond: number;
  /** Chunks that are here: "all", or ranges as "0-31,64". */
  readonly have: string;
  readonly sources: readonly {
    /** HOST:PORT of a peer, HOST or HOST:PORT of a mirror. */
    readonly peer: string;
    /** Null for a mirror. */
    readonly nodeId: NodeId | null;
    readonly bytes: number;
    readonly bytesPerSecond: number;
    readonly strikes: number;
    readonly snubbed: boolean;
  }[];
}

/** A file being given to another node. */
export interface UploadReport {
  readonly root: Root;
  readonly name: string;
  readonly peer: string;
  readonly nodeId: NodeId;
  readonly bytes: number;
}

/** `list`: one for each place that a file has. */
export interface FileReport {
  readonly name: string;
  readonly root: Root;
  readonly sizeBytes: number;
  readonly type: string;
  readonly origin: "shared" | "downloaded" | "partial";
  readonly path: string;
  readonly chunks: number;
  readonly chunksHave: number;
  /** Chunks that are here: "all", or ranges as "0-31,64". */
  readonly have: string;
  readonly trust: FileTrust;
}

/** `peers`: one for each link, and one for each ban. */
export interface PeerReport {
  /** "" where every node at the host is banned. */
  readonly nodeId: NodeId | "";
  readonly host: string;
  readonly port: number;
  /** Where it listens; 0 when it cannot be reached. */
  readonly listenPort: number;
  /** Who opened the link; "banned" where there is none, nor shall be. Ports are 0 then. */
  readonly direction: "in" | "out" | "banned";
  readonly roundTripMs: number | null;
  readonly connectedMs: number;
  /** Why it is banned, "wrong-data", "flooding" or "false-host", and for how long yet; or null. */
  readonly ban: { readonly reason: string; readonly endsInMs: number } | null;
}

/** `search`: one for each file, most peers first. */
export interface SearchReport {
  readonly name: string;
  readonly root: Root;
  readonly sizeBytes: number;
  readonly type: string;
  /** Peers that have it whole, and those that have a part; this node counts when it does. */
  readonly peersWhole: number;
  readonly peersPart: number;
  /** Who said so: "flood", "here", or the HOST:PORT of a directory. */
  readonly from: readonly string[];
}

/** `info`: one for each root that goes by the name, most holders first. */
export interface InfoReport {
  readonly name: string;
  readonly root: Root;
  readonly sizeBytes: number;
  readonly type: string;
  /** Null when nobody said it. */
  readonly sha256: string | null;
  readonly peersWhole: number;
  readonly peersPart: number;
  readonly from: readonly string[];
}

/** `where`: one for each node that holds the file or a part of it, least loaded first. */
export interface HolderReport {
  /** HOST:PORT, or "" when nobody can connect to it. */
  readonly peer: string;
  readonly nodeId: NodeId;
  readonly root: Root;
  readonly sizeBytes: number;
  readonly chunks: number;
  readonly chunksHave: number;
  /** 0 idle to 1,000 fully loaded; null when only the flood knows it. */
  readonly loadPermille: number | null;
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
export type ExplainReport = Omit<FetchRecord, "endedAt"> & { readonly endedAt: string | null };

/** `verify`: one for each file. */
export interface VerifyReport {
  readonly name: string;
  readonly root: Root;
  readonly path: string;
  readonly ok: boolean;
  readonly badChunks: number;
}

/** `share` and `unshare`: one for each path. */
export interface ShareReport {
  readonly path: string;
  /** What was done, for a person: "shared", "not shared any more". */
  readonly result: string;
}

/** Arguments of the ASK verbs. */
export interface AskArguments {
  readonly status: Record<string, never>;
  readonly list: Record<string, never>;
  readonly peers: Record<string, never>;
  readonly search: { readonly glob: string; readonly timeoutMs?: number };
  readonly share: { readonly paths: readonly string[] };
  readonly unshare: { readonly target: string };
  readonly verify: { readonly target?: string };
  readonly info: { readonly target: string; readonly timeoutMs?: number };
  readonly where: { readonly target: string; readonly timeoutMs?: number };
  readonly push: { readonly target: string; readonly peer?: string };
  readonly files: { readonly peer: string };
  readonly explain: { readonly target: string };
}

/** Items of the answers. */
export interface AnswerItems {
  readonly status: StatusReport;
  readonly list: FileReport;
  readonly peers: PeerReport;
  readonly search: SearchReport;
  readonly share: ShareReport;
  readonly unshare: ShareReport;
  readonly verify: VerifyReport;
  readonly info: InfoReport;
  readonly where: HolderReport;
  readonly push: PushReport;
  readonly files: PeerFileReport;
  readonly explain: ExplainReport;
}
