// A command measured from outside: its whole wall-clock time, CPU time and peak memory, by wait4.

import { PYTHON } from "./tools.ts";
import { runProcess } from "./processes.ts";

/** What one run of a command took. */
export interface Measured {
  /** When it was started, in milliseconds since 1970. */
  readonly startEpochMs: number;
  readonly exit: number;
  readonly wallS: number;
  /** User and system time together. */
  readonly cpuS: number;
  /** The most memory that was resident. */
  readonly peakBytes: number;
  /** The lines of its stdout, each with its time since the start in seconds. */
  readonly lines: readonly (readonly [atS: number, text: string])[];
}

const SCRIPT = decodeURIComponent(new URL("measure.py", import.meta.url).pathname);

/**
 * Runs a command and measures it.
 *
 * @throws {Error} when it fails or takes longer than `limitMs`, which kills it.
 */
export async function measure(
  command: readonly string[],
  options: { readonly limitMs: number },
): Promise<Measured> {
  const text = await runProcess(PYTHON, [SCRIPT, `${options.limitMs / 1000}`, ...command], {
    limitMs: options.limitMs + 10_000,
  });
  const measured: Measured = JSON.parse(text);
  if (measured.exit !== 0) {
    const said = measured.lines.slice(-3).map(([, line]) => line).join("\n");
    throw new Error(
      `${command.join(" ")}\nended with code ${measured.exit} after ${measured.wallS} s: ${said}`,
    );
  }
  return measured;
}
