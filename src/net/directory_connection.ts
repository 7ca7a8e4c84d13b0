/**
 * Questions on one connection to a directory: what a node or the command line says to it, and what
 * it hears. Questions may be asked before the one before is answered; answers come in that order.
 *
 * When to ask, whom, and what an answer is worth is not known here.
 */

import { PeerFault } from "../base/errors.ts";
import type { NodeId, Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { onlyKinds } from "../wire/framer.ts";
import type { Message, MessageOf } from "../wire/messages.ts";
import type { Holder, KnownFile, ListedFile, Sought } from "../wire/structures.ts";
import type { Connection } from "./connection.ts";
import { withDeadline } from "./deadline.ts";
import { initiate, type LocalIdentity } from "./handshake.ts";

/** What a directory may send; which of these is due follows from what was asked. */
const ANSWERS = ["listed", "metadata", "holders", "directory-status", "denied"] as const;

/** The directory refused, and says which limit stands against it. */
export type Denied = MessageOf<"denied">;
type Answer = MessageOf<(typeof ANSWERS)[number]>;

/**
 * The questions on one connection. All its questions reject, and the connection is closed, when the
 * directory is silent for `limits.directoryAnswerMs`, breaks the protocol, or goes away.
 */
export class DirectoryConnection implements Disposable {
  /** Of the directory's present run: another one knows nothing of what was told to this one. */
  readonly instance: NodeId;
  readonly connection: Connection;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(connection: Connection, instance: NodeId) {
    this.connection = connection;
    this.instance = instance;
    connection.setGate(onlyKinds("Cannot hear the directory", ANSWERS));
  }

  /**
   * Shakes hands with a directory.
   *
   * @throws {RefusedError | PeerFault | EnvironmentError} as `initiate` does.
   */
  static async open(connection: Connection, identity: LocalIdentity): Promise<DirectoryConnection> {
    const { nodeId } = await initiate(connection, { identity, purpose: "directory" });
    return new DirectoryConnection(connection, nodeId);
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

  async #hear<K extends Answer["kind"]>(kind: K): Promise<MessageOf<K> | Denied> {
    // The gate lets nothing else in.
    const answer = await this.connection.receiveOne() as Answer;
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
