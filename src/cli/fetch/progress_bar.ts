/** The progress bar on a terminal. Loaded only where there is one. */

// @ts-types="@types/cli-progress"
import { SingleBar } from "cli-progress";
import {
  type Done,
  doneLine,
  type FetchNews,
  type FetchUi,
  foundLine,
  type Progress,
} from "./fetch_ui.ts";
import { percentOf, timeLeft } from "./fetch_ui.ts";
import { escapeText, note, terminalColumns } from "../terminal.ts";
import { count, displayWidth, fitText, formatRate } from "../text_format.ts";

/** The bar takes what the rest of the line leaves, within these. */
const BAR_COLUMNS_MIN = 10;
const BAR_COLUMNS_MAX = 40;
/** A name leaves room for the rest on 80 columns. */
const NAME_COLUMNS_MAX = 28;

/** A line that is drawn over and over, and gives way to the last line in the end. */
export class BarUi implements FetchUi {
  #bar: SingleBar | undefined;
  readonly #isTerse: boolean;
  #name: string;

  constructor(label: string, options: { readonly isTerse?: boolean } = {}) {
    this.#name = label;
    this.#isTerse = options.isTerse ?? false;
    if (!this.#isTerse) note(`Searching for ${label}`);
  }

  show(news: Exclude<FetchNews, Done>): void {
    switch (news.kind) {
      case "searching":
        return;
      case "found":
        this.#stop();
        if (!this.#isTerse) note(foundLine(news));
        this.#name = news.name;
        return;
      case "restarted":
        this.#stop();
        note(`Starting over: ${news.reason}`);
        return;
      case "progress":
        if (this.#bar === undefined) this.#start(news);
        else this.#bar.update(news.bytesDone, { progress: news });
    }
  }

  done(done: Done, path: string | undefined): void {
    this.#stop();
    note(doneLine(done, this.#isTerse ? undefined : path));
  }

  failed(): void {
    this.#stop();
  }

  #start(progress: Progress): void {
    this.#bar = new SingleBar({
      format: (_options, _params, payload: { progress: Progress }) =>
        barLine(this.#name, payload.progress, terminalColumns()),
      fps: 10,
      clearOnComplete: true,
      // The line is made to fit: wrapping need not be switched off, and on again after a kill.
      linewrap: true,
    });
    this.#bar.start(progress.bytesTotal, progress.bytesDone, { progress });
  }

  #stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

/** `NAME [=====>    ]  45%  12.3 MB/s  5.0 s left  3 sources` in at most `columns` columns. */
export function barLine(name: string, progress: Progress, columns: number): string {
  const facts = [
    `${String(percentOf(progress)).padStart(3)}%`,
    formatRate(progress.bytesPerSecond),
    timeLeft(progress),
    count(progress.sources, "source"),
  ];
  const shownName = fitText(escapeText(name), NAME_COLUMNS_MAX);
  // A narrow terminal loses the facts from the end, but never wraps.
  while (facts.length > 1 && roomFor(shownName, facts, columns) < BAR_COLUMNS_MIN) facts.pop();
  const room = Math.min(BAR_COLUMNS_MAX, roomFor(shownName, facts, columns));
  const tail = facts.join("  ");
  if (room < BAR_COLUMNS_MIN) return fitText(`${shownName}  ${tail}`, columns - 1);
  const filled = Math.floor(room * percentOf(progress) / 100);
  return `${shownName} [${"=".repeat(filled)}${" ".repeat(room - filled)}] ${tail}`;
}

/** Columns for the bar itself: name, brackets, spaces and the last column taken off. */
function roomFor(name: string, facts: readonly string[], columns: number): number {
  return columns - 1 - displayWidth(name) - facts.join("  ").length - 4;
}
