// What a person sees of a fetch.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import {
  barLine,
  doneLine,
  type DoneNews,
  LinesUi,
  timeLeft,
} from "../../../../src/cli/fetch/fetch_ui.ts";
import type { ShownProgress } from "../../../../src/cli/fetch/progress_meter.ts";
import { displayWidth } from "../../../../src/cli/terminal/text_format.ts";

const root = "ab".repeat(32) as Root;
const nodeId = "cd".repeat(16) as NodeId;

function progress(bytesDone: number, extras: Partial<ShownProgress> = {}): ShownProgress {
  return {
    kind: "progress",
    bytesDone,
    bytesTotal: 1000,
    bytesPerSecond: 100,
    sources: 2,
    stalled: null,
    ...extras,
  };
}

function searching(inFlightNodes: number, inFlightPermille: number) {
  return { kind: "searching", elapsedMs: 1, queries: 1, inFlightNodes, inFlightPermille } as const;
}

const done: DoneNews = {
  kind: "done",
  root,
  name: "a.iso",
  sizeBytes: 4_000_000,
  bytesLocal: 1_000_000,
  sources: [
    { peer: "10.0.0.2:8048", nodeId, bytes: 2_000_000, strikes: 0 },
    { peer: "[::1]:8048", nodeId, bytes: 1_000_000, strikes: 1 },
  ],
  mirrors: [],
  queriesSent: 1,
  offersReceived: 2,
  elapsedMs: 1_500,
};

Deno.test("LinesUi prints a line at the start, every tenth, and the end", () => {
  const lines: string[] = [];
  const ui = new LinesUi("a.iso", { write: (line) => lines.push(line), nowMs: () => 0 });
  ui.show(searching(0, 0));
  ui.show({ kind: "found", root, name: "a.iso", sizeBytes: 1000, sources: 2, bytesHad: 0 });
  for (let bytes = 0; bytes <= 1000; bytes += 10) ui.show(progress(bytes));
  ui.done(done, "./a.iso");
  assertEquals(lines.length, 2 + 10 + 1);
  assertEquals(lines[0], "Searching for a.iso");
  assertEquals(lines[1], `Found a.iso: 1 kB, 2 sources, root ${root}`);
  assertEquals(lines[2], "a.iso: 10%, 100 B of 1 kB, 100 B/s, 9.0 s left, 2 sources");
});

Deno.test("LinesUi prints a line for every tenth of a file that others are just getting", () => {
  const lines: string[] = [];
  const ui = new LinesUi("a.iso", { write: (line) => lines.push(line), nowMs: () => 0 });
  for (const permille of [0, 50, 130, 199, 450]) ui.show(searching(2, permille));
  assertEquals(lines.slice(1), [
    "a.iso: in flight at 2 nodes, 0%; waiting for it",
    "a.iso: in flight at 2 nodes, 13%; waiting for it",
    "a.iso: in flight at 2 nodes, 45%; waiting for it",
  ]);
});

Deno.test("LinesUi prints a line every five seconds even where nothing moves", () => {
  const lines: string[] = [];
  let nowMs = 0;
  const ui = new LinesUi("a.iso", { write: (line) => lines.push(line), nowMs: () => nowMs });
  for (; nowMs < 21_000; nowMs += 100) ui.show(progress(10, { bytesPerSecond: 0 }));
  assertEquals(lines.length, 1 + 4);
});

Deno.test("LinesUi says at once that nothing comes, for whom it waits, and that it goes on", () => {
  const lines: string[] = [];
  const ui = new LinesUi("a.iso", { write: (line) => lines.push(line), nowMs: () => 0 });
  const stalled = (sinceMs: number) => ({
    stalled: { sinceMs, waitingFor: "2 sources", daemonSilent: false },
  });
  const silent = { sinceMs: 6_100, waitingFor: "the daemon", daemonSilent: true };
  ui.show(progress(10));
  ui.show(progress(10, stalled(2_250)));
  ui.show(progress(10, stalled(2_500)));
  ui.show(progress(10, { stalled: silent }));
  ui.show(progress(11));
  ui.show(progress(12));
  assertEquals(lines.slice(1), [
    "a.iso: 1%, 10 B of 1 kB, stalled for 2 s, waiting for 2 sources",
    "a.iso: 1%, 10 B of 1 kB, stalled for 6 s, the daemon is silent",
    "a.iso: 1%, 11 B of 1 kB, 100 B/s, 9.9 s left, 2 sources",
  ]);
});

Deno.test("LinesUi says that nobody was asked for a name of which a file was here", () => {
  const here = { ...done, sources: [], queriesSent: 0 };
  const linesOf = (isOpen: boolean, news: DoneNews) => {
    const lines: string[] = [];
    new LinesUi("a.iso", { isOpen, write: (line) => lines.push(line) }).done(news, "./a.iso");
    return lines.slice(2);
  };
  assertEquals(linesOf(true, here), [
    "No other node was asked, for a.iso is here: `pacsrv info a.iso` says whether other files go by " +
    "the name.",
  ]);
  for (
    const [isOpen, news] of [[false, here], [true, done], [true, {
      ...here,
      queriesSent: 1,
    }]] as const
  ) {
    assertEquals(linesOf(isOpen, news), []);
  }
});

Deno.test("doneLine() says how many bytes came from each peer, how fast, and where to", () => {
  assertEquals(
    doneLine(done, "./a.iso"),
    "a.iso: 4 MB in 1.5 s, 2 MB/s: 2 MB from 10.0.0.2:8048, " +
      "1 MB from [::1]:8048 (1 wrong chunk), 1 MB were here; it is ./a.iso",
  );
  assertEquals(
    doneLine({ ...done, sources: [], bytesLocal: 0, sizeBytes: 0, elapsedMs: 10 }, undefined),
    "a.iso: 0 B in 0.01 s",
  );
  const mirrors = [{ mirror: "mirror.example.org", bytes: 500_000 }];
  assertEquals(
    doneLine({ ...done, sources: [], mirrors, bytesLocal: 0, elapsedMs: 1_000 }, undefined),
    "a.iso: 500 kB in 1.0 s, 500 kB/s: 500 kB from mirror.example.org",
  );
});

Deno.test("timeLeft() copes with no rate and with the end", () => {
  assertEquals(timeLeft(progress(500)), "5.0 s left");
  assertEquals(timeLeft(progress(500, { bytesPerSecond: 0 })), "time left not known");
  assertEquals(timeLeft(progress(1000, { bytesPerSecond: 0 })), "complete");
});

Deno.test("barLine() shows name, bar, per cent, rate, time and sources", () => {
  const line = barLine("a.iso", progress(500), 80);
  assert(/^a\.iso \[=+ +\] {2}50% {2}100 B\/s {2}5\.0 s left {2}2 sources$/.test(line), line);
});

Deno.test("barLine() says how long nothing came instead of when it ends", () => {
  const stalled = { sinceMs: 65_900, waitingFor: "mirror.example.org", daemonSilent: false };
  const line = barLine("a.iso", progress(500, { stalled }), 80);
  assertMatch(
    line,
    /^a\.iso \[=+ +\] {2}50% {2}stalled for 1 min 5 s {2}waiting for mirror\.example\.org$/,
  );
  assertStringIncludes(barLine("a.iso", progress(500, { stalled }), 50), "stalled for 1 min 5 s");
});

Deno.test("barLine() fits every width, whatever the name", () => {
  for (
    const name of ["a", "日本語の長い長い名前のファイル.iso", "x".repeat(255), "e\u001b[2Jvil"]
  ) {
    for (let columns = 8; columns <= 200; columns++) {
      const line = barLine(name, progress(333), columns);
      assert(displayWidth(line) < columns, `${columns}: ${line}`);
      assert(!line.includes("\u001b"), line);
    }
  }
});
