/** Limits of links, searches and announcements, each with its reason. */

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
  clientBeatMs: CLIENT_BEAT_MS,
  clientSilentMs: 3 * CLIENT_BEAT_MS,
  /** Enough that a node which goes splits no network, and few enough to idle cheaply. */
  linksMin: 3,
  linksMax: 30,
  /** Addresses in one PEERS message. */
  peersPerMessageMax: 16,
  /** Addresses remembered; the oldest unused goes. */
  addressesMax: 1_024,
  /** A link is told addresses this often: nodes come and go over minutes. */
  gossipIntervalMs: 300_000,
  /** An address that failed, and that no person gave, is left alone this long. */
  backoffMs: 300_000,
  /** How long who misbehaved is kept out: long enough to be noticed, and it ends by itself. */
  banMs: 3_600_000,
  /** Misdeeds that lead to a ban, and within what time: one spoilt file, or one bug, is not three. */
  banMisdeeds: 3,
  banWindowMs: 600_000,
  /** Nodes of one host that flood before the host is kept out: they may be one that changes its id. */
  banHostNodes: 3,
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
  /** Offers that a holder makes in one callback for a root or name. */
  offersMax: 16,
  /** Offers that a holder makes in one callback for a glob. */
  listingMax: 4_096,
  /** Offers in one HIT. */
  hitOffersMax: 8,
  /** Files that a search keeps for its person. */
  searchResultsMax: 100_000,
  /** Without any offer a search gives up. */
  searchMs: 5_000,
  /** Once something came, sources that were lost are waited for: a restart, a cable pulled. */
  sourcesLostMs: 20_000,
  /** The longest that a client may have a listing wait. */
  listingTimeoutMsMax: 60_000,
  /** Local searches and fetches at once. */
  fetchesMax: 64,

  // Links and search, the inner bounds
  /** How often the daemon lets time pass for links and searches. */
  overlayTickMs: 250,
  /** First and longest wait before an address that a person gave is dialled again. */
  redialMsMin: 1_000,
  redialMsMax: 30_000,
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
  /** Queries that wait for the catalogue; more are forwarded without looking. */
  lookUpsMax: 1_024,

  // Links, as a person may set them
  /** Most links that a person may ask for: half of all connections stays free for transfers. */
  linksCeiling: 1_024,

  // Announcements
  /** How often a holder may announce each chunk: in its bitfield, by HAVE, and after a loss. */
  announcedTimesMax: 4,
} as const;
