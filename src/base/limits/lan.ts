/** Limits of finding nodes on the networks that this machine is on, each with its reason. */

/** How long what a node announced counts: RFC 6762, 10, for what hangs on a host's address. */
const LAN_TTL_MS = 120_000;

export const lanLimits = {
  lanTtlMs: LAN_TTL_MS,
  /** As seldom as that one lost packet costs nothing; 200 nodes send 4 packets a second together. */
  lanAnnounceMs: 50_000,
  /** Up to so much of it at random, so that nodes that began together do not go on together. */
  lanAnnounceSpreadPercent: 20,
  /** One multicast packet of a node in this time, on one interface and in one family: RFC 6762, 6. */
  lanGapMs: 1_000,
  /** An answer, and a first packet, waits at random, so that not all send at once: RFC 6762, 6. */
  lanDelayMsMin: 20,
  lanDelayMsMax: 120,
  /** More of that wait for each node that was heard, up to a gap: 200 answers do not come in a burst. */
  lanDelayPerNodeMs: 5,
  /** The first question comes a gap after the first announcement, each further one after 3 times as long. */
  lanAskMsMin: 1_000,
  lanAskFactor: 3,
  /** The longest time between two questions: RFC 6762, 5.2. */
  lanAskMsMax: 3_600_000,
  /** Who has heard so many nodes need not ask for more: the rest announce themselves within a minute. */
  lanEnough: 16,
  /** Known answers in a question; without compression 18 fill a packet of 1,500 bytes. */
  lanKnownMax: 18,
  /** Multicast answers in a burst, and one more in this time: who asks on and on hears less. */
  lanAnswersBurst: 10,
  lanAnswerRestMs: 5_000,
  /** The same of answers to one host alone, which could be somebody else's address. */
  lanUnicastsBurst: 5,
  lanUnicastRestMs: 1_000,
  /** Announced within this time, a host that asks for an answer of its own gets one: RFC 6762, 5.4. */
  lanUnicastMs: LAN_TTL_MS / 4,
  /** For how long an old resolver may keep an answer: RFC 6762, 6.7. */
  lanLegacyTtlMs: 10_000,
  /** Nodes of the own network, and of others, that are remembered; the one heard longest ago goes. */
  lanNodesMax: 256,
  lanStrangersMax: 64,
  /** Nodes at one address: many run on one machine, but nobody has a place for each name he makes up. */
  lanNodesPerHostMax: 16,
  /** New nodes in a burst and in a second: a whole building that gets its power back. */
  lanNewBurst: 256,
  lanNewPerSecond: 16,
  /** The same of what one host says: twice all the nodes that it may have, and what it says of others. */
  lanNewPerHostBurst: 32,
  lanNewPerHostPerSecond: 2,
  /** Addresses that the LAN alone names: two of each node that is remembered, one of each family. */
  lanAddressesKnownMax: 512,
  /**
   * Dials of one host that met no node, where the LAN alone named it: twice all that are remembered of it,
   * so that the one that is there comes soon, whatever else is said of it.
   */
  lanDialsPerHostMax: 32,
  /** It gets one more this often. Who can name ports of a host on its own link can dial them himself. */
  lanDialRestMs: 2_000,
  /** How long it takes at the most until it is found out which node comes next. */
  lanNextMs: 3_000,
  /** How long the node that comes next may take to be linked before the one after it counts. */
  lanKeepMs: 15_000,
  /** How long it is passed over then. */
  lanPassOverMs: 300_000,
  /** The largest packet of multicast DNS: RFC 6762, 17. */
  lanPacketBytesMax: 9_000,
  /** The hop limit of all packets: RFC 6762, 11. */
  lanHopsMax: 255,
  /** Packets that are read in a burst and in a second on one interface; what is above is dropped unread. */
  lanPacketsBurst: 1_000,
  lanPacketsPerSecond: 250,
  /** Nodes that are taken from one packet, and addresses, and tags of networks, of each. */
  lanNodesPerPacketMax: 8,
  lanAddressesMax: 4,
  lanTagsMax: 4,
  /** Interfaces that are used: a host of containers may have hundreds. */
  lanInterfacesMax: 16,
  /**
   * How long an interface on which nothing could be sent is left alone, each time twice as long: an IPv6
   * address that is new cannot be used for a second or two.
   */
  lanRetryMsMin: 1_000,
  lanRetryMsMax: 10_000,
  /** How often it is tried before the log says so. */
  lanTries: 3,
  /** How long the log waits at the most for the first packets before it says where they go. */
  lanSayMs: 5_000,
  /** Things about them in the log that are not said again. */
  lanSaidMax: 64,
  /** Names of interfaces that a person may list. */
  lanInterfaceBytesMax: 64,
  /** Nodes that a report names. */
  lanReportedMax: 16,
  /** How long the goodbye may take that ends it. */
  lanGoodbyeMs: 250,
  /** A guess of a network's key costs this much memory and some 50 ms: scrypt with N, r and p. */
  lanTagCost: 32_768,
  lanTagBlock: 8,
  lanTagBytes: 4,
} as const;
