/**
 * Which outstanding request a source with room should duplicate when nothing else is left to ask
 * for, so that a slow source does not hold up the end. Sends nothing.
 */

import { limits } from "../../base/limits.ts";
import type { RequestTable } from "./request_table.ts";
import type { Request, Source } from "./source.ts";
import type { Blocks } from "./blocks.ts";

/** What the choice is made from. */
interface EndGame {
  readonly blocks: Blocks;
  readonly table: RequestTable;
  readonly sources: Iterable<Source>;
  /** The source is only to show whether it lives: it need not be sooner. */
  readonly isProbe: boolean;
  /** Whether it matters what far sources bring twice: they are left what near ones bring, or others soon. */
  readonly sparesFar: boolean;
}

/**
 * The request, of those that a source could duplicate to some gain, that is expected last. None in
 * a block that has a duplicate already, none of a source that this node's own rate holds back, and
 * none for such a source.
 */
export function latestFor(source: Source, game: EndGame): Request | undefined {
  if (source.isHeld) return undefined;
  const rate = assumedRate(source, game.sources);
  let latest: Request | undefined;
  let latestMs = -1;
  for (const block of game.table.blocks()) {
    const requests = game.table.in(block);
    if (requests.some(({ isDuplicate }) => isDuplicate)) continue;
    for (const request of requests) {
      if (request.source.isHeld) continue;
      if (request.source === source || sharedWith(source, request, game.blocks) === 0) continue;
      const expectedMs = request.source.expectedMs(request) ?? 0;
      if (expectedMs <= latestMs) continue;
      const isLeft = request.source.isNear || expectedMs < limits.farDuplicateMs;
      if (game.sparesFar && source.isFar && isLeft) continue;
      if (!game.isProbe && !isSooner(source, { rate, request, expectedMs })) continue;
      latest = request;
      latestMs = expectedMs;
    }
  }
  return latest;
}

/** The chunks that a request is still to bring and that a source has. */
export function sharedWith(source: Source, request: Request, blocks: Blocks): number {
  return request.left & blocks.held(source.holdings, request.block);
}

function isSooner(
  source: Source,
  { rate, request, expectedMs }: {
    readonly rate: number | undefined;
    readonly request: Request;
    readonly expectedMs: number;
  },
): boolean {
  if (rate === undefined) return false;
  const ownMs = (source.queue.inflightBytes + request.bytes) / rate * 1000;
  return ownMs * limits.duplicateGainPercent < 100 * expectedMs &&
    ownMs + limits.duplicateGainMs < expectedMs;
}

/** The rate of a source; of one that is still to show it, the mean of the others. */
function assumedRate(source: Source, sources: Iterable<Source>): number | undefined {
  const own = source.rate.bytesPerSecond;
  if (own !== undefined) return own;
  let sum = 0, known = 0;
  for (const { rate } of sources) {
    if (rate.bytesPerSecond === undefined) continue;
    sum += rate.bytesPerSecond;
    known++;
  }
  return known === 0 ? undefined : sum / known;
}
