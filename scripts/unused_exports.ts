// The task `unused`: which exports of src/ no other file imports. What is exported is a promise to
// other files; without them it is only in the way of whoever wants to change it. An export that its
// own file uses is listed as well: it needs no `export`. Exports that only tests import are listed,
// and fail nothing.

import { readSources } from "./lint/import_graph.ts";
import { resolveImport, ROOT_URL } from "./lint/paths.ts";
import { type ModuleFacts, moduleFacts } from "./module_facts.ts";

/** How many are let pass: those that there were when this check came. The number only shrinks. */
const UNUSED_MAX = 0;

/** An export of a file of src/. */
export interface Export {
  path: string;
  line: number;
  name: string;
}

/** The exports of src/ that have no use in the program. */
export interface UnusedExports {
  /** No other file imports these. */
  unused: Export[];
  /** Only tests import these. */
  testOnly: Export[];
}

/** Finds them in texts by path from the root of the project; each list is in order of the paths. */
export function findUnused(sources: ReadonlyMap<string, string>): UnusedExports {
  const modules = new Map<string, ModuleFacts>();
  for (const [path, source] of sources) modules.set(path, moduleFacts(path, source));
  const isTest = (path: string) => path.startsWith("tests/");
  const inTests = usedExports(modules, isTest);
  const elsewhere = usedExports(modules, (path) => !isTest(path));
  const found: UnusedExports = { unused: [], testOnly: [] };
  for (const path of [...modules.keys()].sort()) {
    if (!path.startsWith("src/")) continue;
    for (const { name, line } of modules.get(path)?.exports ?? []) {
      const key = keyOf(path, name);
      if (elsewhere.has(key)) continue;
      (inTests.has(key) ? found.testOnly : found.unused).push({ path, line, name });
    }
  }
  return found;
}

/** The keys of all exports that the chosen files use, also by way of others that pass them on. */
function usedExports(
  modules: ReadonlyMap<string, ModuleFacts>,
  isUser: (path: string) => boolean,
): Set<string> {
  const used = new Set<string>();
  const mark = (user: string, specifier: string, name: string) => {
    const path = resolveImport(user, specifier);
    const facts = path === undefined ? undefined : modules.get(path);
    if (path === undefined || facts === undefined || used.has(keyOf(path, name))) return;
    used.add(keyOf(path, name));
    const meant = facts.exports.filter((known) => name === "*" || known.name === name);
    for (const known of meant) {
      used.add(keyOf(path, known.name));
      if (known.from) mark(path, known.from.specifier, known.from.name);
    }
    if (meant.length > 0 && name !== "*") return;
    for (const star of facts.stars) mark(path, star, name);
  };
  for (const [path, { uses, exports, stars }] of modules) {
    if (!isUser(path)) continue;
    for (const { specifier, name } of uses) mark(path, specifier, name);
    // What src/ passes on is used only if somebody takes it there; elsewhere that is not looked at.
    if (path.startsWith("src/")) continue;
    for (const { from } of exports) if (from) mark(path, from.specifier, from.name);
    for (const star of stars) mark(path, star, "*");
  }
  return used;
}

function keyOf(path: string, name: string): string {
  return `${path} ${name}`;
}

/** The texts of the whole project. */
export function projectSources(): Map<string, string> {
  const folders = ["src", "scripts", "tests"].flatMap((folder) => [...readSources(folder)]);
  const main = Deno.readTextFileSync(new URL("main.ts", ROOT_URL));
  return new Map([["main.ts", main], ...folders]);
}

function printList(title: string, list: readonly Export[]): void {
  if (list.length === 0) return;
  console.log(`${title} (${list.length}):`);
  for (const { path, line, name } of list) console.log(`  ${path}:${line} ${name}`);
}

function main(): number {
  const { unused, testOnly } = findUnused(projectSources());
  printList("Only tests import these", testOnly);
  printList("No other file imports these", unused);
  if (unused.length <= UNUSED_MAX) return 0;
  console.error(
    `${unused.length} exports of src are imported nowhere, more than ${UNUSED_MAX}: ` +
      "take `export` away from what its own file uses, and delete the rest.",
  );
  return 1;
}

if (import.meta.main) Deno.exit(main());
