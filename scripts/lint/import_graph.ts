// Which file of src/ imports which, read from the texts of the files. The linter shows a plugin one
// file at a time, so what concerns several is read from the disk here. The texts are not parsed:
// imports are found as `deno fmt` leaves them, and a test holds that to the TypeScript parser.

import { resolveImport, ROOT_URL } from "./paths.ts";

/** `import ... from`, `export ... from` and `import "..."`, type-only ones included. */
const STATEMENTS =
  /^(?:import|export)\s+(?:type\s+)?(?:(?:\w+\s*,\s*)?(?:\*(?:\s+as\s+\w+)?|\w+|\{[^}]*\})\s+from\s+)?"([^"]+)"/gm;

/** `import("...")`, as a value and as a type; not in a line of comment. */
const EXPRESSIONS = /^(?!\s*(?:\/\/|\*|\/\*)).*\bimport\(\s*"[^"]+"/gm;
const EXPRESSION = /\bimport\(\s*"([^"]+)"/g;

/** The modules that a file names in its imports, in no order, each once. */
export function scanImports(source: string): string[] {
  const found = [...source.matchAll(STATEMENTS)].map((match) => match[1] ?? "");
  for (const [line] of source.matchAll(EXPRESSIONS)) {
    for (const match of line.matchAll(EXPRESSION)) found.push(match[1] ?? "");
  }
  return [...new Set(found)];
}

/** Files and the files that each imports, by their paths from the root of the project. */
export class ImportGraph {
  readonly #targets = new Map<string, readonly string[]>();

  /** @param sources The texts of the files by their paths. */
  constructor(sources: ReadonlyMap<string, string>) {
    for (const [path, source] of sources) {
      const targets = scanImports(source).map((specifier) => resolveImport(path, specifier));
      this.#targets.set(path, targets.filter((target) => target !== undefined).sort());
    }
  }

  /** The paths of all files, sorted. */
  get paths(): string[] {
    return [...this.#targets.keys()].sort();
  }

  /** What a file imports, sorted; nothing for a file that is not here. */
  targetsOf(path: string): readonly string[] {
    return this.#targets.get(path) ?? [];
  }

  /** A shortest chain of imports, with both ends; undefined if none leads from one to the other. */
  chain(from: string, to: string): string[] | undefined {
    const cameFrom = new Map<string, string | undefined>([[from, undefined]]);
    // A Map keeps the order of insertion and is walked while it grows: it is the queue as well.
    for (const path of cameFrom.keys()) {
      if (path === to) return trace(cameFrom, path);
      for (const target of this.targetsOf(path)) {
        if (!cameFrom.has(target)) cameFrom.set(target, path);
      }
    }
    return undefined;
  }

  /** The circle that an import closes, from the importing file back to it; undefined if none. */
  circle(from: string, to: string): string[] | undefined {
    const back = this.chain(to, from);
    return back && [from, ...back];
  }
}

function trace(cameFrom: ReadonlyMap<string, string | undefined>, end: string): string[] {
  const chain: string[] = [];
  for (let at: string | undefined = end; at !== undefined; at = cameFrom.get(at)) chain.unshift(at);
  return chain;
}

/** How long what was read of the disk is good for: an editor's linter lives as long as the editor. */
const AGE_MAX_MS = 2_000;

let kept: { graph: ImportGraph; readAt: number } | undefined;

/** The files of src/ as they lie on the disk, read at most every two seconds. */
export function sourceGraph(): ImportGraph {
  const now = performance.now();
  if (kept === undefined || now - kept.readAt > AGE_MAX_MS) {
    kept = { graph: new ImportGraph(readSources("src")), readAt: now };
  }
  return kept.graph;
}

/** The texts of the TypeScript files under a folder of the project, by their paths. */
export function readSources(folder: string): Map<string, string> {
  const sources = new Map<string, string>();
  for (const entry of Deno.readDirSync(new URL(folder, ROOT_URL))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) {
      for (const [inner, source] of readSources(path)) sources.set(inner, source);
    } else if (path.endsWith(".ts")) {
      sources.set(path, Deno.readTextFileSync(new URL(path, ROOT_URL)));
    }
  }
  return sources;
}
