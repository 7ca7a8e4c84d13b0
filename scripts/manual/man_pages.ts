// The man pages, in mdoc: one of pacsrv and one of each command, from the same table as the help. It
// makes the texts; scripts/man.ts writes them.

import { allFlags, type CommandSpec, type FlagSpec } from "../../src/cli/arguments/arguments.ts";
import { COMMANDS } from "../../src/cli/command_table.ts";
import {
  CONFIG_ABOUT,
  EXAMPLE_CONFIG,
  EXAMPLE_DIRECTORY_CONFIG,
  EXIT_CODES,
} from "../../src/cli/help.ts";
import { wrapWords } from "../../src/cli/terminal/text_format.ts";

/** A longer line of text is bad style in the source of a man page. */
const COLUMNS = 78;

const MONTHS =
  "January February March April May June July August September October November December"
    .split(" ");

/** What stands in the foot of each page. */
export interface ManOptions {
  readonly version: string;
  readonly date: Date;
}

/** The text of each page by the name of its file. */
export function manPages(options: ManOptions): Map<string, string> {
  const pages = new Map([["pacsrv.1", overviewPage(options)]]);
  for (const command of COMMANDS) {
    pages.set(`pacsrv-${command.name}.1`, commandPage(command, options));
  }
  return pages;
}

function overviewPage(options: ManOptions): string {
  return page([
    ...head("pacsrv", options),
    ".Sh NAME",
    ".Nm pacsrv",
    ".Nd fetch files from other machines of a network",
    ".Sh SYNOPSIS",
    ".Nm",
    ".Op Ar flag ...",
    ".Ar command",
    ".Op Ar argument ...",
    ".Op Ar flag ...",
    ".Nm",
    ".Cm help",
    ".Op Ar command | Cm config | Cm exit-codes",
    ".Nm",
    ".Fl -version",
    ".Sh DESCRIPTION",
    ...text(
      "Machines fetch files from each other instead of all pulling them over the same thin line. " +
        "A daemon on each machine shares files and finds them on other machines. Every chunk is " +
        "verified as it arrives.",
    ),
    ".Pp",
    "The commands are:",
    ".Bl -tag -width completions",
    ...COMMANDS.flatMap(({ name, summary }) => [`.It Xr pacsrv-${name} 1`, ...text(`${summary}.`)]),
    ".El",
    ".Pp",
    ...text(
      "Data goes to stdout; progress, notes and errors go to stderr. Every command except daemon, " +
        "directory, fetch and completions asks the daemon of this machine. share, unshare, verify " +
        "and push need read access to the daemon's data directory. The flags of a command may stand " +
        "before its name, too.",
    ),
    ".Sh CONFIGURATION FILE",
    ...text(CONFIG_ABOUT),
    ".Pp",
    "For a daemon, with all keys:",
    ...literal(EXAMPLE_CONFIG),
    ".Pp",
    "For a directory, with all keys:",
    ...literal(EXAMPLE_DIRECTORY_CONFIG),
    ".Sh ENVIRONMENT",
    ".Bl -tag -width Ds",
    ".It Ev PACSRV_DEBUG",
    ...text("With the value 1, errors are printed with their stack."),
    ".It Ev XDG_DATA_HOME",
    ...text("Where the data directory of a user other than root is."),
    ".It Ev http_proxy , https_proxy , no_proxy",
    ...text("Proxies for a fetch directly from a URL."),
    ".El",
    ...exitStatus(),
    ".Sh SEE ALSO",
    ...COMMANDS.map(({ name }) => name).sort().map((name, i, names) =>
      `.Xr pacsrv-${name} 1${i < names.length - 1 ? " ," : ""}`
    ),
  ]);
}

function commandPage(command: CommandSpec, options: ManOptions): string {
  const { name, positional } = command;
  return page([
    ...head(`pacsrv-${name}`, options),
    ".Sh NAME",
    `.Nm pacsrv-${name}`,
    `.Nd ${escape(command.summary.replace(/^./, (letter) => letter.toLowerCase()))}`,
    ".Sh SYNOPSIS",
    ".Nm pacsrv",
    `.Cm ${name}`,
    ...(positional === undefined
      ? []
      : [`.${positional.min === 0 ? "Op Ar" : "Ar"} ${escape(positional.name)}`]),
    ".Op Ar flag ...",
    ".Sh DESCRIPTION",
    ...command.about.flatMap((paragraph, i) => [...(i > 0 ? [".Pp"] : []), ...text(paragraph)]),
    ".Pp",
    "The flags are:",
    ".Bl -tag -width Ds",
    ...allFlags(command).flatMap(flagItem),
    ".El",
    ...exitStatus(),
    ".Sh EXAMPLES",
    ...literal(command.examples.map(({ line, note }) => `# ${note}\n${line}`).join("\n")),
    ".Sh SEE ALSO",
    ".Xr pacsrv 1",
  ]);
}

function flagItem(flag: FlagSpec): string[] {
  const value = flag.value === undefined ? "" : ` Ar ${escape(flag.value)}`;
  const short = flag.short === undefined ? "" : `Fl ${flag.short} , `;
  const fallback = flag.default ?? flag.defaultText;
  return [
    `.It ${short}Fl -${flag.name}${value}`,
    ...text(fallback === undefined ? flag.help : `${flag.help} Default: ${fallback}.`),
  ];
}

function head(name: string, { version, date }: ManOptions): string[] {
  const month = MONTHS[date.getUTCMonth()];
  return [
    `.\\" Made by deno task man from src/cli/command_table.ts.`,
    `.Dd ${month} ${date.getUTCDate()}, ${date.getUTCFullYear()}`,
    `.Dt ${name.toUpperCase()} 1`,
    `.Os pacsrv ${version}`,
  ];
}

function exitStatus(): string[] {
  return [
    ".Sh EXIT STATUS",
    ".Bl -tag -width Ds",
    ...EXIT_CODES.flatMap(([code, meaning]) => [`.It ${code}`, ...text(`${meaning}.`)]),
    ".El",
  ];
}

/** What is printed as it is. */
function literal(block: string): string[] {
  return [".Bd -literal -offset indent", ...block.split("\n").map(escape), ".Ed"];
}

/** A paragraph: a line for each sentence, or more. */
function text(paragraph: string): string[] {
  return paragraph.split(/(?<=[.?!]) /).flatMap(wrap).map((line) =>
    // Bold, and never hyphenated.
    escape(line).replace(/(?<![\w-])(\\-){1,2}[a-z][a-z0-9]*(\\-[a-z0-9]+)*/g, "\\fB\\%$&\\fR")
  );
}

function wrap(sentence: string): string[] {
  // What formatting adds is not counted here; a flag makes it longer by up to twelve characters.
  return wrapWords(sentence.split(" "), COLUMNS - 14);
}

/** Text that roff takes as it is. */
function escape(line: string): string {
  return line.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^[.']/, "\\&$&");
}

function page(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}
