/**
 * Every limit, with its reason. What a peer, a client, a file or a person can make grow has its
 * bound here and nowhere else.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

export const limits = {
  // Names and metadata
  /** POSIX NAME_MAX: what a directory entry can hold. */
  nameBytesMax: 255,
  /** A file type is a short label (an extension). */
  typeBytesMax: 32,
  /** A network name is a label that a person types. */
  networkBytesMax: 64,
  /** The longest textual IPv6 address, with an embedded IPv4 one. */
  hostBytesMax: 45,
  /** A reason or hint that crosses the wire is one line for a log. */
  reasonBytesMax: 512,
  /** A network key file: a passphrase or a few lines of base64, not a disk image. */
  networkKeyBytesMax: 4 * KIB,
  networkKeyBytesMin: 16,

  // Frames
  /** Length and kind before each payload. */
  frameHeaderBytes: 5,
  /** Handshake frames come from strangers: nothing bigger is even waited for. */
  handshakeFrameBytesMax: 256,
  /** Chunks in one REQUEST and one CHUNKS frame: 512 KiB, the measured best on loopback. */
  requestChunksMax: 32,
  /** Bytes of bitfield in one frame: covers 4 GiB of file; more goes in further pages. */
  bitfieldPageBytesMax: 32 * KIB,
  /** Leaves in one LEAVES frame: 64 KiB, 32 MiB of file. */
  leavesPerFrameMax: 2048,
  /** Runs in one HAVE frame. */
  haveRangesMax: 1024,
  /** JSON in one ANSWER frame on the client port; longer lists go in several. */
  answerBytesMax: 256 * KIB,
  /** JSON in one ASK frame: a list of paths to share. */
  askBytesMax: 64 * KIB,
  /** File data in one DATA frame on the client port. */
  dataBytesMax: 512 * KIB,
  /** Sources named in a DONE frame. */
  doneSourcesMax: 256,

  // Connections
  /** An idle link holds this much read buffer; it grows to what its next frame needs. */
  idleReadBytes: 4 * KIB,
  /** Read buffer of a transfer: all that may be in shared fetch on it plus one frame. */
  transferReadBytes: 3 * MIB,
  /** Unsent control bytes of a connection; a peer that reads slower than this is dropped. */
  writeQueueBytesMax: 1 * MIB,
  /** A handshake is two small frames; who needs longer is not a node. */
  handshakeMs: 5_000,
  /** A TCP connect on a working network. */
  dialMs: 4_000,
  /** Connections that may be in the handshake at once, before anyone has proved anything. */
  handshakesMax: 256,
  /** All connections of the node port together, links and transfers. */
  connectionsMax: 2_048,
  /** Connections from one address, so that one host cannot take all places. */
  connectionsPerHostMax: 1_024,
  /** Clients of the client port at once: few, by design, but more than fetches may run. */
  clientsMax: 128,

  // Links
  pingIntervalMs: 5_000,
  linkSilentMs: 30_000,
  clientBeatMs: 5_000,
  clientSilentMs: 15_000,
  linksMin: 3,
  linksMax: 30,
  /** Addresses in one PEERS message. */
  peersPerMessageMax: 16,
  /** Addresses remembered; the oldest unused goes. */
  addressesMax: 1_024,
  gossipIntervalMs: 300_000,
  backoffMs: 300_000,
  banMs: 3_600_000,

  // Search
  ttlDefault: 7,
  /** A TTL above this is cut: 3 links a node reach thousands in 7 hops. */
  ttlMax: 16,
  /** Query ids remembered against duplicates; at 100 queries a second this is ten minutes. */
  seenQueriesMax: 65_536,
  /** Queries that one link may send in a second on average, with a burst of as many again. */
  queriesPerSecondMax: 100,
  queriesBurstMax: 200,
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

  // Transfers
  /** Bytes in shared fetch over all connections: keeps the ping of others under 10 ms. */
  inflightBytesMax: 4 * MIB,
  /** Requests in shared fetch on one connection. */
  requestsPerPeerMax: 4,
  /** Sources of one fetch at once. */
  sourcesMax: 16,
  /** Requesters that a node serves at once. */
  uploadsMax: 256,
  /** Requests that a requester may have queued at a holder. */
  uploadQueueMax: 64,
  /** Candidates (roots) that one fetch remembers. */
  candidatesMax: 64,
  /** Nodes whose offer of one candidate is counted: enough to outvote, and a u16 counts them. */
  offerersMax: 1_024,
  /** Silent this long with requests outstanding: snubbed, its chunks are asked elsewhere. */
  snubMs: 2_000,
  /** Silent this long: dropped. */
  sourceSilentMs: 30_000,
  /** Wrong chunks before a source is dropped and banned for the fetch. */
  strikesMax: 3,

  // Store
  /** Files open at once for serving and fetching. */
  openFilesMax: 128,
  /** Largest file that a fetch accepts, 1 TiB: 2 GiB of leaves on disk, 8 MiB of bitfield. */
  fetchBytesMax: 1024 * 1024 * MIB,
  /** Data written before a checkpoint makes it durable. */
  checkpointBytes: 64 * MIB,
  checkpointMs: 2_000,
  /** Leaf layers up to this are checked when opened (4 ms) instead of flushed when written. */
  unsyncedLeavesMax: 4096,
  /** Files given to the hash worker at once: enough that it never waits for the next. */
  hashJobsMax: 8,
  /** A hash worker that has had nothing to do this long gives its memory back. */
  hashWorkerIdleMs: 5_000,
  /** Work in one turn of the event loop while directories are scanned. */
  scanSliceMs: 4,
  /** Levels of directories below a share: deeper is a loop of mounts, not an archive. */
  shareDepthMax: 64,
  /** Shared files; each costs about 0.4 KB of memory. */
  sharedFilesMax: 1_000_000,
  /** Changed paths that are kept apart; when there are more, everything is scanned. */
  changedPathsMax: 4_096,
  /** Changes of a directory are taken together for this long before they are looked at. */
  watchDebounceMs: 200,
  /** A file that changed less than this ago is still being written: its time is that coarse. */
  settleMs: 100,
  /** How often everything is scanned although nothing was reported: network file systems. */
  rescanMs: 900_000,
  /** The same where changes cannot be watched, because the system has no watches left. */
  rescanUnwatchedMs: 60_000,
  /** How often it is looked whether shared directories are still the same: some system calls. */
  rootCheckMs: 2_000,
  /** The longest wait before a file that keeps changing is hashed again. */
  unsettledMs: 60_000,
  /** A leaf layer that belongs to no file is removed when it is older than this. */
  unusedLeavesMs: 3_600_000,
  /** Hashed files are noted in the catalogue together, so many at most, or after so long. */
  hashedBatchMax: 256,
  hashedBatchMs: 50,

  // Configuration
  /** A configuration file is a page of text. */
  configBytesMax: 64 * KIB,

  // Download policy
  /** Chunks of the smallest request worth its round trip, 64 KiB, when the budget is thin. */
  requestChunksMin: 4,
  /** Requests that a new source, or one that was snubbed, starts with. */
  requestsAtFirst: 2,
  /** Chunks of a request to such a source, 128 KiB: it may be slow, and sixteen fit the budget. */
  requestChunksAtFirst: 8,
  /** Cancelled requests of a source whose frames may still come: as many as its queue can hold. */
  cancelledRequestsMax: 64,
  /** Units compared for the rarest in one choice: 2 GiB of file. */
  pickBlocksMax: 4_096,
  /** Units of one random place that a choice in a bigger file compares as well. */
  pickSampleBlocks: 1_024,
  /** Units that a choice may pass over to reach the next that its source has: 16 GiB of file. */
  skipBlocksMax: 32_768,

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

  // Fair shares
  /** Handshakes of one host at once: a quarter, for a burst of nodes behind one address. */
  handshakesPerHostMax: 64,
  /** Requesters of one host that a node serves: half of all; one node may fetch 64 files at once. */
  uploadsPerHostMax: 128,
  /** A requester that asks for nothing this long is sent away; it searches again when it must. */
  uploadIdleMs: 60_000,
  /** Idle this long, it has to go when another wants its place: longer than any pause in a fetch. */
  uploadEvictMs: 5_000,
  /** Globs of one link that are looked up: each is a walk over all names, up to a million. */
  globsPerSecondMax: 2,
  globsBurstMax: 10,

  // Statistics
  /** How often counters are written to the disk: what a crash loses of them at most. */
  statisticsFlushMs: 60_000,

  // Directories: what a client can make one hold
  /** Clients of a directory: a fleet of thousands, at some 2 KB each without their files. */
  directoryClientsMax: 20_000,
  /** Clients at one address: nodes behind one router, or many on one machine. */
  directoryClientsPerHostMax: 2_048,
  /** Files that one client may list. */
  listingsPerClientMax: 100_000,
  /** Files that all clients at one address may list together. */
  listingsPerHostMax: 200_000,
  /** Files that all clients may list together: 2 GB at most. */
  listingsMax: 2_000_000,
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
  /** Questions a second from one address, unless a person sets another bound; twice as many once. */
  directoryQueriesPerSecond: 1_000,
  /** A search counts as so many questions. */
  directorySearchCost: 10,
  /** And as one more for so many letters compared or files named, some 0.1 ms of work each. */
  directorySearchStepsPerQuestion: 5_000,
  directorySearchFilesPerQuestion: 10,
  /** Addresses whose questions are counted; the one that asked longest ago is forgotten. */
  directoryAskersMax: 16_384,
  /** Files of one name, or of one root, that an answer knows of: those that most nodes have. */
  directoryAlikeMax: 64,
  /** Holders of a file that are compared for one answer; the next answer looks at others. */
  directoryComparedMax: 128,
  /** Clients that went whose last batch is remembered, so that nobody repeats it in their name. */
  directoryGoneMax: 16_384,
  /** A session at whose address somebody else answered is refused this long. */
  directoryWrongMs: 300_000,
  /** Such sessions remembered; the oldest goes. */
  directoryWrongMax: 4_096,
  /** A node that was started anew on the same port has this long to say so before it is logged. */
  directoryConflictMs: 15_000,
  /** A client that could not be dialled is tried again when it refreshes after this long. */
  directoryRecheckMs: 300_000,
  /** A silent client that was asked has to prove itself within this: a dial and a handshake. */
  directorySilentMs: 15_000,
  /** A connection to a directory that says nothing this long is closed. */
  directoryIdleMs: 10_000,
  /** A connection to a directory is short: whoever has more to say opens another. */
  directoryConnectionMs: 60_000,
  /** Clients that a directory dials at once. */
  directoryDialsMax: 64,
  /** The same at one address: a quarter, so that silent ones there do not hold up all others. */
  directoryDialsPerHostMax: 16,
  /** Questions a second from one address, as many as a person may allow. */
  directoryQueriesCeiling: 1_000_000,

  // Directories: how clients keep in touch
  /** Directories that a node may be told of. */
  directoriesMax: 16,
  /** How often a client says that it is there, unless a person sets another time. */
  directoryRefreshMs: 30_000,
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
  /** Of so many it remembers when they were dialled; past it all may be dialled anew. */
  listedTriedMax: 1_024,
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

  // Balancing
  /** Whole copies of a popular file below which a directory has more made. */
  replicasDefault: 3,
  replicasMax: 64,
  /** Files whose demand is remembered; the one asked for longest ago is forgotten. */
  demandsMax: 4_096,
  /** Nodes that asked for one file within the last minute, each counted once. */
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
  pushesPerHostMax: 16,
  /** An accepted upload whose copy was not advertised within this is given up. */
  pushMs: 300_000,
  /** A client that did not take a file is not asked to take it again for this long. */
  pushRefusedMs: 300_000,
  /** A node that was sent to a holder counts as an upload of it for so long without a report. */
  sentMs: 10_000,
  /** A node that was sent to a holder before its report may not have begun by then. */
  sentSettleMs: 300,
  /** A report of load that is older than this may be asked for anew. */
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
  /** A node that has nothing of a file waits this long before it is sent to a busy holder. */
  protectMs: 3_000,
  /** One that has begun with others waits longer; but those may lack, or hold back, the rest. */
  protectBegunMs: 20_000,
  /** Clients that are looked at for one that would take a file. */
  takersComparedMax: 64,
  /** Uploads at once with which a node counts as fully loaded, unless a person says otherwise. */
  uploadsLoadedDefault: 32,
  /** The most that a person may say there; more are not served at once anyway. */
  uploadsLoadedMax: 256,

  // What nodes ask each other
  /** Nodes and directories that ask a node something at once, and those of them at one address. */
  questionersMax: 64,
  questionersPerHostMax: 32,
  /** Questions of one address: a directory dials for every file that it has copied. */
  questionsPerSecondMax: 50,
  questionsBurstMax: 200,
  /** Whole lists of files that one address may hear: each may be tens of megabytes. */
  fileListsPerMinuteMax: 6,
  fileListsBurstMax: 10,
  /** Lists that are sent at once, and those of them to one address. */
  fileListsMax: 4,
  fileListsPerHostMax: 2,
  /** Addresses whose questions are counted; the one longest silent goes. */
  questionHostsMax: 4_096,
  /** Files that a node lets itself be given at once. */
  pushesTakenMax: 4,
  /** The same from one address: half, so that who gives slowly leaves some to others. */
  pushesTakenPerHostMax: 2,
  /** A file that is given slower than this is given up by both: it holds one of those places. */
  pushBytesPerSecondMin: 16 * KIB,
  /** Any stretch of it may be slower for this long: to begin, and to put a small file away. */
  pushMsMin: 60_000,
  /** A file whose provider has gone is given up when nobody else gives it for this long. */
  pushAloneMs: 3_000,
  /** What a file takes of a disk at least, with its directory: tiny ones must not fill it either. */
  takenFileBytesMin: 8 * KIB,
  /** How long a provider waits for the other side to have the file whole: it may hash and flush. */
  pushSettleMs: 60_000,
  /** Nodes that a push without a peer asks before it gives up. */
  pushTakersMax: 16,
  /** How long it waits for directories to name one. */
  pushTakersMs: 3_000,

  // Mirrors
  /** A URL that a client or a person gives. */
  urlBytesMax: 2_048,
  /** Mirrors of one file: a mirrorlist with the best of them. */
  mirrorsMax: 16,
  /** Host and port of a mirror: a DNS name has 253 bytes at most. */
  mirrorLabelBytesMax: 260,
  /** Redirects that are followed for one request: as many as curl inside pacman follows. */
  mirrorRedirectsMax: 10,
  /** A mirror that has not begun to answer by then is left for the next one; pacman waits 10 s. */
  mirrorAnswerMs: 6_000,
  /** A mirror that sends nothing this long in the middle of a file is asked again, or the next. */
  mirrorSilentMs: 5_000,
  /** When all bytes of an answer are here, its end is waited for this long; it needs no waiting. */
  mirrorEndMs: 500,
  /** How often in a row a mirror is asked for the rest of a file when it breaks off without progress. */
  mirrorRetriesMax: 3,
  /** Connections to mirrors at once, for all files. */
  mirrorConnectionsMax: 32,
  /** Of these, what only passes through the gateway leaves so many to packages and databases. */
  mirrorConnectionsKept: 16,
  /** Requests of one file to a mirror at once, where peers give it too. */
  mirrorRangesMax: 4,
  /** How long a mirror that failed is asked last. */
  mirrorBadMs: 30_000,
  /** A mirror that broke off in the middle, and then fails, is tried again after this, then twice it. */
  mirrorRetryMs: 500,
  /** Mirrors whose failures and speeds are remembered; the one longest not heard of goes. */
  mirrorHostsMax: 256,
  /** Bytes that are let pass to reach an offset at a mirror that knows no ranges. */
  mirrorSkipBytes: 1 * MIB,
  /** A part of a file so small tells nothing of a mirror's speed: it was on its way already. */
  mirrorSampleBytes: 64 * KIB,
  /** Peers alone are waited for this long before a mirror is asked as well. */
  hedgeMs: 25,
  /** A node of one fetch has this long to get its first link before that time begins. */
  hedgeLinkMs: 500,
  /** So long a file that is here, or at peers, waits for a mirror to say whether it is the one meant. */
  hedgeAnswerMs: 2_000,
  /** The first bytes of a file that a mirror gives while what peers gave is not yet proved. */
  hedgeHeadBytes: 64 * KIB,
  /** But never more than this part of a file, in chunks, rounded up to one. */
  hedgeHeadPermille: 10,
  /** How often, while that lasts, it gives another chunk, so that whoever waits sees bytes come. */
  hedgeDripMs: 3_000,
  /** How fast peers must be, as far as the mirror's speed is not known, not to be helped by it. */
  hedgeBytesPerSecond: 64 * MIB,
  /** How long a mirror's measured speed is believed. */
  hedgeSpeedMs: 600_000,
  /** Files on their way from mirrors whose root nobody knows yet, under way or put away for later. */
  unverifiedMax: 64,
  /** A file that was put away for later is given up after this long. */
  unverifiedKeptMs: 600_000,

  /** How long a node looks for a file whose URL a client named, before that alone is asked. */
  urlSearchMs: 700,

  // Gateway
  /** HTTP requests at once. */
  gatewayRequestsMax: 256,
  /**
   * How often, while it answers nothing, it ends all its connections and opens its port anew: those
   * that send no request would pile up for ever.
   */
  gatewayTurnMs: 120_000,
  /** It does so when nothing was asked and nothing sent for this long. */
  gatewayQuietMs: 1_000,
  /** When it can accept no connection, it tries again after this. */
  gatewayPauseMs: 500,
  /** What is being answered when it stops has this long to get out. */
  gatewayStopMs: 200,
  /** Of a file up to this size nothing is sent before all of it was checked, where that can be. */
  gatewayCheckedBytes: 1 * MIB,
  /** How long no second tail of a file is fetched for clients that want no more than its end. */
  gatewayTailMs: 600_000,
  /** How long a file that nobody seems to have is looked for, unless a person says otherwise. */
  gatewayWaitMs: 500,
  gatewayWaitMsMax: 8_000,
  /** Files that the gateway brings in at once: the rest of fetchesMax is for other clients. */
  gatewaySharedFetchesMax: 48,
  /** Searches that the gateway begins in a second, and in a burst: neighbours refuse more. */
  gatewaySearchesPerSecondMax: 50,
  gatewaySearchesBurstMax: 100,
  /** A client that takes no byte this long is sent away. */
  gatewayStalledMs: 60_000,
  /** What nobody waits for any more goes on this long: pacman runs again, or asks the next range. */
  gatewayAbandonedMs: 30_000,
  /** Without a mirror, what peers gave is held back this long until it is proved. */
  gatewayHoldMs: 8_000,
  /** Bytes that are given in one turn while a client waits for the rest to be proved. */
  gatewayDripBytes: 256,
  /** Files that pass from a mirror to a client, each at that client's pace, at a time. */
  gatewayPassesMax: 8,
  /** A client that takes them slower than this is sent away, after the time below. */
  gatewayPassBytesPerSecond: 16 * KIB,
  /** What a client takes in one go is enough for so long, so that it may come in lumps. */
  gatewayPassStalledMs: 20_000,
  /** Gateways behind each other that a request may pass: more are a circle, or as good as one. */
  gatewayViaMax: 8,
  /** What each of them calls itself, as far as it is passed on. */
  gatewayViaBytesMax: 128,
  /** A database of a repository. */
  databaseBytesMax: 256 * MIB,
  /** All of them that the gateway keeps, and their number; those on their way count. */
  databasesBytesMax: 512 * MIB,
  databasesMax: 256,
  /** One that was asked for in that time does not go for one that is asked for the first time. */
  databaseInUseMs: 86_400_000,
  /** Databases that are not kept, and are got at a time: who makes up names gets no further. */
  databaseUpdatesMax: 16,
  /** Databases whose requests are counted though they are not kept. */
  databasesSeenMax: 1_024,
  /** A detached signature. */
  signatureBytesMax: 16 * KIB,

  // Sync databases
  /** Repositories that are read. */
  syncDatabasesMax: 64,
  /** Packages in all of them: Arch Linux has some 15,000. */
  syncPackagesMax: 500_000,
  /** A database unpacked. */
  syncUnpackedBytesMax: 1_024 * MIB,
  /** One entry's `desc`. */
  syncDescBytesMax: 256 * KIB,
  /** A header of such an archive that gives a long name. */
  syncHeaderBytesMax: 64 * KIB,
  /** A database that takes longer to read is given up: Arch Linux's biggest takes half a second. */
  syncReadMs: 60_000,
  /** How long a start, or a fetch of a name that is not known, waits for databases to be read. */
  syncSettleMs: 1_000,
  /** Changes of the directory are taken together for this long. */
  syncDebounceMs: 50,
  /** How often it is looked whether a database changed. */
  syncCheckMs: 2_000,

  // pacman's configuration
  /** All files of it together: a mirrorlist of the world has 50 KB. */
  pacmanConfBytesMax: 1 * MIB,
  /** Files that it may include, and how deep: pacman itself stops at 10. */
  pacmanConfFilesMax: 256,
  pacmanConfDepthMax: 10,
  /** Directories and files that are looked at for what the patterns of its `Include`s stand for. */
  pacmanConfLooksMax: 4_096,
  /** Problems of it that are told. */
  pacmanConfProblemsMax: 64,

  // What is remembered of fetches
  /** Fetches that can be explained afterwards; the oldest goes. */
  fetchRecordsMax: 1_000,
  /** Steps of one fetch that are told: the first and the last of them. */
  recordSteps: 64,
  /** Files whose wrong roots and providers are remembered, roots and providers of each, and how long. */
  rejectedFilesMax: 256,
  wrongPerFileMax: 256,
  wrongMs: 3_600_000,
} as const;
