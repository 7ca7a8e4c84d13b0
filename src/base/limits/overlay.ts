/** Limits of links, searches and announcements, each with its reason. */

import { MIB } from "./sizes.ts";

/** A link says something this often: a dead one shows within half a minute. */
const PING_INTERVAL_MS = 5_000;
/** The same between a client and its daemon, which are on one machine. */
const CLIENT_BEAT_MS = 5_000;
/** Queries that one link may send in a second on average. */
const QUERIES_PER_SECOND_MAX = 100;

export const overlayLimits = {
  // Links
  pingIntervalMs: PING_INTERVAL_MS,
  /** A link that missed so many PINGs is dead; fewer may be a slow disk or a suspended machine. */
  linkSilentMs: 6 * PING_INTERVAL_MS,
  /** A link that says nothing for so long after this machine's addresses changed hangs on a dead one. */
  networkChangedMs: 2 * PING_INTERVAL_MS,
  /** Of two links that one node dialled the earlier is asked, and dead after so long: a round trip. */
  earlierLinkMs: PING_INTERVAL_MS,
  clientBeatMs: CLIENT_BEAT_MS,
  /** A daemon of which nothing came for so long, not even a beat, is said to be silent. */
  daemonSilentMs: CLIENT_BEAT_MS + 1_000,
  /** As long as for a link: a daemon that is gone hangs up, so that who is silent sleeps or is busy. */
  clientSilentMs: 6 * CLIENT_BEAT_MS,
  /** Enough that a node which goes splits no network, and few enough to idle cheaply. */
  linksMin: 3,
  linksMax: 30,
  /** Addresses in one PEERS message. */
  peersPerMessageMax: 16,
  /** Addresses remembered; the oldest unused goes. */
  addressesMax: 1_024,
  /** A link is told addresses this often: nodes come and go over minutes. */
  gossipIntervalMs: 300_000,
  /** The second time comes so soon: after an outage a node has met hardly anybody at first. */
  gossipSoonMs: 10_000,
  /** Longest wait before an address where no node was met lately is dialled again. */
  backoffMs: 300_000,
  /** Who was met within this time is dialled as often as whom a person gave: it may come back. */
  metRecentlyMs: 3_600_000,
  /** How long who misbehaved is kept out: long enough to be noticed, and it ends by itself. */
  banMs: 3_600_000,
  /** Misdeeds that lead to a ban, and within what time: one spoilt file, or one bug, is not three. */
  banMisdeeds: 3,
  banWindowMs: 600_000,
  /** Nodes of one host that flood before the host is kept out: they may be one that changes its id. */
  banHostNodes: 3,
  /** Connections of one host that broke the protocol, before it is refused unheard; */
  banFaultsBurst: 64,
  /** and how often one more is not too many: a program with a bug tries now and then. */
  banFaultRestMs: 10_000,
  /** Nodes whose misdeeds are remembered. */
  misbehavedMax: 1_024,

  // Search
  ttlDefault: 7,
  /** A TTL above this is cut: 3 links a node reach thousands in 7 hops. */
  ttlMax: 16,
  /** Query ids remembered against duplicates; at 100 queries a second this is ten minutes. */
  seenQueriesMax: 65_536,
  /** With a burst of as many again. */
  queriesPerSecondMax: QUERIES_PER_SECOND_MAX,
  queriesBurstMax: 2 * QUERIES_PER_SECOND_MAX,
  /** Bytes of a name or glob that is sought. */
  soughtBytesMax: 255,
  /** How long a holder waits for a callback to be answered before it forwards all the same. */
  callbackMs: 1_000,
  /** Callbacks that a node dials at once. */
  callbacksMax: 64,
  /** Calls with which a holder answers one query: what it had may be replaced while it calls. */
  callsForOneMax: 3,
  /** Offers that a holder makes in one callback for a root or name. */
  offersMax: 16,
  /** Offers that a holder makes in one callback for a glob, where it cannot make pages of them. */
  listingMax: 4_096,
  /** Offers in one HIT. */
  hitOffersMax: 8,
  /** Bytes that a search keeps for its person: some 100,000 names of one holder each. */
  searchBytesMax: 48 * MIB,
  /** The same of all searches together. */
  searchesBytesMax: 96 * MIB,
  /** Files of one name that a search for names tells apart; nobody reads through more. */
  searchAlikeMax: 1_024,
  /** Without any offer a search gives up. */
  searchMs: 5_000,
  /** Once something came, sources that were lost are waited for: a restart, a cable pulled. */
  sourcesLostMs: 20_000,
  /** The longest that a client may have a listing wait. */
  listingTimeoutMsMax: 60_000,
  /** Local searches and fetches at once. */
  fetchesMax: 64,
  /** Of these, kept for who proves the daemon's token: other users cannot take all. */
  fetchesTrustedMin: 8,

  // Links and search, the inner bounds
  /** How often the daemon lets time pass for links and searches. */
  overlayTickMs: 250,
  /** First and longest wait before an address that a person gave is dialled again. */
  redialMsMin: 1_000,
  /** With a dial that is not answered (4 s) still well within half a minute of a network's return. */
  redialMsMax: 20_000,
  /** Dials of an address that meet no node before it is left alone: an old node takes one a version. */
  dialFailuresFree: 3,
  /** The longest that an address is left alone: a host that is no node has one dial in this time. */
  dialRestMs: 300_000,
  /** Dials of one host that met no node; as many ports of one machine are worth a try. */
  hostDialsMax: 16,
  /** It gets one more this often: a node that others name wrongly is dialled 3 times a minute. */
  hostDialRestMs: 20_000,
  /** The same of all hosts together: what a directory names may be out of date by the hundred. */
  dialsUnmetMax: 256,
  dialsUnmetPerSecondMax: 8,
  /** Calls that a node knew nothing of: of many holders most call when a search is just over. */
  callsWastedMax: 64,
  callsWastedPerSecondMax: 2,
  /** Addresses and hosts of which dials are remembered. */
  dialledMax: 4_096,
  /** A dial that is not answered for so long is likely to fail: the next address is dialled beside. */
  dialSlowMs: 1_000,
  /** Addresses that no person gave, dialled at once: few, or a dead network is flooded with SYNs. */
  dialsAtOnceMax: 16,
  /** Nodes that were met, dialled at once when somebody waits for a link: one of them may be up. */
  dialsInNeedMax: 8,
  /** Nodes met that the next run of the daemon dials, and those of one host among them. */
  knownNodesMax: 64,
  knownNodesPerHostMax: 8,
  /** How often they are written down, if they changed. */
  knownNodesSaveMs: 10_000,
  /** A file of them that is longer was not written by this program. */
  knownNodesBytesMax: 16_384,
  /** Peers that a person named whose want of a link is told to who found nobody. */
  faultsToldMax: 4,
  /** Nodes that a node takes of those that a name stands for in DNS, and records that it looks at. */
  srvPeersMax: 8,
  srvRecordsMax: 256,
  /** How often the name is looked up again: as long as records of what comes and goes are kept. */
  srvRenewMs: 60_000,
  /** The same after a failure, at first, and how long a look-up may take. */
  srvRetryMs: 2_000,
  srvLookUpMs: 10_000,
  /** Up to so much sooner, at random. */
  srvSpreadPercent: 25,
  /** Names that a person may give. */
  srvNamesMax: 16,
  /** Nonces of its own by which a node tells itself from another one with its id. */
  ownNoncesMax: 1_024,
  /** A node with the id of this one that was not met for so long is taken for mended. */
  cloneToldMs: 60 * 60 * 1000,
  /** How often this machine's addresses are looked at. */
  ownAddressesMs: 5_000,
  /** Addresses that a node tells in one PEERS; a few are enough to find the rest. */
  gossipAddressesMax: 8,
  /** PEERS that a link may send in a burst and in an hour; the rest is not read. */
  peersBurstMax: 4,
  peersPerHourMax: 60,
  /** Bans remembered; the oldest goes. */
  bansMax: 1_024,
  /** A link that sends queries this many times faster than any node may is dropped. */
  floodFactor: 10,
  /** HITs that one link may send: a glob over a big network is answered in one burst. */
  hitsPerSecondMax: 200,
  hitsBurstMax: 2_000,
  /** Queries of others of which it is watched when they are through: at 100 a second, 80 seconds. */
  queriesUnderWayMax: 8_192,
  /** What is not through after this is not told any more: no search waits for one query as long. */
  queryThroughMs: 10_000,
  /** Queries that wait for the catalogue; more are forwarded without looking. */
  lookUpsMax: 1_024,

  // Links, as a person may set them
  /** Most links that a person may ask for: half of all connections stays free for transfers. */
  linksCeiling: 1_024,

  // Announcements
  /** How often a holder may announce each chunk: in its bitfield, by HAVE, and after a loss. */
  announcedTimesMax: 4,
} as const;
