// The page src/cli/COMMANDS.md: every command with its flags, the keys of the configuration files and
// the exit codes, from the same table as the help. It makes the text; a test writes and holds it.

import {
  allFlags,
  type CommandSpec,
  configKeys,
  type FlagSpec,
  HELP_FLAG,
  numberKind,
} from "../../src/cli/arguments/arguments.ts";
import { COMMANDS } from "../../src/cli/command_table.ts";
import {
  CONFIG_ABOUT,
  EXAMPLE_CONFIG,
  EXAMPLE_DIRECTORY_CONFIG,
  EXIT_CODES,
  usageOf,
} from "../../src/cli/help.ts";
import { wrapWords } from "../../src/cli/terminal/text_format.ts";

/** As wide as the code. */
const COLUMNS = 100;

/** What a line must not begin with: Markdown would make a list or a heading of it. */
const STARTS_BLOCK = /^([-+*#>]|\d+[.)])/;

const HEAD = [
  "# Commands",
  "",
  "<!-- Made from command_table.ts: UPDATE_PAGES=1 deno task test tests/cli/commands_page_test.ts -->",
  "",
  ...prose(
    "`pacsrv help COMMAND` and `man pacsrv-COMMAND` show the same text as this page. Data goes to " +
      "stdout; progress, notes and errors go to stderr. Every command except `daemon`, " +
      "`directory`, `fetch` and `completions` asks the daemon of this machine; `--client` names " +
      "another address of it. `share`, `unshare`, `verify` and `push` need read access to the " +
      "daemon's data directory. Every command takes `-h` and `--help`. The flags of a command may " +
      "stand before its name, too: `pacsrv --json status`. [JSON.md](JSON.md) has all that `--json` " +
      "prints.",
  ),
];

const HELP_SECTION = [
  "## pacsrv help and pacsrv --version",
  "",
  ...prose(
    "`pacsrv help` lists the commands, `pacsrv help COMMAND` explains one, `pacsrv help config` " +
      "shows configuration files, and `pacsrv help exit-codes` lists the exit codes. " +
      "`pacsrv --version` prints one line.",
  ),
];

/** The whole page, as `deno fmt` would have it. */
export function commandsPage(): string {
  const summaries = COMMANDS.map(({ name, summary }) => [
    `[\`${name}\`](#pacsrv-${name})`,
    summary,
  ]);
  const blocks = [
    HEAD,
    markdownTable([["Command", "What it does"], ...summaries]),
    ...COMMANDS.map(commandSection),
    HELP_SECTION,
    configSection(),
    exitSection(),
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/** A table as Markdown has it, its columns aligned. */
export function markdownTable([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  const escaped = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, i) => Math.max(3, ...escaped.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  const [top = [], ...others] = escaped;
  return [line(top), line(widths.map((width) => "-".repeat(width))), ...others.map(line)];
}

function commandSection(command: CommandSpec): string[] {
  const flags = allFlags(command).filter((flag) => flag !== HELP_FLAG);
  return [
    `## pacsrv ${command.name}`,
    "",
    ...prose(`${command.summary}.`),
    "",
    `Usage: \`pacsrv ${command.name}${usageOf(command)}\``,
    ...command.about.flatMap((paragraph) => ["", ...prose(marked(paragraph))]),
    "",
    ...flags.flatMap(flagItem),
    ...(flags.length > 0 ? [""] : []),
    "```sh",
    ...command.examples.flatMap(({ line, note }) => [`# ${note}`, line]),
    "```",
  ];
}

function flagItem(flag: FlagSpec): string[] {
  const long = `--${flag.name}${flag.value === undefined ? "" : ` ${flag.value}`}`;
  const names = flag.short === undefined ? `\`${long}\`` : `\`-${flag.short}\`, \`${long}\``;
  const fallback = flag.default === undefined ? flag.defaultText : `\`${flag.default}\``;
  const help = marked(flag.help) + (fallback === undefined ? "" : ` Default: ${fallback}.`);
  return prose(`${names}: ${help}`, 2).map((line, i) => i === 0 ? `- ${line.trimStart()}` : line);
}

function configSection(): string[] {
  return [
    "## Configuration file",
    "",
    ...prose(marked(CONFIG_ABOUT)),
    "",
    "For a daemon, with all keys:",
    "",
    ...["```toml", ...EXAMPLE_CONFIG.split("\n"), "```"],
    "",
    ...keyTable("daemon"),
    "",
    "For a directory, with all keys:",
    "",
    ...["```toml", ...EXAMPLE_DIRECTORY_CONFIG.split("\n"), "```"],
    "",
    ...keyTable("directory"),
    "",
    ...prose(
      "Each key is described with the flag of its name: [daemon](#pacsrv-daemon), " +
        "[directory](#pacsrv-directory).",
    ),
  ];
}

function keyTable(name: string): string[] {
  const command = COMMANDS.find((command) => command.name === name)!;
  const rows = configKeys(command).map((flag) => [
    `\`${flag.name}\``,
    typeName(flag),
    flag.value === undefined
      ? "`false`"
      : flag.default === undefined
      ? flag.defaultText ?? ""
      : `\`${flag.default}\``,
  ]);
  return markdownTable([["Key", "Value", "Default"], ...rows]);
}

function typeName(flag: FlagSpec): string {
  if (numberKind(flag) !== undefined) return "number";
  if (flag.value === undefined) return "true or false";
  if (flag.inFile !== undefined) return flag.inFile === "table" ? "table" : "list of tables";
  return flag.repeatable ? "text, or list of texts" : "text";
}

function exitSection(): string[] {
  const rows = EXIT_CODES.map(([code, meaning]) => [String(code), meaning]);
  return ["## Exit codes", "", ...markdownTable([["Code", "Meaning"], ...rows])];
}

/** Plain text of the table as Markdown: what is quoted, flags and lone signs become code. */
function marked(text: string): string {
  const code = /"([^"]+)"|(?<![\w-])--?[a-z][a-z0-9-]*|(?<!\S)[-*?](?=\s)|\$\w+/g;
  return text.replace(code, (found, quoted) => `\`${quoted ?? found}\``);
}

/** A paragraph in lines, each after `indent` spaces. */
function prose(text: string, indent = 0): string[] {
  // What is between backticks stays on one line.
  const words = text.match(/(?:`[^`]*`|\S)+/g) ?? [];
  return wrapWords(words, COLUMNS - indent, (word) => !STARTS_BLOCK.test(word))
    .map((line) => " ".repeat(indent) + line);
}
