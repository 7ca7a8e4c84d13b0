/** Asks directories (trackers) which other nodes have files that may go. */

import { sleep } from "../../base/clock.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Directories } from "../directories/directories.ts";
import type { NodeContext } from "../discovery/node_context.ts";

/**
 * Asks who else has each of these files; what was known of it before counts no more once a directory
 * has answered. Resolves when all have answered, or cannot, or it takes too long. Never rejects.
 */
export async function askForHolders(
  { clock, holders }: Pick<NodeContext, "clock" | "holders">,
  directories: Pick<Directories, "findHolders">,
  roots: readonly Root[],
): Promise<void> {
  const tooLong = new AbortController();
  const left = [...roots];
  const askOne = async () => {
    for (let root = left.shift(); root !== undefined; root = left.shift()) {
      if (tooLong.signal.aborted) return;
      const { promise: answered, resolve } = Promise.withResolvers<void>();
      const sinceMs = clock.nowMs();
      const asked = directories.findHolders({ by: "root", value: root }, (answer) => {
        holders.asked(root, { sinceMs });
        holders.listed(answer.holders, clock.nowMs());
      }, { max: limits.holdersKnownMax, through: resolve });
      if (asked.isThrough) continue;
      tooLong.signal.addEventListener("abort", () => resolve(), { once: true });
      await answered;
      asked.end();
    }
  };
  const waiting = new AbortController();
  const timeout = sleep(clock, limits.keepingAskMs, { signal: waiting.signal })
    .then(() => tooLong.abort(), () => {});
  const { keepingAskedAtOnce } = limits;
  await Promise.all(Array.from({ length: keepingAskedAtOnce }, askOne));
  waiting.abort();
  await timeout;
}
