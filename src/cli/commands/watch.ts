/** Shows an answer of the daemon again and again, until a signal ends the command. */

import { sleep, systemClock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { AnswerItems } from "../../client/types.ts";
import type { Arguments } from "../arguments/arguments.ts";
import { mayDrawBars } from "../fetch/fetch_ui.ts";
import { Interrupt } from "../terminal/interrupt.ts";
import { StatusLine } from "../terminal/status_line.ts";
import { jsonLine, printLine, terminalRows } from "../terminal/terminal.ts";
import { fitText } from "../terminal/text_format.ts";
import { connectTo } from "./ask.ts";

/**
 * Asks once a `limits.watchShownMs`: in place on a terminal, else, and with `--json`, an object a line.
 *
 * @throws {FetchFailure} when the daemon goes away; it never ends by itself otherwise.
 */
export async function watch<V extends "status">(
  args: Arguments,
  { verb, text }: { readonly verb: V; readonly text: (item: AnswerItems[V]) => string },
): Promise<never> {
  await using client = await connectTo(args);
  const isInPlace = !args.has("json") && Deno.stdout.isTerminal() && mayDrawBars();
  using place = isInPlace ? new StatusLine() : undefined;
  // Once the prompt is back, nothing is drawn any more.
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  for (;;) {
    for await (const item of client.ask(verb, {}, { signal })) {
      signal.throwIfAborted();
      if (place === undefined) await printLine(jsonLine(item));
      else place.show((columns) => screenOf(text(item), { columns, rows: terminalRows() }));
    }
    await sleep(systemClock, limits.watchShownMs, { signal });
  }
}

/** As much of a text as a terminal has room for: the beginning of each line, and the first lines. */
export function screenOf(
  text: string,
  { columns, rows }: { readonly columns: number; readonly rows: number },
): string {
  const lines = text.replace(/\n$/, "").split("\n");
  // The last column and row stay free: some terminals go on to the next by themselves.
  const room = Math.max(1, rows - 1);
  const shown = lines.length <= room ? lines : [
    ...lines.slice(0, room - 1),
    `and ${lines.length - room + 1} more lines, for which there is no room here`,
  ];
  return shown.map((line) => fitText(line, columns - 1)).join("\n");
}
