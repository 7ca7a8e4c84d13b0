/**
 * The questions of a node to one directory. They share one connection, which is opened when it is
 * needed and kept for a moment only. What is asked is not known here.
 */

import type { Clock } from "../../base/clock.ts";
import { EnvironmentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { DirectoryConnection } from "../../net/directory_connection.ts";

interface Opened {
  readonly connection: Promise<DirectoryConnection>;
  readonly openedMs: number;
  /** Questions without an answer. */
  waiting: number;
  /** When the last question was answered. */
  answeredMs: number;
}

/** The questions to one directory. */
export class DirectoryQuestions {
  readonly #clock: Clock;
  readonly #open: () => Promise<DirectoryConnection>;
  #current: Opened | null = null;
  #waiting = 0;
  #failedMs = -Infinity;
  #isClosed = false;

  /** `open` connects and shakes hands. */
  constructor(clock: Clock, open: () => Promise<DirectoryConnection>) {
    this.#clock = clock;
    this.#open = open;
  }

  /**
   * Asks over the connection that there is, or a new one.
   *
   * @throws {EnvironmentError} "unreachable" when the directory cannot be had, could not be had a
   * moment ago, or has too many questions already.
   * @throws {PeerFault | RefusedError} as the question does.
   */
  async ask<T>(question: (connection: DirectoryConnection) => Promise<T>): Promise<T> {
    if (this.#waiting >= limits.directoryAskedMax) {
      throw new EnvironmentError(
        "unreachable",
        `Cannot ask: ${this.#waiting} questions wait for answers, at most ` +
          limits.directoryAskedMax,
      );
    }
    this.#waiting++;
    try {
      const kept = this.#usable();
      if (kept === undefined) return await this.#askOn(this.#opened(), question);
      try {
        return await this.#askOn(kept, question);
      } catch (error) {
        // A kept connection may have ended meanwhile, which shows only now: once more on a new one.
        if (!(error instanceof EnvironmentError) || this.#isClosed) throw error;
        return await this.#askOn(this.#usable() ?? this.#opened(), question);
      }
    } finally {
      this.#waiting--;
    }
  }

  /** Closes the connection when nobody needs it any more. */
  tick(nowMs: number): void {
    const current = this.#current;
    if (current === null || current.waiting > 0) return;
    if (nowMs - current.answeredMs > limits.directoryKeptMs) this.#drop(current);
  }

  /** Ends everything; questions that wait are rejected. */
  close(): void {
    this.#isClosed = true;
    if (this.#current !== null) this.#drop(this.#current);
  }

  /** The connection that there is, if it may still be asked on. */
  #usable(): Opened | undefined {
    const current = this.#current;
    if (
      current === null ||
      this.#clock.nowMs() - current.openedMs > limits.directoryConnectionAgeMsMax
    ) return undefined;
    return current;
  }

  #opened(): Opened {
    const nowMs = this.#clock.nowMs();
    if (this.#isClosed || nowMs - this.#failedMs < limits.directoryPauseMs) {
      throw new EnvironmentError("unreachable", "Cannot ask: it could not be had just now");
    }
    const opened = { connection: this.#open(), openedMs: nowMs, waiting: 0, answeredMs: nowMs };
    this.#current = opened;
    opened.connection.catch(() => this.#failedMs = this.#clock.nowMs());
    return opened;
  }

  async #askOn<T>(
    opened: Opened,
    question: (connection: DirectoryConnection) => Promise<T>,
  ): Promise<T> {
    opened.waiting++;
    try {
      return await question(await opened.connection);
    } catch (error) {
      this.#drop(opened);
      throw error;
    } finally {
      opened.waiting--;
      opened.answeredMs = this.#clock.nowMs();
      // A younger connection is used by now.
      if (opened !== this.#current && opened.waiting === 0) this.#drop(opened);
    }
  }

  #drop(opened: Opened): void {
    if (this.#current === opened) this.#current = null;
    opened.connection.then((connection) => connection.close(), () => {});
  }
}
