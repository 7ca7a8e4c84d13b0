/**
 * The state of a daemon as one report: what `status` answers, and what the page of the port for
 * monitoring and `pacsrv top` show. Read again and again while somebody watches, so what goes with the
 * number of files is counted only when that can have changed.
 */

import { copiesOf } from "../../base/fetch_record.ts";
import { limits } from "../../base/limits.ts";
import type { LeveledLogger } from "../../base/log.ts";
import { FILE_TRUSTS } from "../../base/package_index.ts";
import type { LocalIdentity } from "../../net/handshake.ts";
import type { SavingsSpan } from "../../store/catalogue/catalogue.ts";
import { formatAddress } from "../../wire/host.ts";
import type {
  CopiesReport,
  LanReport,
  PrefetchReport,
  SavingsReport,
  SavingsSpanReport,
  StaleDatabaseReport,
  StatusReport,
  SyncDatabaseReport,
} from "../../wire/reports.ts";
import type { Node } from "../node/node.ts";

/** Whose state it is. */
export interface StatusOptions {
  readonly node: Node;
  readonly version: string;
  readonly log: LeveledLogger;
  /** What was found on the LAN; null where nobody looks. */
  readonly lan: () => LanReport | null;
  readonly clientAddress: () => string;
  /** Where the gateway listens, as HOST:PORT; null without one. */
  readonly gatewayAddress: () => string | null;
  readonly staleDatabases: () => readonly StaleDatabaseReport[];
  readonly syncDatabases: () => readonly SyncDatabaseReport[];
  readonly prefetch: () => PrefetchReport | null;
}

/** What is counted of the complete files. */
interface FileTally {
  readonly shared: number;
  readonly downloaded: number;
  readonly bytes: number;
  readonly trust: StatusReport["trust"];
}

/** Reads the state of one daemon. */
export class StatusReader {
  readonly #options: StatusOptions;
  readonly #startedMs: number;
  /** What the statistics said at the start. */
  readonly #statisticsThen: ReadonlyMap<string, number>;
  /** Undefined: to be counted again. */
  #tally: FileTally | undefined;

  constructor(options: StatusOptions) {
    this.#options = options;
    const { context, transfers } = options.node;
    const { clock, offerPolicy, store } = context;
    this.#startedMs = clock.nowMs();
    this.#statisticsThen = store.statistics();
    const changed = () => void (this.#tally = undefined);
    store.onChange(({ kind }) => kind === "gained" || kind === "lost" || changed());
    offerPolicy.onChange(changed);
    // By what it was fetched is remembered at its end.
    transfers.fetches.ends.listen(changed);
  }

  /** The state as of now. */
  read(): StatusReport {
    const { node, version } = this.#options;
    const { clock, connections, identity, store } = node.context;
    const { fetches, uploads } = node.transfers;
    const { shared, downloaded, bytes, trust } = this.#tally ??= this.#count();
    const parts = store.partialFiles();
    const leftovers = store.leftovers();
    const damaged = store.shares.damaged();
    const { counters } = node.links.overlay;
    const totals = store.statistics();
    const total = (name: string) => totals.get(name) ?? 0;
    return {
      version,
      nodeId: node.nodeId,
      node: formatAddress(node.address.host, node.address.port),
      acceptsConnections: identity.listenPort !== 0,
      clone: cloneReport(identity, clock.nowMs()),
      client: this.#options.clientAddress(),
      dataDir: store.dataDir,
      network: identity.network,
      keyed: identity.networkKey !== undefined,
      site: node.place.site || null,
      logLevel: this.#options.log.level,
      uptimeMs: Math.round(clock.nowMs() - this.#startedMs),
      links: node.links.size,
      banned: node.links.overlay.neighbours.bans(clock.nowMs()).length,
      files: {
        shared,
        downloaded,
        partial: parts.count + leftovers.length,
        bytes: bytes + parts.bytes + leftovers.reduce((sum, { bytes }) => sum + bytes, 0),
        hashing: store.shares.filesWaiting,
      },
      withheld: damaged.slice(0, limits.withheldReportedMax)
        .map(({ path, root }) => ({ path, root })),
      counters: {
        queriesSeen: counters.queriesSeen,
        queriesForwarded: counters.forwarded,
        queriesDropped: counters.droppedDuplicate + counters.droppedRate,
        queriesAnswered: counters.answered,
        messagesSent: counters.messagesSent,
        bytesIn: connections.bytesIn,
        bytesOut: connections.bytesOut,
        bytesInBy: connections.bytesInBy,
        bytesOutBy: connections.bytesOutBy,
        strikes: node.strikes,
        filesServed: uploads.filesServed,
        filesRelayed: node.transfers.pushReceiver.relays.files,
        relaysRefused: node.transfers.pushReceiver.relays.refused,
        totalBytesIn: total("bytesIn"),
        totalBytesOut: total("bytesOut"),
        totalStrikes: total("strikes"),
        totalFilesServed: total("filesServed"),
      },
      fetches: node.fetches.map((fetch) => fetch.fetching()),
      transfers: [...fetches.swarms].map((swarm) => swarm.report()),
      flights: [...node.flights].filter(({ isOver }) => !isOver).map((flight) => flight.report()),
      uploads: uploads.reports(),
      peers: node.links.givenPeers(),
      lan: this.#options.lan(),
      directories: node.discovery.directories.reports(),
      rates: node.rates.report(),
      gateway: this.#options.gatewayAddress(),
      staleDatabases: this.#options.staleDatabases(),
      prefetch: this.#options.prefetch(),
      syncDatabases: this.#options.syncDatabases(),
      keeping: node.keeper.report(),
      savings: this.#savings(total),
      copies: {
        sinceStart: this.#copies((name) => total(name) - (this.#statisticsThen.get(name) ?? 0)),
        allRuns: this.#copies(total),
      },
      trust: { ...trust, damaged: damaged.length },
    };
  }

  #count(): FileTally {
    const { offerPolicy, store } = this.#options.node.context;
    const files = { shared: 0, downloaded: 0, bytes: 0 };
    const trust = Object.fromEntries(FILE_TRUSTS.map((one) => [one, 0])) as Record<
      keyof StatusReport["trust"],
      number
    >;
    for (const file of store.fileDefinitions()) {
      if (file.origin === "partial") continue;
      files[file.origin]++;
      files.bytes += file.sizeBytes;
      trust[offerPolicy.trustOf(file)]++;
    }
    return { ...files, trust };
  }

  #savings(total: (name: string) => number): SavingsReport {
    const { clock, store: { savings } } = this.#options.node.context;
    const unixMs = clock.unixMs();
    return {
      files: total("savedFiles"),
      bytesLocal: total("bytesLocal"),
      bytesPeers: total("bytesPeers"),
      bytesMirror: total("bytesMirror"),
      bytesSaved: total("bytesSaved"),
      hours: savings.hours(unixMs).map(spanReport),
      days: savings.days(unixMs).map(spanReport),
    };
  }

  /** What mirrors gave for fetches that ended, as `total` says, and for those that run. */
  #copies(total: (name: string) => number): CopiesReport {
    let bytesMirrors = total("bytesMirrors");
    let bytesUnique = total("bytesUnique");
    for (const fetch of this.#options.node.fetches) {
      const figures = fetch.figures();
      bytesMirrors += figures.bytesMirrors;
      bytesUnique += figures.bytesPeers + figures.bytesMirror;
    }
    return { bytesMirrors, bytesUnique, copies: copiesOf({ bytesMirrors, bytesUnique }) };
  }
}

function spanReport({ startUnixMs, ...bytes }: SavingsSpan): SavingsSpanReport {
  return { startsAt: new Date(startUnixMs).toISOString(), ...bytes };
}

/** The other node that has this node's id, if it was met lately. */
function cloneReport(
  { ownNonces }: Pick<LocalIdentity, "ownNonces">,
  nowMs: number,
): StatusReport["clone"] {
  const met = ownNonces?.clone ?? null;
  if (met === null || nowMs - met.atMs >= limits.cloneToldMs) return null;
  return { host: met.host, agoMs: Math.round(nowMs - met.atMs) };
}
