/** Limits of searches, uploads, pushes and what nodes ask each other, each with its reason. */

import { directoryLimits } from "./directory.ts";
import { KIB, MIB } from "./sizes.ts";

export const transferLimits = {
  // Transfers
  /** Bytes in flight over all connections: keeps the ping of others under 10 ms. */
  inflightBytesMax: 4 * MIB,
  /** Requests in flight on one connection. */
  requestsPerPeerMax: 4,
  /** Sources of one fetch at once. */
  sourcesMax: 16,
  /** Requesters that a node serves at once. */
  uploadsMax: 256,
  /** Requests that a requester may have queued at a holder. */
  uploadQueueMax: 64,
  /** Candidates (roots) that one fetch remembers. */
  candidatesMax: 64,
  /** Others of one name that a fetch tells of: a person chooses among few. */
  choiceOthersMax: 16,
  /** Nodes whose offer of one candidate is counted: enough to outvote, and a u16 counts them. */
  offerersMax: 1_024,
  /** Runs of chunks of one provider that are kept before they are put in order and joined. */
  providerRunsMax: 4_096,
  /** Silent this long with requests outstanding: snubbed, its chunks are asked elsewhere. */
  snubMs: 2_000,
  /** Silent this long: dropped. */
  sourceSilentMs: 30_000,
  /** Wrong chunks before a source is dropped and banned for the fetch. */
  strikesMax: 3,
  /** Over so long a rate is smoothed before a person or a directory sees it. */
  rateSmoothMs: 2_000,
  /** Characters of one step of a fetch record: a line or two for a person. */
  recordStepLengthMax: 300,
  /** Providers that a fetch record names; the others are summed up. */
  recordProvidersMax: 64,
  /** Providers that are told of a fetch that runs: as many as a person compares. */
  fetchingSourcesMax: 32,
  /** Rejected roots that a fetch record names. */
  recordRootsMax: 16,

  // Fair shares
  /** Handshakes of one host at once: a quarter, for a burst of nodes behind one address. */
  handshakesPerHostMax: 64,
  /** Requesters of one host that a node serves: half of all; one node may fetch 64 files at once. */
  uploadsPerHostMax: 128,
  /** A requester that asks for nothing this long is sent away; it searches again when it must. */
  uploadIdleMs: 60_000,
  /** Idle this long, it has to go when another needs room: longer than any pause in a fetch. */
  uploadEvictMs: 5_000,
  /** A requester has a place for so long, however slow, when others have none: to get its leaves, */
  uploadTrialMs: 10_000,
  /** and then as long as it takes so much a second: half a megabit, or it only holds the place. */
  uploadSlowBytesPerSecond: 64 * KIB,
  /** Globs of one link that are looked up: each is a walk over all names, up to a million. */
  globsPerSecondMax: 2,
  globsBurstMax: 10,

  // Searches of this node
  /** A search that ended answers late callbacks for this long: the flood has died down by then. */
  endedSearchMs: 60_000,
  /** Answers that anybody may give have ended when none has come for this long. */
  queryIdleMs: 2_000,
  /** Offers of a list that come before the other side must catch up: a tenth of a writer's queue. */
  offersPerPage: 256,
  /** Files of one holder that are heard page by page: as many as a store is made for. */
  listedMax: 1_000_000,
  /** All lists of a search are heard this long: 500,000 files on a line of 20 Mbit/s. */
  listingMs: 30_000,
  /** Holders that a search asks for their whole lists, in all and at once: each is a dial. */
  searchListsMax: 32,
  searchListsAtOnceMax: 8,
  /** Files that are counted before others get their turn: about a millisecond. */
  listedPerTurn: 1_024,
  /** A holder that a directory named, and that was dialled, is not dialled again for this long. */
  listedRedialMs: 5_000,

  // What nodes ask each other
  /** Nodes and directories that ask a node something at once, and those of them at one address. */
  questionersMax: 64,
  questionersPerHostMax: 32,
  /** Questions of one address: a directory dials for every file that it has copied. */
  questionsPerSecondMax: 50,
  questionsBurstMax: 200,
  /** Who alone asked this many of those that were too many floods: an honest asker has a few. */
  questionsFloodMin: 100,
  /** Whole lists of files that one address may hear: each may be tens of megabytes. */
  fileListsPerMinuteMax: 6,
  fileListsBurstMax: 10,
  /** Lists that are sent at once, and those of them to one address. */
  fileListsMax: 4,
  fileListsPerHostMax: 2,
  /** Addresses whose questions are counted; the one longest silent goes. */
  questionHostsMax: 4_096,
  /** Nodes that a node dials back at once because they ask; each may do so for a dial's time. */
  dialBacksMax: 4,
  /** The same of one address in a minute: a person asks, now and then. */
  dialBacksPerMinuteMax: 6,
  /** Nodes that are asked to dial back: of each other host one, and a few are enough to tell. */
  dialBacksAskedMax: 3,
  /** Pushed files that a node takes at once. */
  pushesTakenMax: 4,
  /** The same from one address: half, so that a slow provider leaves some to others. */
  pushesTakenPerHostMax: 2,
  /** A pushed file that is slower than this is given up at both ends: it is one of those few. */
  pushBytesPerSecondMin: 16 * KIB,
  /** Any stretch of it may be slower for this long: to begin, and to finish a small file. */
  pushMsMin: 60_000,
  /** A pushed file whose provider has gone is given up when it has no other source this long. */
  pushAloneMs: 3_000,
  /** What a file takes of a disk at least, with its directory: tiny ones must not fill it either. */
  takenFileBytesMin: 8 * KIB,
  /** How long a provider waits for the other side to have the file whole: it may hash and flush. */
  pushSettleMs: 60_000,
  /** First and longest pause before it asks again whether that is so. */
  pushAskAgainMsMin: 50,
  pushAskAgainMsMax: 2_000,
  /** Nodes that a push without a peer asks before it gives up. */
  pushTakersMax: 16,
  /** How long it waits for directories to name one. */
  pushTakersMs: 3_000,
  /** Past this age nothing more is asked on a connection to a directory, which ends it at twice that. */
  directoryConnectionAgeMsMax: directoryLimits.directoryConnectionMs / 2,
} as const;
