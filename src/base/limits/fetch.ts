/** Limits of fetches and what is remembered of them, each with its reason. */

import { KIB, MIB } from "./sizes.ts";
import { overlayLimits } from "./overlay.ts";
import { transferLimits } from "./transfer.ts";

/** How long after the first offer a bare name may still come to mean another file. */
const candidateSettleMs = 100;

/** A linked node that is to pass a file on has its own search, and then gives the first parts. */
const relayMs = 2 * overlayLimits.searchMs;

/** How often nodes are asked for a file that they are just getting. */
const floodForComingMs = 2_000;

export const fetchLimits = {
  // What a client gets that cannot wait for the check of the whole
  /** Nodes at as many hosts that must have the whole of a root for it to be streamed before its check. */
  vouchersMin: 2,
  /** When it is judged whether a file comes in time, after it began: connections are at full speed. */
  holdJudgeMs: 1_000,
  /** How long somebody else is looked for when nobody gives any more: a search takes no longer. */
  holdGoneMs: 1_000,

  // Which file is meant
  candidateSettleMs,
  /** A candidate that has been followed for this long is kept, whatever others offer. */
  candidateKeptMs: 3 * candidateSettleMs,

  // Searching
  /** Sources with which a fetch seeks no more, and a holder is told not to pass the query on. */
  sourcesEnough: 8,
  /** Pause before the query is flooded again while the file is not complete. */
  floodAgainMs: 5_000,
  /** The same when all sources are lost. */
  floodInNeedMs: 1_000,
  /** The same while others are getting the file: it lies there whole for no longer than this. */
  floodForComingMs,
  /** Who says to be getting it counts for three such pauses: a query may be lost, or come late. */
  comingHeardMs: 3 * floodForComingMs,
  /** The same for directories: a question there costs next to nothing. */
  askAgainMs: 1_000,
  /** A fetch without a link, or whose sources are lost, has known nodes dialled so often. */
  dialRoundMs: 2_000,
  /** Queries of one fetch that go over links which come up, and the questions to directories with them. */
  queriesAtOnce: 2,
  /**
   * Queries of one fetch to which answers are still heard. With a flood a second that is longer than a
   * holder's dial of a requester takes to fail (4 s), after which its HIT sets out.
   */
  queriesHeard: 7,

  /** Holders to which no connection comes about, remembered of one fetch, and told to a person. */
  unreachedMax: 64,
  unreachedToldMax: 3,

  /** From its beginning, answers of such holders have a fetch wait on: two dials that are dropped. */
  unreachedMs: 3 * overlayLimits.searchMs,
  /** Who can be reached shows that within this: a holder lets a query go on after as long. */
  relayAfterMs: overlayLimits.callbackMs,
  relayMs,
  /** Such a node is dialled so often until it has a part: a dial and an empty answer. */
  relayDialMs: 500,
  /** How often one fetch asks: a node that failed twice to get it will fail again. */
  relayRoundsMax: 2,
  /** A node that passes nothing on is not asked again for this long. */
  relayUnwillingMs: 60_000,
  /** Linked nodes that one fetch asks to pass its file on, and of whom it tells. */
  relaysAskedMax: 8,
  relaysToldMax: 2,

  /** Nodes that answered a person's query of whom it is known how they can be reached. */
  reachNodesMax: 1_024,
  /** Of those that did not call back so many are dialled, each for so long: a person waits. */
  reachProbesMax: 16,
  reachProbeMs: 2_000,

  // When a fetch gives up
  /** A candidate that comes no further for so long is set aside: twice the time of a stall. */
  candidateStarvedMs: 2 * transferLimits.snubMs,
  /** How long nobody may offer a file that no mirror gives either, unless the request says. */
  searchBesideMs: 3_000,
  /** How long a fetch whose sources lack the missing chunks, or all stall, waits for others. */
  starvedMs: transferLimits.sourceSilentMs + overlayLimits.searchMs,
  /** A fetch on its own with directories that all failed, and nobody else to ask, ends after this. */
  hopelessMs: 1_500,
  /** A holder that withdrew a file is waited for so long, and as long as it may take to hash it. */
  withdrawnMs: 3_000,
  withdrawnBytesPerMs: 256 * KIB,
  /**
   * How often a fetch begins again for bytes that were here and rotted, and the gateway for those at
   * one place: a disk may go on so.
   */
  fetchesAgainMax: 5,
  /** Pause before a file that is here, and cannot be read just now, is looked at again. */
  lookAgainMs: 50,

  // Mirrors beside peers
  /** Peers alone are waited for this long before a mirror is asked as well. */
  hedgeMs: 25,
  /** The same for a fetch that nobody waits for: others who get the file have had it by then. */
  backgroundDelayMs: 300_000,
  /** What a person may make of it: a day. A file that may come later can be asked for later. */
  mirrorDelayMsMax: 86_400_000,
  /** While nobody offers what a mirror shall not give yet, the network is asked again so often. */
  floodWhileDelayedMs: 15_000,
  /** A node of one fetch has this long to get its first link before that time begins. */
  hedgeLinkMs: 500,
  /**
   * Before a node with links or directories asks a mirror for all of a file, it listens who gets it too, at
   * most so long: mostly all have said within milliseconds that they do not, but those who are busy, far or
   * of an older version take longer. The mirror gives the first bytes meanwhile.
   */
  crowdListenMs: 250,
  /**
   * Of a file of this size or more it reads on meanwhile, from a place that is another one for each
   * machine: of a smaller one many would read the same.
   */
  readAheadBytesMin: 16 * MIB,
  /** It waits so long for what directories say of that, and for those whom they name. */
  crowdNamedMs: 1_000,
  /** Where somebody else seeks it at the same time, it waits so long for the two to be connected. */
  crowdExpectMs: 500,
  /** So long a client waits for what fellows bring before the mirror gives it first bytes. */
  crowdHeadMs: 1_000,
  /** How often it gives another chunk then: the gateway makes one last for a minute. */
  crowdDripMs: 45_000,
  /** So long a file whose id depends on what the mirror says may wait for that. */
  crowdIdentityMs: 500,
  /** So long a file that fellows bring comes no further before nobody waits for them any more. */
  crowdStarvedMs: 10_000,
  /** Bytes that are hashed at a time while a file comes out of order: a few milliseconds at most. */
  crowdHashBytes: 2 * MIB,
  /** Chunks of each fellow that a node compares with the mirror where nothing else tells. */
  crowdSamples: 1,
  /** Where something is known to be wrong, all fellows together first compare this part of a file. */
  crowdSampleParts: 32,
  /** So long a node whose mirror gives nothing waits for what others find to be wrong. */
  crowdLookMs: 1_000,
  /** Mendings that found something, one for each fellow that there may be; the next one reads all again. */
  crowdMendsMax: 24,
  /** How often what others proved may turn out to be wrong before a node believes none of them. */
  crowdRoundsMax: 4,
  /** Chunks that one fetch takes over at a time of what another one reads: a few writes a second. */
  takenOverChunks: 32,
  /** Bytes that are asked of the mirror at a time to compare them. */
  crowdCompareBytes: 4 * MIB,
  /** So long a file that is here, or at peers, waits for a mirror to say whether it is the one meant. */
  hedgeAnswerMs: 2_000,
  /** The first bytes of a file that a mirror gives while what peers gave is not yet proved. */
  hedgeHeadBytes: 64 * KIB,
  /** But never more than this part of a file, in chunks, rounded up to one. */
  hedgeHeadPermille: 10,
  /** How often, while that lasts, it gives another chunk, so that those who wait see bytes come. */
  hedgeDripMs: 3_000,
  /** How fast peers must be, as far as the mirror's speed is not known, not to be helped by it. */
  hedgeBytesPerSecond: 64 * MIB,
  /** How long a candidate may take from being followed until chunks can come. */
  hedgeBeginMs: 500,
  /** But no more than this part of the time in which the mirror would give all of it. */
  hedgeBeginParts: 20,
  /** What is done within this time is left alone. */
  hedgeNearlyMs: 300,
  /** Peers that need longer to begin may be slow in all things: they are judged beside the stream. */
  hedgeLateMs: 300,
  /** Of those, who give less than this part of what a mirror does leave its stream alone, in percent. */
  hedgeStreamPercent: 25,
  /** When peers are judged, after they began, at the soonest and at the latest; then this often. */
  hedgeJudgeMsMin: 60,
  hedgeJudgeMsMax: 500,
  hedgeJudgeAgainMs: 50,
  /** Left to give by then, a mirror keeps the place where it writes from a candidate. */
  hedgeHandoverMs: 300,
  /** How much faster than the mirror peers must be for it to stop, in percent. */
  hedgeFasterPercent: 150,

  // What is remembered
  /** Fetches that can be explained afterwards; the oldest goes. */
  fetchRecordsMax: 1_000,
  /** Steps of one fetch that are told: the first and the last of them. */
  recordSteps: 64,
  /** Files whose wrong roots and providers are remembered, roots and providers of each, and how long. */
  rejectedFilesMax: 256,
  wrongPerFileMax: 256,
  wrongMs: 3_600_000,
} as const;
