/** The prefetcher of one daemon: with its node, its gateway, and what pacman's configuration says. */

import { limits } from "../../base/limits.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import { mirrorUrls } from "../../gateway/mirrors/mirror_urls.ts";
import type { RequestPath } from "../../gateway/server/request_path.ts";
import type { CurrentConf } from "../../pacman/current_conf.ts";
import type { PacmanConf } from "../../pacman/pacman_conf.ts";
import type { SyncDatabases } from "../../pacman/sync_databases.ts";
import type { FetchObserver } from "../../wire/fetching.ts";
import { isLoopback } from "../../wire/host.ts";
import type { Node } from "../node/node.ts";
import { Prefetcher } from "./prefetcher.ts";

/** Fetches nothing before it is told to. */
export function openPrefetcher(
  { node, gateway, databases, pacmanConf }: {
    readonly node: Node;
    readonly gateway: Gateway;
    readonly databases: SyncDatabases;
    readonly pacmanConf: CurrentConf;
  },
): Prefetcher {
  const { clock, log } = node.context;
  return new Prefetcher({
    store: node.store,
    index: databases,
    clock,
    log,
    fetch: (request, options) => node.fetch(request, { ...options, observer: NOBODY }),
    mirrorsOf: async (path) => {
      const { mirrors } = gateway;
      const named = mirrors.length > 0 ? mirrors : serversOf(await pacmanConf.read(), path);
      return mirrorUrls(named, path).slice(0, limits.mirrorsMax);
    },
    roomBytes: () => node.keeper.roomBytes,
  });
}

/** The `Server` lines of pacman's configuration for a repository, but those on this machine: a gateway. */
function serversOf(conf: PacmanConf | undefined, { repository }: RequestPath): string[] {
  const named = conf?.repositories.find(({ name }) => name === repository);
  return (named?.servers ?? []).map(({ value }) => value).filter((value) =>
    URL.canParse(value) && !isLoopback(new URL(value).hostname)
  );
}

/** Hears nothing of a fetch that nobody waits for. */
const NOBODY: FetchObserver = { event() {}, readable() {}, gained() {} };
