/**
 * Answers to requests for databases of repositories, and their signatures. They always come from a
 * mirror, since they say what all else has to be: each time it is asked whether the copy here is
 * still the newest, once for all who wait. When every mirror is down, or says 5xx, the last good copy
 * is given, and it says so; what all mirrors refuse (4xx) is refused. What is not kept, for want of
 * room or because it is no database, only passes through.
 */

import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { EnvironmentError, errorOf, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger, LogThrottle } from "../../base/log.ts";
import { MirrorError, type Mirrors } from "../../http/mirrors.ts";
import type { PassThrough } from "../mirrors/pass_through.ts";
import type { Bodies } from "../server/bodies.ts";
import type { Exchange } from "../server/exchange.ts";
import type { FileSupply } from "../server/file_body.ts";
import { answerRefusal, plainAnswer } from "../server/plain_answer.ts";
import type { Validators } from "../server/preconditions.ts";
import { rangedAnswer } from "../server/ranged_answer.ts";
import { type CachedDatabase, DatabaseCache, databaseKey } from "./database_cache.ts";
import { DatabaseUpdate, NotKept } from "./database_update.ts";

interface DatabasesOptions {
  readonly mirrors: Mirrors;
  readonly bodies: Bodies;
  readonly passThrough: PassThrough;
  readonly clock: Clock;
  readonly log: Logger;
  readonly throttle: LogThrottle;
}

/** All databases. */
export class Databases {
  readonly #parts: DatabasesOptions;
  readonly #cache: DatabaseCache;
  /** By key, as all that follows. */
  readonly #updates = new Map<string, DatabaseUpdate>();
  /** Until when the mirrors of one are taken for down: they were slow to say so. */
  readonly #downUntilMs = new Map<string, number>();
  readonly #stopping = new AbortController();

  /** Keeps them in `directory`. */
  constructor(directory: string, parts: DatabasesOptions) {
    this.#parts = parts;
    try {
      this.#cache = new DatabaseCache(directory, parts);
    } catch (cause) {
      throw new EnvironmentError("other", `Cannot use ${directory}: ${messageOf(cause)}`, {
        hint: "The daemon keeps databases of repositories there: check its owner and mode.",
        cause,
      });
    }
  }

  /** Ends everything; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the gateway was stopped"));
    await Promise.all([...this.#updates.values()].map(({ ended }) => ended));
  }

  /** The answer to a GET or HEAD; the exchange must name at least one mirror. */
  async answer(exchange: Exchange): Promise<Response> {
    const key = databaseKey(exchange.mirrors);
    if (exchange.isHead) return await this.#head(exchange, key);
    this.#cache.asked(key);
    let update: DatabaseUpdate;
    try {
      const under = this.#updates.get(key);
      if (under === undefined && this.#isBusyFor(key)) {
        return plainAnswer(503, "Cannot get it now: too many databases are on their way", {
          headers: { "retry-after": "1" },
        });
      }
      update = under ?? this.#update(exchange, key);
    } catch (error) {
      return answerRefusal(error, exchange);
    }
    const untilMs = exchange.beganMs + limits.gatewayHoldMs;
    const staleMs = exchange.beganMs +
      (exchange.clock.nowMs() < (this.#downUntilMs.get(key) ?? 0) ? 0 : limits.mirrorAnswerMs);
    for (;;) {
      exchange.signal.throwIfAborted();
      const { state } = update;
      if (state.kind === "good") return this.#whole(exchange, state.copy);
      if (state.kind === "coming" && state.sizeBytes !== null) {
        const { sizeBytes, validators } = state;
        return this.#growing(exchange, update, { sizeBytes, validators });
      }
      if (state.kind === "failed") {
        const { isDown } = update;
        return await this.#failed(exchange, key, { error: state.error, isDown });
      }
      const nowMs = exchange.clock.nowMs();
      const copy = this.#cache.get(key);
      if (copy !== undefined && nowMs >= staleMs) return this.#stale(exchange, copy);
      // One whose length nobody knows is waited for as long as it comes.
      if (state.kind === "asking" && nowMs >= untilMs) {
        return plainAnswer(504, `Cannot get ${exchange.path.name}: no mirror has answered yet`);
      }
      const waitMs = copy !== undefined
        ? staleMs - nowMs
        : Math.max(untilMs - nowMs, limits.databaseWaitMs);
      await update.changes.next(exchange.clock, { waitMs, signal: exchange.signal });
    }
  }

  /** Whether no other database can be got that is not kept here. */
  #isBusyFor(key: string): boolean {
    if (this.#updates.size < limits.databaseUpdatesMax || this.#cache.get(key)) return false;
    let news = 0;
    for (const other of this.#updates.keys()) if (!this.#cache.get(other)) news++;
    return news >= limits.databaseUpdatesMax;
  }

  #update(exchange: Exchange, key: string): DatabaseUpdate {
    const { mirrors, via } = exchange;
    const file = this.#parts.mirrors.file(mirrors, { via });
    const update = new DatabaseUpdate({
      cache: this.#cache,
      file,
      key,
      isSignature: /\.sig$/i.test(exchange.path.name),
      signal: this.#stopping.signal,
    });
    const { clock } = exchange;
    const beganMs = clock.nowMs();
    this.#updates.set(key, update);
    update.ended.then(() => {
      this.#updates.delete(key);
      const nowMs = clock.nowMs();
      const isSlow = nowMs - beganMs > limits.databaseSlowMs;
      this.#downUntilMs.delete(key);
      if (update.state.kind !== "failed" || !isSlow) return;
      // Only who has a copy need not wait for mirrors that are down.
      if (this.#cache.get(key) !== undefined && this.#downUntilMs.size < limits.databasesMax) {
        this.#downUntilMs.set(key, nowMs + limits.mirrorBadMs);
      }
    });
    return update;
  }

  /** What the mirrors say of it; when they are down, the copy that is here. */
  async #head(exchange: Exchange, key: string): Promise<Response> {
    const answer = await this.#parts.passThrough.answer(exchange);
    const copy = answer.status >= 500 ? this.#cache.get(key) : undefined;
    return copy === undefined ? answer : this.#stale(exchange, copy);
  }

  async #failed(
    exchange: Exchange,
    key: string,
    { error, isDown }: { readonly error: unknown; readonly isDown: boolean },
  ): Promise<Response> {
    if (error instanceof NotKept) {
      this.#logNotKept(exchange, error);
      return await this.#parts.passThrough.answer(exchange);
    }
    const copy = isDown ? this.#cache.get(key) : undefined;
    if (copy !== undefined) return this.#stale(exchange, copy);
    if (!(error instanceof MirrorError)) {
      this.#parts.log.warn("cannot get a database", {
        path: exchange.path.path,
        error: messageOf(error),
      });
    }
    return answerRefusal(error, exchange);
  }

  /** Nobody who gets it sees a difference: so the log tells it, once for all while it lasts. */
  #logNotKept({ path }: Exchange, { reason, message }: NotKept): void {
    const key = reason === "disk" ? reason : `${reason} ${path.path}`;
    if (reason === "no-room" || !this.#parts.throttle.isFirst(key)) return;
    const fields = { path: path.path, error: message };
    this.#parts.log.warn("cannot keep a database: it is passed on", fields);
  }

  #whole(
    exchange: Exchange,
    copy: CachedDatabase,
    headers: Readonly<Record<string, string>> = {},
  ): Response {
    const { sizeBytes } = copy;
    return rangedAnswer(exchange, this.#parts.bodies, {
      sizeBytes,
      validators: copy,
      source: "mirror",
      headers,
      open: () => {
        const file = this.#cache.open(copy);
        if (file === undefined) throw new Error(`the copy of ${exchange.path.path} is gone`);
        return new DatabaseSupply(file, { sizeBytes, update: null });
      },
    });
  }

  #stale(exchange: Exchange, copy: CachedDatabase): Response {
    const seconds = Math.max(0, Math.round((exchange.clock.unixMs() - copy.checkedMs) / 1_000));
    return this.#whole(exchange, copy, {
      "warning": '110 - "Response is Stale"',
      "x-pacsrv-stale": `${seconds}`,
    });
  }

  #growing(
    exchange: Exchange,
    update: DatabaseUpdate,
    { sizeBytes, validators }: { readonly sizeBytes: number; readonly validators: Validators },
  ): Response {
    return rangedAnswer(exchange, this.#parts.bodies, {
      sizeBytes,
      validators,
      source: "mirror",
      open: () => new DatabaseSupply(update.open(), { sizeBytes, update }),
    });
  }
}

/** A database on the disk, whole or growing, as the body of one answer reads it. */
class DatabaseSupply implements FileSupply {
  readonly round = 0;
  readonly changes: Changes;
  readonly #file: Deno.FsFile;
  readonly #sizeBytes: number;
  /** What makes it grow; null for a file that is whole. */
  readonly #update: DatabaseUpdate | null;

  /** Takes `file` over: it is closed when the subscription ends. */
  constructor(
    file: Deno.FsFile,
    options: { readonly sizeBytes: number; readonly update: DatabaseUpdate | null },
  ) {
    this.#file = file;
    this.#sizeBytes = options.sizeBytes;
    this.#update = options.update;
    this.changes = options.update?.changes ?? new Changes();
  }

  get failure(): Error | null {
    const state = this.#update?.state;
    return state?.kind === "failed" ? errorOf(state.error) : null;
  }

  get isOver(): boolean {
    const kind = this.#update?.state.kind;
    return kind === undefined || kind === "good" || kind === "failed";
  }

  subscribe(): () => void {
    return () => this.#file.close();
  }

  releasedEnd(offset: number, { max }: { readonly max: number }): number {
    // The last byte waits until all of it is kept: nobody has a database whole that failed.
    const here = this.#update === null || this.isOver
      ? this.#sizeBytes
      : Math.min(this.#update.bytes, this.#sizeBytes - 1);
    return Math.max(offset, Math.min(here, offset + max));
  }

  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const buffer = new Uint8Array(length);
    // Both in one turn: no other reader has this file.
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    return buffer.subarray(0, this.#file.readSync(buffer) ?? 0);
  }
}
