/**
 * Composition of the daemon: opens store, node and client port in order, stops them in reverse.
 */

import { join } from "@std/path";
import type { HostPort } from "../base/address.ts";
import { AwakeClock, type Clock, systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { NodeId } from "../base/ids.ts";
import { bulkTurns } from "../base/rates/bulk_turns.ts";
import { VERSION } from "../base/version.ts";
import type { GatewayHost } from "../gateway/answers.ts";
import { Gateway } from "../gateway/gateway.ts";
import { machineNames } from "../net/known_hosts.ts";
import { ConfiguredMirrors } from "./trust/configured_mirrors.ts";
import { mayHaveLocalCopy } from "./fetch/local_lookup.ts";
import { ownAddresses, ownSubnets } from "../net/own_addresses.ts";
import { tcpTransport } from "../net/tcp_transport.ts";
import { CurrentConf } from "../pacman/current_conf.ts";
import { SignatureNeeds } from "../pacman/signature_need.ts";
import { SyncDatabases } from "../pacman/sync_databases.ts";
import { ChunkStore } from "../store/chunk_store.ts";
import { formatAddress } from "../wire/host.ts";
import type { PeerReport, StatusReport } from "../wire/reports.ts";
import { Answerer } from "./control/answers.ts";
import { ClientServer } from "./control/client_server.ts";
import type { DaemonConfig, GatewayConfig } from "./config.ts";
import { type DaemonFigures, daemonFigures } from "./control/figures.ts";
import type { FetchEnd } from "./node/fetch_ends.ts";
import { LanSwitch } from "./lan/lan_switch.ts";
import { KnownNodes } from "./node/known_nodes.ts";
import { LiveSettings } from "./live_settings.ts";
import { InputLook } from "./upload/input_look.ts";
import { Node } from "./node/node.ts";
import { SrvPeers } from "./node/srv_peers.ts";
import { openPrefetcher } from "./prefetch/open_prefetcher.ts";
import { openNodeId, openToken } from "./control/token.ts";

/** A daemon that is ready. */
export interface RunningDaemon {
  readonly nodeId: NodeId;
  /** Where it listens for nodes and for clients, the real ports included. */
  readonly node: HostPort;
  readonly client: HostPort;
  /** Where its gateway listens; undefined without one. */
  readonly gateway: HostPort | undefined;
  /** Files that it shared when it was ready, those that were still to be hashed included. */
  readonly filesShared: number;
  /** Resolves with the reason when the daemon cannot go on by itself. */
  readonly failed: Promise<Error>;
  /** Why it cannot do all of its work just now; undefined when it can. */
  problem(): string | undefined;
  /** What it knows of itself, for monitors. */
  figures(): DaemonFigures;
  /** Its state, and its links: what `status` and `peers` answer. */
  status(): StatusReport;
  peers(): PeerReport[];
  /** Calls back at the end of each fetch. */
  onFetchEnd(listener: (end: FetchEnd) => void): void;
  /** What can be changed while it runs. */
  readonly live: LiveSettings;
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
  const clock = cleanup.use(new AwakeClock());
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
  const pacmanConf = new CurrentConf(config.pacmanConfPath, clock);
  const node = new Node({
    ...config,
    configuredMirrors: new ConfiguredMirrors(() => gateway?.mirrors, pacmanConf),
    nodeId,
    listen: config.node,
    trust: databases,
    clock,
    outerClock: systemClock,
    knownNodes: new KnownNodes({ dataDir: store.dataDir, network: config.network, log }),
    ownAddresses,
    ownSubnets,
    store,
    transport: tcpTransport,
  });
  cleanup.defer(() => node.stop());
  const lan = new LanSwitch({
    clock,
    log,
    listen: { host: node.address.host, port: node.context.identity.listenPort },
    secrets: config,
    // Whoever wants links to named nodes alone gets no other.
    keepsNext: config.linksMin > 0,
    found: (address) => node.links.step({ kind: "add-address", ...address, pinned: false }),
    keep: (address) => node.links.keepNext(address),
    isLinked: (address) => node.links.isLinked(address),
  });
  const answerer: Answerer = new Answerer({
    node,
    lan: () => lan.report(),
    version: VERSION,
    log,
    clientAddress: () => formatAddress(clients.address.host, clients.address.port),
    gatewayAddress: () =>
      gateway === undefined ? null : formatAddress(gateway.address.host, gateway.address.port),
    staleDatabases: () => gateway?.staleDatabases() ?? [],
    syncDatabases: () => databases?.reports() ?? [],
    prefetch: () => prefetcher?.report() ?? null,
  });
  const clients: ClientServer = new ClientServer(
    { node, answerer, token },
    tcpTransport,
    config.client,
  );
  cleanup.defer(() => clients.stop());

  cleanup.use(await InputLook.open(bulkTurns, log));
  node.start();
  clients.start();
  const srvPeers = new SrvPeers({ clock, log, changed: (...all) => node.links.setPeers(...all) });
  cleanup.defer(() => srvPeers.stop());
  srvPeers.set(config);
  // Before the node ends: whom it tells goodbye does not dial it again.
  cleanup.defer(() => lan.stop());
  // It takes a moment, and nobody waits for it.
  void lan.set(config.discover);
  const gateway: Gateway | undefined = config.gateway === undefined
    ? undefined
    : openGateway(config, config.gateway, {
      node,
      databases,
      pacmanConf,
      clock,
      took: (path) => prefetcher?.took(path),
    });
  if (gateway !== undefined) cleanup.defer(() => gateway.stop());
  const prefetcher = gateway === undefined || databases === undefined
    ? undefined
    : openPrefetcher({ node, gateway, databases, pacmanConf });
  if (prefetcher !== undefined) {
    cleanup.defer(() => prefetcher.stop());
    prefetcher.isOn = config.gateway?.prefetch ?? false;
  }
  const live = new LiveSettings({ node, srvPeers, lan, gateway, prefetcher, log });
  // Beside what was shared before; hashing goes on in the background.
  live.setShares(config.shares);
  startSharing(config, store);
  // What is shared is counted for a person who looks at it, and soon known: but it holds nobody up.
  const enough = Promise.withResolvers<void>();
  using _ = clock.after(limits.readyScanMs, enough.resolve);
  await Promise.race([store.shares.scanned(), enough.promise]);
  const filesShared = store.shares.filesShared;
  log.info("ready", {
    node: formatAddress(node.address.host, node.address.port),
    client: formatAddress(clients.address.host, clients.address.port),
    ...(gateway === undefined
      ? {}
      : { gateway: formatAddress(gateway.address.host, gateway.address.port) }),
    shared: filesShared,
  });

  const running = cleanup.move();
  return {
    nodeId,
    node: node.address,
    client: clients.address,
    gateway: gateway?.address,
    filesShared,
    live,
    failed: node.failed,
    problem: () => {
      if (!clients.isAccepting) return "it takes no clients: see the log";
      if (gateway?.isListening === false) return "its gateway cannot listen just now: see the log";
      return undefined;
    },
    status: () => answerer.status(),
    peers: () => [...answerer.peers()],
    figures: () => daemonFigures({ node, clients, gateway, prefetch: prefetcher?.report() }),
    onFetchEnd: (listener) => node.transfers.fetches.ends.listen(listener),
    rescan: () => {
      live.shareAll();
      rescan(config, store);
    },
    stop: () => running.disposeAsync(),
  };
}

function openGateway(
  { mirrorDelayMs }: DaemonConfig,
  config: GatewayConfig,
  { node, databases, pacmanConf, clock, took }: {
    readonly took: GatewayHost["took"];
    readonly clock: Clock;
    readonly node: Node;
    readonly databases: SyncDatabases | undefined;
    readonly pacmanConf: CurrentConf;
  },
): Gateway {
  const needs = new SignatureNeeds(pacmanConf);
  return new Gateway({
    clock,
    host: {
      // Its clients would turn to mirrors of their own.
      fetch: (request, options) => node.fetch(request, { ...options, hasMirror: true }),
      use: () => node.store.keeping.use(),
      seekLinks: () => node.links.step({ kind: "in-need" }),
      isAlone: () => node.links.size === 0 && node.discovery.directories.size === 0,
      mayBeHere: (file) =>
        mayHaveLocalCopy(node.store, file) || node.store.shares.unhashed(file.name).length > 0,
      unproven: node.transfers.fetches.unproven,
      trust: databases,
      isSignatureNeeded: (repository) => needs.isNeeded(repository),
      mirrors: node.transfers.fetches.mirrors,
      log: node.context.log,
      databaseDir: join(node.store.dataDir, "databases"),
      took,
    },
    mirrorDelayMs: mirrorDelayMs ?? 0,
    ...config,
    names: [...config.names, ...machineNames()],
  });
}

function startSharing({ log }: DaemonConfig, store: ChunkStore): void {
  store.shares.start();
  store.recover().catch((error) =>
    log.warn("cannot tidy the data directory", { error: messageOf(error) })
  );
}

function rescan({ log }: DaemonConfig, store: ChunkStore): void {
  log.info("looking through the shared paths again");
  store.shares.rescan().catch((error) => log.warn("cannot rescan", { error: messageOf(error) }));
}
