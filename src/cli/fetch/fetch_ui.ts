/**
 * How a fetch is told of: a bar on a terminal, a line now and then elsewhere, events as JSON, or
 * nothing. All but the JSON goes to stderr. What is shown is not measured here.
 */

import { messageOf, type OfKind } from "../../base/errors.ts";
import { UNKNOWN_ROOT } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchEvent } from "../../client/types.ts";
import { exitCodeOf, exitOf, hintOf } from "../terminal/exits.ts";
import { StatusLine } from "../terminal/status_line.ts";
import { escapeText, jsonLine, note, printLine } from "../terminal/terminal.ts";
import {
  count,
  displayWidth,
  fitText,
  formatBytes,
  formatDuration,
  formatRate,
} from "../terminal/text_format.ts";
import { choiceLines, hereLine, type ToldChoice } from "./choice_text.ts";
import type { FetchStyle } from "./fetch_plan.ts";
import type { Kept } from "./kept.ts";
import type { ShownProgress } from "./progress_meter.ts";

/** What a fetch tells, the bytes apart. */
type FetchNews = Exclude<FetchEvent, { kind: "data" }>;
type Searching = OfKind<FetchNews, "searching">;
export type Found = OfKind<FetchNews, "found">;
export type DoneNews = OfKind<FetchNews, "done">;
type ChoiceNews = OfKind<FetchNews, "choice">;

/** What is shown until the end. */
type Shown =
  | Exclude<FetchNews, DoneNews | ChoiceNews | { kind: "progress" }>
  | ToldChoice
  | ShownProgress;

/** One way to tell of a fetch. */
export interface FetchUi {
  /** Called for each event but the last, at most ten times a second for progress. */
  show(news: Shown): void | Promise<void>;
  /** The end of a fetch that went well; `path` is the output, undefined without a file. */
  done(done: DoneNews, path: string | undefined): void | Promise<void>;
  /** A signal ended it; `failed` follows. */
  interrupted(signal: Deno.Signal, kept: Kept): void | Promise<void>;
  /** The end of one that did not; the error itself is printed by others. */
  failed(error: unknown): void | Promise<void>;
}

/**
 * The way that flags and terminal call for; `label` is what is sought.
 *
 * @param options.isTerse One line is enough, as for a program that fetches file after file.
 * @param options.isOpen Any file of the name will do, and nobody is asked where one is here.
 */
export function openFetchUi(
  style: FetchStyle,
  label: string,
  options: { readonly isTerse?: boolean; readonly isOpen?: boolean } = {},
): FetchUi {
  if (style === "json") return new JsonUi();
  if (style === "quiet") return { show() {}, done() {}, interrupted() {}, failed() {} };
  if (mayDrawBars()) return new LinesUi(label, { ...options, bar: new StatusLine() });
  return options.isTerse ? new LastLineUi(label) : new LinesUi(label, options);
}

/** Whether stderr is a terminal on which a line can be drawn over. */
export function mayDrawBars(): boolean {
  return Deno.stderr.isTerminal() && Deno.env.get("TERM") !== "dumb";
}

/** One line when all is done. */
class LastLineUi implements FetchUi {
  readonly #label: string;

  constructor(label: string) {
    this.#label = label;
  }

  show(news: Shown): void {
    if (news.kind === "choice") choiceLines(this.#label, news).forEach(note);
  }

  done(done: DoneNews): void {
    note(doneLine(done, undefined));
  }

  interrupted(): void {}

  failed(): void {}
}

/** One JSON object a line on stdout, named by `event`. */
export class JsonUi implements FetchUi {
  readonly #file: { readonly file?: string };

  /** @param file Which of several files the events are of. */
  constructor(file?: string) {
    this.#file = file === undefined ? {} : { file };
  }

  async show({ kind, ...news }: Shown): Promise<void> {
    await this.#print(kind, news);
  }

  async done({ kind, ...done }: DoneNews, path: string | undefined): Promise<void> {
    await this.#print(kind, { ...done, output: path ?? null });
  }

  async interrupted(signal: Deno.Signal, { bytesKept, bytesTotal }: Kept): Promise<void> {
    await this.#print("interrupted", { signal, bytesKept, bytesTotal });
  }

  async failed(error: unknown): Promise<void> {
    const exit = exitOf(error);
    const [message, hint] = [messageOf(error), hintOf(error) ?? null];
    await this.#print("failed", { exit, code: exitCodeOf(error), message, hint });
  }

  async #print(event: string, rest: object): Promise<void> {
    await printLine(jsonLine({ event, ...this.#file, ...rest }));
  }
}

/** Per cent between two lines. */
const LINE_PERCENT = 10;

/** How a fetch is told to people. */
interface LinesOptions {
  /** Where progress is a bar, drawn over and over, rather than a line now and then. */
  readonly bar?: Pick<StatusLine, "show" | "clear"> & Disposable;
  /** Whether what is sought and found is left out. */
  readonly isTerse?: boolean;
  /** Whether any file of the name will do, and nobody is asked where one is here. */
  readonly isOpen?: boolean;
  readonly write?: (line: string) => void;
  readonly nowMs?: () => number;
}

/** Lines for people, with a bar on a terminal that gives way to the next line. */
export class LinesUi implements FetchUi {
  readonly #write: (line: string) => void;
  readonly #nowMs: () => number;
  readonly #bar: LinesOptions["bar"];
  readonly #isTerse: boolean;
  readonly #isOpen: boolean;
  #label: string;
  #percent = 0;
  /** Why nothing came when that was told last; undefined while bytes came. */
  #stall: string | undefined;
  /** How much of the file others had when that was told last, in tenths. */
  #tenthElsewhere = -1;
  #lastMs = 0;

  constructor(label: string, options: LinesOptions = {}) {
    this.#label = label;
    this.#bar = options.bar;
    this.#isTerse = options.isTerse ?? false;
    this.#isOpen = options.isOpen ?? false;
    this.#write = options.write ?? note;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    if (!this.#isTerse) this.#line(`Searching for ${label}`);
  }

  show(news: Shown): void {
    switch (news.kind) {
      case "searching":
        return this.#searchingLine(news);
      case "found":
        this.#percent = 0;
        this.#label = news.name;
        this.#bar?.clear();
        if (!this.#isTerse) this.#line(foundLine(news));
        return;
      case "choice":
        return choiceLines(this.#label, news).forEach((line) => this.#line(line));
      case "restarted":
        this.#line(`Starting over: ${news.reason}`);
        return;
      case "progress":
        if (this.#bar === undefined) return this.#progressLine(news);
        return this.#bar.show((columns) => barLine(this.#label, news, columns));
    }
  }

  done(done: DoneNews, path: string | undefined): void {
    this.#bar?.[Symbol.dispose]();
    this.#line(doneLine(done, this.#isTerse ? undefined : path));
    if (this.#isOpen && !this.#isTerse && isFromHere(done)) this.#line(hereLine(done.name));
  }

  // What the error says is enough.
  interrupted(): void {}

  failed(): void {
    this.#bar?.[Symbol.dispose]();
  }

  /** A line for each tenth of a file that others are just getting. */
  #searchingLine({ inFlightNodes: nodes, inFlightPermille: permille }: Searching): void {
    if (this.#isTerse || nodes === 0) return;
    const tenth = Math.floor(permille / 100);
    if (tenth <= this.#tenthElsewhere) return;
    this.#tenthElsewhere = tenth;
    const where = count(nodes, "node");
    this.#line(
      `${this.#label}: in flight at ${where}, ${Math.floor(permille / 10)}%; waiting for it`,
    );
  }

  #progressLine(progress: ShownProgress): void {
    const percent = percentOf(progress);
    const stall = progress.stalled === null ? undefined : stallText(progress.stalled);
    const isNews = stall !== this.#stall;
    this.#stall = stall;
    const isStep = isNews ||
      Math.floor(percent / LINE_PERCENT) > Math.floor(this.#percent / LINE_PERCENT);
    if (!isStep && this.#nowMs() - this.#lastMs < limits.fetchLineMs) return;
    this.#percent = percent;
    this.#line(`${this.#label}: ${progressText(progress)}`);
  }

  #line(text: string): void {
    this.#lastMs = this.#nowMs();
    this.#write(text);
  }
}

/** Whole per cent that are here. */
function percentOf({ bytesDone, bytesTotal }: ShownProgress): number {
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
function progressText(progress: ShownProgress): string {
  const { bytesDone, bytesTotal } = progress;
  const facts = [
    `${percentOf(progress)}%`,
    `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`,
    ...paceFacts(progress),
  ];
  return facts.join(", ");
}

/** How fast it comes, until when, from how many; or that nothing comes, and who has to give it. */
function paceFacts(progress: ShownProgress): string[] {
  const { stalled, bytesPerSecond, sources } = progress;
  if (stalled !== null) {
    const since = formatDuration(Math.floor(stalled.sinceMs / 1000) * 1000).replace(".0 s", " s");
    return [`stalled for ${since}`, stallText(stalled)];
  }
  return [formatRate(bytesPerSecond), timeLeft(progress), count(sources, "source")];
}

/** Who has to give something, or to say anything at all. */
function stallText({ daemonSilent, waitingFor }: NonNullable<ShownProgress["stalled"]>): string {
  return daemonSilent ? "the daemon is silent" : `waiting for ${waitingFor}`;
}

/** `5.0 s left`, at the rate of now; `complete` when all is here. */
export function timeLeft({ bytesDone, bytesTotal, bytesPerSecond }: ShownProgress): string {
  if (bytesDone >= bytesTotal) return "complete";
  const leftMs = (bytesTotal - bytesDone) / bytesPerSecond * 1000;
  if (bytesPerSecond <= 0 || leftMs > limits.fetchLeftMsMax) return "time left not known";
  return `${formatDuration(leftMs)} left`;
}

/** `NAME [=====>    ]  45%  12.3 MB/s  5.0 s left  3 sources` in at most `columns` columns. */
export function barLine(name: string, progress: ShownProgress, columns: number): string {
  const facts = [
    `${String(percentOf(progress)).padStart(3)}%`,
    ...paceFacts(progress),
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

/** Whether nobody else gave any of a file, nor was asked for it. */
function isFromHere({ bytesLocal, mirrors, queriesSent, sources }: DoneNews): boolean {
  return bytesLocal > 0 && queriesSent === 0 && sources.length === 0 && mirrors.length === 0;
}

/** The last line for people: how much, how fast, from whom, and where it lies. */
export function doneLine(done: DoneNews, path: string | undefined): string {
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
