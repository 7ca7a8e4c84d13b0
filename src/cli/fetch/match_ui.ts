/**
 * How a fetch of several files is told of: a bar for each that comes on a terminal, a line for each
 * that is done elsewhere, events that name their file as JSON, or nothing but errors.
 */

import type { LeftOut } from "../../client/types.ts";
import { messageOf } from "../../base/errors.ts";
import { hintOf } from "../terminal/exits.ts";
import { Interrupted } from "../terminal/interrupt.ts";
import { LiveLines } from "../terminal/live_lines.ts";
import { jsonLine, note, printLine } from "../terminal/terminal.ts";
import { count, fitText, leftOutText } from "../terminal/text_format.ts";
import { choiceLines } from "./choice_text.ts";
import type { FetchStyle } from "./fetch_plan.ts";
import { barLine, doneLine, type FetchUi, JsonUi, mayDrawBars } from "./fetch_ui.ts";

/** How many files of a pattern were got, were there before, and were not got. */
export interface MatchCounts {
  /** Files that match; 0 if no line "matched" says which. */
  readonly matched: number;
  /** Files that were fetched. */
  readonly fetched: number;
  /** Files that were there before. */
  readonly skipped: number;
  /** Files that were not fetched: they failed, or the command ended before them. */
  readonly failed: number;
}

/** The key of the line that counts: no file is called so. */
const COUNTS = "";

/** One way to tell of several files. */
export class MatchUi implements Disposable {
  readonly #style: FetchStyle;
  readonly #lines: LiveLines | undefined;
  /** Files of which events were told. */
  readonly #told = new Set<string>();
  #counts: MatchCounts = { matched: 0, fetched: 0, skipped: 0, failed: 0 };

  constructor(style: FetchStyle) {
    this.#style = style;
    this.#lines = style === "people" && mayDrawBars() ? new LiveLines() : undefined;
  }

  get counts(): MatchCounts {
    return this.#counts;
  }

  /** What is sought first. */
  searching(glob: string): void {
    if (this.#style === "people") this.#print(`Searching for files that match ${glob}`);
  }

  /** Why the search gave nothing to get; the end. */
  async foundNone(error: unknown): Promise<void> {
    if (this.#style !== "json") return;
    await tellEnd(new JsonUi(), error);
    await this.#printFinished();
  }

  /** What is got. */
  async matched(names: readonly string[], leftOut: readonly LeftOut[]): Promise<void> {
    this.#counts = { ...this.#counts, matched: names.length };
    if (this.#style === "json") {
      await printLine(jsonLine({ event: "matched", files: names, leftOut }));
    } else if (this.#style === "people") {
      this.#print(`Found ${count(names.length, "file")}`);
      for (const one of leftOut) this.#print(leftOutText(one));
    }
    this.#drawCounts();
  }

  /** The one for a file. */
  file(name: string): FetchUi {
    if (this.#style === "json") {
      this.#told.add(name);
      return new JsonUi(name);
    }
    return {
      show: (news) => {
        if (news.kind === "choice" && this.#style === "people") {
          for (const line of choiceLines(name, news)) this.#print(line);
        }
        if (news.kind !== "progress") return;
        this.#lines?.set(name, (columns) => barLine(name, news, columns));
      },
      done: (done, path) => {
        this.#lines?.remove(name);
        if (this.#style === "people") this.#print(doneLine(done, path));
      },
      interrupted() {},
      failed: () => this.#lines?.remove(name),
    };
  }

  /** A file was got; its own events say so. */
  fetched(): void {
    this.#count("fetched");
  }

  /** A file that was there before is left as it is. */
  async skipped(name: string, path: string): Promise<void> {
    this.#count("skipped");
    if (this.#style === "json") {
      this.#told.add(name);
      await printLine(jsonLine({ event: "skipped", file: name, output: path }));
    } else if (this.#style === "people") this.#print(`${name}: ${path} is there already`);
  }

  /** A file that was not got. */
  async failed(name: string, error: unknown): Promise<void> {
    this.#count("failed");
    if (this.#style === "json") return await this.#tellEndOf(name, error);
    const hint = hintOf(error);
    this.#print(`pacsrv: ${name}: ${messageOf(error)}`);
    if (hint !== undefined) this.#print(`hint: ${hint}`);
  }

  /** It ends before its time: what of `names` is not there is not got. */
  async cutShort(names: readonly string[], error: unknown): Promise<void> {
    const { matched, fetched, skipped } = this.#counts;
    this.#counts = { matched, fetched, skipped, failed: matched - fetched - skipped };
    if (this.#style !== "json") return;
    for (const name of names) await this.#tellEndOf(name, error);
    await this.#printFinished();
  }

  async finished(): Promise<void> {
    if (this.#style === "json") await this.#printFinished();
    if (this.#style !== "people") return;
    this.#lines?.remove(COUNTS);
    const { matched, fetched, skipped } = this.#counts;
    const were = skipped === 0 ? "" : `; ${count(skipped, "was", "were")} there already`;
    this.#print(`Fetched ${fetched} of ${count(matched, "file")}${were}`);
  }

  [Symbol.dispose](): void {
    this.#lines?.[Symbol.dispose]();
  }

  /** The end of a file that has no events yet, as JSON. */
  async #tellEndOf(name: string, error: unknown): Promise<void> {
    if (this.#told.has(name)) return;
    this.#told.add(name);
    await tellEnd(new JsonUi(name), error);
  }

  async #printFinished(): Promise<void> {
    await printLine(jsonLine({ event: "finished", ...this.#counts }));
  }

  #count(what: "fetched" | "skipped" | "failed"): void {
    this.#counts = { ...this.#counts, [what]: this.#counts[what] + 1 };
    this.#drawCounts();
  }

  /** Stands above the bars, as long as files come. */
  #drawCounts(): void {
    this.#lines?.set(COUNTS, (columns) => fitText(countsText(this.#counts), columns - 1));
  }

  #print(text: string): void {
    if (this.#lines === undefined) note(text);
    else this.#lines.print(text);
  }
}

/** `12 of 6000 files done`, with what failed of them. */
function countsText({ matched, fetched, skipped, failed }: MatchCounts): string {
  const text = `${fetched + skipped + failed} of ${count(matched, "file")} done`;
  return failed === 0 ? text : `${text}, ${failed} failed`;
}

/** What is told of a fetch that ends before it begins. */
async function tellEnd(ui: JsonUi, error: unknown): Promise<void> {
  if (error instanceof Interrupted) {
    await ui.interrupted(error.signal, { bytesKept: 0, bytesTotal: null });
  }
  await ui.failed(error);
}
