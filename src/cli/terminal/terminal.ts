/**
 * What is printed where. The rules:
 *
 * - stdout is data: what was asked for, and nothing else. A pipe gets it whole and unadorned.
 * - stderr is notes: progress, warnings, errors. `-q` leaves only errors.
 * - An error is one line `pacsrv: what failed, with the value and the bound`, then, if there is
 *   something to do about it, one line `hint: what to do`. No stack, unless PACSRV_DEBUG=1.
 * - Nothing is asked: no prompt, ever. What is dangerous is refused, with the flag that allows it.
 * - A bar is drawn only on a terminal, and gives way to every line; elsewhere a line now and then.
 * - What comes from others (names, paths, reasons) passes {@linkcode escapeText} before it is
 *   printed: nobody moves the cursor, sets a title or forges a line on this terminal.
 * - A reader that goes away (`| head`) ends the program quietly, with the exit code of SIGPIPE.
 */

const encoder = new TextEncoder();

// Controls, line separators, and what is not seen: format characters, which hide or turn the
// direction of text around, and letters that are blank.
const UNSAFE = /[\p{Cc}\p{Cf}\u034f\u115f\u1160\u2028\u2029\u3164\uffa0]/gu;

/** `text` with every character that a terminal would obey or hide as `\xNN` or `\u{NNNN}`. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** One line of JSON, newline apart: valid everywhere, and harmless on a terminal. */
export function jsonLine(value: unknown): string {
  // A character beyond 16 bits is two escapes in JSON.
  return JSON.stringify(value).replace(
    UNSAFE,
    (character) =>
      character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
        .join(""),
  );
}

/** What is written to stdout just now, and before it. */
let writing: Promise<void> = Promise.resolve();

/** Writes data to stdout, all of it, and after all that was to be written before. */
export async function writeOut(data: string | Uint8Array): Promise<void> {
  const written = writing.then(() => writeAll(data));
  writing = written.catch(() => {});
  await written;
}

async function writeAll(data: string | Uint8Array): Promise<void> {
  clearStatus();
  let rest = typeof data === "string" ? encoder.encode(data) : data;
  try {
    while (rest.length > 0) rest = rest.subarray(await Deno.stdout.write(rest));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    const { systemError } = await import("./system_error.ts");
    throw systemError(error, "write to standard output");
  }
}

/** Writes one line of data to stdout. */
export async function printLine(line: string): Promise<void> {
  await writeOut(`${line}\n`);
}

/** What clears a terminal from the beginning of the cursor's line on. */
const CLEAR = "\r\x1b[J";

/** Whether the last line of the terminal is one that gives way to what comes. */
let hasStatus = false;

/** Writes text to stderr; when nobody can read it any more, that is no reason to fail. */
export function writeNote(text: string): void {
  writeErr(hasStatus ? CLEAR + text : text);
  hasStatus = false;
}

/**
 * Draws the last line of the terminal, or the last few, in place of what was drawn before; the cursor
 * rests at its beginning.
 */
export function drawStatus(text: string): void {
  const lines = text.split("\n");
  const up = "\x1b[A".repeat(lines.length - 1);
  writeErr(`\r${lines.join("\x1b[K\n")}\x1b[J\r${up}`);
  hasStatus = true;
}

/** Takes that line away. */
export function clearStatus(): void {
  if (hasStatus) writeErr(CLEAR);
  hasStatus = false;
}

function writeErr(text: string): void {
  let rest = encoder.encode(text);
  try {
    while (rest.length > 0) rest = rest.subarray(Deno.stderr.writeSync(rest));
  } catch {
    // stderr is closed: there is no place left to say so.
  }
}

/** Writes one note to stderr; the text is escaped here. */
export function note(text: string): void {
  writeNote(`${escapeText(text)}\n`);
}

/** Writes one warning to stderr. */
export function warn(text: string): void {
  note(`pacsrv: warning: ${text}`);
}

/** Columns of the terminal behind stdout; null when there is none: a pipe gets all of it. */
export function outputColumns(): number | null {
  return Deno.stdout.isTerminal() ? terminalColumns() : null;
}

/** Rows of the terminal behind stderr; 24 where it does not say. */
export function terminalRows(): number {
  return consoleSizeOf("rows") ?? 24;
}

/** Columns of the terminal behind stderr; 80 where it does not say. */
export function terminalColumns(): number {
  return consoleSizeOf("columns") ?? 80;
}

function consoleSizeOf(side: "rows" | "columns"): number | undefined {
  try {
    return Deno.consoleSize()[side] || undefined;
  } catch {
    return undefined;
  }
}
