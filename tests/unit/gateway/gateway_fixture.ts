/** A gateway over a node that a test plays: it gives what it is told, when it is told. */

import { assert } from "@std/assert";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { EnvironmentError, FetchFailure } from "../../../src/base/errors.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../../../src/base/geometry.ts";
import type { Root } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import type { LogFields, Logger } from "../../../src/base/log.ts";
import { silentLogger } from "../../../src/base/log.ts";
import type { PackageFile, PackageIndex } from "../../../src/base/package_index.ts";
import type { GatewayHost } from "../../../src/gateway/answers.ts";
import { Gateway } from "../../../src/gateway/gateway.ts";
import { Mirrors } from "../../../src/http/mirrors.ts";
import { UnprovenFiles } from "../../../src/daemon/trust/unproven_files.ts";
import { GivenFiles } from "../../../src/store/catalogue/given_files.ts";
import type { FetchObserver, FetchRequest } from "../../../src/wire/fetching.ts";
import type { Done } from "../../../src/wire/messages.ts";
import { ManualClock } from "../../support/manual_clock.ts";

export const ROOT = "ab".repeat(32) as Root;
export const NO_ROOT = "00".repeat(32) as Root;
/** How long a test waits for anything. */
export const WAIT_MS = 10_000;

/** One fetch that the gateway began. */
export class PlayedFetch {
  readonly request: FetchRequest;
  readonly from: number;
  /** The root that was shown, where its bytes are to be had again. */
  readonly again: Root | undefined;
  /** Whether no node is to be asked. */
  readonly mirrorsAlone: boolean;
  readonly signal: AbortSignal;
  readonly observer: FetchObserver;
  readonly #outcome = Promise.withResolvers<Done>();

  constructor(
    request: FetchRequest,
    options: {
      observer: FetchObserver;
      signal: AbortSignal;
      from?: number;
      again?: { readonly root: Root };
      mirrorsAlone?: boolean;
    },
  ) {
    this.request = request;
    this.observer = options.observer;
    this.signal = options.signal;
    this.from = options.from ?? 0;
    this.again = options.again?.root;
    this.mirrorsAlone = options.mirrorsAlone ?? false;
    this.signal.addEventListener("abort", () => {
      this.#outcome.reject(new FetchFailure("failed", "The fetch was stopped"));
    });
  }

  get done(): Promise<Done> {
    return this.#outcome.promise;
  }

  /** Somebody has the file. */
  found(sizeBytes: number): this {
    const { name } = this.request;
    this.observer.event({ kind: "found", root: ROOT, name, sizeBytes, sources: 1, bytesHad: 0 });
    return this;
  }

  /** `bytes` can be read, but for chunks from `rottenFrom` on. */
  readable(bytes: Uint8Array, { rottenFrom = Infinity } = {}): this {
    this.observer.readable({
      sizeBytes: bytes.length,
      readRun(range, target, offset) {
        if (range.first + range.count > rottenFrom) throw new EnvironmentError("corrupt", "rotten");
        const { offset: start, length } = rangeBytes(bytes.length, range);
        target.set(bytes.subarray(start, start + length), offset);
        return length;
      },
    });
    return this;
  }

  release(range: ChunkRange): this {
    this.observer.gained(range);
    this.observer.released?.(range);
    return this;
  }

  /** The fetch ends well, with all of `bytes` here. */
  end(bytes: Uint8Array, done: Partial<Done> = {}): void {
    this.readable(bytes);
    this.release({ first: 0, count: chunkCount(bytes.length) });
    this.endBare(bytes.length, done);
  }

  endBare(sizeBytes: number, done: Partial<Done> = {}): void {
    const { name } = this.request;
    this.#outcome.resolve({
      kind: "done",
      root: ROOT,
      name,
      sizeBytes,
      bytesLocal: 0,
      sources: [],
      mirrors: [],
      queriesSent: 0,
      offersReceived: 0,
      elapsedMs: 1,
      ...done,
    });
  }

  fail(error: Error): void {
    this.#outcome.reject(error);
  }
}

/** How the played node is. */
export interface Played {
  /** What a fetch does as soon as it begins; by default it waits for the test. */
  readonly play?: (fetch: PlayedFetch) => void;
  readonly mirrors?: readonly string[];
  readonly waitMs?: number;
  /** How old a database may be that is given though no mirror vouches for it. */
  readonly staleMs?: number;
  readonly clock?: Clock;
  readonly isAlone?: boolean;
  /** Whether it may have the file whole; by default not. */
  readonly isHere?: boolean;
  /** Whether what it gives is known to be what is meant; by default it is. */
  readonly isProven?: () => boolean;
  readonly trusted?: readonly PackageFile[];
  /** Repositories whose packages need no signature. */
  readonly unsigned?: readonly (string | null)[];
  /** Keeps databases in this directory instead of one of its own. */
  readonly cacheDir?: string;
}

/** A gateway that a test asks over HTTP. */
export class PlayedGateway implements AsyncDisposable {
  readonly fetches: PlayedFetch[] = [];
  readonly lines: {
    readonly level: string;
    readonly message: string;
    readonly fields: LogFields;
  }[] = [];
  /** The roots of files that it was told to be wrong. */
  readonly contradicted: Root[] = [];
  readonly gateway: Gateway;
  readonly #clock: Clock;
  readonly #mirrors: Mirrors;
  readonly #client = Deno.createHttpClient({});
  readonly #directory: string | null;
  #began = Promise.withResolvers<void>();

  private constructor(parts: {
    gateway: Gateway;
    clock: Clock;
    mirrors: Mirrors;
    directory: string | null;
  }) {
    this.gateway = parts.gateway;
    this.#clock = parts.clock;
    this.#mirrors = parts.mirrors;
    this.#directory = parts.directory;
  }

  static start(played: Played = {}): PlayedGateway {
    const directory = played.cacheDir === undefined
      ? Deno.makeTempDirSync({ prefix: "pacsrv-gateway-" })
      : null;
    const mirrors = new Mirrors({ log: silentLogger });
    // Filled in before any request can come.
    let self: PlayedGateway | undefined;
    const host: GatewayHost = {
      fetch(request, options) {
        const fetch = new PlayedFetch(request, options);
        self!.#add(fetch);
        played.play?.(fetch);
        return fetch.done;
      },
      use: () => ({ add: () => {}, addPath: () => {}, [Symbol.dispose]: () => {} }),
      isAlone: () => played.isAlone ?? false,
      seekLinks: () => {},
      mayBeHere: () => played.isHere ?? false,
      get unproven() {
        return unproven;
      },
      trust: played.trusted && bookOf(played.trusted),
      isSignatureNeeded: (repository) => Promise.resolve(!played.unsigned?.includes(repository)),
      mirrors,
      log: recorder((level, message, fields) => self?.lines.push({ level, message, fields })),
      took: () => {},
      databaseDir: played.cacheDir ?? directory!,
    };
    const { clock = systemClock } = played;
    const isProven = played.isProven ?? (() => true);
    const unproven = new UnprovenFiles({
      proofs: {
        isProven,
        hasProven: isProven,
        contradicted: (root) => void self!.contradicted.push(root),
      },
      givenFiles: new GivenFiles([], { remember() {} }),
      clock,
      log: host.log,
    });
    const gateway = new Gateway({
      host,
      clock,
      listen: { host: "127.0.0.1", port: 0 },
      mirrors: played.mirrors ?? [],
      waitMs: played.waitMs ?? limits.gatewayWaitMs,
      staleMs: played.staleMs ?? 0,
    });
    return self = new PlayedGateway({ gateway, clock, mirrors, directory });
  }

  #add(fetch: PlayedFetch): void {
    this.fetches.push(fetch);
    this.#began.resolve();
    this.#began = Promise.withResolvers();
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.gateway.address.port}${path}`;
  }

  /** Asks; the body is still to be read. */
  get(path: string, options: RequestInit = {}): Promise<Response> {
    return fetch(this.url(path), { ...options, client: this.#client } as RequestInit);
  }

  /** The fetch of this number, once it has begun. */
  async fetch(index: number): Promise<PlayedFetch> {
    const signal = AbortSignal.timeout(WAIT_MS);
    while (this.fetches.length <= index) {
      assert(!signal.aborted, `fetch ${index} was never begun`);
      await this.#began.promise;
    }
    return this.fetches[index]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ended(this.gateway.stop(), this.#clock);
    this.#client.close();
    this.#mirrors.close();
    if (this.#directory !== null) Deno.removeSync(this.#directory, { recursive: true });
  }
}

/** What `promise` gives; where a test drives the clock, time passes until it does. */
export async function ended<T>(promise: Promise<T>, clock: Clock): Promise<T> {
  let hasEnded = false;
  const end = () => void (hasEnded = true);
  promise.then(end, end);
  if (clock instanceof ManualClock) {
    do await clock.advance(100); while (!hasEnded);
  }
  return await promise;
}

/** The bytes of an answer. */
export async function bytesOf(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await response.arrayBuffer());
}

/** Runs curl; its exit code and what it wrote. */
export async function curl(
  ...args: string[]
): Promise<{ code: number; stdout: Uint8Array<ArrayBuffer> }> {
  const { code, stdout } = await new Deno.Command("curl", {
    args: ["-sS", "--max-time", "20", "--path-as-is", ...args],
    stderr: "null",
  }).output();
  return { code, stdout };
}

function bookOf(files: readonly PackageFile[]): PackageIndex {
  const all = (name: string) => files.filter((file) => file.name === name);
  return {
    all,
    find: (name, repository) =>
      all(name).find((file) => file.repository === repository) ?? all(name)[0],
    onChange: () => () => {},
  };
}

function recorder(line: (level: string, message: string, fields: LogFields) => void): Logger {
  return {
    debug: (message, fields = {}) => line("debug", message, fields),
    info: (message, fields = {}) => line("info", message, fields),
    warn: (message, fields = {}) => line("warn", message, fields),
    error: (message, fields = {}) => line("error", message, fields),
  };
}
