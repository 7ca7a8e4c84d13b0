/**
 * Limits of directories, each with its reason: what a client can make one hold, how clients keep in
 * touch, balancing.
 */

import { MIB } from "./sizes.ts";

/** Files that one client may list. */
const LISTINGS_PER_CLIENT_MAX = 100_000;
/** Clients that a directory dials at once. */
const DIALS_MAX = 64;
/** How often a client says that it is there, unless a person sets another time. */
const REFRESH_MS = 30_000;
/** An address may ask so much in a second, unless a person sets another bound; twice as much once. */
const QUERIES_PER_SECOND = 1_000;
/** A node says so often that it still has a file in flight. */
const FLIGHT_RENEW_MS = 5_000;

export const directoryLimits = {
  // Directories: what a client can make one hold
  /** Clients of a directory: a fleet of thousands, at some 2 KB each without their files. */
  directoryClientsMax: 20_000,
  /** Clients at one address: nodes behind one router, or many on one machine. */
  directoryClientsPerHostMax: 2_048,
  listingsPerClientMax: LISTINGS_PER_CLIENT_MAX,
  /** Files that all clients at one address may list together: two that list all they may. */
  listingsPerHostMax: 2 * LISTINGS_PER_CLIENT_MAX,
  /** Files that all clients may list together: 2 GB at most. */
  listingsMax: 2_000_000,
  /** An address that lists most gives so many at a time to one that lists less: all are looked at. */
  listingsGivenMax: 1_000,
  /** Bytes of names and types that clients at one address may list: long names cost more. */
  listingBytesPerHostMax: 16 * MIB,
  /** Files in one ADVERTISE, REMOVE or FILES: some 50 KB. */
  advertisedPerMessageMax: 128,
  /** Files in one METADATA, holders in one HOLDERS. */
  knownPerMessageMax: 64,
  /** Holders that an answer names. */
  holdersMax: 256,
  /** Files that the answer to a search names. */
  directorySearchMax: 4_096,
  /** Letters of names times letters of a glob that one search compares: 30 ms at the worst. */
  directoryCompareSteps: 2_000_000,
  directoryQueriesPerSecond: QUERIES_PER_SECOND,
  /** A search counts as so many questions. */
  directorySearchCost: 10,
  /** And as one more for so many letters compared or files named, some 0.1 ms of work each. */
  directorySearchStepsPerQuestion: 5_000,
  directorySearchFilesPerQuestion: 10,
  /** Hosts whose questions are counted; the one that asked longest ago is forgotten. */
  directoryHostsMax: 16_384,
  /** Files of one name, or of one root, that an answer knows of: those that most nodes have. */
  directoryAlikeMax: 64,
  /** Listings that are heard when a file's SHA-256 is asked for. */
  votersMax: 64,
  /** Different SHA-256 that are told apart for one file: all but one are lies. */
  votesMax: 8,
  /** Rows of the index of names that a query combines: more rule out nearly nothing. */
  nameRowsMax: 8,
  /** Holders of a file that are compared for one answer; the next answer looks at others. */
  directoryComparedMax: 128,
  /** Clients that went whose last batch is remembered, so that nobody repeats it in their name. */
  directoryGoneMax: 16_384,
  /** A session at whose address somebody else answered is refused this long. */
  directoryWrongMs: 300_000,
  /** Such sessions remembered; the oldest goes. */
  directoryWrongMax: 4_096,
  /** A node that was started again on the same port has this long to say so before it is logged. */
  directoryConflictMs: 15_000,
  /** A client that could not be dialled is tried again when it refreshes after this long. */
  directoryRecheckMs: 300_000,
  /** How often clients are looked through for silent ones in the time of a refresh, and at least. */
  directorySilenceChecks: 8,
  directorySilenceCheckMsMax: 1_000,
  /** A silent client that was asked has to prove itself within this: a dial and a handshake. */
  directorySilentMs: 15_000,
  /** A connection to a directory that says nothing this long is closed. */
  directoryIdleMs: 10_000,
  /** A connection to a directory is short: a client with more to say opens another. */
  directoryConnectionMs: 60_000,
  /** Frames of answers, of 24 KB at the most, after which the client has to have read them. */
  directoryUnreadFramesMax: 16,
  directoryDialsMax: DIALS_MAX,
  /** The same at one address: a quarter, so that silent ones there do not hold up all others. */
  directoryDialsPerHostMax: DIALS_MAX / 4,
  /** Questions a second from one address, as many as a person may allow. */
  directoryQueriesCeiling: 1_000 * QUERIES_PER_SECOND,

  // Directories: how clients keep in touch
  /** Directories that a node may be told of. */
  directoriesMax: 16,
  directoryRefreshMs: REFRESH_MS,
  directoryRefreshMsMin: 1_000,
  directoryRefreshMsMax: 3_600_000,
  /** Refreshes that may be missed before a client is asked, and then forgotten. */
  directoryMissedMax: 3,
  /** Clients that find a new instance send their whole lists spread over this time. */
  directorySpreadMs: 3_000,
  /** Changes of files are taken together for this long. */
  directoryDebounceMs: 200,
  /** The first words to a directory wait for a random part of this: fleets start together. */
  directoryFirstMs: 200,
  /** First wait after a batch that failed or was denied; it doubles up to the refresh. */
  directoryRetryMsMin: 1_000,
  /** A file that grows is told again after this long: once a second is enough to be found. */
  directoryProgressMs: 1_000,
  /** Changed files that wait to be told; when there are more, the whole list is sent. */
  directoryPendingMax: 4_096,
  /** Refreshes after which a whole list that was denied is tried again. */
  directoryDeniedRefreshes: 10,
  /** A directory that has not answered a question this long is taken for dead. */
  directoryAnswerMs: 5_000,
  /** Questions that wait for one directory: some of each fetch that may run. */
  directoryAskedMax: 512,
  /** Holders that a fetch asks a directory for: as many as it can have sources. */
  directoryHoldersAsked: 16,
  /** Holders that a directory named which a fetch dials at once; each may last some seconds. */
  listedDialsMax: 8,
  /** Of so many it remembers when they were dialled; the oldest goes. */
  listedTriedMax: 1_024,
  /** How often a further page of a search is asked for: a long list is many questions. */
  directoryPageTriesMax: 5,
  /** A directory that could not be had is not asked again for this long. */
  directoryPauseMs: 1_000,
  /** A connection to a directory is kept this long for the next question. */
  directoryKeptMs: 2_000,
  /** A directory that checks a client is asked how that went after this long, or twice that. */
  directoryCheckingMs: 1_000,
  /** How often in a row: more than a dial takes that nobody answers. */
  directoryCheckingMax: 5,
  /** The last words to a directory when a daemon stops. */
  directoryLeaveMs: 500,

  // Files in flight
  /** A node that has a file in flight says so for this long: twice it may fail to renew that. */
  flightLeaseMs: 3 * FLIGHT_RENEW_MS,
  /** The longest that it may say so: it may be gone, and others dial it in vain. */
  flightLeaseMsMax: 60_000,
  /** It says so again for the first time after this: others may have begun just after it. */
  flightRenewMsFirst: 1_000,
  flightRenewMs: FLIGHT_RENEW_MS,
  /** Leases that a directory holds: several for each client, at some 400 bytes each. */
  flightLeasesMax: 65_536,
  /** The same of one address: all clients that there may be, each with four files. */
  flightLeasesPerHostMax: 8_192,
  /** Nodes that one answer names: more are told of by the fellows themselves. */
  flightNamedMax: 16,
  /** Nodes that one search asks what they have in flight: those that two directories name. */
  flightsAskedMax: 32,
  /** The size that stands where not one flight is leased, but all of a name. */
  flightOfNameBytes: 1,
  /** Who only asks has it in flight for no time, or nobody would be named to it. */
  flightAskedMs: 1,
  /** Of these so many that came first, so that all are connected through them... */
  flightNamedFirst: 4,
  /** ...and so many that came last, which have room when those are full. */
  flightNamedLast: 4,
  /** How often leases that are over are looked for. */
  flightSweepMs: 1_000,

  // Balancing
  /** Whole copies of a popular file below which a directory has more made. */
  replicasDefault: 3,
  replicasMax: 64,
  /** Files whose demand is remembered; the one asked for longest ago is forgotten. */
  demandsMax: 4_096,
  /** Files that wait for a client which are looked at in one tick. */
  demandsPerTickMax: 256,
  /** For how long a node that asked counts as one that asked. */
  demandAskerMs: 60_000,
  /** Nodes that asked for one file within that time, each counted once. */
  demandAskersMax: 256,
  /** Time after which a question counts only half: after a minute an eighth is left. */
  demandHalfLifeMs: 20_000,
  /** Nodes that have to ask for a file before more copies of it are worth their making. */
  demandPopular: 3,
  /** Uploads under way to new holders of one file. */
  pushesPerFileMax: 2,
  /** Uploads under way to one client. */
  pushesPerClientMax: 4,
  /** The same at one address: a quarter of all, so that who takes them slowly leaves some. */
  pushesPerHostMax: DIALS_MAX / 4,
  /** An accepted upload whose copy was not advertised within this is given up. */
  pushMs: 300_000,
  /** A client that did not take a file is not asked to take it again for this long. */
  pushRefusedMs: 300_000,
  /** A node that was sent to a holder counts as an upload of it for so long without a report. */
  sentMs: 10_000,
  /** A node that was sent to a holder before its report may not have begun by then. */
  sentSettleMs: 300,
  /** A report of load that is older than this may be asked for again. */
  loadAgeMs: 500,
  /** So many of them are remembered, of one holder and of all. */
  sentPerHolderMax: 256,
  sentMax: 65_536,
  /** Of them so many at one address count that is no client's: too few to make a holder busy. */
  sentPerHostMin: 3,
  /** Busy holders are spared while so few have a file whole: of more, load chooses. */
  protectBelowCopies: 8,
  /** Smaller files are not worth anybody's waiting. */
  protectBytesMin: 8 * MIB,
  /** A holder is not busy with fewer uploads than these, unless they are its full load. */
  protectUploadsMin: 4,
  /** A holder is busy with this part of its full load. */
  protectLoadPart: 8,
  /** A node that has nothing of a file waits this long before it is sent to a busy holder. */
  protectMs: 3_000,
  /** One that has begun with others waits longer; but those may lack, or hold back, the rest. */
  protectBegunMs: 20_000,
  /** Up to this load a client is asked to take files. */
  takerLoadPercentMax: 50,
  /** Clients that are looked at for one that would take a file. */
  takersComparedMax: 64,
  /** Clients that are looked at for some that can be dialled: more than a few are, as a rule. */
  neighboursComparedMax: 64,
  /** How often a node with too few links asks its directories for others; and one without any. */
  neighboursAskMs: 60_000,
  neighboursAskAloneMs: 5_000,
  /** Uploads at once with which a node counts as fully loaded, unless a person says otherwise. */
  uploadsLoadedDefault: 32,
  /** The most that a person may say there; more are not served at once anyway. */
  uploadsLoadedMax: 256,
} as const;
