/**
 * Has databases read in a worker, one after the other. The worker is started for the first and
 * ended when there was nothing to read for a while. Whatever a file does to it, this thread goes on.
 */

import { limits } from "../base/limits.ts";
import type { DatabaseContents } from "./database_file.ts";
import type { DatabaseAnswer, DatabaseJob } from "./database_worker.ts";

/** Reads databases; the caller waits for one before it gives the next. */
export class DatabaseReader implements Disposable {
  #worker: Worker | undefined;
  #reading: PromiseWithResolvers<DatabaseContents> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Reads the database at `path`, of at most `packagesMax` packages.
   *
   * @throws {Error} in words for people, when it cannot be read.
   */
  read(path: string, options: { readonly packagesMax: number }): Promise<DatabaseContents> {
    const reading = this.#reading = Promise.withResolvers<DatabaseContents>();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#fail(`it was not read within ${limits.syncReadMs / 1_000} s`),
      limits.syncReadMs,
    );
    const job: DatabaseJob = { path, packagesMax: options.packagesMax };
    this.#startWorker().postMessage(job);
    return reading.promise;
  }

  [Symbol.dispose](): void {
    this.#fail("the reader was closed");
  }

  #startWorker(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL("./database_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = (event: MessageEvent<DatabaseAnswer>) => {
      if (worker === this.#worker) this.#settle(event.data);
    };
    // What the unpacking library throws past its caller ends up here as well.
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker === this.#worker) this.#fail(`it cannot be unpacked: ${event.message}`);
    };
    this.#worker = worker;
    return worker;
  }

  #settle(answer: DatabaseAnswer): void {
    const reading = this.#reading;
    this.#reading = undefined;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#stopWorker(), limits.hashWorkerIdleMs);
    if ("problem" in answer) reading?.reject(new Error(answer.problem));
    else reading?.resolve(answer.contents);
  }

  #fail(problem: string): void {
    this.#stopWorker();
    const reading = this.#reading;
    this.#reading = undefined;
    reading?.reject(new Error(problem));
  }

  #stopWorker(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}
