// The pages of the project as tests read them: their code blocks, tables, links and anchors.

import { rootPath } from "../../scripts/std_source.ts";

/** The pages for those who use pacsrv or speak its protocol. */
export const PAGES: readonly string[] = [
  "README.md",
  "src/cli/COMMANDS.md",
  "src/cli/JSON.md",
  "src/daemon/OPERATING.md",
  "src/directory/GUIDE.md",
  "src/gateway/GUIDE.md",
  "src/wire/PROTOCOL.md",
  "src/wire/CLIENT_API.md",
  "scripts/packaging/README.md",
];

/** Set, the tests write what is made from the code into the pages, before they look. */
export const IS_UPDATE = Deno.env.get("UPDATE_PAGES") === "1";

/** The text of a page, with the line ends of the repository. */
export async function readPage(path: string): Promise<string> {
  return (await Deno.readTextFile(rootPath(path))).replaceAll("\r\n", "\n");
}

/** The code blocks in a language. */
export function codeBlocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)]
    .filter((match) => match[1] === language).map((match) => match[2]!);
}

/** The cells of the table that follows `before`; undefined when that is not there. */
export function tableAfter(text: string, before: string): string[][] | undefined {
  const at = text.indexOf(before);
  if (at < 0) return undefined;
  const lines = text.slice(text.indexOf("\n|", at) + 1).split("\n");
  const end = lines.findIndex((line) => !line.startsWith("|"));
  return lines.slice(0, end < 0 ? undefined : end).map((line) =>
    line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim().replaceAll("\\|", "|"))
  );
}

/** The links of a page that stay in the project: a path, an anchor, or both. */
export function linksOf(text: string): { path: string; anchor: string }[] {
  return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)/g)].map((match) => ({
    path: match[1]!,
    anchor: match[2]!,
  }));
}

/** The anchors of a page, as GitHub makes them of its headings. */
export function anchorsOf(text: string): Set<string> {
  const prose = text.replace(/^```[^]*?^```$/gm, "");
  return new Set(
    [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    ),
  );
}
