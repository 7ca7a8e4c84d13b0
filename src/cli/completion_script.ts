/**
 * The completion scripts of the shells, made from the table of commands. A script knows the whole
 * table and never runs pacsrv: a Tab costs nothing. What only a daemon could tell, such as the
 * names of files in the network, is not completed.
 */

import {
  allFlags,
  type CommandRun,
  type CommandSpec,
  type FlagSpec,
  HELP_TOPICS,
  SHELLS,
  VERSION_FLAG,
} from "./arguments/arguments.ts";
import { flagsOfAll } from "./arguments/command_line.ts";
import { choiceOf } from "./arguments/values.ts";
import { writeOut } from "./terminal/terminal.ts";

/** The command `pacsrv completions` for these commands: the table that has it is above this file. */
export function completionsOf(commands: readonly CommandSpec[]): CommandRun {
  return async (args) => {
    const shell = choiceOf(SHELLS)(args.positionals[0] ?? "", "shell");
    await writeOut(completionScript(shell, commands));
    return "done";
  };
}

/** What may stand for a value or an argument. */
type Completion =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" | "directories" | "nothing" };

/** The script for a shell, which completes these commands. */
export function completionScript(
  shell: typeof SHELLS[number],
  commands: readonly CommandSpec[],
): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](commands);
}

/** The words that may follow `pacsrv`, with a line about each. */
function firstWords(
  commands: readonly CommandSpec[],
): (readonly [word: string, about: string])[] {
  return [
    ...commands.map(({ name, summary }) => [name, summary] as const),
    ["help", "Show the help for a command or a topic"],
  ];
}

/** The flags that are offered before a command: what most commands have, and what needs none. */
function firstFlags(commands: readonly CommandSpec[]): FlagSpec[] {
  const having = (name: string) =>
    commands.filter((command) => allFlags(command).some((flag) => flag.name === name)).length;
  return [
    ...flagsOfAll(commands).filter(({ name }) => having(name) > commands.length / 2),
    VERSION_FLAG,
  ];
}

/** The spellings of all flags that are followed by a value: a command may come behind that. */
function valueSpellings(commands: readonly CommandSpec[]): string[] {
  return flagsOfAll(commands).filter(({ value }) => value !== undefined).flatMap(spellings);
}

/** The words that may follow `pacsrv help`. */
function helpWords(commands: readonly CommandSpec[]): string[] {
  // One of the topics is a command as well.
  return [...new Set([...commands.map(({ name }) => name), ...HELP_TOPICS])];
}

/** What completes a value of this name: the names are those of the help. */
export function completionOf(name: string | undefined): Completion {
  if (name === undefined) return { kind: "nothing" };
  if (/^[a-z]+(\|[a-z]+)+$/.test(name)) return { kind: "words", words: name.split("|") };
  if (/\b(FILE|PATH)\b/.test(name)) return { kind: "files" };
  return { kind: name === "DIR" ? "directories" : "nothing" };
}

/** The words that a completion offers, if it offers words. */
function wordsOf(completion: Completion): string {
  return completion.kind === "words" ? completion.words.join(" ") : "";
}

/** The first sentence of a help text. */
function briefly(text: string): string {
  return text.split(/[.;](?:\s|$)/)[0]!;
}

/** `-o` and `--output`. */
function spellings(flag: FlagSpec): string[] {
  return [...(flag.short === undefined ? [] : [`-${flag.short}`]), `--${flag.name}`];
}

/** A word in single quotes, for bash, zsh and fish alike. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function bashScript(commands: readonly CommandSpec[]): string {
  return `# Completion of pacsrv for bash, made by "pacsrv completions bash".

_pacsrv_offer() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen "$@")
}

_pacsrv_paths() {
  # bash 3 has no compopt, and then no slash is put behind a directory.
  compopt -o filenames 2>/dev/null
  _pacsrv_offer "$1" -- "$cur"
}

_pacsrv() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
  local flags="" operands=none command="" at=1
  # To bash, --flag=value is three words.
  if [[ $cur == "=" ]]; then
    cur=""
  elif [[ $prev == "=" ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  # Flags may stand before the command. HOST:PORT is three words as well.
  while ((at < COMP_CWORD)); do
    case "\${COMP_WORDS[at]}" in
      ${valueSpellings(commands).join(" | ")})
        [[ \${COMP_WORDS[at + 1]} == "=" ]] && ((at += 1))
        ((at += 2))
        while [[ \${COMP_WORDS[at]} == : ]]; do ((at += 2)); done
        ;;
      -*) ((at += 1)) ;;
      *) break ;;
    esac
  done
  ((at < COMP_CWORD)) && command=\${COMP_WORDS[at]}
  case "$command" in
${bashFirstCase(commands)}
    help)
      ((COMP_CWORD == at + 1)) && _pacsrv_offer -W "${helpWords(commands).join(" ")}" -- "$cur"
      return
      ;;
${commands.map(bashCase).join("\n")}
  esac
  if [[ $cur == -* ]]; then
    _pacsrv_offer -W "$flags" -- "$cur"
  elif [[ $operands == files ]]; then
    _pacsrv_paths -f
  elif [[ $operands != none ]]; then
    _pacsrv_offer -W "$operands" -- "$cur"
  fi
}

complete -F _pacsrv pacsrv
`;
}

/** What may stand where no command is named yet. */
function bashFirstCase(commands: readonly CommandSpec[]): string {
  return [
    '    "")',
    `      flags="${firstFlags(commands).flatMap(spellings).join(" ")}"`,
    `      operands="${firstWords(commands).map(([word]) => word).join(" ")}"`,
    ...bashValues(flagsOfAll(commands)),
    "      ;;",
  ].join("\n");
}

function bashCase(command: CommandSpec): string {
  const flags = allFlags(command);
  const operands = completionOf(command.positional?.name);
  return [
    `    ${command.name})`,
    `      flags="${flags.flatMap(spellings).join(" ")}"`,
    ...(operands.kind === "nothing" ? [] : [
      `      operands="${operands.kind === "words" ? operands.words.join(" ") : operands.kind}"`,
    ]),
    ...bashValues(flags),
    "      ;;",
  ].join("\n");
}

/** Completes the value of the flag before it; flags that are completed alike share a line. */
function bashValues(flags: readonly FlagSpec[]): string[] {
  const values = new Map<string, string[]>();
  for (const flag of flags.filter(({ value }) => value !== undefined)) {
    const action = bashAction(completionOf(flag.value));
    values.set(action, [...values.get(action) ?? [], ...spellings(flag)]);
  }
  return [
    `      case "$prev" in`,
    ...[...values].map(([action, names]) => `        ${names.join(" | ")}) ${action}return ;;`),
    "      esac",
  ];
}

function bashAction(completion: Completion): string {
  return {
    words: `_pacsrv_offer -W "${wordsOf(completion)}" -- "$cur"; `,
    files: "_pacsrv_paths -f; ",
    directories: "_pacsrv_paths -d; ",
    nothing: "",
  }[completion.kind];
}

function zshScript(commands: readonly CommandSpec[]): string {
  return `#compdef pacsrv
# Completion of pacsrv for zsh, made by "pacsrv completions zsh".

_pacsrv() {
  local curcontext="$curcontext" state state_descr line
  local -a first
  typeset -A opt_args
  _arguments -C -A '-*' \\
${zshFirstFlags(commands).map((spec) => `    ${spec} \\`).join("\n")}
    '1: :->first' '*:: :->rest'
  case $state in
    first)
      first=(
${
    firstWords(commands).map(([word, about]) => `        ${quoted(`${word}:${briefly(about)}`)}`)
      .join("\n")
  }
      )
      _describe -t commands 'pacsrv command' first
      ;;
    rest)
      case $words[1] in
        help)
          _arguments '1:topic:(${helpWords(commands).join(" ")})'
          ;;
${commands.map(zshCase).join("\n")}
      esac
      ;;
  esac
}

# Read from $fpath, this file is the function itself; sourced, it only defines it.
if [[ $funcstack[1] == _pacsrv ]]; then
  _pacsrv "$@"
else
  compdef _pacsrv pacsrv
fi
`;
}

function zshCase(command: CommandSpec): string {
  const { positional } = command;
  const specs = allFlags(command).map(zshFlag);
  if (positional !== undefined) {
    const action = zshAction(completionOf(positional.name));
    specs.push(positional.max === 1 ? `':argument:${action}'` : `'*:argument:${action}'`);
  }
  return [
    `        ${command.name})`,
    "          _arguments -s -S \\",
    specs.map((spec) => `            ${spec}`).join(" \\\n"),
    "          ;;",
  ].join("\n");
}

/** What is not offered before a command is known there all the same, by a "!". */
function zshFirstFlags(commands: readonly CommandSpec[]): string[] {
  const first = firstFlags(commands);
  const isFirst = (one: FlagSpec) => first.some(({ name }) => name === one.name);
  const hidden = flagsOfAll(commands).filter((flag) => !isFirst(flag)).flatMap((flag) =>
    spellings(flag).map((spelling) => {
      if (flag.value === undefined) return quoted(`!${spelling}`);
      const separator = spelling.startsWith("--") ? "=" : "+";
      return quoted(`!*${spelling}${separator}:value:${zshAction(completionOf(flag.value))}`);
    })
  );
  return [...first.map(zshFlag), ...hidden];
}

function zshFlag(flag: FlagSpec): string {
  const about = `[${briefly(flag.help).replace(/[[\]]/g, "\\$&")}]`;
  const hasValue = flag.value !== undefined;
  const value = hasValue
    ? `:${flag.value.replaceAll(":", "\\:")}:${zshAction(completionOf(flag.value))}`
    : "";
  const long = `--${flag.name}${hasValue ? "=" : ""}`;
  if (flag.short === undefined) {
    return quoted(`${flag.repeatable ? "*" : ""}${long}${about}${value}`);
  }
  const short = `-${flag.short}${hasValue ? "+" : ""}`;
  return `'(${spellings(flag).join(" ")})'{${short},${long}}${quoted(`${about}${value}`)}`;
}

function zshAction(completion: Completion): string {
  return {
    words: `(${wordsOf(completion)})`,
    files: "_files",
    directories: "_files -/",
    nothing: " ",
  }[completion.kind];
}

function fishScript(commands: readonly CommandSpec[]): string {
  const lines = firstWords(commands).map(([word, about]) =>
    fishLine("__pacsrv_is_first", [`-a '${word}'`, `-d ${quoted(briefly(about))}`])
  );
  lines.push(fishLine("__pacsrv_is help", [`-a '${helpWords(commands).join(" ")}'`]));
  lines.push(...firstFlags(commands).map((flag) => fishFlag("__pacsrv_is_first", flag)));
  for (const command of commands) lines.push(...fishCommand(command));
  return `# Completion of pacsrv for fish, made by "pacsrv completions fish".

# The command of the line: flags may stand before it.
function __pacsrv_command
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case ${valueSpellings(commands).join(" ")}
                set -e words[1]
            case '-*'
            case '*'
                printf '%s\\n' $words[1]
                return
        end
        set -e words[1]
    end
end

function __pacsrv_is_first
    set -l command (__pacsrv_command)
    test -z "$command"
end

function __pacsrv_is
    set -l command (__pacsrv_command)
    test "$command" = $argv[1]
end

complete -c pacsrv -f
${lines.join("\n")}
`;
}

function fishCommand(command: CommandSpec): string[] {
  const condition = `__pacsrv_is ${command.name}`;
  const lines = allFlags(command).map((flag) => fishFlag(condition, flag));
  const operands = completionOf(command.positional?.name);
  if (operands.kind === "words") lines.push(fishLine(condition, fishValue(operands).slice(1)));
  if (operands.kind === "files") lines.push(fishLine(condition, ["-F"]));
  return lines;
}

function fishFlag(condition: string, flag: FlagSpec): string {
  return fishLine(condition, [
    ...(flag.short === undefined ? [] : [`-s ${flag.short}`]),
    `-l ${flag.name}`,
    ...(flag.value === undefined ? [] : fishValue(completionOf(flag.value))),
    `-d ${quoted(briefly(flag.help))}`,
  ]);
}

function fishValue(completion: Completion): string[] {
  return {
    words: ["-x", `-a '${wordsOf(completion)}'`],
    files: ["-r", "-F"],
    directories: ["-x", "-a '(__fish_complete_directories)'"],
    nothing: ["-x"],
  }[completion.kind];
}

function fishLine(condition: string, words: readonly string[]): string {
  return `complete -c pacsrv -n '${condition}' ${words.join(" ")}`;
}
