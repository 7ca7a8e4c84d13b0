/**
 * The first view of a node: what somebody who looks at it sees, in words, from what the daemon answers to
 * `status` and `peers`. The page of the port for monitoring and `pacsrv top` show this and nothing else.
 *
 * Names, addresses and reasons are of others: who shows them escapes them.
 */

import { limits } from "../../base/limits.ts";
import type { PeerReport, SavingsSpanReport, StatusReport } from "../../client/types.ts";
import { formatAddress } from "../arguments/address.ts";
import { isLink } from "../commands/network.ts";
import { directoryState } from "../commands/status.ts";
import {
  checkDatabases,
  checkKeeping,
  checkNetwork,
  checkOpenPorts,
  checkStale,
  checkWithheld,
} from "../doctor/doctor_checks.ts";
import type { DaemonFacts } from "../doctor/doctor_facts.ts";
import type { Finding, Level } from "../doctor/doctor_report.ts";
import {
  count,
  formatBytes,
  formatDuration,
  formatRate,
  percentText,
  shortId,
} from "../terminal/text_format.ts";

/** All of it. Lists are bounded; what they leave out is counted in `more`. */
export interface Overview {
  readonly node: NodeView;
  /** What is wrong, the worst first, in the words of `pacsrv doctor`. */
  readonly findings: readonly FindingView[];
  readonly picture: PictureView;
  readonly coming: ListView<ComingView>;
  readonly going: ListView<GoingView>;
  readonly savings: SavingsView;
  readonly files: readonly FactView[];
  readonly links: ListView<LinkView>;
  readonly directories: ListView<DirectoryView>;
}

/** A list that may be cut. */
interface ListView<T> {
  readonly items: readonly T[];
  /** How many are left out. */
  readonly more: number;
}

/** The node itself. */
interface NodeView {
  readonly address: string;
  readonly id: string;
  readonly facts: readonly FactView[];
  /** The worst of what was found. */
  readonly level: Level;
  /** That in a few words: "Nothing is wrong". */
  readonly health: string;
  /** The figures that come first. */
  readonly figures: readonly FactView[];
}

/** One thing that is known, and what it is called. */
interface FactView {
  readonly name: string;
  readonly text: string;
  /** A few words more. */
  readonly note?: string;
}

type FindingView = Finding;

/** This node stands in the middle; whom it has to do with stands around it. */
interface PictureView {
  /** Said of the whole picture, for who cannot see it. */
  readonly text: string;
  readonly nodes: readonly PictureNode[];
  readonly more: number;
}

/** One of those around it. */
interface PictureNode {
  readonly key: string;
  readonly kind: "node" | "mirror" | "directory";
  readonly label: string;
  /** Whether there is a link with it, or it answers; else it was told of in vain. */
  readonly isUp: boolean;
  /** Whether bytes come from it, and go to it. */
  readonly gives: boolean;
  readonly takes: boolean;
}

/** A file on its way here. */
interface ComingView {
  readonly key: string;
  readonly name: string;
  /** "searching", "45 %, 3 MB of 7 MB". */
  readonly text: string;
  /** 0 to 1; null while nobody gives it. */
  readonly part: number | null;
  readonly rate: string;
  /** How long it will take yet; "" where that is not known. */
  readonly left: string;
  readonly sources: readonly SourceView[];
  readonly moreSources: number;
}

/** Who gives it. */
interface SourceView {
  readonly key: string;
  readonly kind: "peer" | "mirror" | "here";
  readonly label: string;
  readonly text: string;
  /** Its part of the whole file, 0 to 1. */
  readonly part: number;
  readonly rate: string;
}

/** A file that is given to another node. */
interface GoingView {
  readonly key: string;
  readonly name: string;
  readonly peer: string;
  readonly text: string;
}

/** Where what came did come from. */
interface SavingsView {
  readonly facts: readonly FactView[];
  readonly hours: ChartView;
  readonly days: ChartView;
}

/** A chart of what was saved and what mirrors gave, one above the other. */
interface ChartView {
  /** Said of the whole chart, for who cannot see it. */
  readonly text: string;
  readonly spans: readonly SpanView[];
  /** Lines across it, the lowest first; the last one is above all bars. */
  readonly ticks: readonly { readonly bytes: number; readonly text: string }[];
}

/** An hour or a day of the chart. */
interface SpanView {
  /** "14:00", "Mar 3". */
  readonly label: string;
  readonly bytesSaved: number;
  readonly bytesMirror: number;
  readonly peers: string;
  readonly mirror: string;
  readonly saved: string;
}

/** A link. */
interface LinkView {
  readonly key: string;
  readonly address: string;
  readonly node: string;
  readonly openedBy: string;
  readonly roundTrip: string;
  readonly up: string;
}

/** A directory that it was told of. */
interface DirectoryView {
  readonly key: string;
  readonly address: string;
  readonly level: Level;
  readonly text: string;
}

/** What the daemon said. */
interface OverviewFacts {
  readonly status: StatusReport;
  readonly peers: readonly PeerReport[];
  readonly unixMs: number;
}

/** The first view of what a daemon said. One of an older version may lack some of it. */
export function overviewOf(facts: OverviewFacts): Overview {
  const { status, peers, unixMs } = facts;
  const links = peers.filter(isLink);
  const findings = findingsOf(facts, links);
  return {
    node: nodeView(status, { findings, links: links.length }),
    findings: findings.slice(0, limits.overviewFindingsMax),
    picture: pictureView(status, peers),
    coming: bounded(status.fetches ?? [], limits.overviewFetchesMax, comingView),
    going: bounded(status.uploads, limits.overviewFetchesMax, (upload) => ({
      key: `${upload.root} ${upload.nodeId} ${upload.peer}`,
      name: upload.name,
      peer: upload.peer,
      text: formatBytes(upload.bytes),
    })),
    savings: savingsView(status, unixMs),
    files: fileFacts(status),
    links: bounded(
      links.toSorted((a, b) => b.connectedMs - a.connectedMs),
      limits.overviewLinksMax,
      linkView,
    ),
    directories: bounded(status.directories, limits.overviewLinksMax, (one) => ({
      key: one.directory,
      address: one.directory,
      level: one.sameAs !== null || one.answers && one.denied === null ? "ok" : "warning",
      text: directoryState(one),
    })),
  };
}

function bounded<T, V>(
  all: readonly T[],
  itemsMax: number,
  viewOf: (one: T) => V,
): ListView<V> {
  return { items: all.slice(0, itemsMax).map(viewOf), more: Math.max(0, all.length - itemsMax) };
}

/** What needs somebody: as the doctor finds it, from what the daemon knows by itself. */
function findingsOf(
  { status, unixMs }: OverviewFacts,
  links: readonly PeerReport[],
): Finding[] {
  const daemon: DaemonFacts = {
    ...status,
    peers: links,
    given: status.peers,
    reach: [],
    filesWithheld: status.trust.damaged,
    sharedDirs: [],
  };
  const all = [
    ...checkNetwork(daemon),
    ...checkOpenPorts(daemon, []),
    ...checkWithheld(daemon),
    ...checkKeeping(daemon),
    ...checkDatabases(daemon, { nowMs: unixMs, dbPath: undefined }),
    ...checkStale(daemon),
  ];
  const of = (level: Level) => all.filter((one) => one.level === level);
  return [...of("problem"), ...of("warning")];
}

function nodeView(
  status: StatusReport,
  { findings, links }: { readonly findings: readonly Finding[]; readonly links: number },
): NodeView {
  const problems = findings.filter(({ level }) => level === "problem").length;
  const warnings = findings.length - problems;
  const said = [
    ...(problems > 0 ? [count(problems, "problem")] : []),
    ...(warnings > 0 ? [count(warnings, "warning")] : []),
  ];
  const coming = (status.fetches ?? []).reduce((sum, one) => sum + one.bytesPerSecond, 0);
  const { savings, files } = status;
  return {
    address: status.node,
    id: status.nodeId,
    level: problems > 0 ? "problem" : warnings > 0 ? "warning" : "ok",
    health: said.length === 0 ? "Nothing is wrong" : said.join(", "),
    facts: [
      { name: "Network", text: `${status.network}, ${status.keyed ? "with a key" : "open"}` },
      { name: "Up", text: ageText(status.uptimeMs) },
      { name: "Version", text: status.version },
      { name: "Node", text: shortId(status.nodeId) },
      ...(status.gateway === null ? [] : [{ name: "Gateway", text: status.gateway }]),
    ],
    figures: [
      {
        name: "Saved",
        text: formatBytes(savings.bytesSaved),
        note: "that no mirror had to send",
      },
      {
        name: "Coming",
        text: coming === 0 ? "0 B/s" : formatRate(coming),
        note: count((status.fetches ?? []).length, "file"),
      },
      { name: "Links", text: String(links), note: directoriesNote(status) },
      {
        name: "Files",
        text: (files.shared + files.downloaded).toLocaleString("en"),
        note: formatBytes(files.bytes),
      },
    ],
  };
}

function directoriesNote({ directories }: StatusReport): string {
  if (directories.length === 0) return "no directory";
  const answering = directories.filter(({ answers }) => answers).length;
  return `${answering} of ${count(directories.length, "directory", "directories")} answering`;
}

function pictureView(status: StatusReport, peers: readonly PeerReport[]): PictureView {
  const nodes = new Map<string, PictureNode>();
  const add = (node: PictureNode) => {
    const { isUp, gives, takes } = nodes.get(node.key) ?? node;
    nodes.set(node.key, {
      ...node,
      isUp: isUp || node.isUp,
      gives: gives || node.gives,
      takes: takes || node.takes,
    });
  };
  for (const peer of peers) {
    // A name in DNS that stands for no node has no port.
    if (!isLink(peer) && (peer.direction !== "none" || peer.port === 0)) continue;
    const host = formatAddress({
      host: peer.host,
      port: peer.listenPort === 0 ? peer.port : peer.listenPort,
    });
    const key = peer.nodeId === "" ? host : peer.nodeId;
    add({ key, kind: "node", label: host, isUp: isLink(peer), gives: false, takes: false });
  }
  const others = { isUp: false, gives: false, takes: false };
  for (const { sources } of status.fetches ?? []) {
    for (const { kind, source, nodeId, bytesPerSecond } of sources) {
      if (kind === "here" || bytesPerSecond === 0) continue;
      const label = nodeId === null ? source : nodes.get(nodeId)?.label ?? source;
      const isMirror = kind === "mirror";
      add({
        ...others,
        key: nodeId ?? `${kind} ${source}`,
        kind: isMirror ? "mirror" : "node",
        label,
        isUp: isMirror,
        gives: true,
      });
    }
  }
  for (const { nodeId, peer } of status.uploads) {
    const label = nodes.get(nodeId)?.label ?? peer;
    add({ ...others, key: nodeId, kind: "node", label, takes: true });
  }
  for (const { directory, answers, sameAs } of status.directories) {
    if (sameAs !== null) continue;
    add({
      ...others,
      key: `directory ${directory}`,
      kind: "directory",
      label: directory,
      isUp: answers,
    });
  }
  // Those over which something goes must be seen.
  const isBusy = ({ gives, takes }: PictureNode) => gives || takes ? 1 : 0;
  const all = [...nodes.values()].sort((a, b) => isBusy(b) - isBusy(a));
  const shown = all.slice(0, limits.overviewPictureMax)
    // In places of their own, whatever they do just now.
    .sort((a, b) => a.key < b.key ? -1 : 1);
  const linked = all.filter(({ kind, isUp }) => kind === "node" && isUp).length;
  const giving = all.filter(({ gives }) => gives).length;
  const taking = all.filter(({ takes }) => takes).length;
  return {
    text: `This node has ${count(linked, "link")}; ${giving} give to it, it gives to ${taking}.`,
    nodes: shown,
    more: all.length - shown.length,
  };
}

function comingView(
  { name, root, bytesTotal, bytesDone, bytesPerSecond, sources }: NonNullable<
    StatusReport["fetches"]
  >[number],
): ComingView {
  const isComing = bytesTotal !== null;
  const isWhole = isComing && bytesDone >= bytesTotal;
  const leftMs = isComing && bytesPerSecond > 0
    ? (bytesTotal - bytesDone) / bytesPerSecond * 1000
    : null;
  const isTold = leftMs !== null && leftMs > 0 && leftMs <= limits.fetchLeftMsMax;
  const given = bounded(sources, limits.overviewSourcesMax, (source): SourceView => ({
    key: `${source.kind} ${source.nodeId ?? source.source}`,
    kind: source.kind,
    label: source.kind === "here" ? "this machine" : source.source,
    text: formatBytes(source.bytes),
    part: isComing && bytesTotal > 0 ? Math.min(1, source.bytes / bytesTotal) : 0,
    rate: source.bytesPerSecond === 0 ? "" : formatRate(source.bytesPerSecond),
  }));
  return {
    key: `${root ?? ""} ${name}`,
    name: name === "" ? shortId(root ?? "") : name,
    text: !isComing
      ? "searching"
      : isWhole
      ? `${formatBytes(bytesTotal)}, being checked`
      : `${percentText(bytesDone, bytesTotal)}, ${formatBytes(bytesDone)} of ${
        formatBytes(bytesTotal)
      }`,
    part: !isComing ? null : bytesTotal === 0 ? 1 : Math.min(1, bytesDone / bytesTotal),
    rate: bytesPerSecond === 0 || isWhole ? "" : formatRate(bytesPerSecond),
    left: isTold ? formatDuration(leftMs) : "",
    sources: given.items,
    moreSources: given.more,
  };
}

function savingsView({ savings, copies }: StatusReport, unixMs: number): SavingsView {
  const hour = new Date(unixMs);
  hour.setMinutes(0, 0, 0);
  const day = new Date(unixMs);
  day.setHours(0, 0, 0, 0);
  const { copies: mirrorCopies } = copies.allRuns;
  return {
    facts: [
      { name: "Saved", text: formatBytes(savings.bytesSaved) },
      { name: "From nodes", text: formatBytes(savings.bytesPeers) },
      { name: "From mirrors", text: formatBytes(savings.bytesMirror) },
      { name: "Fetched", text: count(savings.files, "file") },
      ...(mirrorCopies === null ? [] : [{
        name: "Mirror copies",
        text: mirrorCopies.toFixed(2),
        note: "1.00 is all of it once",
      }]),
    ],
    hours: chartView(savings.hours ?? [], {
      what: "the last 24 hours",
      counted: limits.savingsHours,
      startOf: (i) => {
        const start = new Date(hour);
        start.setHours(start.getHours() - i);
        return start;
      },
      labelOf: (start) => `${String(start.getHours()).padStart(2, "0")}:00`,
    }),
    days: chartView(savings.days ?? [], {
      what: "the last 30 days",
      counted: limits.savingsDays,
      startOf: (i) => {
        const start = new Date(day);
        start.setDate(start.getDate() - i);
        return start;
      },
      labelOf: (start) => start.toLocaleDateString("en", { month: "short", day: "numeric" }),
    }),
  };
}

/** A chart with a bar for each hour or day, the last one last, also of those in which nothing came. */
function chartView(
  reports: readonly SavingsSpanReport[],
  { what, counted, startOf, labelOf }: {
    readonly what: string;
    readonly counted: number;
    /** When the one so many before the last began. */
    readonly startOf: (i: number) => Date;
    readonly labelOf: (start: Date) => string;
  },
): ChartView {
  const known = reports.map((one) => ({ ...one, startMs: Date.parse(one.startsAt) }));
  const spans = Array.from({ length: counted }, (_, i): SpanView => {
    const back = counted - 1 - i;
    const start = startOf(back), endMs = startOf(back - 1).getTime();
    let bytesPeers = 0, bytesMirror = 0, bytesSaved = 0;
    for (const one of known) {
      if (one.startMs < start.getTime() || one.startMs >= endMs) continue;
      bytesPeers += one.bytesPeers;
      bytesMirror += one.bytesMirror;
      bytesSaved += one.bytesSaved;
    }
    return {
      label: labelOf(start),
      bytesSaved,
      bytesMirror,
      peers: formatBytes(bytesPeers),
      mirror: formatBytes(bytesMirror),
      saved: formatBytes(bytesSaved),
    };
  });
  const sumOf = (key: "bytesSaved" | "bytesMirror") =>
    formatBytes(spans.reduce((sum, span) => sum + span[key], 0));
  const highest = Math.max(...spans.map((span) => span.bytesSaved + span.bytesMirror));
  return {
    text: `${sumOf("bytesSaved")} saved in ${what}, and ${sumOf("bytesMirror")} from mirrors.`,
    spans,
    ticks: ticksUpTo(highest),
  };
}

/** A few round numbers of bytes, the last of them not below `highest`. */
function ticksUpTo(highest: number): ChartView["ticks"] {
  if (highest === 0) return [];
  const unit = 10 ** Math.floor(Math.log10(highest));
  const step = [0.25, 0.5, 1, 2.5].map((part) => part * unit)
    .find((step) => highest / step <= 4) ?? 2.5 * unit;
  return Array.from({ length: Math.ceil(highest / step) }, (_, i) => {
    const bytes = (i + 1) * step;
    return { bytes, text: formatBytes(bytes) };
  });
}

function number(n: number): string {
  return n.toLocaleString("en");
}

function fileFacts({ files, trust }: StatusReport): FactView[] {
  const held = trust.unchecked + trust.contradicted + trust.damaged;
  return [
    { name: "Shared", text: number(files.shared), note: "where they lie" },
    { name: "Downloaded", text: number(files.downloaded), note: "in the data directory" },
    { name: "In part", text: number(files.partial), note: "go on when they are fetched" },
    ...(files.hashing > 0
      ? [{ name: "Being hashed", text: number(files.hashing), note: "offered after that" }]
      : []),
    ...(held > 0 ? [{ name: "Not offered", text: number(held), note: heldNote(trust) }] : []),
    { name: "Bytes", text: formatBytes(files.bytes) },
  ];
}

function heldNote(trust: StatusReport["trust"]): string {
  return (["unchecked", "contradicted", "damaged"] as const)
    .filter((by) => trust[by] > 0).map((by) => `${number(trust[by])} ${by}`).join(", ");
}

/** How old something is, to the minute: what has not changed is not told again each second. */
function ageText(ageMs: number): string {
  const minutes = Math.floor(ageMs / 60_000);
  return minutes === 0 ? "< 1 min" : formatDuration(minutes * 60_000);
}

function linkView(link: PeerReport): LinkView {
  const { host, port, listenPort, nodeId, direction, roundTripMs, connectedMs } = link;
  return {
    key: nodeId,
    address: formatAddress({ host, port: listenPort === 0 ? port : listenPort }),
    node: shortId(nodeId),
    openedBy: direction === "in" ? "that node" : "this node",
    roundTrip: roundTripMs === null ? "-" : `${roundTripMs.toFixed(1)} ms`,
    up: ageText(connectedMs),
  };
}
