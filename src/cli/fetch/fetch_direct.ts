/** `pacsrv fetch URL` without a daemon and without a node: from the URL into the output. */

import type { Origin } from "../../http/origin.ts";
import type { FetchOutput } from "./fetch_output.ts";
import type { FetchPlan } from "./fetch_plan.ts";
import { type FetchSource, isChecked, ownLog } from "./fetch_source.ts";
import { trustedRequest } from "./fetch_trust.ts";

/** The URL itself as the source of a fetch. */
export async function openDirectSource(plan: FetchPlan): Promise<FetchSource> {
  const { url } = plan;
  if (url === null) throw new TypeError("There is no URL to fetch from");
  const log = await ownLog();
  const request = await trustedRequest(plan, log);
  const { fetchDirect } = await import("../../http/direct_fetch.ts");
  const { fileOrigin, mirrorOrigin } = await import("../../http/origin.ts");
  const origin: Origin & Partial<Disposable> = url.isFile
    ? fileOrigin(url.url)
    : mirrorOrigin(url.url, { log });
  return {
    kind: "direct",
    gives: "rest",
    // Of a part alone neither can be said.
    isChecked: isChecked(request) && request.chunks === null,
    events(output: FetchOutput | undefined, signal: AbortSignal) {
      const partPath = output?.isResumed ? output.path : null;
      return fetchDirect(request, { origin, partPath, signal });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(origin[Symbol.dispose]?.()),
  };
}
