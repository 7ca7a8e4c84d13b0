/**
 * How a fetch is told of: a bar on a terminal, a line now and then elsewhere, events as JSON, or
 * nothing. All but the JSON goes to stderr. What is shown is not measured here.
 */

import { EXIT, messageOf } from "../../base/errors.ts";
import { UNKNOWN_ROOT } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchEvent } from "../../client/types.ts";
import { exitOf, hintOf } from "../terminal/system_error.ts";
import {
  escapeText,
  jsonLine,
  note,
  printLine,
  terminalColumns,
  writeNote,
} from "../terminal/terminal.ts";
import {
  count,
  displayWidth,
  fitText,
  formatBytes,
  formatDuration,
  formatRate,
} from "../terminal/text_format.ts";
import type { FetchStyle } from "./fetch_plan.ts";

/** What a fetch tells, the bytes apart. */
type FetchNews = Exclude<FetchEvent, { kind: "data" }>;
export type Found = Extract<FetchNews, { kind: "found" }>;
export type Progress = Extract<FetchNews, { kind: "progress" }>;
export type Done = Extract<FetchNews, { kind: "done" }>;

/** One way to tell of a fetch. */
export interface FetchUi {
  /** Called for each event but the last, at most ten times a second for progress. */
  show(news: Exclude<FetchNews, Done>): void | Promise<void>;
  /** The end of a fetch that went well; `path` is the output, undefined without a file. */
  done(done: Done, path: string | undefined): void | Promise<void>;
  /** The end of one that did not; the error itself is printed by others. */
  failed(error: unknown): void | Promise<void>;
}

/**
 * The way that flags and terminal call for; `label` is what is sought.
 *
 * @param options.isTerse One line is enough, as for a program that fetches file after file.
 */
export function openFetchUi(
  style: FetchStyle,
  label: string,
  options: { readonly isTerse?: boolean } = {},
): FetchUi {
  if (style === "json") return new JsonUi();
  if (style === "quiet") return { show() {}, done() {}, failed() {} };
  if (Deno.stderr.isTerminal() && Deno.env.get("TERM") !== "dumb") {
    return new LinesUi(label, { ...options, hasBar: true });
  }
  return options.isTerse ? new LastLineUi() : new LinesUi(label);
}

/** One line when all is done. */
class LastLineUi implements FetchUi {
  show(): void {}

  done(done: Done): void {
    note(doneLine(done, undefined));
  }

  failed(): void {}
}

/** One JSON object a line on stdout, named by `event`. */
class JsonUi implements FetchUi {
  async show({ kind, ...news }: Exclude<FetchNews, Done>): Promise<void> {
    await printLine(jsonLine({ event: kind, ...news }));
  }

  async done({ kind, ...done }: Done, path: string | undefined): Promise<void> {
    await printLine(jsonLine({ event: kind, ...done, output: path ?? null }));
  }

  async failed(error: unknown): Promise<void> {
    const exit = exitOf(error);
    const [message, hint] = [messageOf(error), hintOf(error) ?? null];
    await printLine(jsonLine({ event: "failed", exit, code: EXIT[exit], message, hint }));
  }
}

/** Per cent between two lines. */
const LINE_PERCENT = 10;

/** How a fetch is told to people. */
interface LinesOptions {
  /** Whether progress is a bar, drawn over and over, rather than a line now and then. */
  readonly hasBar?: boolean;
  /** Whether what is sought and found is left out. */
  readonly isTerse?: boolean;
  readonly write?: (line: string) => void;
  readonly nowMs?: () => number;
}

/** Lines for people, with a bar on a terminal that gives way to the next line. */
export class LinesUi implements FetchUi {
  readonly #write: (line: string) => void;
  readonly #nowMs: () => number;
  readonly #hasBar: boolean;
  readonly #isTerse: boolean;
  #label: string;
  #isBarDrawn = false;
  #percent = 0;
  #lastMs = 0;

  constructor(label: string, options: LinesOptions = {}) {
    this.#label = label;
    this.#hasBar = options.hasBar ?? false;
    this.#isTerse = options.isTerse ?? false;
    this.#write = options.write ?? note;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    if (!this.#isTerse) this.#line(`Searching for ${label}`);
  }

  show(news: Exclude<FetchNews, Done>): void {
    switch (news.kind) {
      case "searching":
        return;
      case "found":
        this.#percent = 0;
        this.#label = news.name;
        this.#clearBar();
        if (!this.#isTerse) this.#line(foundLine(news));
        return;
      case "restarted":
        this.#line(`Starting over: ${news.reason}`);
        return;
      case "progress":
        if (this.#hasBar) this.#drawBar(news);
        else this.#progressLine(news);
    }
  }

  done(done: Done, path: string | undefined): void {
    this.#line(doneLine(done, this.#isTerse ? undefined : path));
  }

  failed(): void {
    this.#clearBar();
  }

  #progressLine(progress: Progress): void {
    const percent = percentOf(progress);
    const isStep = Math.floor(percent / LINE_PERCENT) > Math.floor(this.#percent / LINE_PERCENT);
    if (!isStep && this.#nowMs() - this.#lastMs < limits.fetchLineMs) return;
    this.#percent = percent;
    this.#line(`${this.#label}: ${progressText(progress)}`);
  }

  #line(text: string): void {
    this.#clearBar();
    this.#lastMs = this.#nowMs();
    this.#write(text);
  }

  #drawBar(progress: Progress): void {
    this.#isBarDrawn = true;
    writeNote(`\r${barLine(this.#label, progress, terminalColumns())}${CLEAR_TO_END}`);
  }

  #clearBar(): void {
    if (this.#isBarDrawn) writeNote(`\r${CLEAR_TO_END}`);
    this.#isBarDrawn = false;
  }
}

/** What clears the line of a terminal from the cursor on. */
const CLEAR_TO_END = "\x1b[K";

/** Whole per cent that are here. */
function percentOf({ bytesDone, bytesTotal }: Progress): number {
  return bytesTotal === 0 ? 100 : Math.floor(bytesDone / bytesTotal * 100);
}

/** `Found NAME: 94 MB, 3 sources, root ...`. */
function foundLine(found: Found): string {
  const facts = [
    formatBytes(found.sizeBytes),
    ...(found.sources > 0 ? [count(found.sources, "source")] : []),
    ...(found.bytesHad > 0 ? [`${formatBytes(found.bytesHad)} here already`] : []),
    ...(found.root === UNKNOWN_ROOT ? [] : [`root ${found.root}`]),
  ];
  return `Found ${found.name}: ${facts.join(", ")}`;
}

/** `45%, 42 MB of 94 MB, 12 MB/s, 5.0 s left, 3 sources`. */
function progressText(progress: Progress): string {
  const { bytesDone, bytesTotal } = progress;
  return `${percentOf(progress)}%, ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}, ` +
    `${formatRate(progress.bytesPerSecond)}, ${timeLeft(progress)}, ` +
    count(progress.sources, "source");
}

/** `5.0 s left`, at the rate of now; `complete` when all is here. */
export function timeLeft({ bytesDone, bytesTotal, bytesPerSecond }: Progress): string {
  if (bytesDone >= bytesTotal) return "complete";
  const leftMs = (bytesTotal - bytesDone) / bytesPerSecond * 1000;
  // A rate that fades while nothing comes would promise years.
  if (bytesPerSecond <= 0 || leftMs > limits.fetchLeftMsMax) return "stalled";
  return `${formatDuration(leftMs)} left`;
}

/** `NAME [=====>    ]  45%  12.3 MB/s  5.0 s left  3 sources` in at most `columns` columns. */
export function barLine(name: string, progress: Progress, columns: number): string {
  const facts = [
    `${String(percentOf(progress)).padStart(3)}%`,
    formatRate(progress.bytesPerSecond),
    timeLeft(progress),
    count(progress.sources, "source"),
  ];
  const shownName = fitText(escapeText(name), limits.barNameColumnsMax);
  // A narrow terminal loses the facts from the end, but never wraps.
  while (facts.length > 1 && roomFor(shownName, facts, columns) < limits.barColumnsMin) facts.pop();
  const room = Math.min(limits.barColumnsMax, roomFor(shownName, facts, columns));
  const tail = facts.join("  ");
  if (room < limits.barColumnsMin) return fitText(`${shownName}  ${tail}`, columns - 1);
  const filled = Math.floor(room * percentOf(progress) / 100);
  return `${shownName} [${"=".repeat(filled)}${" ".repeat(room - filled)}] ${tail}`;
}

/** Columns for the bar itself: name, brackets, spaces and the last column taken off. */
function roomFor(name: string, facts: readonly string[], columns: number): number {
  return columns - 1 - displayWidth(name) - facts.join("  ").length - 4;
}

/** The last line for people: how much, how fast, from whom, and where it lies. */
export function doneLine(done: Done, path: string | undefined): string {
  const providers = [...done.sources, ...done.mirrors];
  const fetched = providers.reduce((sum, provider) => sum + provider.bytes, 0);
  const total = fetched + done.bytesLocal;
  const rate = fetched > 0 && done.elapsedMs > 0
    ? `, ${formatRate(fetched / done.elapsedMs * 1000)}`
    : "";
  const shares = done.sources.map(({ peer, bytes, strikes }) =>
    `${formatBytes(bytes)} from ${peer}` +
    (strikes > 0 ? ` (${count(strikes, "wrong chunk")})` : "")
  );
  shares.push(...done.mirrors.map(({ mirror, bytes }) => `${formatBytes(bytes)} from ${mirror}`));
  if (done.bytesLocal > 0) shares.push(`${formatBytes(done.bytesLocal)} were here`);
  const origin = shares.length === 0 ? "" : `: ${shares.join(", ")}`;
  const where = path === undefined ? "" : `; it is ${escapeText(path)}`;
  return `${done.name}: ${formatBytes(total)} in ${formatDuration(done.elapsedMs)}${rate}` +
    `${origin}${where}`;
}
