/**
 * Holds src/wire/PROTOCOL.md and src/wire/CLIENT_API.md to the code: kinds, caps, fields, examples,
 * limits and JSON shapes.
 */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { FILE_TRUSTS } from "../../../src/base/package_index.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { PeerFault } from "../../../src/base/errors.ts";
import { chunkCount } from "../../../src/base/geometry.ts";
import { limits } from "../../../src/base/limits.ts";
import { NETWORK_NAME } from "../../../src/cli/table/shared_flags.ts";
import type { DenialLimit } from "../../../src/core/directory/directory_events.ts";
import { checkOffer } from "../../../src/daemon/discovery/offer_exchange.ts";
import { EMPTY_ROOT } from "../../../src/store/hashing/merkle.ts";
import { payloadBytesMax } from "../../../src/wire/codec.ts";
import { DIRECTORY_MESSAGES } from "../../../src/wire/directory_messages.ts";
import { codeOf, type FrameKind } from "../../../src/wire/framer.ts";
import { type MessageOf, MESSAGES } from "../../../src/wire/messages.ts";
import {
  type AnswerItems,
  type CopiesReport,
  type Counters,
  type DirectoryReport,
  type ExplainReport,
  type FetchingReport,
  type FlightReport,
  type SavingsReport,
  type SavingsSpanReport,
  type StaleDatabaseReport,
  type StatusReport,
  type SyncDatabaseReport,
  type TransferReport,
  type UploadReport,
} from "../../../src/wire/reports.ts";
import { expansion, fieldsOf, STRUCTURES, typeText } from "./page_types.ts";
import { wireVectors } from "./vectors.ts";

const folderUrl = new URL("../../../src/wire/", import.meta.url);
const protocol = await Deno.readTextFile(new URL("PROTOCOL.md", folderUrl));
const clientApi = await Deno.readTextFile(new URL("CLIENT_API.md", folderUrl));

/** The structures that only messages of the client port have. */
const CLIENT_STRUCTURES = ["Source", "Mirror", "Other"];

/** Whether a message is of the client port, by its kind byte. */
function isOfClients(code: number): boolean {
  return code >= 0x40 && code <= 0x5f;
}

/** What stands under a heading, up to the next one of any level. */
function section(page: string, heading: string): string {
  const from = page.indexOf(`\n${heading}\n`);
  assert(from >= 0, `the page has no heading "${heading}"`);
  const rest = page.slice(from + heading.length + 2);
  const end = rest.search(/^#{1,4} [A-Z0-9]/m);
  return end < 0 ? rest : rest.slice(0, end);
}

function headingOf(kind: FrameKind): string {
  const code = codeOf(kind);
  const hex = code.toString(16).padStart(2, "0");
  return `#### ${kind.toUpperCase()} (0x${hex}, payload up to ${payloadBytesMax(code)} bytes)`;
}

/** The rows of the first table, without its head. */
function tableRows(text: string): string[][] {
  const lines = text.split("\n");
  const head = lines.findIndex((line) => /^\| *-/.test(line));
  const rows: string[][] = [];
  for (const line of head < 0 ? [] : lines.slice(head + 1)) {
    if (!line.startsWith("|")) break;
    rows.push(line.split("|").slice(1, -1).map((cell) => cell.trim()));
  }
  return rows;
}

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter((match) => match[1] === language).map((match) => match[2]!);
}

for (const { kind, frame } of wireVectors) {
  const [name, page] = isOfClients(codeOf(kind))
    ? ["CLIENT_API.md", clientApi] as const
    : ["PROTOCOL.md", protocol] as const;
  Deno.test(`${name} has the kind byte, the cap, the fields and the bytes of ${kind}`, () => {
    const text = section(page, headingOf(kind));
    const [example, ...others] = blocks(text, "hex");
    assertEquals(others, []);
    const hex = example!.split("\n").map((line) => line.replace(/#.*/, "").replaceAll(" ", ""));
    assertEquals(hex.join(""), toHex(frame));
    const rows = tableRows(text).map(([name, type]) => [name, type]);
    if (kind in MESSAGES) {
      const fields = fieldsOf(kind as keyof typeof MESSAGES);
      assertEquals(rows, fields.map(([name, shape]) => [`\`${name}\``, typeText(shape)]));
    } else assertEquals(rows.length, 2);
  });
}

Deno.test("PROTOCOL.md and CLIENT_API.md have one heading for each kind, and no other", () => {
  const kinds = wireVectors.map(({ kind }) => kind);
  const headings = (page: string) => (page.match(/^#### .*$/gm) ?? []).sort();
  const ofClients = (kind: FrameKind) => isOfClients(codeOf(kind));
  assertEquals(headings(clientApi), kinds.filter(ofClients).map(headingOf).sort());
  const others = kinds.filter((kind) => !ofClients(kind));
  assertEquals(headings(protocol), others.map(headingOf).sort());
});

Deno.test("PROTOCOL.md and CLIENT_API.md have the structures that messages share", () => {
  const rows = STRUCTURES.map(([name, shape]) => [`\`${name}\``, expansion(shape)]);
  const isClients = ([name]: string[]) => CLIENT_STRUCTURES.includes(name!.replaceAll("`", ""));
  const shared = protocol.slice(protocol.indexOf("Structures that several messages share"));
  assertEquals(tableRows(shared), rows.filter((row) => !isClients(row)));
  const clients = clientApi.slice(clientApi.indexOf("Structures of this page"));
  assertEquals(tableRows(clients), rows.filter(isClients));
});

Deno.test("PROTOCOL.md and CLIENT_API.md have the limits as they are", () => {
  const rows = [
    ...section(protocol, "## 10. Limits and time-outs").split("\n\n").flatMap(tableRows),
    ...section(clientApi, "## 4. Limits").split("\n\n").flatMap(tableRows),
  ];
  assert(rows.length > 70);
  for (const [name, value] of rows) {
    const key = name!.replaceAll("`", "") as keyof typeof limits;
    assertEquals(value, limits[key]?.toLocaleString("en"), key);
  }
});

Deno.test("PROTOCOL.md names the default network, the root of no bytes and what ends a key", () => {
  const network = NETWORK_NAME.find(({ name }) => name === "network")?.default;
  assertStringIncludes(protocol, `The name of the network is \`${network}\` unless`);
  assertStringIncludes(
    protocol,
    `the root of the empty file is here the SHA-256 of nothing,\n  \`${EMPTY_ROOT}\``,
  );
  assertStringIncludes(protocol, "without its final\nnewline (`\\n` or `\\r\\n`, one of them)");
});

Deno.test("PROTOCOL.md says which offers are faults", () => {
  const { file } = wireVectors.find(({ kind }) => kind === "offer")!.message as MessageOf<"offer">;
  const none = new Uint8Array();
  const check = (given: Partial<typeof file>, bitfield = none) => () =>
    checkOffer({ kind: "offer", file: { ...file, ...given }, bitfield }, false);
  check({ chunksHave: 0, whole: false })();
  check({ sizeBytes: 0, chunksHave: 0, whole: true })();
  check({ type: "any \u0007" })();
  for (
    const fault of [
      check({ sizeBytes: 0, chunksHave: 0, whole: false }),
      check({ sizeBytes: 0, chunksHave: 1, whole: true }),
      check({ chunksHave: 1, whole: true }),
      check({ chunksHave: chunkCount(file.sizeBytes), whole: false }),
      check({ chunksHave: 1, whole: false }, new Uint8Array(9)),
    ]
  ) assertThrows(fault, PeerFault);
});

Deno.test("PROTOCOL.md names what a directory may deny for", () => {
  const named: { readonly [L in DenialLimit]: 1 } = {
    "sequence": 1,
    "wrong-address": 1,
    "clients": 1,
    "clients-per-host": 1,
    "files": 1,
    "files-per-client": 1,
    "files-per-host": 1,
    "name-bytes-per-host": 1,
    "queries-per-second": 1,
  };
  // Below the table of fields stands that of the limits.
  const [, ...tables] = section(protocol, headingOf("denied")).split("\n\n").map(tableRows)
    .filter((rows) => rows.length > 0);
  const shown = tables.flat().map(([limit]) => limit!.replaceAll("`", ""));
  assertEquals(shown.sort(), Object.keys(named).sort());
});

Deno.test("CLIENT_API.md shows every field of every JSON item", () => {
  // Typed by the reports: a field that is added there has to be added here, and then on the page.
  const counters: Keys<Counters> = {
    queriesSeen: 1,
    queriesForwarded: 1,
    queriesDropped: 1,
    queriesAnswered: 1,
    messagesSent: 1,
    bytesIn: 1,
    bytesOut: 1,
    bytesInBy: 1,
    bytesOutBy: 1,
    strikes: 1,
    filesServed: 1,
    filesRelayed: 1,
    relaysRefused: 1,
    totalBytesIn: 1,
    totalBytesOut: 1,
    totalStrikes: 1,
    totalFilesServed: 1,
  };
  const counts: Keys<StatusReport["files"]> = {
    shared: 1,
    downloaded: 1,
    partial: 1,
    bytes: 1,
    hashing: 1,
  };
  const source: Keys<TransferReport["sources"][number]> = {
    peer: 1,
    nodeId: 1,
    bytes: 1,
    bytesPerSecond: 1,
    strikes: 1,
    snubbed: 1,
  };
  const transfer: Keys<TransferReport> = {
    root: 1,
    name: 1,
    sizeBytes: 1,
    bytesDone: 1,
    bytesPerSecond: 1,
    have: 1,
    sources: 1,
  };
  const directory: Keys<DirectoryReport> = {
    directory: 1,
    sameAs: 1,
    answers: 1,
    reach: 1,
    denied: 1,
    filesListed: 1,
    answeredMs: 1,
    problem: 1,
  };
  const upload: Keys<UploadReport> = { root: 1, name: 1, peer: 1, nodeId: 1, bytes: 1 };
  const database: Keys<SyncDatabaseReport> = {
    repository: 1,
    path: 1,
    packages: 1,
    writtenAt: 1,
    problem: 1,
  };
  const stale: Keys<StaleDatabaseReport> = { path: 1, ageMs: 1, sinceMs: 1 };
  const savings: Keys<SavingsReport> = {
    files: 1,
    bytesLocal: 1,
    bytesPeers: 1,
    bytesMirror: 1,
    bytesSaved: 1,
    hours: 1,
    days: 1,
  };
  const span: Keys<SavingsSpanReport> = {
    startsAt: 1,
    bytesPeers: 1,
    bytesMirror: 1,
    bytesSaved: 1,
  };
  const fetching: Keys<FetchingReport> = {
    name: 1,
    root: 1,
    elapsedMs: 1,
    bytesTotal: 1,
    bytesDone: 1,
    bytesPerSecond: 1,
    sources: 1,
  };
  const fetchingSource: Keys<FetchingReport["sources"][number]> = {
    kind: 1,
    source: 1,
    nodeId: 1,
    bytes: 1,
    bytesPerSecond: 1,
  };
  const copies: Keys<CopiesReport> = { bytesMirrors: 1, bytesUnique: 1, copies: 1 };
  const fellow: Keys<FlightReport["fellows"][number]> = {
    peer: 1,
    nodeId: 1,
    chunksHave: 1,
    chunksGiven: 1,
  };
  const flight: Keys<FlightReport> = {
    flight: 1,
    name: 1,
    sizeBytes: 1,
    sha256: 1,
    chunks: 1,
    chunksHave: 1,
    have: 1,
    reads: 1,
    chunksMirror: 1,
    fellows: 1,
  };
  const trusts = Object.fromEntries(FILE_TRUSTS.map((trust) => [trust, 1]));
  const giver: Keys<ExplainReport["givers"][number]> = {
    kind: 1,
    giver: 1,
    nodeId: 1,
    bytes: 1,
    chunks: 1,
    bytesThrownAway: 1,
    strikes: 1,
  };
  const step: Keys<ExplainReport["steps"][number]> = { atMs: 1, what: 1 };
  const share = { path: 1, result: 1 } as const;
  const items: { [V in keyof AnswerItems]: Keys<AnswerItems[V]> } = {
    status: {
      version: 1,
      nodeId: 1,
      node: 1,
      acceptsConnections: 1,
      clone: 1,
      client: 1,
      dataDir: 1,
      network: 1,
      keyed: 1,
      site: 1,
      uptimeMs: 1,
      logLevel: 1,
      rates: 1,
      links: 1,
      banned: 1,
      files: 1,
      withheld: 1,
      counters: 1,
      fetches: 1,
      transfers: 1,
      flights: 1,
      uploads: 1,
      peers: 1,
      lan: 1,
      directories: 1,
      gateway: 1,
      staleDatabases: 1,
      syncDatabases: 1,
      keeping: 1,
      prefetch: 1,
      savings: 1,
      copies: 1,
      trust: 1,
    },
    list: {
      name: 1,
      root: 1,
      sizeBytes: 1,
      type: 1,
      origin: 1,
      path: 1,
      chunks: 1,
      chunksHave: 1,
      have: 1,
      trust: 1,
      pinned: 1,
    },
    peers: {
      nodeId: 1,
      host: 1,
      port: 1,
      listenPort: 1,
      direction: 1,
      roundTripMs: 1,
      connectedMs: 1,
      ban: 1,
      problem: 1,
      bytesHad: 1,
      bytesGiven: 1,
      lastAt: 1,
    },
    search: {
      name: 1,
      root: 1,
      sizeBytes: 1,
      type: 1,
      peersWhole: 1,
      peersPart: 1,
      peersUnreached: 1,
      inFlight: 1,
      from: 1,
    },
    share,
    unshare: share,
    pin: { name: 1, root: 1, result: 1 },
    unpin: { name: 1, root: 1, result: 1 },
    clean: { name: 1, root: 1, bytes: 1, why: 1, others: 1, usedAt: 1 },
    verify: { name: 1, root: 1, path: 1, ok: 1, badChunks: 1 },
    info: {
      name: 1,
      root: 1,
      sizeBytes: 1,
      type: 1,
      sha256: 1,
      peersWhole: 1,
      peersPart: 1,
      peersUnreached: 1,
      inFlight: 1,
      from: 1,
    },
    where: {
      peer: 1,
      nodeId: 1,
      root: 1,
      flight: 1,
      sizeBytes: 1,
      chunks: 1,
      chunksHave: 1,
      loadPermille: 1,
      reach: 1,
      problem: 1,
      from: 1,
    },
    push: { peer: 1, nodeId: 1, name: 1, root: 1, result: 1, bytes: 1 },
    reach: { peer: 1, nodeId: 1, answer: 1 },
    log: { level: 1, before: 1 },
    files: { name: 1, root: 1, sizeBytes: 1, type: 1, chunks: 1, chunksHave: 1, sha256: 1 },
    explain: {
      name: 1,
      root: 1,
      rootsRejected: 1,
      sizeBytes: 1,
      endedAt: 1,
      outcome: 1,
      trust: 1,
      elapsedMs: 1,
      firstByteMs: 1,
      bytesLocal: 1,
      bytesPeers: 1,
      bytesMirror: 1,
      bytesMirrors: 1,
      bytesThrownAway: 1,
      bytesSaved: 1,
      givers: 1,
      steps: 1,
    },
  };
  const shown = blocks(clientApi, "json").map((text) => JSON.parse(text));
  const keys = (value: unknown) => Object.keys(value as object).sort().join();
  const { status, list, peers, search, info, where, reach, log, files, push } = items;
  const { pin, clean, verify, explain } = items;
  const inOrder = [
    ...[status, list, peers, search, info, where, reach, log, files, push, share, pin, clean],
    ...[verify, explain],
  ];
  assertEquals(shown.map(keys), inOrder.map(keys));
  const [one] = shown;
  const record = shown.at(-1);
  assertEquals(
    [
      one.counters,
      one.files,
      one.fetches[0],
      one.fetches[0].sources[0],
      one.transfers[0],
      one.transfers[0].sources[0],
      one.flights[0],
      one.flights[0].fellows[0],
      one.uploads[0],
      one.directories[0],
      one.staleDatabases[0],
      one.syncDatabases[0],
      one.savings,
      one.savings.hours[0],
      one.savings.days[0],
      one.copies.sinceStart,
      one.copies.allRuns,
      one.trust,
      record.givers[0],
      record.steps[0],
    ].map(keys),
    [
      counters,
      counts,
      fetching,
      fetchingSource,
      transfer,
      source,
      flight,
      fellow,
      upload,
      directory,
      stale,
      database,
      savings,
      span,
      span,
      copies,
      copies,
      trusts,
      giver,
      step,
    ].map(keys),
  );
  const rows = tableRows(clientApi.slice(clientApi.indexOf("\n| Trust ")));
  assertEquals(rows.map(([trust]) => trust), FILE_TRUSTS.map((trust) => `\`${trust}\``));
});

Deno.test("PROTOCOL.md names every kind byte within its family", () => {
  const ranges = [
    ...section(protocol, "## 12. Versions").matchAll(/`(0x\w\w)` to\s`(0x\w\w)` ([a-z]+)/g),
  ]
    .map(([, first, last, family]) => ({
      first: Number(first),
      last: Number(last),
      family: family!,
    }));
  const familyOf = (code: number) =>
    ranges.find(({ first, last }) => first <= code && code <= last)?.family;
  assertEquals(ranges.map(({ family }) => family), [
    "handshake",
    "links",
    "search",
    "transfer",
    "client",
    "directories",
  ]);
  for (const { kind, frame } of wireVectors) assert(familyOf(frame[4]!) !== undefined, kind);
  for (const kind of Object.keys(DIRECTORY_MESSAGES) as FrameKind[]) {
    assertEquals(familyOf(codeOf(kind)), "directories", kind);
  }
});

type Keys<T> = { readonly [K in keyof T]-?: 1 };
