// The first view of a node: what it says of what the daemon says.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { overviewOf } from "../../../../src/cli/overview/overview.ts";
import { pageState } from "../../../../src/cli/overview/page_state.ts";
import type { PeerReport, StatusReport } from "../../../../src/client/types.ts";
import { NOTHING_KEPT } from "../../../support/keeping_report.ts";

const NOW = new Date(2026, 2, 10, 12, 30).getTime();
const ROOT = "ab".repeat(32) as Root;
const idOf = (i: number) => i.toString(16).padStart(32, "0") as NodeId;

const STATUS: StatusReport = {
  version: "1.2.3",
  nodeId: idOf(0),
  node: "0.0.0.0:8048",
  acceptsConnections: true,
  clone: null,
  client: "127.0.0.1:8049",
  dataDir: "/data",
  network: "office",
  keyed: true,
  site: null,
  uptimeMs: 3_600_000,
  logLevel: "info",
  rates: { upload: null, download: null, mirror: null, schedule: null, networks: [] },
  links: 1,
  banned: 0,
  files: { shared: 1_200, downloaded: 34, partial: 1, bytes: 5_000_000, hashing: 0 },
  withheld: [],
  counters: {
    queriesSeen: 0,
    queriesForwarded: 0,
    queriesDropped: 0,
    queriesAnswered: 0,
    messagesSent: 0,
    bytesIn: 0,
    bytesOut: 0,
    bytesInBy: { host: 0, subnet: 0, site: 0, far: 0 },
    bytesOutBy: { host: 0, subnet: 0, site: 0, far: 0 },
    strikes: 0,
    filesServed: 0,
    filesRelayed: 0,
    relaysRefused: 0,
    totalBytesIn: 0,
    totalBytesOut: 0,
    totalStrikes: 0,
    totalFilesServed: 0,
  },
  fetches: [],
  transfers: [],
  flights: [],
  uploads: [],
  peers: [],
  lan: null,
  directories: [],
  gateway: null,
  staleDatabases: [],
  syncDatabases: [],
  keeping: NOTHING_KEPT,
  prefetch: null,
  savings: {
    files: 3,
    bytesLocal: 0,
    bytesPeers: 9_000,
    bytesMirror: 1_000,
    bytesSaved: 8_000,
    hours: [],
    days: [],
  },
  copies: {
    sinceStart: { bytesMirrors: 0, bytesUnique: 0, copies: null },
    allRuns: { bytesMirrors: 1_000, bytesUnique: 10_000, copies: 0.1 },
  },
  trust: {
    "sync-db": 0,
    "sha256": 0,
    "root": 0,
    "mirror": 0,
    "peers": 0,
    "local": 1_234,
    "unchecked": 0,
    "contradicted": 0,
    "damaged": 0,
  },
};

function link(i: number, more: Partial<PeerReport> = {}): PeerReport {
  return {
    nodeId: idOf(i),
    host: "10.0.0.1",
    port: 40_000,
    listenPort: i,
    direction: "in",
    roundTripMs: 1.25,
    connectedMs: i * 1000,
    ban: null,
    problem: null,
    bytesHad: 0,
    bytesGiven: 0,
    lastAt: null,
    ...more,
  };
}

function view(status: Partial<StatusReport> = {}, peers: readonly PeerReport[] = [link(1)]) {
  return overviewOf({ status: { ...STATUS, ...status }, peers, unixMs: NOW });
}

Deno.test("overviewOf() has nothing to warn of where all is well, and says so", () => {
  const { node, findings, coming, links } = view();
  assertEquals([node.level, node.health, findings.length], ["ok", "Nothing is wrong", 0]);
  assertEquals(coming, { items: [], more: 0 });
  assertEquals(links.items, [{
    key: idOf(1),
    address: "10.0.0.1:1",
    node: idOf(1).slice(0, limits.shortIdChars),
    openedBy: "that node",
    roundTrip: "1.3 ms",
    up: "< 1 min",
  }]);
});

Deno.test("overviewOf() says in the doctor's words what is wrong, problems first", () => {
  const problem = { code: "refused", text: "nothing listens there", sinceMs: 9_000 };
  const { node, findings } = view({
    peers: [{ peer: "10.0.0.9:8048", nodeId: null, state: "failed", problem }],
    withheld: [{ path: "/srv/x", root: ROOT }],
    trust: { ...STATUS.trust, damaged: 1 },
  });
  assertEquals(node.health, "1 problem, 1 warning");
  assertEquals(findings.map(({ level, check }) => [level, check]), [
    ["problem", "files"],
    ["warning", "peer"],
  ]);
  assertEquals(findings[0]!.fix.at(-1), "pacsrv share --again /srv/x");
  assertStringIncludes(findings[1]!.text, "nothing listens there");
});

Deno.test("overviewOf() has a bar for each source of what comes", () => {
  const peer = { kind: "peer", source: "10.0.0.1:1", nodeId: idOf(1) } as const;
  const mirror = { kind: "mirror", source: "mirror.example.org", nodeId: null } as const;
  const { coming, node, picture } = view({
    fetches: [
      {
        name: "a.iso",
        root: ROOT,
        elapsedMs: 1,
        bytesTotal: 1000,
        bytesDone: 500,
        bytesPerSecond: 100,
        sources: [
          { ...peer, bytes: 300, bytesPerSecond: 60 },
          { ...mirror, bytes: 200, bytesPerSecond: 0 },
        ],
      },
      {
        name: "",
        root: ROOT,
        elapsedMs: 1,
        bytesTotal: null,
        bytesDone: 0,
        bytesPerSecond: 0,
        sources: [],
      },
    ],
  });
  const [first, second] = coming.items;
  assertEquals([first!.text, first!.part, first!.rate, first!.left], [
    "50%, 500 B of 1 kB",
    0.5,
    "100 B/s",
    "5.0 s",
  ]);
  assertEquals(first!.sources.map(({ label, part, rate }) => [label, part, rate]), [
    ["10.0.0.1:1", 0.3, "60 B/s"],
    ["mirror.example.org", 0.2, ""],
  ]);
  assertEquals([second!.name, second!.text, second!.part], [
    ROOT.slice(0, limits.shortIdChars),
    "searching",
    null,
  ]);
  assertEquals(node.figures[1]!.text, "100 B/s");
  // The mirror gives nothing just now.
  assertEquals(picture.nodes.map(({ label, gives, isUp }) => [label, gives, isUp]), [
    ["10.0.0.1:1", true, true],
  ]);
  assertEquals(picture.text, "This node has 1 link; 1 give to it, it gives to 0.");
});

Deno.test("overviewOf() has a bar for each hour and day, and round lines above all of them", () => {
  const span = (unixMs: number, bytesSaved: number) => ({
    startsAt: new Date(unixMs).toISOString(),
    bytesPeers: bytesSaved,
    bytesMirror: 100,
    bytesSaved,
  });
  const hour = new Date(2026, 2, 10, 12).getTime(), day = new Date(2026, 2, 9).getTime();
  const { hours, days } =
    view({ savings: { ...STATUS.savings, hours: [span(hour, 700)], days: [span(day, 2_900)] } })
      .savings;
  assertEquals([hours.spans.length, days.spans.length], [limits.savingsHours, limits.savingsDays]);
  assertEquals(hours.spans.at(-1)!.label, "12:00");
  assertEquals(hours.spans.map(({ bytesSaved }) => bytesSaved).filter((n) => n > 0), [700]);
  assertEquals(hours.spans.at(-1)!.bytesSaved, 700);
  assertEquals([days.spans.at(-2)!.label, days.spans.at(-2)!.saved], ["Mar 9", "2.9 kB"]);
  assertEquals(hours.ticks.map(({ bytes }) => bytes), [250, 500, 750, 1000]);
  assertEquals(days.ticks.map(({ text }) => text), ["1 kB", "2 kB", "3 kB"]);
  assertEquals(view().savings.hours.ticks, []);
  for (const bytes of [1, 9, 10, 11, 99, 12_345, 1e12]) {
    const { ticks } =
      view({ savings: { ...STATUS.savings, hours: [span(hour, bytes)] } }).savings.hours;
    assert(ticks.length >= 2 && ticks.length <= 5, `${bytes}: ${ticks.length}`);
    assert(ticks.at(-1)!.bytes >= bytes + 100, `${bytes}: ${ticks.at(-1)!.bytes}`);
  }
});

Deno.test("overviewOf() bounds its lists, and counts what they leave out", () => {
  const peers = Array.from({ length: 600 }, (_, i) => link(i + 1));
  const { links, picture } = view({}, peers);
  assertEquals([links.items.length, links.more], [
    limits.overviewLinksMax,
    600 - limits.overviewLinksMax,
  ]);
  assertEquals(links.items[0]!.address, "10.0.0.1:600", "the oldest first");
  assertEquals([picture.nodes.length, picture.more], [
    limits.overviewPictureMax,
    600 - limits.overviewPictureMax,
  ]);
});

Deno.test("overviewOf() takes what a daemon of an older version says", () => {
  const { fetches: _fetches, savings, ...rest } = STATUS;
  const { hours: _hours, days: _days, ...old } = savings;
  const status = { ...rest, savings: old } as unknown as StatusReport;
  const { coming, savings: shown } = overviewOf({ status, peers: [], unixMs: NOW });
  assertEquals([coming.items.length, shown.hours.spans.length], [0, limits.savingsHours]);
});

Deno.test("pageState() makes visible what hides in a name", () => {
  const fetching = {
    name: "a\u202egpj.exe\u0007",
    root: null,
    elapsedMs: 1,
    bytesTotal: null,
    bytesDone: 0,
    bytesPerSecond: 0,
    sources: [],
  };
  const status = () => ({ ...STATUS, fetches: [fetching] });
  const state = pageState({ status, peers: () => [] }, NOW);
  assertEquals(state.coming.items[0]!.name, "a\\u{202e}gpj.exe\\x07");
});
