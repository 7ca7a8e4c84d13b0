// The page src/cli/JSON.md: what each command prints with --json, from the types of these lines. It
// makes the text; a test writes and holds it.

import { type JsonField, jsonFields } from "./json_fields.ts";
import { markdownTable } from "./commands_page.ts";

/** What fields of these names say, wherever nothing stands beside them. */
const COMMON: Readonly<Record<string, string>> = {
  bytes: "Bytes that it gave.",
  bytesDone: "Bytes of what is wanted that are here.",
  bytesPerSecond: "How fast it comes just now.",
  bytesTotal: "Bytes that are wanted.",
  chunks: "Chunks of 16 KiB that the file has.",
  chunksHave: "Chunks of the file that are there.",
  from: 'Who named it: "flood", "here", or the HOST:PORT of a directory.',
  hint: 'What can be done about it, or "".',
  inFlight: "How far it is while it has no root; null when it has one.",
  mirror: "The mirror, as HOST or HOST:PORT.",
  name: "Name of the file.",
  nodeId: "Id of the node, 32 hexadecimal digits.",
  path: "Where it lies.",
  peer: "Address of the node, HOST:PORT.",
  peersPart: "Nodes that have a part of it, or are just getting it.",
  peersWhole: "Nodes that have all of it.",
  root: "Root of the file, 64 hexadecimal digits.",
  sha256: "SHA-256 of the file; null when it is not known.",
  sizeBytes: "Size of the file in bytes.",
  sources: "Nodes and mirrors that may give it just now.",
  strikes: "Wrong chunks that it gave.",
  trust: "What it is trusted by, see [trust](../daemon/OPERATING.md#what-is-trusted).",
  type: 'Extension of the name in lower case, "" without one.',
  uptimeMs: "Time since it started, in ms.",
  sinceStart: "Since the daemon started.",
  allRuns: "Over all runs with this data directory.",
};

/** Of what a command prints, where its lines are of several kinds. */
const KINDS: Readonly<Record<string, string>> = {
  "left out":
    "The last line of `search`, `info`, `where` and `files`, where there is more than they tell:",
};

const HEAD = [
  "# What commands print with --json",
  "",
  "<!-- Made from json_lines.ts: UPDATE_PAGES=1 deno task test tests/cli/json_page_test.ts -->",
  "",
  "Each line on stdout is one JSON object. Fields are there unless they are marked _optional_; what is",
  "not known is null. A field may be added, and a text for people may change; nothing else does",
  "without a new version. Times are in milliseconds, sizes in bytes. `a.b` is field `b` of object `a`,",
  "`a[].b` that of each object in list `a`. The commands are described in [COMMANDS.md](COMMANDS.md).",
];

/** The whole page, as `deno fmt` would have it. */
export function jsonPage(): string {
  const blocks = [...jsonFields()].map(([kind, fields]) => [
    `## ${kind.startsWith("left") ? "What is left out" : `pacsrv ${kind}`}`,
    "",
    ...(KINDS[kind] === undefined ? [] : [KINDS[kind], ""]),
    ...markdownTable([
      ["Field", "Value", "Meaning"],
      ...fields.map((field) => [
        `\`${field.path}\``,
        `${field.type}${field.isOptional ? ", _optional_" : ""}`,
        meaningOf(field, kind),
      ]),
    ]),
  ]);
  return `${[HEAD, ...blocks].map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/** @throws {Error} when nothing says what the field means. */
function meaningOf({ path, meaning }: JsonField, kind: string): string {
  const name = path.split(".").at(-1)!.replace("[]", "");
  const text = meaning ??
    (path.startsWith("trust.") ? `Files whose trust is "${name}".` : COMMON[name]);
  if (text !== undefined) return text;
  throw new Error(`Nothing says what ${path} of ${kind} means: a comment beside the field does`);
}
