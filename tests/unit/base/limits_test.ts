// What has to hold between limits: each is chosen with others in mind, and a change of one must not
// break another unseen. Where one follows from another by a formula, it is derived in limits/.

import { assert, assertGreater, assertGreaterOrEqual } from "@std/assert";
import { CHUNK_BYTES, FILE_BYTES_MAX } from "../../../src/base/geometry.ts";
import { HASH_BYTES } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { payloadBytesMax } from "../../../src/wire/codec.ts";
import { CHUNKS_CODE, DATA_CODE, MESSAGES } from "../../../src/wire/messages.ts";

type Limit = keyof typeof limits;

/** pacman gives a server up that sends less than a byte a second for so long. */
const PACMAN_MS = 10_000;

/** Limits in the order that they must keep, each less than the next. */
function rising(...names: readonly Limit[]): void {
  for (const [i, name] of names.slice(1).entries()) {
    const before = names[i]!;
    assertGreater(limits[name], limits[before], `${before} < ${name}`);
  }
}

/** Limits of which none may be more than the next. */
function notFalling(...names: readonly Limit[]): void {
  for (const [i, name] of names.slice(1).entries()) {
    const before = names[i]!;
    assertGreaterOrEqual(limits[name], limits[before], `${before} <= ${name}`);
  }
}

Deno.test("limits are positive whole numbers", () => {
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isInteger(value) && value > 0, `${name}: ${value}`);
  }
});

Deno.test("limits lie between those that a name calls least and most", () => {
  rising("directoryRefreshMsMin", "directoryRefreshMs", "directoryRefreshMsMax");
  rising("redialMsMin", "redialMsMax");
  rising("networkKeyBytesMin", "networkKeyBytesMax");
  rising("linksMin", "linksMax", "linksCeiling");
  rising("replicasDefault", "replicasMax");
  notFalling("ttlDefault", "ttlMax");
  notFalling("uploadsLoadedDefault", "uploadsLoadedMax", "uploadsMax");
  notFalling("gatewayWaitMs", "gatewayWaitMsMax");
  notFalling("directoryQueriesPerSecond", "directoryQueriesCeiling");
});

Deno.test("limits of one host are less than those of all", () => {
  rising("connectionsPerHostMax", "connectionsMax");
  rising("handshakesPerHostMax", "handshakesMax");
  rising("uploadsPerHostMax", "uploadsMax");
  rising("directoryClientsPerHostMax", "directoryClientsMax");
  rising("listingsPerClientMax", "listingsPerHostMax", "listingsMax");
  rising("directoryDialsPerHostMax", "directoryDialsMax");
  rising("questionersPerHostMax", "questionersMax");
  rising("fileListsPerHostMax", "fileListsMax");
  rising("pushesTakenPerHostMax", "pushesTakenMax");
  rising("pushesPerFileMax", "pushesPerClientMax", "pushesPerHostMax");
  rising("sentPerHostMin", "sentPerHolderMax", "sentMax");
});

Deno.test("limits let a silent node be noticed first, then left, then taken for dead", () => {
  rising("snubMs", "sourceSilentMs");
  notFalling("sourceSilentMs", "linkSilentMs");
  // A link that is alive says something several times before it counts as dead.
  assertGreaterOrEqual(limits.linkSilentMs, 3 * limits.pingIntervalMs);
  assertGreaterOrEqual(limits.clientSilentMs, 2 * limits.clientBeatMs);
  notFalling("linkSilentMs", "writeStallMs");
  // Sources that were lost come back within what a link needs to be known as lost.
  rising("snubMs", "searchMs", "sourcesLostMs", "sourceSilentMs");
  rising("uploadEvictMs", "uploadIdleMs");
  assertGreater(limits.uploadEvictMs, limits.snubMs, "who is only snubbed keeps its place");
});

Deno.test("limits of dials and handshakes fit in those that wait for them", () => {
  assertGreater(limits.pendingDialMs, limits.dialMs + limits.handshakeMs);
  assertGreater(limits.directorySilentMs, limits.dialMs + limits.handshakeMs);
  rising("dialMs", "directoryIdleMs", "directoryConnectionMs");
  rising("directoryAnswerMs", "directoryConnectionMs");
  rising("callbackMs", "searchMs");
  rising("overlayTickMs", "callbackMs", "pingIntervalMs");
  // A directory that checks a client is asked again until a dial that nobody answers has ended.
  assertGreater(limits.directoryCheckingMs * limits.directoryCheckingMax, limits.dialMs);
  rising("directoryLeaveMs", "directoryAnswerMs");
});

Deno.test("limits of what is in flight fit in the buffers that hold it", () => {
  const requestBytes = limits.requestChunksMax * CHUNK_BYTES;
  const perPeer = limits.requestsPerPeerMax * requestBytes;
  assertGreaterOrEqual(limits.transferReadBytes, perPeer + requestBytes, "a window and a frame");
  assertGreaterOrEqual(limits.inflightBytesMax, perPeer);
  // With all sources, each may still be asked for the smallest request.
  const smallest = limits.requestChunksMin * CHUNK_BYTES;
  assertGreaterOrEqual(limits.inflightBytesMax, limits.sourcesMax * smallest);
  rising("requestChunksMin", "requestChunksAtFirst", "requestChunksMax");
  rising("requestsAtFirst", "requestsPerPeerMax");
  notFalling("requestsPerPeerMax", "cancelledRequestsMax");
  notFalling("uploadQueueMax", "cancelledRequestsMax");
  rising("sourcesMax", "downloadSourcesMax");
  rising("rateGuessMs", "rateSampleMs", "sourceQueueMs", "snubMs");
  rising("pickSampleBlocks", "pickBlocksMax", "skipBlocksMax");
  notFalling("idleReadBytes", "transferReadBytes");
  notFalling("dataBytesMax", "bulkTurnBytes", "inflightBytesMax");
});

Deno.test("limits of frames hold what they are to carry", () => {
  assertGreaterOrEqual(payloadBytesMax(CHUNKS_CODE), limits.requestChunksMax * CHUNK_BYTES);
  assertGreaterOrEqual(payloadBytesMax(DATA_CODE), limits.dataBytesMax);
  assertGreaterOrEqual(limits.dataBytesMax, limits.requestChunksMax * CHUNK_BYTES);
  for (const [kind, { fields }] of Object.entries(MESSAGES)) {
    assert(fields.bytesMax <= limits.writeQueueBytesMax, `${kind} fits in the queue of a peer`);
  }
  for (const kind of ["hello", "proof", "accepted", "refused"] as const) {
    assert(MESSAGES[kind].fields.bytesMax <= limits.handshakeFrameBytesMax, kind);
  }
  assertGreaterOrEqual(limits.largeFrameBytes, limits.leavesPerFrameMax * HASH_BYTES);
  rising("handshakeFrameBytesMax", "idleReadBytes", "bitfieldPageBytesMax");
  rising("gossipAddressesMax", "peersPerMessageMax");
  notFalling("hitOffersMax", "offersMax", "listingMax");
  notFalling("knownPerMessageMax", "holdersMax");
  rising("askBytesMax", "answerBytesMax");
});

Deno.test("limits of a directory hold what its clients are asked to keep", () => {
  // Two refreshes and their answers fit in before a client is taken for silent.
  assertGreater(limits.directoryMissedMax, 1);
  rising("directoryRetryMsMin", "directoryRefreshMs");
  rising("directoryDebounceMs", "directoryProgressMs", "directoryRefreshMsMax");
  notFalling("directoryRefreshMsMin", "directorySpreadMs", "directoryRefreshMs");
  notFalling("directorySearchCost", "directoryQueriesPerSecond");
  notFalling("directoryHoldersAsked", "sourcesMax", "holdersMax");
  notFalling("directoryAlikeMax", "directoryComparedMax");
  notFalling("votesMax", "votersMax");
  notFalling("directoryWrongMax", "directoryGoneMax");
  assertGreaterOrEqual(limits.demandAskerMs, limits.demandHalfLifeMs);
  rising("demandPopular", "demandAskersMax", "demandsMax");
  rising("sentSettleMs", "loadAgeMs", "protectMs", "sentMs");
  notFalling("protectMs", "protectBegunMs");
  assert(limits.takerLoadPercentMax < 100, "who is fully loaded is asked to take nothing");
});

Deno.test("limits of bans need several misdeeds and forget them", () => {
  assertGreater(limits.banMisdeeds, 1, "one file of a disk that rots bans nobody");
  assertGreater(limits.banHostNodes, 1, "one node bans no host");
  rising("overlayTickMs", "banWindowMs", "banMs");
  notFalling("bansMax", "misbehavedMax");
  // Who is refused as banned does not come again more often than a ban could end.
  rising("backoffMs", "banMs");
  notFalling("linksMax", "bansMax");
  rising("queriesPerSecondMax", "queriesBurstMax");
  rising("globsPerSecondMax", "globsBurstMax", "queriesBurstMax");
  assertGreater(limits.floodFactor, 1);
});

Deno.test("limits of the gateway leave pacman no time to give it up", () => {
  for (
    const name of [
      "gatewayWaitMs",
      "gatewayWaitMsMax",
      "gatewayHoldMs",
      "mirrorAnswerMs",
      "mirrorSilentMs",
      "hedgeAnswerMs",
      "hedgeDripMs",
      "searchMs",
      "urlSearchMs",
      "syncSettleMs",
    ] as const
  ) {
    assert(limits[name] <= 0.8 * PACMAN_MS, `${name} is well under what pacman waits`);
  }
  assertGreater(PACMAN_MS, limits.mirrorAnswerMs + limits.hedgeAnswerMs, "and both in a row");
  rising("hedgeMs", "hedgeLinkMs", "hedgeAnswerMs", "hedgeDripMs");
  rising("gatewaySharedFetchesMax", "fetchesMax");
  rising("fetchesMax", "clientsMax");
  notFalling("gatewaySearchesPerSecondMax", "queriesPerSecondMax");
  notFalling("gatewaySearchesBurstMax", "queriesBurstMax");
  rising("mirrorRangesMax", "mirrorConnectionsKept", "mirrorConnectionsMax");
  notFalling("databaseBytesMax", "databasesBytesMax");
});

Deno.test("limits of files are what chunks and names can hold", () => {
  assert(limits.fetchBytesMax <= FILE_BYTES_MAX);
  notFalling("nameBytesMax", "soughtBytesMax");
  rising("nameBytesMax", "reasonBytesMax", "pathBytesMax");
  assertGreaterOrEqual(limits.connectionsMax, limits.uploadsMax + limits.handshakesMax);
  assertGreaterOrEqual(limits.connectionsMax, 2 * limits.linksCeiling);
});

Deno.test("limits have each name once, in one of their files", async () => {
  const folder = new URL("../../../src/base/limits/", import.meta.url);
  const fileOf = new Map<string, string>();
  for await (const { name: file } of Deno.readDir(folder)) {
    const parts: Record<string, unknown> = await import(new URL(file, folder).href);
    for (const [part, values] of Object.entries(parts)) {
      if (!part.endsWith("Limits")) continue;
      for (const name of Object.keys(values as object)) {
        assert(!fileOf.has(name), `${name} is in ${fileOf.get(name)} and in ${file}`);
        fileOf.set(name, file);
        assert(name in limits, `${name} of ${file} is left out`);
      }
    }
  }
});
