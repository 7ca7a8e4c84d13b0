/**
 * Answers to requests for databases of repositories, and their signatures. They always come from a
 * mirror, since they say what all else has to be: each time it is asked whether the copy here is
 * still the newest, once for all who wait. When every mirror is down, or says 5xx, that is told, so that
 * pacman asks its next server; where a person allows it, the last good copy is given, and it says so
 * (`stale_databases.ts`). What all mirrors refuse (4xx) is refused. What is not kept, for want of room or
 * because it is no database, only passes through.
 *
 * The mirror's word counts, whichever way it goes: where its file is an older one now, clients get that,
 * also those that say that they have a newer one. A client that wants no answer out of a cache
 * (`Cache-Control: no-cache`) has all of it sent by the mirror again.
 */

import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { EnvironmentError, errorOf, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger, LogThrottle } from "../../base/log.ts";
import { MirrorError, type Mirrors } from "../../http/mirrors.ts";
import type { StaleDatabaseReport } from "../../wire/reports.ts";
import type { PassThrough } from "../mirrors/pass_through.ts";
import type { Bodies } from "../server/bodies.ts";
import type { Exchange } from "../server/exchange.ts";
import type { FileSupply } from "../server/file_body.ts";
import { answerRefusal, plainAnswer } from "../server/plain_answer.ts";
import type { Validators } from "../server/preconditions.ts";
import { rangedAnswer } from "../server/ranged_answer.ts";
import { type CachedDatabase, DatabaseCache, databaseKey } from "./database_cache.ts";
import { DatabaseUpdate, NotKept } from "./database_update.ts";
import { StaleDatabases } from "./stale_databases.ts";

interface DatabasesOptions {
  readonly mirrors: Mirrors;
  readonly bodies: Bodies;
  readonly passThrough: PassThrough;
  readonly clock: Clock;
  readonly log: Logger;
  readonly throttle: LogThrottle;
  /** How old a copy may be that is given though no mirror vouches for it; 0: none is. */
  readonly staleMs: number;
}

/** All databases. */
export class Databases {
  readonly #parts: DatabasesOptions;
  readonly #cache: DatabaseCache;
  readonly #stales: StaleDatabases;
  /** By key, as all that follows. */
  readonly #updates = new Map<string, DatabaseUpdate>();
  /** Until when the mirrors of one are taken for down: they were slow to say so. */
  readonly #downUntilMs = new Map<string, number>();
  readonly #stopping = new AbortController();

  /** Keeps them in `directory`. */
  constructor(directory: string, parts: DatabasesOptions) {
    this.#parts = parts;
    this.#stales = new StaleDatabases(parts);
    try {
      this.#cache = new DatabaseCache(directory, parts);
    } catch (cause) {
      throw new EnvironmentError("other", `Cannot use ${directory}: ${messageOf(cause)}`, {
        hint: "The daemon keeps databases of repositories there: check its owner and mode.",
        cause,
      });
    }
  }

  /** What is given though no mirror vouches for it. */
  reports(): StaleDatabaseReport[] {
    return this.#stales.reports();
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
      const under = await this.#underWay(exchange, key);
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
      const copy = this.#stale(key);
      if (copy !== undefined && nowMs >= staleMs) return this.#giveStale(exchange, copy);
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

  /** The update that this client can wait for; undefined: it needs one of its own. */
  async #underWay(exchange: Exchange, key: string): Promise<DatabaseUpdate | undefined> {
    const { clock, signal, beganMs } = exchange;
    for (;;) {
      const under = this.#updates.get(key);
      const isEnough = under?.isUncached === true || under?.state.kind === "coming";
      if (under === undefined || isEnough || !isUncached(exchange)) return under;
      const waitMs = beganMs + limits.gatewayHoldMs - clock.nowMs();
      if (waitMs <= 0) return under;
      // It may be told that nothing changed, and that is not enough.
      await under.changes.next(clock, { waitMs, signal });
      signal.throwIfAborted();
      await Promise.resolve();
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
    const isFresh = isUncached(exchange);
    const file = this.#parts.mirrors.file(mirrors, { via, isUncached: isFresh });
    const update = new DatabaseUpdate({
      cache: this.#cache,
      file,
      key,
      isUncached: isFresh,
      isSignature: /\.sig$/i.test(exchange.path.name),
      signal: this.#stopping.signal,
    });
    const { clock } = exchange;
    const beganMs = clock.nowMs();
    this.#updates.set(key, update);
    update.ended.then(() => {
      this.#updates.delete(key);
      if (update.state.kind === "good") this.#stales.vouched(key);
      const nowMs = clock.nowMs();
      const isSlow = nowMs - beganMs > limits.databaseSlowMs;
      this.#downUntilMs.delete(key);
      if (update.state.kind !== "failed" || !isSlow) return;
      // Only who has a copy need not wait for mirrors that are down.
      if (this.#stale(key) !== undefined && this.#downUntilMs.size < limits.databasesMax) {
        this.#downUntilMs.set(key, nowMs + limits.mirrorBadMs);
      }
    });
    return update;
  }

  /** What the mirrors say of it; when they are down, the copy that is here. */
  async #head(exchange: Exchange, key: string): Promise<Response> {
    const answer = await this.#parts.passThrough.answer(exchange);
    const copy = answer.status >= 500 ? this.#stale(key) : undefined;
    return copy === undefined ? answer : this.#giveStale(exchange, copy);
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
    const copy = isDown ? this.#stale(key) : undefined;
    if (copy !== undefined) return this.#giveStale(exchange, copy);
    const old = isDown ? this.#cache.get(key) : undefined;
    if (old !== undefined) this.#stales.refused(old, exchange.path.path);
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

  /** The copy that may be given though no mirror vouches for it. */
  #stale(key: string): CachedDatabase | undefined {
    const copy = this.#cache.get(key);
    return copy !== undefined && this.#stales.mayGive(copy) ? copy : undefined;
  }

  #whole(
    exchange: Exchange,
    copy: CachedDatabase,
    options: { readonly isVouched?: boolean; readonly headers?: Record<string, string> } = {},
  ): Response {
    const { isVouched = true, headers = {} } = options;
    const { sizeBytes } = copy;
    return rangedAnswer(exchange, this.#parts.bodies, {
      sizeBytes,
      validators: copy,
      source: "mirror",
      isVouched,
      headers,
      open: () => {
        const file = this.#cache.open(copy);
        if (file === undefined) throw new Error(`the copy of ${exchange.path.path} is gone`);
        return new DatabaseSupply(file, { sizeBytes, update: null });
      },
    });
  }

  #giveStale(exchange: Exchange, copy: CachedDatabase): Response {
    this.#stales.given(copy, exchange.path.path);
    return this.#whole(exchange, copy, {
      // What is older than what the client has is of no use to it.
      isVouched: false,
      headers: {
        "warning": '110 - "Response is Stale"',
        "x-pacsrv-stale": `${Math.round(this.#stales.ageMs(copy) / 1_000)}`,
      },
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
      isVouched: true,
      open: () => new DatabaseSupply(update.open(), { sizeBytes, update }),
    });
  }
}

/** Whether a client wants no answer out of a cache. */
function isUncached({ headers }: Exchange): boolean {
  const asked = headers.get("cache-control") ?? headers.get("pragma") ?? "";
  return /(?:^|[\s,])no-(?:cache|store)(?:$|[\s,=])/i.test(asked);
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
