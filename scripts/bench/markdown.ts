// Writes what was measured as Markdown: between two marks of a file that has them, else as a file.

import { markdownTable, type Table } from "./report.ts";

const BEGIN = "<!-- results -->";
const END = "<!-- end of results -->";

/** All that a run found. */
export interface Results {
  readonly machine: readonly string[];
  readonly tables: readonly Table[];
  /** The verdict. */
  readonly lines: readonly string[];
}

/** Writes `results` to `path`. */
export async function writeMarkdown(path: string, results: Results): Promise<void> {
  const text = markdownOf(results);
  const before = await readOrNothing(path);
  const begin = before.indexOf(BEGIN), end = before.indexOf(END);
  const whole = begin < 0 || end < begin
    ? text
    : `${before.slice(0, begin + BEGIN.length)}\n\n${text}\n${before.slice(end)}`;
  await Deno.writeTextFile(path, whole);
}

function markdownOf({ machine, tables, lines }: Results): string {
  const bullets = (items: readonly string[]) => items.map((item) => `- ${item}`).join("\n");
  return `${bullets(machine)}\n\n${tables.map(markdownTable).join("\n")}\n${bullets(lines)}\n`;
}

async function readOrNothing(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
