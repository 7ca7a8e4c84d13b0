/**
 * What a {@linkcode Directory} is told and what it answers: plain values, and its refusals in words.
 */

import type { HostPort } from "../../base/address.ts";
import type { OfKind } from "../../base/errors.ts";
import type { NodeId, Root, SessionId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import type { Reach, UploadAnswer } from "../../wire/directory_messages.ts";
import type { ListedFile, Load } from "../../wire/structures.ts";

declare const brand: unique symbol;

/** A client at one directory: `${host} ${session}`, so that nobody acts for another host. */
export type ClientKey = string & { readonly [brand]: "ClientKey" };

/** The key of the client that speaks from `host` with `session`. */
export function clientKey(host: string, session: SessionId): ClientKey {
  return `${host} ${session}` as ClientKey;
}

/** The host within a key. */
export function hostOf(client: ClientKey): string {
  return client.slice(0, client.lastIndexOf(" "));
}

/** The session within a key: what the client is asked to prove. */
export function sessionOf(client: ClientKey): SessionId {
  return client.slice(client.lastIndexOf(" ") + 1) as SessionId;
}

/** How a directory is set up. */
export interface DirectoryOptions {
  readonly random: Random;
  /** Whole copies of a popular file below which more are made; 0: no balancing at all. */
  readonly replicas: number;
  /** How often clients shall refresh. */
  readonly refreshMs: number;
  /** Questions a second from one address. */
  readonly queriesPerSecond: number;
  /** How many listings there may be; by default `limits.listingsMax`. */
  readonly listingsMax?: number | undefined;
  /** How many clients there may be; by default `limits.directoryClientsMax`. */
  readonly clientsMax?: number | undefined;
}

/** What stands against a batch or a question. */
export type DenialLimit =
  | "clients"
  | "clients-per-host"
  | "files"
  | "files-per-client"
  | "files-per-host"
  | "name-bytes-per-host"
  | "queries-per-second"
  /** A batch that is not newer than the last: a replay. The bound is the last sequence. */
  | "sequence"
  /** Somebody else answered at the address that this session gave. The bound is in ms. */
  | "wrong-address";

/** Why a batch or a question is refused. */
export interface Denial {
  readonly kind: "denied";
  /** One of {@linkcode DenialLimit}, as text since it travels as that. */
  readonly limit: string;
  readonly bound: number;
  /** The same for a person. */
  readonly message: string;
}

/** A refusal; `what` ends the sentence for a person. */
export function denialOf(limit: DenialLimit, bound: number, what: string): Denial {
  return { kind: "denied", limit, bound, message: `Refused (${limit}, ${bound}): ${what}` };
}

/** A batch or a leave that is not newer than the last. */
export function oldSequence(sequence: number, last: number): Denial {
  return denialOf("sequence", last, `sequence ${sequence} is not greater than the last`);
}

/** Of a session at whose address somebody else answered. */
export function wrongAddress(): Denial {
  return denialOf(
    "wrong-address",
    limits.directoryWrongMs,
    "another node answered at the host and port of this one; give this node another port " +
      "(--node) that leads to it, or start it with --no-callback if none does",
  );
}

/** What became of a batch. */
export interface Listed {
  readonly kind: "listed";
  /** No: the whole list is wanted. */
  readonly known: boolean;
  readonly reach: Reach;
  readonly filesListed: number;
  readonly refreshMs: number;
}

/** A file of a client, as a REMOVE names it. */
export interface RemovedFile {
  readonly root: Root;
  readonly name: string;
}

/**
 * What happened. A REFRESH begins a batch, and ends the one of its client that was under way: what
 * that connection still says is not passed on.
 */
export type DirectoryEvent =
  /** A batch begins. */
  | {
    readonly kind: "refresh";
    readonly client: ClientKey;
    /** Where the server sees the client. */
    readonly host: string;
    /** The port that it listens on; 0: none. */
    readonly port: number;
    readonly nodeId: NodeId;
    readonly sequence: number;
    readonly load: Load;
    readonly whole: boolean;
    readonly filesListed: number;
  }
  | {
    readonly kind: "advertise";
    readonly client: ClientKey;
    readonly files: readonly ListedFile[];
  }
  | {
    readonly kind: "remove";
    readonly client: ClientKey;
    readonly files: readonly RemovedFile[];
  }
  | { readonly kind: "batch-end"; readonly client: ClientKey }
  /** The connection ended within a batch. */
  | { readonly kind: "batch-broken"; readonly client: ClientKey }
  | { readonly kind: "leave"; readonly client: ClientKey; readonly sequence: number }
  /** The end of a `check`. */
  | {
    readonly kind: "checked";
    readonly client: ClientKey;
    /** The port that was dialled: what was found out about another is no news by now. */
    readonly port: number;
    /** "unknown": it could not be asked, or had no time; that says nothing about it. */
    readonly outcome: "proved" | "wrong" | "unreachable" | "unknown";
    /** What a proved client said of its load. */
    readonly load?: Load;
  }
  /** Files that a client named when it was asked for them. */
  | {
    readonly kind: "files-heard";
    readonly client: ClientKey;
    readonly files: readonly ListedFile[];
    /** Whether these were the last: what was not named is not listed any more. */
    readonly last: boolean;
  }
  /** The end of a `request-upload`. */
  | {
    readonly kind: "upload-answered";
    readonly client: ClientKey;
    readonly root: Root;
    readonly answer: UploadAnswer | "unreachable";
  }
  | { readonly kind: "tick" };

/** The events of one kind. */
export type DirectoryEventOf<K extends DirectoryEvent["kind"]> = OfKind<DirectoryEvent, K>;

/** A client, and where it is to be dialled. */
type ClientAddress = HostPort & { readonly client: ClientKey };

/** What the server shall do. */
export type DirectoryEffect =
  /**
   * To the end of a batch, to a leave, or at once to a batch that is refused at its REFRESH. Of a
   * batch there is one answer; what else is said in it after that is ignored.
   */
  | { readonly kind: "answer"; readonly client: ClientKey; readonly answer: Listed | Denial }
  /** Dial the client and have it prove its session; the end is a `checked`. */
  | ({ readonly kind: "check" } & ClientAddress)
  /** Dial the client and ask for its files; each part is a `files-heard`. */
  | ({ readonly kind: "ask-files" } & ClientAddress)
  /** Dial the client, prove the session, and ask it to take a file; ends as `upload-answered`. */
  | ({ readonly kind: "request-upload"; readonly file: ListedFile } & ClientAddress)
  /** To be logged, but once in a while. */
  | {
    readonly kind: "warn";
    readonly message: string;
    readonly fields: Readonly<Record<string, string | number>>;
  };
