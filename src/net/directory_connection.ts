/**
 * Questions on one connection to a directory: what a node or the command line says to it, and what
 * it hears. Questions may be asked before the one before is answered; answers come in that order.
 *
 * When to ask, whom, and what an answer is worth is not known here.
 */

import { PeerFault } from "../base/errors.ts";
import type { FlightId, NodeId, Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { onlyKinds } from "../wire/framer.ts";
import {
  type Message,
  type MessageOf,
  NODE_VERSION_FLIGHTS,
  NODE_VERSION_PAGES,
  type NodeVersion,
} from "../wire/messages.ts";
import type { Holder, KnownFile, ListedFile, Sought } from "../wire/structures.ts";
import type { Connection } from "./connection.ts";
import { withDeadline } from "./deadline.ts";
import { initiate, type LocalIdentity, type RemoteIdentity } from "./handshake.ts";

/** What a directory may send; which of these is due follows from what was asked. */
const OLD_ANSWERS = ["listed", "metadata", "holders", "directory-status", "denied"] as const;
/** The same in version 2 of the protocol. */
const FLIGHT_ANSWERS = [...OLD_ANSWERS, "flight-fellows", "neighbours"] as const;
/** The same in version 3. */
const ANSWERS = [...FLIGHT_ANSWERS, "search-page"] as const;

/** The directory refused, and says which limit stands against it. */
export type Denied = MessageOf<"denied">;
/** Some of the files that match a glob. */
interface FilesPage {
  readonly files: KnownFile[];
  /** Where the next page begins; null: this was the last. */
  readonly next: number | null;
  /** Whether files are left out because too many go by one name. */
  readonly isCut: boolean;
}
type DirectoryAnswer = MessageOf<(typeof ANSWERS)[number]>;

/**
 * The questions on one connection. All its questions reject, and the connection is closed, when the
 * directory is silent for `limits.directoryAnswerMs`, breaks the protocol, or goes away.
 */
export class DirectoryConnection implements Disposable {
  /** Of the directory's present run: another one knows nothing of what was told to this one. */
  readonly instance: NodeId;
  readonly connection: Connection;
  #turn: Promise<unknown> = Promise.resolve();

  /** Over a connection after its handshake. */
  constructor(connection: Connection, { nodeId, version }: RemoteIdentity) {
    this.connection = connection;
    this.instance = nodeId;
    connection.setGate(onlyKinds("Cannot hear the directory", answersIn(version)));
  }

  /**
   * Shakes hands with a directory, in the version that every directory knows.
   *
   * @throws {RefusedError | PeerFault | EnvironmentError} as `initiate` does.
   */
  static async open(connection: Connection, identity: LocalIdentity): Promise<DirectoryConnection> {
    const remote = await initiate(connection, { identity, purpose: "directory" });
    return new DirectoryConnection(connection, remote);
  }

  /** Says what this node offers: all of it or what changed, as `refresh` says. */
  async batch(
    refresh: Omit<MessageOf<"refresh">, "kind">,
    lists: {
      readonly files: Iterable<ListedFile>;
      readonly removed: Iterable<MessageOf<"remove">["files"][number]>;
    },
  ): Promise<MessageOf<"listed"> | Denied> {
    let isAnswered = false;
    const answer = this.#inTurn(() => this.#hear("listed")).finally(() => isAnswered = true);
    // Its failure is that of the sending as well, which is waited for first.
    answer.catch(() => {});
    const messages = function* (): Generator<Message> {
      for (const files of inRuns(lists.removed)) yield { kind: "remove", files };
      for (const files of inRuns(lists.files)) yield { kind: "advertise", files };
    };
    const send = async () => {
      this.connection.send({ kind: "refresh", ...refresh });
      for (const message of messages()) {
        // A refusal comes before the end of the list: the rest would be for nothing.
        if (isAnswered || this.connection.isClosed) return;
        this.connection.send(message);
        await this.connection.flushed();
      }
      this.connection.send({ kind: "batch-end" });
    };
    const timeoutMs = limits.directoryConnectionMs;
    await withDeadline(this.connection, "Cannot send the list", send, { timeoutMs });
    return await this.#bounded(() => answer);
  }

  /** Says that this node goes away. */
  leave(leave: Omit<MessageOf<"leave">, "kind">): Promise<MessageOf<"listed"> | Denied> {
    return this.#ask({ kind: "leave", ...leave }, () => this.#hear("listed"));
  }

  /** What goes by a name or root. */
  metadata(sought: Sought): Promise<KnownFile[] | Denied> {
    const max = limits.directorySearchMax;
    return this.#ask({ kind: "metadata-query", sought }, () => this.#hearFiles(max));
  }

  /** What matches a glob, at most `max` files. */
  search(glob: string, max: number): Promise<KnownFile[] | Denied> {
    return this.#ask({ kind: "search-query", glob, max }, () => this.#hearFiles(max));
  }

  /**
   * What matches a glob, at most `max` files, from where the page before stopped, or from 0 on. Only
   * on a connection of version 3.
   */
  searchPage(
    glob: string,
    { from, max }: { readonly from: number; readonly max: number },
  ): Promise<FilesPage | Denied> {
    return this.#ask({ kind: "search-page-query", glob, max, from }, async () => {
      const files = await this.#hearFiles(max);
      if ("kind" in files) return files;
      const end = await this.#hear("search-page");
      if (end.kind === "denied") return end;
      const { next, isCut } = end;
      // Else it could have a node ask for ever.
      if (next !== null && next <= from) {
        throw new PeerFault("malformed", `Cannot hear the directory: ${next} is no later page`);
      }
      return { files, next, isCut };
    });
  }

  /** Who holds a name or root, at most `max` nodes, the best to ask first. */
  holders(sought: Sought, max: number): Promise<Holder[] | Denied> {
    return this.#ask({ kind: "holders-query", sought, max }, () => this.#hearHolders(max));
  }

  /** Who would take a file, at most `max` nodes, the least loaded first. */
  takers(
    file: { readonly root: Root; readonly sizeBytes: number },
    max: number,
  ): Promise<Holder[] | Denied> {
    return this.#ask({ kind: "takers-query", ...file, max }, () => this.#hearHolders(max));
  }

  /**
   * Says that a file is in flight here for so long, or with 0 not any more, and asks who else has it.
   * Only on a connection of version 2.
   */
  fellows(
    file: { readonly flight: FlightId; readonly sizeBytes: number },
    leaseMs: number,
  ): Promise<MessageOf<"flight-fellows"> | Denied> {
    const question: Message = { kind: "flight-lease", ...file, leaseMs };
    return this.#ask(question, () => this.#hear("flight-fellows"));
  }

  /** Where nodes accept links, at most `max` of them. Only on a connection of version 2. */
  neighbours(max: number): Promise<MessageOf<"neighbours"> | Denied> {
    return this.#ask({ kind: "neighbours-query", max }, () => this.#hear("neighbours"));
  }

  /** How the directory is doing. */
  status(): Promise<MessageOf<"directory-status"> | Denied> {
    return this.#ask({ kind: "directory-query" }, () => this.#hear("directory-status"));
  }

  /** Ends it; questions that wait are rejected. */
  close(): void {
    this.connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #ask<T>(question: Message, hear: () => Promise<T>): Promise<T> {
    this.connection.send(question);
    return this.#bounded(() => this.#inTurn(hear));
  }

  /** Hears an answer once those to all earlier questions have been heard. */
  #inTurn<T>(hear: () => Promise<T>): Promise<T> {
    const heard = this.#turn.then(hear);
    // A failed one has closed the connection, so those behind it fail by themselves.
    this.#turn = heard.catch(() => {});
    return heard;
  }

  #bounded<T>(exchange: () => Promise<T>): Promise<T> {
    const timeoutMs = limits.directoryAnswerMs;
    return withDeadline(this.connection, "Cannot hear the directory", exchange, { timeoutMs });
  }

  #hearFiles(max: number): Promise<KnownFile[] | Denied> {
    return this.#hearAll("metadata", max, ({ files }) => files);
  }

  #hearHolders(max: number): Promise<Holder[] | Denied> {
    return this.#hearAll("holders", max, ({ holders }) => holders);
  }

  /** Hears an answer that may come in several messages, with at most `max` items together. */
  async #hearAll<K extends "metadata" | "holders", T>(
    kind: K,
    max: number,
    itemsOf: (answer: MessageOf<K>) => readonly T[],
  ): Promise<T[] | Denied> {
    const items: T[] = [];
    for (;;) {
      const answer = await this.#hear(kind);
      if (answer.kind === "denied") return answer as Denied;
      items.push(...itemsOf(answer as MessageOf<K>));
      if (items.length > max) {
        const message = `Cannot hear the directory: it names ${items.length}, asked for ${max}`;
        throw new PeerFault("flooding", message);
      }
      if ((answer as MessageOf<"metadata" | "holders">).last) return items;
    }
  }

  async #hear<K extends DirectoryAnswer["kind"]>(kind: K): Promise<MessageOf<K> | Denied> {
    // The gate lets nothing else in.
    const answer = await this.connection.receiveOne() as DirectoryAnswer;
    if (answer.instance !== this.instance) {
      throw new PeerFault(
        "unexpected",
        `Cannot hear the directory: it answers as ${answer.instance}, and is ${this.instance}`,
      );
    }
    if (answer.kind !== kind && answer.kind !== "denied") {
      throw new PeerFault(
        "unexpected",
        `Cannot hear the directory: ${answer.kind} came instead of ${kind}`,
      );
    }
    return answer as MessageOf<K> | Denied;
  }
}

function answersIn(version: NodeVersion): readonly (typeof ANSWERS)[number][] {
  if (version < NODE_VERSION_FLIGHTS) return OLD_ANSWERS;
  return version < NODE_VERSION_PAGES ? FLIGHT_ANSWERS : ANSWERS;
}

/** Items in runs that make frames of a good size. */
function* inRuns<T>(items: Iterable<T>): Generator<T[]> {
  let run: T[] = [];
  for (const item of items) {
    run.push(item);
    if (run.length < limits.advertisedPerMessageMax) continue;
    yield run;
    run = [];
  }
  if (run.length > 0) yield run;
}
