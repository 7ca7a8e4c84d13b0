/**
 * How a fetch is told of: a bar on a terminal, a line now and then elsewhere, events as JSON, or
 * nothing. All but the JSON goes to stderr. What is shown is not measured here.
 */

import { EXIT, FetchFailure, messageOf, UsageError } from "../../base/errors.ts";
import { UNKNOWN_ROOT } from "../../base/ids.ts";
import type { FetchEvent } from "../../client/types.ts";
import type { FetchStyle } from "./fetch_plan.ts";
import { escapeText, jsonLine, note, printLine } from "../terminal.ts";
import { count, formatBytes, formatDuration, formatRate } from "../text_format.ts";

/** What a fetch tells, the bytes apart. */
export type FetchNews = Exclude<FetchEvent, { kind: "data" }>;
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
export async function openFetchUi(
  style: FetchStyle,
  label: string,
  options: { readonly isTerse?: boolean } = {},
): Promise<FetchUi> {
  if (style === "json") return new JsonUi();
  if (style === "quiet") return { show() {}, done() {}, failed() {} };
  if (Deno.stderr.isTerminal() && Deno.env.get("TERM") !== "dumb") {
    const { BarUi } = await import("./progress_bar.ts");
    return new BarUi(label, options);
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
    const exit = error instanceof FetchFailure
      ? error.exit
      : error instanceof UsageError
      ? "usage"
      : "failed";
    const hint = error instanceof Error && "hint" in error ? error.hint : undefined;
    await printLine(
      jsonLine({
        event: "failed",
        exit,
        code: EXIT[exit],
        message: messageOf(error),
        hint: hint ?? null,
      }),
    );
  }
}

/** Per cent between two lines, and the time after which one comes all the same. */
const LINE_PERCENT = 10;
const LINE_MS = 5_000;

/** Plain lines, for a log or a pipe. */
export class LinesUi implements FetchUi {
  readonly #write: (line: string) => void;
  readonly #nowMs: () => number;
  #label: string;
  #percent = 0;
  #lastMs = 0;

  constructor(
    label: string,
    options: { readonly write?: (line: string) => void; readonly nowMs?: () => number } = {},
  ) {
    this.#label = label;
    this.#write = options.write ?? note;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#line(`Searching for ${label}`);
  }

  show(news: Exclude<FetchNews, Done>): void {
    switch (news.kind) {
      case "searching":
        return;
      case "found":
        this.#percent = 0;
        this.#label = news.name;
        this.#line(foundLine(news));
        return;
      case "restarted":
        this.#line(`Starting over: ${news.reason}`);
        return;
      case "progress": {
        const percent = percentOf(news);
        const isStep =
          Math.floor(percent / LINE_PERCENT) > Math.floor(this.#percent / LINE_PERCENT);
        if (!isStep && this.#nowMs() - this.#lastMs < LINE_MS) return;
        this.#percent = percent;
        this.#line(`${this.#label}: ${progressText(news)}`);
      }
    }
  }

  done(done: Done, path: string | undefined): void {
    this.#line(doneLine(done, path));
  }

  failed(): void {}

  #line(text: string): void {
    this.#lastMs = this.#nowMs();
    this.#write(text);
  }
}

/** Whole per cent that are here. */
export function percentOf({ bytesDone, bytesTotal }: Progress): number {
  return bytesTotal === 0 ? 100 : Math.floor(bytesDone / bytesTotal * 100);
}

/** `Found NAME: 94 MB, 3 sources, root ...`. */
export function foundLine(found: Found): string {
  const facts = [
    formatBytes(found.sizeBytes),
    ...(found.sources > 0 ? [count(found.sources, "source")] : []),
    ...(found.bytesHad > 0 ? [`${formatBytes(found.bytesHad)} here already`] : []),
    ...(found.root === UNKNOWN_ROOT ? [] : [`root ${found.root}`]),
  ];
  return `Found ${found.name}: ${facts.join(", ")}`;
}

/** `45%, 42 MB of 94 MB, 12 MB/s, 5.0 s left, 3 sources`. */
export function progressText(progress: Progress): string {
  const { bytesDone, bytesTotal } = progress;
  return `${percentOf(progress)}%, ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}, ` +
    `${formatRate(progress.bytesPerSecond)}, ${timeLeft(progress)}, ` +
    count(progress.sources, "source");
}

/** No fetch that goes on takes longer than this. */
const LEFT_MS_MAX = 24 * 60 * 60 * 1000;

/** `5.0 s left`, at the rate of now; `complete` when all is here. */
export function timeLeft({ bytesDone, bytesTotal, bytesPerSecond }: Progress): string {
  if (bytesDone >= bytesTotal) return "complete";
  const leftMs = (bytesTotal - bytesDone) / bytesPerSecond * 1000;
  // A rate that fades while nothing comes would promise years.
  if (bytesPerSecond <= 0 || leftMs > LEFT_MS_MAX) return "stalled";
  return `${formatDuration(leftMs)} left`;
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
