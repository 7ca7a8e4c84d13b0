/** What `--sync-db` says of a file that this command fetches without a daemon. */

import type { Logger } from "../../base/log.ts";
import type { FetchRequest } from "../../client/types.ts";
import type { FetchPlan } from "./fetch_plan.ts";

/**
 * The request with the size and SHA-256 that the databases name. What a person gives wins: then
 * they are not even read.
 */
export async function trustedRequest(plan: FetchPlan, log: Logger): Promise<FetchRequest> {
  const { request, syncDbDir } = plan;
  const { name, root, sha256, sizeBytes, chunks } = request;
  const isGiven = root !== null || sha256 !== null || sizeBytes !== null;
  if (syncDbDir === undefined || isGiven || name === "" || plan.url?.isDatabase) return request;
  const { SyncDatabases } = await import("../../pacman/sync_databases.ts");
  await using databases = await SyncDatabases.open(syncDbDir, { log });
  const vouched = databases.find(name);
  if (vouched === undefined) return request;
  // A SHA-256 is of the whole file: it says nothing of a part.
  return {
    ...request,
    sizeBytes: vouched.sizeBytes,
    sha256: chunks === null ? vouched.sha256 : null,
  };
}
