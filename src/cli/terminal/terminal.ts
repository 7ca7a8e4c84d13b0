/**
 * What is printed where. The rules:
 *
 * - stdout is data: what was asked for, and nothing else. A pipe gets it whole and unadorned.
 * - stderr is notes: progress, warnings, errors. `-q` leaves only errors.
 * - An error is one line `pacsrv: what failed, with the value and the bound`, then, if there is
 *   something to do about it, one line `hint: what to do`. No stack, unless PACSRV_DEBUG=1.
 * - Nothing is asked: no prompt, ever. What is dangerous is refused, with the flag that allows it.
 * - A bar is drawn only on a terminal; elsewhere a line now and then.
 * - What comes from others (names, paths, reasons) passes {@linkcode escapeText} before it is
 *   printed: nobody moves the cursor, sets a title or forges a line on this terminal.
 * - A reader that goes away (`| head`) ends the program quietly.
 */

const encoder = new TextEncoder();

// Controls, line separators, and the marks that turn the direction of text around.
const UNSAFE =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** `text` with every character that a terminal would obey written as `\xNN` or `\u{NNNN}`. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** One line of JSON, newline apart: valid everywhere, and harmless on a terminal. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Writes data to stdout, all of it. */
export async function writeOut(data: string | Uint8Array): Promise<void> {
  let rest = typeof data === "string" ? encoder.encode(data) : data;
  while (rest.length > 0) rest = rest.subarray(await Deno.stdout.write(rest));
}

/** Writes one line of data to stdout. */
export async function printLine(line: string): Promise<void> {
  await writeOut(`${line}\n`);
}

/** Writes text to stderr; when nobody can read it any more, that is no reason to fail. */
export function writeNote(text: string): void {
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

/** Columns of the terminal behind stderr; 80 where it does not say. */
export function terminalColumns(): number {
  try {
    const { columns } = Deno.consoleSize();
    return columns > 0 ? columns : 80;
  } catch {
    return 80;
  }
}
