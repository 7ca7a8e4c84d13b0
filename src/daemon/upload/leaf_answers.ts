/**
 * The holder's answers to requests for leaves: one for each, in the order of the requests. Leaves
 * that were not held against their root lately are looked into first, and a damaged layer is
 * computed again; what was asked meanwhile is answered then.
 */

import { messageOf } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import { HASH_BYTES, type Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import type { Message, Rejection } from "../../wire/messages.ts";

/** From where leaves are read. */
export interface LeafStore {
  /** Whether the leaves that are here make the root, as far as that can be told at once. */
  areLeavesProven(root: Root): boolean;
  /** Resolves when the leaves were looked into, and mended where that can be done. */
  ready(root: Root): Promise<void>;
  readLeaves(root: Root, range: ChunkRange, target: Uint8Array, offset: number): void;
}

/** The answers to one requester of one file. */
export class LeafAnswers {
  readonly #root: Root;
  readonly #store: LeafStore;
  readonly #log: Logger;
  readonly #send: (message: Message) => void;
  #waiting: ChunkRange[] = [];
  #isLooking = false;

  constructor(
    root: Root,
    { store, log, send }: {
      readonly store: LeafStore;
      readonly log: Logger;
      readonly send: (message: Message) => void;
    },
  ) {
    this.#root = root;
    this.#store = store;
    this.#log = log;
    this.#send = send;
  }

  /** Whether the requester waits for an answer. */
  get isBusy(): boolean {
    return this.#waiting.length > 0;
  }

  /** Answers a request for a run that is in the file, now or later. */
  request(range: ChunkRange): void {
    if (this.#waiting.length >= limits.uploadQueueMax) return this.#reject(range, "busy");
    this.#waiting.push({ first: range.first, count: range.count });
    if (this.#isLooking) return;
    if (this.#store.areLeavesProven(this.#root)) this.#answer({ isMended: false });
    else this.#lookInto();
  }

  /** The requester is gone: nothing more is read for it. */
  end(): void {
    this.#waiting = [];
  }

  #lookInto(): void {
    this.#isLooking = true;
    this.#store.ready(this.#root)
      .catch((error) => this.#warn("cannot look into leaves", error))
      .finally(() => {
        this.#isLooking = false;
        this.#answer({ isMended: true });
      });
  }

  #answer({ isMended }: { readonly isMended: boolean }): void {
    for (let range = this.#waiting[0]; range !== undefined; range = this.#waiting[0]) {
      const { first, count } = range;
      const hashes = new Uint8Array(count * HASH_BYTES);
      try {
        this.#store.readLeaves(this.#root, range, hashes, 0);
        this.#send({ kind: "leaves", first, hashes });
      } catch (error) {
        // The store may have found just now that they are damaged.
        if (!isMended) return this.#lookInto();
        this.#warn("cannot read leaves", error);
        this.#reject(range, "withdrawn");
      }
      this.#waiting.shift();
    }
  }

  #reject({ first, count }: ChunkRange, rejection: Rejection): void {
    this.#send({ kind: "reject", range: { first, count }, rejection });
  }

  #warn(what: string, error: unknown): void {
    this.#log.warn(what, { root: this.#root, error: messageOf(error) });
  }
}
