// Tables and texts made of the daemon's answers.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { FlightId, NodeId, Root } from "../../../../src/base/ids.ts";
import type { ProviderRecord } from "../../../../src/base/fetch_record.ts";
import { explainText } from "../../../../src/cli/commands/explain.ts";
import {
  fileTable,
  fileTrustTable,
  peerFileTable,
  shareLines,
  unshareTarget,
  verifyTable,
} from "../../../../src/cli/commands/files.ts";
import {
  holderTable,
  infoText,
  peerTable,
  searchTable,
} from "../../../../src/cli/commands/network.ts";
import { isPushed, pushLine } from "../../../../src/cli/commands/push.ts";
import { statusText } from "../../../../src/cli/commands/status.ts";
import { displayWidth } from "../../../../src/cli/terminal/text_format.ts";

const root = "ab".repeat(32) as Root;
const nodeId = "cd".repeat(16) as NodeId;
const flight = "0f".repeat(32) as FlightId;

Deno.test("fileTable() shows which chunks are here and escapes paths", () => {
  const file = {
    name: "a.iso",
    root,
    sizeBytes: 100_000,
    type: "iso",
    origin: "partial",
    path: "/srv/\u001b[2J/a.iso",
    chunks: 7,
    chunksHave: 4,
    have: "0-1,3,6",
    trust: "peers",
    pinned: true,
  } as const;
  const table = fileTable([file, { ...file, origin: "shared", chunksHave: 7, have: "all" }]);
  const [title, partial = "", whole = ""] = table.split("\n");
  assertEquals(title?.split(/\s{2,}/), [
    "NAME",
    "SIZE",
    "CHUNKS HERE",
    "KIND",
    "TRUST",
    "ROOT",
    "PATH",
  ]);
  assertEquals(partial.split(/\s{2,}/), [
    "a.iso",
    "100 kB",
    "4 of 7: 0-1,3,6",
    "partial, pinned",
    "peers",
    root,
    "/srv/\\x1b[2J/a.iso",
  ]);
  assertStringIncludes(whole, "all 7");
  assertEquals(fileTable([]), "");
});

Deno.test("fileTable() takes more rows than a call takes arguments", () => {
  const file = {
    name: "a",
    root,
    sizeBytes: 1,
    type: "",
    origin: "shared",
    path: "/a",
    chunks: 1,
    chunksHave: 1,
    have: "all",
    trust: "local",
  } as const;
  assertEquals(fileTable(Array(200_000).fill(file)).split("\n").length, 200_002);
});

Deno.test("peerTable() and searchTable() and verifyTable() say the essentials", () => {
  const link = { nodeId, host: "::1", port: 5, roundTripMs: 0.25, connectedMs: 61_000 };
  const totals = { bytesHad: 2_000_000, bytesGiven: 0, lastAt: "2026-01-02T03:04:05.000Z" };
  const peer = { ...link, ...totals, ban: null, problem: null };
  const problem = { code: "refused", text: "nothing listens there", sinceMs: 61_000 };
  const ban = { reason: "flooding", endsInMs: 61_000 };
  const peers = peerTable([
    { ...peer, listenPort: 8048, direction: "out" },
    { ...peer, listenPort: 0, direction: "in", roundTripMs: null },
    { ...peer, listenPort: 0, direction: "banned", ban },
    { ...peer, listenPort: 0, direction: "banned", ban, nodeId: "" },
    { ...peer, listenPort: 0, direction: "none", nodeId: "", problem },
    { ...peer, listenPort: 0, direction: "none", host: "a.example" },
    { ...peer, listenPort: 0, direction: "directory", host: "d.example", problem },
    { ...peer, listenPort: 0, direction: "directory", host: "e.example" },
    { ...peer, listenPort: 0, direction: "past", host: "f.example" },
  ]).split("\n");
  assertEquals(
    peers[1]?.split(/\s{2,}/),
    ["[::1]:5", "this node", "[::1]:8048", "0.3 ms", "1 min 1 s", "2 MB", "0 B", nodeId],
  );
  assertEquals(
    peers[2]?.split(/\s{2,}/),
    ["[::1]:5", "that node", "not reachable", "-", "1 min 1 s", "2 MB", "0 B", nodeId],
  );
  const banned = ["::1", "banned", "flooding", "-", "for 1 min 1 s", "2 MB", "0 B"];
  assertEquals(peers[3]?.split(/\s{2,}/), [...banned, nodeId]);
  assertEquals(peers[4]?.split(/\s{2,}/), [...banned, "every node"]);
  assertEquals(peers.slice(5).map((line) => line.split(/\s{2,}/)), [
    [""],
    ["TOLD OF", "AS", "STATE"],
    ["[::1]:5", "node", "no link for 1 min 1 s: nothing listens there"],
    ["a.example:5", "node", "is being dialled"],
    ["d.example:5", "directory", "no answer for 1 min 1 s: nothing listens there"],
    ["e.example:5", "directory", "answers"],
    [""],
    ["NO LINK NOW", "HAD", "GIVEN", "LAST", "NODE"],
    ["f.example:5", "2 MB", "0 B", "2026-01-02 03:04", nodeId],
    [""],
  ]);
  const known = {
    name: "a",
    sizeBytes: 5,
    type: "",
    peersWhole: 2,
    peersPart: 1,
    peersUnreached: 0,
  };
  const found = { ...known, root, inFlight: null };
  assertEquals(
    searchTable([{ ...found, from: ["here", "flood", "d:8047"] }]).split("\n")[1]?.split(/\s{2,}/),
    ["a", "5 B", "2", "1", "here,flood,d:8047", root],
  );
  assertEquals(
    searchTable([{ ...found, peersUnreached: 1, from: ["flood"] }])
      .split("\n").map((line) => line.split(/\s{2,}/)).slice(0, 2),
    [
      ["NAME", "SIZE", "WHOLE", "PART", "UNREACHED", "FROM", "ROOT"],
      ["a", "5 B", "2", "1", "1", "flood", root],
    ],
  );
  const inFlight = { flight, chunks: 3, chunksHave: 2 };
  assertEquals(
    searchTable([{ ...known, root: null, peersWhole: 0, inFlight, from: ["flood"] }])
      .split("\n")[1]?.split(/\s{2,}/),
    ["a", "5 B", "0", "1", "flood", "in flight, 66%"],
  );
  const file = { name: "a", root, path: "/a" };
  const verified = verifyTable([
    { ...file, ok: true, badChunks: 0 },
    { ...file, ok: false, badChunks: 2 },
    { ...file, ok: false, badChunks: 0 },
  ]);
  assertEquals(
    verified.split("\n").slice(1, 4).map((line) => line.split(/\s{2,}/)[0]),
    ["good", "2 bad chunks", "unreadable"],
  );
});

Deno.test("statusText() shows counters, directories, transfers with sources, and uploads", () => {
  const directory = {
    directory: "d:8047",
    sameAs: null,
    answers: true,
    reach: null,
    denied: null,
    filesListed: 0,
    answeredMs: null,
    problem: null,
  };
  const problem = { code: "refused", text: "nothing listens there", sinceMs: 61_000 };
  const text = statusText({
    version: "1.2.3",
    nodeId,
    node: "0.0.0.0:8048",
    acceptsConnections: false,
    clone: { host: "10.0.0.9", agoMs: 61_000 },
    client: "127.0.0.1:8049",
    dataDir: "/var/lib/pacsrv",
    network: "office",
    keyed: true,
    site: null,
    uptimeMs: 3_600_000,
    logLevel: "info",
    links: 1,
    banned: 2,
    files: { shared: 2, downloaded: 1, partial: 1, bytes: 5_000, hashing: 3 },
    counters: {
      queriesSeen: 10,
      queriesForwarded: 7,
      queriesDropped: 2,
      queriesAnswered: 1,
      messagesSent: 99,
      bytesIn: 1_000,
      bytesOut: 2_000,
      bytesInBy: { host: 0, subnet: 700, site: 100, far: 200 },
      bytesOutBy: { host: 0, subnet: 2_000, site: 0, far: 0 },
      strikes: 4,
      filesServed: 1,
      filesRelayed: 2,
      relaysRefused: 1,
      totalBytesIn: 3_000,
      totalBytesOut: 4_000,
      totalStrikes: 5,
      totalFilesServed: 6,
    },
    fetches: [],
    rates: {
      upload: 2_000_000,
      download: null,
      mirror: 500_000,
      schedule: { part: "mon-fri 11:30-13:30", until: "13:30" },
      networks: [{ network: "10.0.0.0/8", rate: null }, { network: "10.9.0.0/16", rate: 100_000 }],
    },
    transfers: [{
      root,
      name: "a\nb",
      sizeBytes: 1000,
      bytesDone: 250,
      bytesPerSecond: 50,
      have: "0",
      sources: [
        { peer: "h:1", nodeId, bytes: 250, bytesPerSecond: 50, strikes: 1, snubbed: true },
      ],
    }],
    flights: [{
      flight,
      name: "f.iso",
      sizeBytes: 2_000_000,
      sha256: null,
      chunks: 123,
      chunksHave: 50,
      have: "0-39,100-109",
      reads: "40-63",
      chunksMirror: 30,
      fellows: [{ peer: "h:3", nodeId, chunksHave: 61, chunksGiven: 1 }],
    }],
    peers: [
      { peer: "p:1", nodeId, state: "linked", problem: null },
      { peer: "p:2", nodeId: null, state: "dialling", problem: null },
      { peer: "p:3", nodeId: null, state: "failed", problem },
    ],
    lan: {
      segments: [
        { segment: "eth0 IPv4", problem: null },
        { segment: "eth0 IPv6", problem: "no\nroute" },
      ],
      nodes: 2,
      strangers: 1,
      heard: [],
    },
    uploads: [{ root, name: "u", peer: "h:2", nodeId, bytes: 7 }],
    directories: [
      { ...directory, reach: "reachable", filesListed: 12, answeredMs: 3_210 },
      { ...directory, directory: "e:8047", answers: false, answeredMs: 61_000, problem },
      { ...directory, directory: "f:8047", answers: false },
      { ...directory, directory: "g:8047", reach: "unreachable", filesListed: 1, answeredMs: 0 },
      { ...directory, directory: "j:8047", filesListed: 100_000, answeredMs: 0 },
      { ...directory, directory: "h:8047", denied: "wrong-address", answeredMs: 0 },
      { ...directory, directory: "i:8047", sameAs: "d:8047", answers: false },
    ],
    gateway: "127.0.0.1:8050",
    withheld: [{ path: "/srv/rot\nten", root }],
    staleDatabases: [
      { path: "/core/os/x86_64/core.db", ageMs: 7_200_000, sinceMs: 90_000 },
    ],
    syncDatabases: [
      {
        repository: "core",
        path: "/sync/core.db",
        packages: 270,
        writtenAt: "2026-01-02T03:04:05.000Z",
        problem: null,
      },
      {
        repository: "ex\u001b[2Jtra",
        path: "/sync/ex.db",
        packages: 0,
        writtenAt: null,
        problem: "it is cut off",
      },
    ],
    keeping: {
      bytes: 4_000,
      comingBytes: 0,
      keepBytes: 5_000,
      minFreeBytes: 2_000,
      freeBytes: 9_000,
      versions: 2,
      over: null,
      pinned: 1,
      stuckFiles: 0,
      stuckBytes: 0,
      stuckWhy: null,
      refused: 3,
      cleanedFiles: 1,
      cleanedBytes: 10,
      totalCleanedFiles: 2,
      totalCleanedBytes: 2_000,
    },
    prefetch: null,
    savings: {
      files: 3,
      bytesLocal: 1_000,
      bytesPeers: 2_000,
      bytesMirror: 3_000,
      bytesSaved: 2_500,
      hours: [],
      days: [],
    },
    copies: {
      sinceStart: { bytesMirrors: 0, bytesUnique: 0, copies: null },
      allRuns: { bytesMirrors: 1_000, bytesUnique: 4_000, copies: 0.25 },
    },
    trust: {
      "sync-db": 2,
      "sha256": 0,
      "root": 0,
      "mirror": 0,
      "peers": 0,
      "local": 1,
      "unchecked": 0,
      "contradicted": 4,
      "damaged": 3,
    },
  });
  for (
    const part of [
      "1.2.3, up 1 h",
      "office (with a key), 1 link, 2 banned",
      "reach     --no-callback: others are told that they cannot connect; a node with --relay-files",
      "clone     another node, met at 10.0.0.9 1 min 1 s ago, has the id of this one",
      "2 shared, 1 downloaded, 1 partial: 5 kB; 3 to be hashed",
      "kept      4 kB of 5 kB; 9 kB free on the disk, of which 2 kB shall stay so; 2 versions of a " +
      "package; 1 pinned; no room 3 times\n",
      "cleaned   1 file, 10 B; over all runs 2 files, 2 kB\n",
      "10 seen, 7 forwarded, 2 dropped as duplicates, 1 answered",
      "1 kB in, 2 kB out; over all runs 3 kB in, 4 kB out",
      "a\\x0ab  25%, 250 B of 1 kB at 50 B/s from 1 source",
      "chunks here: 0",
      "/srv/rot\\x0aten  changed though its time did not\n  and 2 more\n",
      "pacsrv share --again PATH",
      "from h:1: 250 B at 50 B/s, stalls, 1 strike",
      "u  7 B to h:2",
      "served    1 file; over all runs 6 files",
      "relayed   2 files for linked nodes; 1 request refused\n",
      "strikes   4; over all runs 5",
      "trust     2 sync-db, 1 local, 4 contradicted, 3 damaged\n",
      "fetched   3 files over all runs: 2 kB from nodes, 3 kB from mirrors, 1 kB here before\n",
      "saved     2.5 kB that no mirror had to send\n",
      "copies    none; over all runs 0.25 from mirrors, 1 kB for 4 kB\n",
      "  f.iso  40% of 2 MB, with 1 other node\n",
      "    chunks here: 0-39,100-109; 30 of them from the mirror\n",
      "    reads from the mirror for all: chunks 40-63\n",
      "    with h:3: it has 49%, gave 1 chunk\n",
      "rates     upload 2 MB/s, mirror 500 kB/s until 13:30 (mon-fri 11:30-13:30); 10.0.0.0/8 " +
      "unlimited; 10.9.0.0/16 100 kB/s\n" +
      "gateway   127.0.0.1:8050\n",
      "core  270 packages, written 2026-01-02T03:04:05.000Z, /sync/core.db\n",
      "stale databases\n  /core/os/x86_64/core.db  no mirror has vouched for it for 2 h; given all the " +
      "same for 1 min 30 s\n",
      "ex\\x1b[2Jtra  0 packages, /sync/ex.db; it is cut off\n",
      "d:8047  answers, reaches this node, 12 files listed, last answer 3.2 s ago\n",
      "e:8047  does not answer, last answer 1 min 1 s ago: nothing listens there\n",
      "lan\n  2 nodes of this network, 1 of other networks\n  not on eth0 IPv6: no\\x0aroute\n",
      "p:1  linked with",
      "p:2  is being dialled\n",
      "p:3  no link for 1 min 1 s: nothing listens there\n",
      "h:8047  answers, refused: wrong-address, 0 files listed, last answer 0.00 s ago\n",
      "f:8047  does not answer, and never did\n",
      "i:8047  is the directory at d:8047, which is used\n",
      "j:8047  answers, 100000 files listed, the most that may be, last answer 0.00 s ago\n",
      "g:8047  answers, cannot reach this node, 1 file listed, last answer 0.00 s ago\n",
    ]
  ) assertStringIncludes(text, part);
  assert(text.endsWith("\n"));
});

Deno.test("shareLines() and unshareTarget() handle paths", () => {
  assertEquals(shareLines([{ path: "/a\u0007", result: "shared" }]), "shared: /a\\x07\n");
  assertEquals(unshareTarget("a.iso"), "a.iso");
  assertEquals(unshareTarget(root), root);
  assertEquals(unshareTarget("./a.iso"), `${Deno.cwd()}/a.iso`);
  assertEquals(unshareTarget("/srv/../x/"), "/x");
  assertEquals(unshareTarget(".."), Deno.cwd().replace(/\/[^/]*$/, "") || "/");
});

Deno.test("infoText() has a block for each file, with all its names", () => {
  const report = {
    name: "a",
    root,
    sizeBytes: 1_500,
    type: "",
    sha256: null,
    peersWhole: 1,
    peersPart: 2,
    peersUnreached: 0,
    inFlight: null,
    from: ["flood"],
  };
  const other = "ef".repeat(32) as Root;
  const text = infoText([
    report,
    { ...report, name: "b\u001b", from: ["flood", "d:1"] },
    { ...report, root: other, type: "iso", sha256: other, peersWhole: 3, peersUnreached: 2 },
    { ...report, root: null, peersWhole: 0, inFlight: { flight, chunks: 7, chunksHave: 2 } },
  ]);
  assertEquals(
    text,
    `name     a
name     b\\x1b
size     1.5 kB (1500 bytes)
type     -
root     ${root}
sha256   not known
held by  1 node whole, 2 in part
from     flood, d:1

name     a
size     1.5 kB (1500 bytes)
type     iso
root     ${other}
sha256   ${other}
held by  3 nodes whole, 2 in part; no connection to 2 of them
from     flood

name     a
size     1.5 kB (1500 bytes)
type     -
root     not known yet: in flight, 28%
sha256   not known
held by  0 nodes whole, 2 in part
from     flood
`,
  );
});

const HOLDER = {
  peer: "h:1",
  nodeId,
  root,
  flight: null,
  sizeBytes: 100_000,
  chunks: 7,
  chunksHave: 7,
  loadPermille: 254,
  reach: "in" as const,
  problem: null,
  from: ["flood", "d:1"],
};

Deno.test("holderTable() shows load and share where they are known", () => {
  const lines = holderTable([
    HOLDER,
    { ...HOLDER, peer: "", chunksHave: 6, loadPermille: null, reach: "none", from: ["d:1"] },
    { ...HOLDER, chunks: 0, chunksHave: 0, reach: "here", from: ["here"] },
    { ...HOLDER, root: null, flight, chunksHave: 3, loadPermille: null, reach: null },
  ]).split("\n").map((line) => line.trim().split(/\s{2,}/));
  assertEquals(lines.slice(1, 5), [
    ["h:1", "25%", "100%", "7 of 7", "in", "flood,d:1", nodeId, root],
    ["not reachable", "-", "85%", "6 of 7", "none", "d:1", nodeId, root],
    ["this node", "25%", "100%", "0 of 0", "here", "here", nodeId, root],
    ["h:1", "-", "42%", "3 of 7", "-", "flood,d:1", nodeId, "in flight"],
  ]);
});

Deno.test("holderTable() leaves out nodes and roots before it cuts an address", () => {
  const holder = {
    ...HOLDER,
    peer: "127.0.0.1:18148",
    sizeBytes: 163_840_000,
    chunks: 10_000,
    chunksHave: 10_000,
    reach: "out" as const,
    from: ["flood", "127.0.0.1:18047"],
  };
  const rowIn = (columnsMax: number) => {
    const lines = holderTable([holder], { columnsMax }).trimEnd().split("\n");
    for (const line of lines) assert(displayWidth(line) <= columnsMax, line);
    return lines[1]!.trim().split(/\s{2,}/);
  };
  const known = ["127.0.0.1:18148", "25%", "100%"];
  const chunks = "10000 of 10000";
  assertEquals(rowIn(80), [...known, chunks, "out", "flood,127.0.0.1:18047"]);
  assertEquals(rowIn(60), [...known, chunks, "out"]);
  assertEquals(rowIn(40), [...known, "out"]);
});

Deno.test("pushLine() and peerFileTable() say the essentials", () => {
  const push = { peer: "h:1", nodeId, name: "a\n", root, bytes: 0 };
  assertEquals(
    [
      "accepted",
      "have",
      "no-room",
      "busy",
      "unwilling",
      "unreachable",
      "self",
      "refused",
      "done",
      "failed",
    ].map((result) => pushLine({ ...push, result, bytes: result === "done" ? 1_000 : 0 })),
    [
      "h:1: a\\x0a is accepted",
      "h:1: a\\x0a is there already",
      "h:1: a\\x0a is refused: it needs more room than the peer has for it",
      "h:1: a\\x0a is refused: the peer is busy",
      "h:1: a\\x0a is refused: the peer takes no files",
      "h:1: a\\x0a cannot be sent: nobody answers there",
      "h:1: a\\x0a cannot be sent: that is the daemon's own address",
      "h:1: a\\x0a cannot be sent: no node of this network answers there",
      "h:1: a\\x0a is there now, 1 kB sent",
      "h:1: a\\x0a did not get there completely",
    ],
  );
  const file = { name: "a", root, sizeBytes: 5, type: "", chunks: 3, chunksHave: 3, sha256: null };
  const table = peerFileTable([file, { ...file, chunksHave: 1 }]).split("\n");
  assertEquals(table[1]?.split(/\s{2,}/), ["a", "5 B", "all 3", root]);
  assertEquals(table[2]?.split(/\s{2,}/), ["a", "5 B", "1 of 3", root]);
  assertEquals(peerFileTable([]), "");
});

Deno.test("isPushed() wants each file whole at some peer", () => {
  const other = "ef".repeat(32) as Root;
  const report = (result: string, of = root) =>
    ({ peer: "h:1", nodeId, name: "a", root: of, result, bytes: 0 }) as const;
  assertEquals(isPushed([]), false);
  assertEquals(isPushed([report("accepted"), report("failed")]), false);
  assertEquals(isPushed([report("unwilling"), report("accepted"), report("done")]), true);
  assertEquals(isPushed([report("have"), report("busy", other)]), false);
  assertEquals(isPushed([report("have"), report("have", other)]), true);
});

function giver(
  kind: ProviderRecord["kind"],
  label: string,
  what: Partial<ProviderRecord>,
): ProviderRecord {
  const nothing = { nodeId: null, bytes: 0, chunks: "", bytesThrownAway: 0, strikes: 0 };
  return { kind, giver: label, ...nothing, ...what };
}

Deno.test("explainText() tells what was thrown away and who gave it, and how a fetch that runs is doing", () => {
  const running = {
    name: "a.pkg",
    root,
    rootsRejected: [],
    sizeBytes: 100_000,
    endedAt: null,
    outcome: "still coming",
    trust: "sync-db",
    elapsedMs: 1_234,
    firstByteMs: 41,
    bytesLocal: 0,
    bytesPeers: 0,
    bytesMirror: 50_000,
    bytesMirrors: 60_000,
    bytesThrownAway: 100_000,
    bytesSaved: 0,
    givers: [
      giver("mirror", "m.test", { bytes: 50_000, chunks: "0-3" }),
      giver("peer", "h:1", { bytesThrownAway: 100_000 }),
    ],
    steps: [],
  } as const;
  assertEquals(explainText([running]).split("\n").map((line) => line.trimEnd()), [
    "a.pkg  100 kB",
    `  root     ${root}`,
    "  begun    1.2 s ago, first byte after 41 ms",
    "  outcome  still coming",
    "  so far   0 B from nodes, 50 kB from mirrors, 0 B here before",
    "  copies   1.20 from mirrors: 60 kB for 50 kB",
    "  wasted   100 kB thrown away: it was not the file",
    "  FROM           BYTES   SHARE  CHUNKS  THROWN AWAY  STRIKES",
    "  mirror m.test  50 kB  100.0%  0-3               -        -",
    "  node h:1         0 B    0.0%  none         100 kB        -",
    "",
  ]);
});

Deno.test("explainText() fits every width, and its steps keep all their words", () => {
  const words =
    "No connection to 127.0.0.1:18148, which has it: connection refused: nothing listens there";
  const report = {
    name: "a-very-long-name-of-a-file-".repeat(5),
    root,
    rootsRejected: [],
    sizeBytes: 163_840_000,
    endedAt: null,
    outcome: "still coming",
    trust: "contradicted",
    elapsedMs: 1_234,
    firstByteMs: 41,
    bytesLocal: 0,
    bytesPeers: 83_616,
    bytesMirror: 16_384,
    bytesMirrors: 16_384,
    bytesThrownAway: 163_840_000,
    bytesSaved: 0,
    givers: [
      giver("peer", "127.0.0.1:18148", {
        bytes: 83_616,
        chunks: "0-3123,4000-4999,5004-5999,7000",
      }),
    ],
    steps: [
      { atMs: 12, what: words },
      { atMs: 120_345, what: `Asks linked nodes to pass on root ${root}` },
    ],
  } as const;
  for (let columnsMax = 38; columnsMax <= 150; columnsMax++) {
    const text = explainText([report], { columnsMax });
    for (const line of text.split("\n")) {
      assert(displayWidth(line) <= columnsMax, `${columnsMax}: ${line}`);
    }
    assertStringIncludes(text.replaceAll(/\s+/g, " "), `+12 ms ${words}`);
  }
  const wide = explainText([report], { columnsMax: 200 });
  assertEquals(wide, explainText([report]));
});

Deno.test("explainText() tells who gave what and why, and escapes what others wrote", () => {
  const done = {
    name: "a\u001b[2J.pkg",
    root,
    rootsRejected: [],
    sizeBytes: 100_000,
    endedAt: "2026-01-02T03:04:05.000Z",
    outcome: "done",
    trust: "sync-db",
    elapsedMs: 1_234,
    firstByteMs: 41,
    bytesLocal: 0,
    bytesPeers: 83_616,
    bytesMirror: 16_384,
    bytesMirrors: 16_384,
    bytesThrownAway: 0,
    bytesSaved: 83_616,
    givers: [
      giver("peer", "h:1", { nodeId, bytes: 83_616, chunks: "1-6" }),
      giver("mirror", "m.test", { bytes: 16_384, chunks: "0" }),
      giver("peer", "h:2", { strikes: 3 }),
    ],
    steps: [{ atMs: 0, what: "begun" }, { atMs: 1_200, what: "h:2\nis banned" }],
  } as const;
  const failed = {
    ...done,
    name: "b",
    root: null,
    sizeBytes: null,
    outcome: "Nobody has it",
    firstByteMs: null,
    givers: [],
    steps: [],
  } as const;
  const [first = "", second = ""] = explainText([done, failed]).split("\n\n");
  assertEquals(first.split("\n").map((line) => line.trimEnd()), [
    "a\\x1b[2J.pkg  100 kB",
    `  root     ${root}`,
    "  ended    2026-01-02T03:04:05.000Z, after 1.2 s, first byte after 41 ms",
    "  outcome  done",
    "  trust    sync-db: a repository's database has its SHA-256",
    "  saved    83.6 kB that no mirror had to send; 83.6 kB from nodes, 16.4 kB from mirrors, " +
    "0 B here before",
    "  copies   0.16 from mirrors: 16.4 kB for 100 kB",
    "  FROM             BYTES  SHARE  CHUNKS  STRIKES",
    "  node h:1       83.6 kB  83.6%  1-6           -",
    "  mirror m.test  16.4 kB  16.4%  0             -",
    "  node h:2           0 B   0.0%  none          3",
    "       +0 ms  begun",
    "    +1200 ms  h:2\\x0ais banned",
  ]);
  assertEquals(second.split("\n").slice(0, 4), [
    "b",
    "  root     not known",
    "  ended    2026-01-02T03:04:05.000Z, after 1.2 s",
    "  outcome  Nobody has it",
  ]);
});

Deno.test("fileTrustTable() has one line a file with what it is trusted by", () => {
  const file = {
    name: "a.pkg",
    root,
    sizeBytes: 5,
    type: "pkg",
    origin: "shared",
    path: "/pkg/a\u001b.pkg",
    chunks: 1,
    chunksHave: 1,
    have: "all",
    trust: "contradicted",
    pinned: false,
  } as const;
  const [title = "", line = "", rest] = fileTrustTable([file]).split("\n");
  assertEquals(title.split(/\s+/), ["TRUST", "SIZE", "NAME", "PATH"]);
  assertEquals(line.split(/\s{2,}/), ["contradicted", "5 B", "a.pkg", "/pkg/a\\x1b.pkg"]);
  assertEquals([rest, fileTrustTable([])], ["", ""]);
});
