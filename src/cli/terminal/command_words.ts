/**
 * Command lines that a person may copy into a shell. Names, paths and patterns come from others, so
 * each word is quoted here and nowhere else: no shell may find a command, a variable or a flag in
 * it, and what is shown is what is run.
 */

import { escapeText } from "./terminal.ts";

/** A flag with its value; with true, a switch. */
export type FlagWord = readonly [name: string, value: string | true];

/** What a shell takes as it is. */
const PLAIN = /^[\w.,:@%+=/-]+$/;

/** Whether a terminal shows a text as it is, so that it can be copied from there. */
export function isShownAsIs(text: string): boolean {
  return escapeText(text) === text;
}

/**
 * A text as one word of a POSIX shell. What a terminal does not show as it is becomes a `printf`
 * that gives the very bytes.
 */
export function shellWord(text: string): string {
  if (PLAIN.test(text)) return text;
  if (isShownAsIs(text)) return `'${text.replaceAll("'", `'\\''`)}'`;
  const shown = [...text].map((character) =>
    character !== "\\" && character !== "'" && isShownAsIs(character)
      ? character
      : octalOf(character)
  );
  return `"$(printf %b '${shown.join("")}')"`;
}

/** The bytes of a character as `printf %b` reads them. */
function octalOf(character: string): string {
  return [...new TextEncoder().encode(character)]
    .map((byte) => `\\0${byte.toString(8).padStart(3, "0")}`)
    .join("");
}

/** A path as one word that no program takes for a flag. */
export function pathWord(path: string): string {
  return shellWord(path.startsWith("-") ? `./${path}` : path);
}

/** A command line of pacsrv: the flags first, then the arguments, of which none reads as a flag. */
export function commandLine(
  verb: string,
  flags: readonly FlagWord[],
  ...positionals: readonly string[]
): string {
  const isDashed = positionals.some((word) => word.startsWith("-"));
  return [
    "pacsrv",
    verb,
    ...flags.flatMap(flagWords),
    ...(isDashed ? ["--"] : []),
    ...positionals.map(shellWord),
  ].join(" ");
}

function flagWords([name, value]: FlagWord): readonly string[] {
  if (value === true) return [`--${name}`];
  // A value that begins with a dash looks like a flag in a word of its own.
  if (value.startsWith("-") && value !== "-") return [shellWord(`--${name}=${value}`)];
  return [name === "output" ? "-o" : `--${name}`, shellWord(value)];
}

/** The flag that names the daemon which a person gave as HOST:PORT, if any. */
export function clientFlags(client: string | undefined): readonly FlagWord[] {
  return client === undefined ? [] : [["client", client]];
}

/** What stands for a file in a command: its name, or its root where the name cannot be copied. */
export function fileWord(name: string, root: string | null): string {
  return root === null || isShownAsIs(name) ? name : root;
}

/** Names of arguments in place of values, as `PATTERN` or `HOST:PORT`, and switches. */
const NAMED_COMMAND =
  /`pacsrv (list|search|info|where|status|peers|files|push|share|unshare|verify|explain)((?: (?:--[a-z]+|[A-Z:|]+|'\*'))*)`/g;

/**
 * A text with commands in it that no name stands in: they ask the same daemon as the command that
 * a person gave.
 *
 * @param client HOST:PORT as it was given; undefined for the one that is asked anyway.
 */
export function withClient(text: string, client: string | undefined): string {
  if (client === undefined) return text;
  const flag = `--client ${shellWord(client)}`;
  return text.replace(NAMED_COMMAND, (_, verb, rest) => `\`pacsrv ${verb} ${flag}${rest}\``);
}
