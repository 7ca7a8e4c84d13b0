/** Where a URL says that a file is: at an HTTP server, or on this machine. */

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FetchFailure, messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import { hostOfUrl } from "../base/mirror_url.ts";
import { nextTurn } from "../base/clock.ts";
import type { MirrorError } from "./mirror_error.ts";
import { Mirrors } from "./mirrors.ts";
import type { ByteRange, RangeBody, RangeSource } from "./resumable_read.ts";

/** The file at a URL. What is wrong with a mirror is thrown as {@linkcode MirrorError}. */
export interface Origin extends RangeSource {
  /** For people: HOST or HOST:PORT, or "file". */
  readonly label: string;
  /** Whatever it gives next may be another file than before. */
  forget(): void;
}

/** The origin of an `http:` or `https:` URL; its connections end when it is disposed of. */
export function mirrorOrigin(url: URL, { log }: { readonly log: Logger }): Origin & Disposable {
  const mirrors = new Mirrors({ log });
  const file = mirrors.file([url.href]);
  return {
    label: hostOfUrl(url),
    open: (range, options) => file.open(range, options),
    forget: () => file.forget(),
    [Symbol.dispose]: () => mirrors.close(),
  };
}

/** The origin of a `file:` URL. */
export function fileOrigin(url: URL): Origin {
  const path = fileURLToPath(url);
  return {
    label: "file",
    open: (range, { signal }) => Promise.try(() => new DiskFileBody(path, range, signal)),
    forget() {},
  };
}

/** Bytes of a file of this machine. */
export class DiskFileBody implements RangeBody {
  readonly mirror = "file";
  readonly offset: number;
  readonly sizeBytes: number;
  readonly #path: string;
  readonly #signal: AbortSignal;
  readonly #fd: number;
  readonly #end: number;
  readonly #block = new Uint8Array(limits.originReadBytes);
  #position: number;

  /** @throws {FetchFailure} when there is no such file, or it cannot be read. */
  constructor(path: string, { offset, end = Infinity }: ByteRange, signal: AbortSignal) {
    signal.throwIfAborted();
    this.#path = path;
    this.#signal = signal;
    this.#fd = unlessFailed(path, () => {
      // It may be a pipe, whose other end must not be waited for.
      return openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    });
    const info = fstatSync(this.#fd);
    if (!info.isFile()) {
      closeSync(this.#fd);
      throw new FetchFailure("failed", `Cannot read ${path}: it is not a file`);
    }
    this.offset = this.#position = offset;
    this.sizeBytes = info.size;
    this.#end = Math.min(end, info.size);
  }

  /** @throws {FetchFailure} when it cannot be read. */
  async read(): Promise<Uint8Array | null> {
    // A turn for others, such as signals.
    await nextTurn();
    this.#signal.throwIfAborted();
    const wanted = Math.min(this.#block.length, this.#end - this.#position);
    if (wanted <= 0) return null;
    const length = unlessFailed(this.#path, () => {
      const length = readSync(this.#fd, this.#block, 0, wanted, this.#position);
      if (length === 0) throw new Error("it got shorter meanwhile");
      return length;
    });
    this.#position += length;
    return this.#block.subarray(0, length);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Whether an origin cannot give the part that was asked for, but the file from its first byte on. */
export function isWholeOnly(error: MirrorError): boolean {
  return error.code === "no-range" || error.code === "changed" || error.status === 416;
}

/** How a fetch of the file `name` ends for which what its origin did is the end. */
export function originFailure(
  error: MirrorError,
  { name, label }: { readonly name: string; readonly label: string },
): FetchFailure {
  const { code, status, retryAfter } = error;
  if (code !== "refused") return new FetchFailure("failed", error.message, { cause: error });
  const upstream = { status, retryAfter };
  if (status === 404 || status === 410) {
    return new FetchFailure("notFound", `${label} has no ${name} (${status})`, { upstream });
  }
  const later = retryAfter === null ? "" : `; it says to try again after ${retryAfter}`;
  const message = `Cannot get ${name} from ${label}: it answers ${status}${later}`;
  return new FetchFailure("failed", message, { upstream });
}

function unlessFailed<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new FetchFailure("notFound", `There is no file ${path}`, { cause });
    }
    throw new FetchFailure("failed", `Cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}
