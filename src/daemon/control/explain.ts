/**
 * Answers how a file came: what is known of fetches that still run, and the fetch records of those that
 * ended. It only looks; what is told is written down in `fetch_recorder.ts`.
 */

import { isRecordOf } from "../../base/fetch_record.ts";
import type { ExplainReport } from "../../wire/reports.ts";
import type { Node } from "../node/node.ts";

/** How the fetches of a name or root went, those that run first, the last one of each kind first. */
export function* explain(
  node: Pick<Node, "fetches" | "store">,
  target: string,
): Generator<ExplainReport> {
  for (const fetch of node.fetches) {
    const record = fetch.soFar();
    if (isRecordOf(record, target)) yield { ...record, endedAt: null };
  }
  yield* node.store.history.of(target);
}
