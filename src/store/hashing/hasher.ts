/**
 * Has files hashed in a worker: started when the first file comes, ended when there was nothing to
 * do for a while.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { EnvironmentError, unreachable } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { FileToHash, HashedFile, HashProgress, HashRequest, Sha256File } from "./hash_file.ts";
import type { FileHash, HashAnswer, HashJob } from "./hash_worker.ts";

interface PendingJob {
  readonly job: HashJob;
  readonly resolve: (file: FileHash) => void;
  readonly reject: (reason: unknown) => void;
  readonly progressed?: HashProgress | undefined;
}

/** How a file is hashed. */
interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  readonly progressed?: HashProgress | undefined;
}

/** Hashes files, one after the other, in the order in which they were given. */
export class Hasher implements Disposable {
  #worker: Worker | undefined;
  readonly #waiting: PendingJob[] = [];
  // Given to the worker; a few at once, so that it need not wait between small files.
  readonly #running = new Map<number, PendingJob>();
  #lastId = 0;
  readonly #clock: Clock;
  #idleTimer: Timer | undefined;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a worker is there now. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /**
   * Hashes a file and leaves its leaf layer in the sidecar.
   *
   * @throws {EnvironmentError} as {@linkcode hashFile} does.
   */
  async hash(
    request: HashRequest,
    options: HashOptions = {},
  ): Promise<HashedFile> {
    // The worker answers what it was asked.
    return await this.#run({ kind: "root", id: ++this.#lastId, ...request }, options) as HashedFile;
  }

  /** The SHA-256 of a file, its root, and what the file was like. @throws {EnvironmentError} as above. */
  async sha256(
    file: FileToHash,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Sha256File> {
    const result = await this.#run({ kind: "sha256", id: ++this.#lastId, ...file }, options);
    return result as Sha256File;
  }

  async #run(
    job: HashJob,
    { signal, progressed }: HashOptions,
  ): Promise<FileHash> {
    signal?.throwIfAborted();
    if (this.#isClosed) throw new DOMException("The hasher is closed", "AbortError");
    const { promise, resolve, reject } = Promise.withResolvers<FileHash>();
    const abort = () => this.#abort(job.id, signal?.reason);
    signal?.addEventListener("abort", abort);
    this.#waiting.push({ job, resolve, reject, progressed });
    this.#pump();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Ends the worker; files that are not hashed yet are given up with an AbortError. */
  close(): void {
    this.#isClosed = true;
    this.#stopWorker();
    const reason = new DOMException("The hasher is closed", "AbortError");
    for (const { reject } of [...this.#running.values(), ...this.#waiting.splice(0)]) {
      reject(reason);
    }
    this.#running.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #pump(): void {
    while (this.#running.size < limits.hashJobsMax) {
      const pending = this.#waiting.shift();
      if (pending === undefined) break;
      this.#running.set(pending.job.id, pending);
      this.#startWorker().postMessage(pending.job);
    }
    this.#idleTimer?.cancel();
    if (this.#running.size === 0 && this.#worker !== undefined) {
      this.#idleTimer = this.#clock.after(limits.hashWorkerIdleMs, () => this.#stopWorker());
    }
  }

  #startWorker(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL("./hash_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = (event: MessageEvent<HashAnswer>) => this.#settle(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#crash(event.message);
    };
    this.#worker = worker;
    return worker;
  }

  #stopWorker(): void {
    this.#idleTimer?.cancel();
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #settle(answer: HashAnswer): void {
    const pending = this.#running.get(answer.id);
    if (pending === undefined) return;
    if (answer.kind === "progressed") return pending.progressed?.(answer.bytes);
    this.#running.delete(answer.id);
    switch (answer.kind) {
      case "hashed":
        pending.resolve(answer.file);
        break;
      case "failed": {
        const { code, message, hint } = answer;
        pending.reject(new EnvironmentError(code, message, hint === undefined ? {} : { hint }));
        break;
      }
      default:
        unreachable(answer);
    }
    this.#pump();
  }

  // The worker cannot be interrupted within a file: it is ended, and what else it had starts again.
  #abort(id: number, reason: unknown): void {
    const pending = this.#running.get(id);
    if (pending === undefined) {
      const index = this.#waiting.findIndex(({ job }) => job.id === id);
      if (index >= 0) this.#waiting.splice(index, 1)[0]!.reject(reason);
      return;
    }
    this.#stopWorker();
    this.#running.delete(id);
    this.#waiting.unshift(...this.#running.values());
    this.#running.clear();
    pending.reject(reason);
    this.#pump();
  }

  #crash(message: string): void {
    this.#stopWorker();
    const error = new EnvironmentError("other", `The hash worker failed: ${message}`);
    for (const { reject } of this.#running.values()) reject(error);
    this.#running.clear();
    this.#pump();
  }
}
