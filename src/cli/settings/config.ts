/**
 * The daemon's configuration file: TOML, a key for each flag of the command. It is
 * checked here for keys and types; what the values mean is checked with the flags.
 */

import { dirname, resolve } from "node:path";
import { messageOf, UsageError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import {
  type CommandSpec,
  configKeys,
  type FileValues,
  type FlagSpec,
  numberKind,
} from "../arguments/arguments.ts";
import { about } from "../arguments/setting_faults.ts";
import { suggestion } from "../arguments/suggest.ts";
import { readBounded } from "./bounded_file.ts";

/** What a file says: what can be used of it, and all that is wrong with it. */
interface ConfigReading {
  readonly file: FileValues;
  readonly problems: readonly UsageError[];
}

/**
 * The values that a file sets for the flags of `command`.
 *
 * @throws {UsageError} when it is too big, not TOML, or has an unknown key or a wrong type; the
 * message names the file and, where it is known, the line.
 * @throws {EnvironmentError} when it cannot be read.
 */
export async function readConfig(path: string, command: CommandSpec): Promise<FileValues> {
  return rightOf(await readKeys(await readConfigText(path), { path, command }));
}

/**
 * The text of a file.
 *
 * @throws {UsageError} when it is too big or no text.
 * @throws {EnvironmentError} when it cannot be read.
 */
export async function readConfigText(path: string): Promise<string> {
  const what = "configuration file";
  const bytes = await readBounded(path, { what, bytesMax: limits.configBytesMax });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UsageError(`Cannot read ${what} ${path}: it is not UTF-8 text`, { cause });
  }
}

/** The values alone, of text that was read from `path`. */
export async function parseConfig(
  text: string,
  options: { readonly path: string; readonly command: CommandSpec },
): Promise<FileValues["values"]> {
  return rightOf(await readKeys(text, options)).values;
}

function rightOf({ file, problems }: ConfigReading): FileValues {
  if (problems[0] !== undefined) throw problems[0];
  return file;
}

/**
 * The keys and types of text that was read from `path`; what the values mean is not looked at.
 *
 * @throws {UsageError} when it is not TOML: then no more can be said.
 */
export async function readKeys(
  text: string,
  options: { readonly path: string; readonly command: CommandSpec },
): Promise<ConfigReading> {
  const { path, command } = options;
  const table = await parseToml(text, path);
  const flags = configKeys(command);
  const values = new Map<string, readonly string[]>();
  const lines = new Map<string, number>();
  const valueLines = new Map<string, ReadonlyMap<string, number>>();
  const problems: UsageError[] = [];
  for (const [key, value] of Object.entries(table)) {
    const line = lineOf(text, key);
    const where = place(path, line);
    if (line !== undefined) lines.set(key, line);
    const flag = flags.find((flag) => flag.name === key);
    if (flag === undefined) {
      const isListed = problems.some(({ hint }) => hint?.startsWith(KEYS_ARE));
      problems.push(about({ key, line }, await unknownKey(key, where, { flags, isListed })));
      continue;
    }
    try {
      if (flag.inFile === undefined) values.set(key, valuesOf(flag, value, { path, where }));
      else {
        const tables = tablesOf(flag, value, { text, path });
        values.set(key, [...tables.keys()]);
        const known = [...tables].filter((entry): entry is [string, number] =>
          entry[1] !== undefined
        );
        valueLines.set(key, new Map(known));
      }
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      problems.push(about({ key, line }, error));
    }
  }
  return { file: { path, values, lines, valueLines }, problems };
}

/** The values of a flag that the file has as tables, as a command line has them, with their lines. */
function tablesOf(
  flag: FlagSpec,
  value: unknown,
  { text, path }: { readonly text: string; readonly path: string },
): ReadonlyMap<string, number | undefined> {
  const { name } = flag;
  const lines = text.split("\n");
  const isTable = (item: unknown): item is Record<string, unknown> =>
    typeof item === "object" && item !== null && !Array.isArray(item) && !(item instanceof Date);
  const wrong = (line: number | undefined, reason: string, options = {}) =>
    about(
      { line },
      new UsageError(`Cannot use ${name} in ${place(path, line)}: ${reason}`, options),
    );
  const textOf = (key: string, item: unknown, line: number | undefined): string => {
    const items = Array.isArray(item) && flag.inFile === "tables" ? item : [item];
    const odd = items.find((one) => typeof one !== "string" || one === "");
    if (odd !== undefined || items.length === 0) {
      const example = flag.inFile === "table" ? EXAMPLES["RATE"]! : entryExample(key);
      const left = key === "days" ? ", or leave it out for each day" : "";
      throw wrong(line, `${key}: ${shown(odd ?? items)} is not a text in quotes`, {
        hint: example &&
          `Write ${/^[\w-]+$/.test(key) ? key : JSON.stringify(key)} = ${example}${left}`,
      });
    }
    return items.join(",");
  };
  const found = new Map<string, number | undefined>();
  if (flag.inFile === "table") {
    if (!isTable(value)) throw wrong(lineOf(text, name), `${typeName(value)} is not a table`);
    for (const [key, item] of Object.entries(value)) {
      const line = lineOfEntry(lines, name, key) ?? lineOf(text, name);
      found.set(`${key}=${textOf(key, item, line)}`, line);
    }
    return found;
  }
  const heads = lines.flatMap((line, i) => isHead(line, name) ? [i + 1] : []);
  if (!Array.isArray(value)) {
    throw wrong(
      lineOf(text, name),
      `${typeName(value)} is not a list of tables: write [[${name}]]`,
    );
  }
  for (const [i, table] of value.entries()) {
    const line = heads.length === value.length ? heads[i] : lineOf(text, name);
    if (!isTable(table)) throw wrong(line, `${typeName(table)} is not a table: write [[${name}]]`);
    const words = Object.entries(table).map(([key, item]) => `${key}=${textOf(key, item, line)}`);
    const one = words.map((word) => word.replaceAll(/\s+/g, "")).join(" ");
    if (found.has(one)) throw wrong(line, "the same stands there before");
    found.set(one, line);
  }
  return found;
}

function isHead(line: string, name: string): boolean {
  return new RegExp(`^\\s*\\[\\[\\s*["']?${name}["']?\\s*\\]\\]`).test(line);
}

/** The line of a key of a table, be it written below `[NAME]` or as `NAME.KEY`. */
function lineOfEntry(lines: readonly string[], name: string, key: string): number | undefined {
  const quoted = key.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = new RegExp(`^\\s*(?:["']?${name}["']?\\s*\\.\\s*)?["']?${quoted}["']?\\s*=`);
  const index = lines.findIndex((line) => pattern.test(line));
  return index < 0 ? undefined : index + 1;
}

function valuesOf(
  flag: FlagSpec,
  value: unknown,
  { path, where }: { readonly path: string; readonly where: string },
): readonly string[] {
  const texts = textsOf(flag, value, where);
  const isPath = ["FILE", "DIR", "PATH"].includes(flag.value ?? "");
  return isPath ? texts.map((text) => resolve(dirname(path), text)) : texts;
}

async function parseToml(text: string, path: string): Promise<Record<string, unknown>> {
  const { parse, TomlError } = await import("smol-toml");
  try {
    return parse(text, { maxDepth: 8 });
  } catch (error) {
    // The library's message goes on with a picture of the line; its first line says it all.
    const reason = messageOf(error).split("\n")[0]!.replace(/^Invalid TOML document: /, "");
    const line = error instanceof TomlError ? error.line : undefined;
    throw about(
      { line },
      new UsageError(`Cannot read ${place(path, line)}: ${reason}`, {
        cause: error,
        hint: '"pacsrv help config" shows a file to start from.',
      }),
    );
  }
}

function textsOf(flag: FlagSpec, value: unknown, where: string): readonly string[] {
  const wrong = (expected: string, given = shown(value)) =>
    new UsageError(`Cannot use ${flag.name} in ${where}: ${given} is not ${expected}`, {
      hint: `Write ${flag.name} = ${exampleOf(flag)}`,
    });
  if (flag.value === undefined) {
    if (typeof value !== "boolean") throw wrong("true or false");
    return value ? ["true"] : [];
  }
  const isText = (item: unknown): item is string => typeof item === "string" && item !== "";
  switch (numberKind(flag)) {
    case "whole":
      if (!Number.isSafeInteger(value)) throw wrong("a whole number");
      return [String(value)];
    case "decimal":
      if (!Number.isFinite(value)) throw wrong("a number");
      return [String(value)];
  }
  if (!flag.repeatable) {
    if (!isText(value)) throw wrong("a text in quotes");
    return [value];
  }
  const items = isText(value) ? [value] : value;
  if (!Array.isArray(items)) throw wrong("a list of texts in quotes");
  const odd = items.findIndex((item) => !isText(item));
  if (odd >= 0) throw wrong("a text in quotes", `${shown(items[odd])} in its list`);
  return items;
}

const KEYS_ARE = "The keys are ";

/** @param options.isListed Whether all keys were told already: they are long to read. */
async function unknownKey(
  key: string,
  where: string,
  { flags, isListed }: { readonly flags: readonly FlagSpec[]; readonly isListed: boolean },
): Promise<UsageError> {
  const names = flags.map((flag) => flag.name);
  const nearest = await suggestion(key.toLowerCase().replaceAll("_", "-"), names);
  const all = isListed ? undefined : `${KEYS_ARE}${names.join(", ")}.`;
  return new UsageError(`Cannot use ${where}: there is no key ${JSON.stringify(key)}`, {
    hint: nearest === undefined ? all : `Did you mean ${nearest}?`,
  });
}

/** The line on which a key of the top level stands, as far as a look at the text can tell. */
function lineOf(text: string, key: string): number | undefined {
  const name = key.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = new RegExp(`^\\s*\\[*\\s*["']?${name}["']?\\s*[=.\\]]`);
  const index = text.split("\n").findIndex((line) => pattern.test(line));
  return index < 0 ? undefined : index + 1;
}

function place(path: string, line: number | undefined): string {
  return line === undefined ? path : `${path}, line ${line}`;
}

function typeName(value: unknown): string {
  if (value === "") return "an empty text";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  if (typeof value === "object") return "a table";
  return `a ${typeof value === "string" ? "text" : typeof value}`;
}

/** A value as the file has it where that is short, else what kind of thing it is. */
function shown(value: unknown): string {
  if (value === "") return 'an empty text ("")';
  if (Array.isArray(value) && value.length === 0) return "an empty list ([])";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  return ["number", "bigint", "boolean"].includes(typeof value) ? String(value) : typeName(value);
}

/** What a value may be, as the file has it, by what the help calls it. */
const EXAMPLES: Readonly<Record<string, string>> = {
  "BYTES": '"20G"',
  "BYTES|N%": '"10%"',
  "RATE": '"500K"',
  "NAME": '"office"',
};

/** The same for a key of a part of the schedule. */
function entryExample(key: string): string | undefined {
  if (key.endsWith("-rate")) return EXAMPLES["RATE"];
  return { from: '"11:30"', to: '"13:30"', days: '["mon-fri"]' }[key];
}

function exampleOf(flag: FlagSpec): string {
  if (flag.value === undefined) return "true";
  if (numberKind(flag) !== undefined) return flag.default ?? "1";
  const text = EXAMPLES[flag.value] ?? JSON.stringify(flag.default ?? flag.value);
  return flag.repeatable ? `[${text}]` : text;
}
