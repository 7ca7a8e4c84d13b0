/**
 * Golden transcripts: what a simulated network did, line by line, compared with the file that was
 * reviewed. `UPDATE_TRANSCRIPTS=1 deno task test tests/sim` writes them anew.
 */

import { assertEquals } from "@std/assert";
import type { SimNetwork } from "./network.ts";

const FOLDER = new URL("./transcripts/", import.meta.url);

/** Holds a network's transcript against `transcripts/<name>.txt`. */
export function assertTranscript(
  name: string,
  network: { readonly seed: number; readonly lines: readonly string[] },
): void {
  const actual = `${network.lines.join("\n")}\n`;
  const file = new URL(`${name}.txt`, FOLDER);
  if (Deno.env.get("UPDATE_TRANSCRIPTS") === "1") {
    Deno.writeTextFileSync(file, actual);
    return;
  }
  // A checkout on Windows may have changed the line ends.
  const expected = Deno.readTextFileSync(file).replaceAll("\r\n", "\n");
  assertEquals(actual, expected, `${name}.txt differs (seed ${network.seed})`);
}

/** The counters of all nodes together, as lines of a transcript. */
export function sumCounters(network: SimNetwork): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const node of network.nodes) {
    const counters = node.overlay.counters;
    if (counters === undefined) continue;
    for (const [name, count] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + count;
  }
  return sum;
}
