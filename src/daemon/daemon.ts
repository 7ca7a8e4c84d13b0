/**
 * Composition of the daemon: opens store, node and client port in order, stops them in reverse.
 */

import { join } from "@std/path";
import type { HostPort } from "../base/address.ts";
import { messageOf } from "../base/errors.ts";
import type { NodeId } from "../base/ids.ts";
import { VERSION } from "../base/version.ts";
import { Gateway } from "../gateway/gateway.ts";
import { tcpTransport } from "../net/tcp_transport.ts";
import { SyncDatabases } from "../pacman/sync_databases.ts";
import { ChunkStore } from "../store/chunk_store.ts";
import { formatAddress } from "../wire/host.ts";
import { Answerer } from "./control/answers.ts";
import { ClientServer } from "./control/client_server.ts";
import type { DaemonConfig, GatewayConfig } from "./config.ts";
import { Node } from "./node/node.ts";
import { openNodeId, openToken } from "./control/token.ts";

/** A daemon that is ready. */
interface RunningDaemon {
  readonly nodeId: NodeId;
  /** Where it listens for nodes and for clients, the real ports included. */
  readonly node: HostPort;
  readonly client: HostPort;
  /** Where its gateway listens; undefined without one. */
  readonly gateway: HostPort | undefined;
  /** Resolves with the reason when the daemon cannot go on by itself. */
  readonly failed: Promise<Error>;
  /** Looks through the shared paths again. */
  rescan(): void;
  /** Ends everything, with all checkpoints on disk. */
  stop(): Promise<void>;
}

/**
 * Starts a daemon; resolves when both ports accept connections.
 *
 * @throws {EnvironmentError} with a hint when the data directory or a port cannot be had.
 */
export async function startDaemon(config: DaemonConfig): Promise<RunningDaemon> {
  const { log } = config;
  await using cleanup = new AsyncDisposableStack();
  const store = cleanup.use(
    await ChunkStore.open({
      dataDir: config.dataDir,
      onWarning: (message, fields) => log.warn(message, fields),
    }),
  );
  const databases = config.syncDbDir === undefined
    ? undefined
    : cleanup.use(await SyncDatabases.open(config.syncDbDir, { log }));
  const nodeId = await openNodeId(store.dataDir);
  const token = await openToken(store.dataDir);
  const node = new Node({
    ...config,
    nodeId,
    listen: config.node,
    trust: databases,
    store,
    transport: tcpTransport,
  });
  cleanup.defer(() => node.stop());
  const answerer: Answerer = new Answerer({
    node,
    version: VERSION,
    clientAddress: () => formatAddress(clients.address.host, clients.address.port),
    gatewayAddress: () =>
      gateway === undefined ? null : formatAddress(gateway.address.host, gateway.address.port),
    syncDatabases: () => databases?.reports() ?? [],
  });
  const clients: ClientServer = new ClientServer(
    { node, answerer, token },
    tcpTransport,
    config.client,
  );
  cleanup.defer(() => clients.stop());

  node.start();
  clients.start();
  const gateway: Gateway | undefined = config.gateway === undefined
    ? undefined
    : openGateway(config.gateway, node, databases);
  if (gateway !== undefined) cleanup.defer(() => gateway.stop());
  startSharing(config, store);
  log.info("ready", {
    node: formatAddress(node.address.host, node.address.port),
    client: formatAddress(clients.address.host, clients.address.port),
    ...(gateway === undefined
      ? {}
      : { gateway: formatAddress(gateway.address.host, gateway.address.port) }),
    files: store.fileDefinitions().length,
  });

  const running = cleanup.move();
  return {
    nodeId,
    node: node.address,
    client: clients.address,
    gateway: gateway?.address,
    failed: node.failed,
    rescan: () => rescan(config, store),
    stop: () => running.disposeAsync(),
  };
}

function openGateway(
  config: GatewayConfig,
  node: Node,
  databases: SyncDatabases | undefined,
): Gateway {
  return new Gateway({
    host: {
      // Its clients would turn to mirrors of their own.
      fetch: (request, options) => node.fetch(request, { ...options, hasMirror: true }),
      isAlone: () => node.links.size === 0 && node.discovery.directories.size === 0,
      trust: databases,
      mirrors: node.transfers.fetches.mirrors,
      log: node.context.log,
      databaseDir: join(node.store.dataDir, "databases"),
    },
    ...config,
  });
}

/** Shares what the configuration names, beside what was shared before; hashing goes on in the background. */
function startSharing({ shares, log }: DaemonConfig, store: ChunkStore): void {
  for (const path of shares) {
    try {
      store.shares.add(path, { persist: false });
    } catch (error) {
      log.error("cannot share", { path, error: messageOf(error) });
    }
  }
  store.shares.start();
  store.recover().catch((error) =>
    log.warn("cannot tidy the data directory", { error: messageOf(error) })
  );
}

function rescan({ log }: DaemonConfig, store: ChunkStore): void {
  log.info("looking through the shared paths again");
  store.shares.rescan().catch((error) => log.warn("cannot rescan", { error: messageOf(error) }));
}
