/** What the gateway needs of the daemon that it belongs to. No code here. */

import type { Logger } from "../base/log.ts";
import type { PackageIndex } from "../base/package_index.ts";
import type { Mirrors } from "../http/mirrors.ts";
import type { FetchObserver } from "../wire/fetch_observer.ts";
import type { FetchRequest } from "../wire/fetch_request.ts";
import type { Done } from "../wire/messages.ts";

/** A node that fetches files, and where the gateway keeps what only it needs. */
export interface GatewayHost {
  /**
   * Gets one file into the node's store; see `Node.fetch`.
   *
   * @throws {FetchFailure} with the reason.
   * @throws {EnvironmentError} when the disk refuses.
   */
  fetch(
    request: FetchRequest,
    options: {
      readonly observer: FetchObserver;
      readonly signal: AbortSignal;
      /** The first byte that somebody waits for. */
      readonly from?: number;
    },
  ): Promise<Done>;
  /** Whether there is no link and no directory: nobody to ask. */
  isAlone(): boolean;
  readonly trust: PackageIndex | undefined;
  /** The HTTP client that all of the node shares. */
  readonly mirrors: Mirrors;
  readonly log: Logger;
  /** The directory for databases of repositories; made by the gateway. */
  openDatabaseCache(): string;
}
