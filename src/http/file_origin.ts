/** A file of this machine, as a `file:` URL names it, as the origin of a fetch. */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FetchFailure, messageOf } from "../base/errors.ts";
import { nextTurn } from "../base/clock.ts";
import { type Origin, type OriginBody, OriginError } from "./direct_fetch.ts";

/** Bytes read at a time. */
const BLOCK_BYTES = 512 * 1024;

/** The origin of a `file:` URL. */
export function fileOrigin(url: URL): Origin {
  const path = fileURLToPath(url);
  return {
    label: "file",
    open({ offset, end }, { signal }) {
      try {
        signal.throwIfAborted();
        return Promise.resolve(openBody(path, { offset, end, signal }));
      } catch (error) {
        return Promise.reject(originError(error, path));
      }
    },
  };
}

function openBody(
  path: string,
  { offset, end, signal }: { offset: number; end: number | undefined; signal: AbortSignal },
): OriginBody {
  const fd = openSync(path, "r");
  const info = fstatSync(fd);
  if (!info.isFile()) {
    closeSync(fd);
    throw new OriginError(
      "refused",
      new FetchFailure("failed", `Cannot read ${path}: it is not a file`),
    );
  }
  const stop = Math.min(end ?? info.size, info.size);
  const block = new Uint8Array(BLOCK_BYTES);
  let at = offset;
  return {
    sizeBytes: info.size,
    async read() {
      // A turn for others, such as signals.
      await nextTurn();
      signal.throwIfAborted();
      try {
        const wanted = Math.min(block.length, stop - at);
        if (wanted <= 0) return null;
        const length = readSync(fd, block, 0, wanted, at);
        if (length === 0) throw new Error("it got shorter meanwhile");
        at += length;
        return block.subarray(0, length);
      } catch (error) {
        throw originError(error, path);
      }
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

function originError(error: unknown, path: string): unknown {
  if (error instanceof OriginError || error instanceof FetchFailure) return error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const isMissing = code === "ENOENT" || code === "ENOTDIR";
  const failure = isMissing
    ? new FetchFailure("notFound", `There is no file ${path}`, { cause: error })
    : new FetchFailure("failed", `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  return new OriginError("refused", failure);
}
