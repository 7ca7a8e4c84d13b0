/**
 * Holds the first bytes of a file that peers gave to those that its origin gives, where nothing
 * else says which file is meant. It proves nothing of the rest.
 */

import { closeSync, openSync, readSync } from "node:fs";
import { FetchFailure } from "../base/errors.ts";
import { CHUNK_BYTES } from "../base/geometry.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { FetchEvent } from "../wire/fetch_event.ts";
import type { FetchRequest } from "../wire/fetch_request.ts";
import { type Origin, OriginError } from "./direct_fetch.ts";
import { mirrorOrigin } from "./mirror_origin.ts";

/** What a fetch by name alone is held to. */
export interface HeadCheckOptions {
  readonly request: FetchRequest;
  /** Where the file that is meant is; http or https. */
  readonly url: URL;
  /** The file that the fetch writes. */
  readonly path: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * The events of a fetch that knows its file by the name alone: what others gave may be anybody's
 * file of that name. Before it counts as done, its first bytes are held to those at the URL.
 *
 * @throws {FetchFailure} "checkFailed" when they differ; and what `events` throws.
 */
export async function* withHeadCheck(
  events: AsyncIterable<FetchEvent>,
  { request: { name, chunks }, url, path, log, signal }: HeadCheckOptions,
): AsyncGenerator<FetchEvent> {
  for await (const event of events) {
    if (event.kind === "done" && event.sources.length > 0) {
      using origin = mirrorOrigin(url, { name, log });
      const problem = await headProblem(path, origin, {
        offset: (chunks?.first ?? 0) * CHUNK_BYTES,
        sizeBytes: event.sizeBytes,
        signal,
      });
      if (problem !== undefined) {
        const message = `Cannot use the ${name} that other nodes gave: ${problem}`;
        throw new FetchFailure("checkFailed", message);
      }
    }
    yield event;
  }
}

/**
 * What differs between the file at `path` and the one at `origin`; undefined when nothing does, or
 * when the origin gives nothing to compare with.
 *
 * @param options.offset Where to look.
 * @param options.sizeBytes The size of the whole file.
 */
async function headProblem(
  path: string,
  origin: Origin,
  options: {
    readonly offset: number;
    readonly sizeBytes: number;
    readonly signal: AbortSignal;
  },
): Promise<string | undefined> {
  const { offset, sizeBytes, signal } = options;
  const end = Math.min(offset + limits.hedgeHeadBytes, sizeBytes);
  const here = new Uint8Array(Math.max(0, end - offset));
  try {
    using body = await origin.open(end < sizeBytes ? { offset, end } : { offset }, { signal });
    if (body.sizeBytes !== null && body.sizeBytes !== sizeBytes) {
      return `it has ${sizeBytes} bytes, that of ${origin.label} ${body.sizeBytes}`;
    }
    const fd = openSync(path, "r");
    try {
      readSync(fd, here, 0, here.length, offset);
    } finally {
      closeSync(fd);
    }
    for (let at = 0; at < here.length;) {
      const bytes = await body.read();
      if (bytes === null) return `that of ${origin.label} is shorter`;
      const count = Math.min(bytes.length, here.length - at);
      for (let i = 0; i < count; i++) {
        if (bytes[i] !== here[at + i]) {
          return `byte ${offset + at + i} is not that of ${origin.label}`;
        }
      }
      at += count;
    }
    return undefined;
  } catch (error) {
    // "no-such-range": the origin's file ends before, so it is another one.
    if (!(error instanceof OriginError)) throw error;
    return error.kind === "no-such-range" ? `that of ${origin.label} is shorter` : undefined;
  }
}
