/** The help texts, made from the table of commands; nothing is written twice. */

import { limits } from "../base/limits.ts";
import { allFlags, type CommandSpec, type FlagSpec } from "./arguments/arguments.ts";
import { COMMANDS, findCommand } from "./command_table.ts";
import { SIGNAL_EXIT } from "./terminal/interrupt.ts";
import { wrapWords } from "./terminal/text_format.ts";

/** Columns of the help: what fits any terminal. */
const COLUMNS = 80;

/** Exit codes and what they mean; COMMANDS.md and the man page repeat them. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, "done"],
  [1, "failed for any other reason"],
  [2, "wrong usage: an unknown command or flag, a value that cannot be read"],
  [3, "not found: it is not here, no node offered it, nothing matched the search"],
  [4, "the data failed its check, and no source was left; or verify found damage"],
  [5, "no daemon answers"],
  [6, "timed out"],
  [SIGNAL_EXIT.hungUp, "ended by SIGHUP, as when its terminal is closed"],
  [SIGNAL_EXIT.interrupted, "ended by SIGINT (Ctrl-C); fetch says what is kept of the file"],
  [SIGNAL_EXIT.pipeClosed, "the reader of its output went away, as with SIGPIPE: no failure"],
  [SIGNAL_EXIT.terminated, "ended by SIGTERM; the same"],
];

/** What a configuration file is. */
export const CONFIG_ABOUT =
  "pacsrv daemon --config FILE and pacsrv directory --config FILE read settings from a TOML file " +
  `of at most ${limits.configBytesMax / 1024} KiB. No file is read unless it is named. Flags on ` +
  "the command line override the file; for peer, directory, share and mirror they replace the " +
  "values of the file. Paths are relative to the directory of the file. An unknown key is an " +
  'error that suggests the nearest one. "pacsrv config check FILE" says all that is wrong with one.';

/** A configuration file of a daemon, with all its keys. */
export const EXAMPLE_CONFIG = `# Each key is a flag of "pacsrv daemon". All are optional.
data = "/var/lib/pacsrv"
node = "0.0.0.0:8048"
client = "127.0.0.1:8049"
peer = ["10.0.0.2:8048", "mirror.example.org"]
discover = "all"                      # nodes of this LAN
directory = ["10.0.0.1", "10.0.1.1:8047"]
share = ["/srv/files", "isos"]          # relative to this file's directory
network = "office"
network-key-file = "network.key"
ttl = 7
site = "main-building"
no-callback = false
min-connections = 3
max-connections = 30
accept-uploads = "20G"
keep = "100G"
min-free = "10%"
keep-versions = 3
relay-files = false
max-load = 32
upload-rate = "2M"                      # bytes a second, over the line
download-rate = "unlimited"
mirror-rate = "unlimited"
rate."10.0.0.0/8" = "unlimited"         # not the line
gateway = "127.0.0.1:8050"
mirror = ["https://mirror.example.org/$repo/os/$arch"]
gateway-name = "cache.lan"
sync-db = "/var/lib/pacman/sync"
pacman-conf = "/etc/pacman.conf"
gateway-wait = 0.5
stale-databases = "0"
prefetch = false
metrics = "127.0.0.1:8052"
metrics-name = ["node7.lan"]
mirror-delay = 0.025
log-level = "info"
log-format = "json"

[[schedule]]                            # a part of the week, and its rates
from = "11:30"
to = "13:30"
days = ["mon-fri"]
upload-rate = "100K"`;

/** The same of a directory. */
export const EXAMPLE_DIRECTORY_CONFIG = `# Each key is a flag of "pacsrv directory".
listen = "0.0.0.0:8047"
network = "office"
network-key-file = "network.key"
replicas = 3
refresh = 30
max-queries = 1000
max-clients = 20000
max-files = 2000000
metrics = "127.0.0.1:8052"
metrics-name = ["tracker.lan"]
log-level = "info"
log-format = "json"`;

/** The help for the words after `pacsrv help`. */
export async function helpFor(words: readonly string[]): Promise<string> {
  const [topic] = words;
  if (topic === undefined) return overview();
  if (topic === "exit-codes") return exitCodes();
  if (topic === "config") return config();
  return commandHelp(await findCommand(topic));
}

/** All commands, one line each. */
export function overview(): string {
  const rows = COMMANDS.map((command) => [command.name, command.summary] as const);
  return [
    ...wrap(
      "pacsrv: machines fetch files from each other instead of all pulling them over the same " +
        "thin line. A daemon on each machine shares files and finds them on other machines. Every " +
        "chunk is verified as it arrives.",
    ),
    "",
    "Usage: pacsrv [FLAGS] COMMAND [ARGUMENTS] [FLAGS]",
    "       pacsrv --version",
    "",
    "Commands:",
    ...columns(rows),
    "",
    "More:",
    ...columns([
      ["help COMMAND", "A command's arguments and flags, with examples"],
      ["help config", "The configuration files of a daemon and of a directory"],
      ["help exit-codes", "What the exit codes mean"],
    ]),
    "",
    "Try it, in two terminals:",
    "  pacsrv daemon --share ~/Downloads",
    "  pacsrv search '*'",
    "",
    ...exitCodes().split("\n"),
  ].join("\n");
}

/** What follows the name of a command in its usage line: ` NAME [FLAGS]`. */
export function usageOf({ positional }: CommandSpec): string {
  if (positional === undefined) return " [FLAGS]";
  return positional.min === 0 ? ` [${positional.name}] [FLAGS]` : ` ${positional.name} [FLAGS]`;
}

/** Usage, text, flags and examples of one command. */
export function commandHelp(command: CommandSpec): string {
  return [
    `Usage: pacsrv ${command.name}${usageOf(command)}`,
    "",
    ...wrap(`${command.summary}.`),
    ...command.about.flatMap((paragraph) => ["", ...wrap(paragraph)]),
    "",
    "Flags:",
    ...allFlags(command).flatMap(flagHelp),
    "",
    command.examples.length > 1 ? "Examples:" : "Example:",
    ...command.examples.flatMap(({ line, note }) => [`  # ${note}`, `  ${line}`]),
  ].join("\n");
}

function flagHelp(flag: FlagSpec): string[] {
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  const value = flag.value === undefined ? "" : ` ${flag.value}`;
  const fallback = flag.default ?? flag.defaultText;
  const text = fallback === undefined ? flag.help : `${flag.help} Default: ${fallback}.`;
  return [`  ${short}--${flag.name}${value}`, ...wrap(text, 8)];
}

function exitCodes(): string {
  const rows = EXIT_CODES.map(([code, meaning]) => [String(code), meaning] as const);
  return ["Exit codes:", ...columns(rows)].join("\n");
}

function config(): string {
  return [
    ...wrap(CONFIG_ABOUT),
    "",
    "Daemon:",
    "",
    ...EXAMPLE_CONFIG.split("\n").map((line) => `  ${line}`),
    "",
    "Directory:",
    "",
    ...EXAMPLE_DIRECTORY_CONFIG.split("\n").map((line) => `  ${line}`),
  ].join("\n");
}

/** Two columns, the second wrapped beside the first. */
function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.flatMap(([left, right]) =>
    wrap(right, width + 2).map((line, i) =>
      i === 0 ? `  ${left.padEnd(width)}${line.trimStart()}` : line
    )
  );
}

/** `text` in lines that fit, each after `indent` spaces. */
function wrap(text: string, indent = 0): string[] {
  return wrapWords(text.split(" "), COLUMNS - indent).map((line) => " ".repeat(indent) + line);
}
