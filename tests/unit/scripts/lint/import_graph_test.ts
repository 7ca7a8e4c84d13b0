// The imports of src/, as the linter finds them without a parser.

import { assert, assertEquals } from "@std/assert";
import { ImportGraph, readSources, scanImports } from "../../../../scripts/lint/import_graph.ts";
import { moduleFacts } from "../../../../scripts/module_facts.ts";

Deno.test("scanImports() finds in every file of src what the TypeScript parser finds", () => {
  const sources = readSources("src");
  assert(sources.size > 100);
  for (const [path, source] of sources) {
    const { specifiers } = moduleFacts(path, source);
    assertEquals(scanImports(source).sort(), specifiers.sort(), path);
  }
});

Deno.test("ImportGraph.chain() gives a shortest chain, and none where none leads", () => {
  const graph = new ImportGraph(
    new Map([
      ["src/a.ts", `import "./b.ts";\nimport "./c.ts";`],
      ["src/b.ts", `import "./d.ts";`],
      ["src/c.ts", `import "./b.ts";\nimport { join } from "@std/path";`],
      ["src/d.ts", ""],
    ]),
  );
  assertEquals(graph.chain("src/a.ts", "src/d.ts"), ["src/a.ts", "src/b.ts", "src/d.ts"]);
  assertEquals(graph.chain("src/d.ts", "src/a.ts"), undefined);
  assertEquals(graph.targetsOf("src/c.ts"), ["src/b.ts"]);
  assertEquals(graph.circle("src/a.ts", "src/b.ts"), undefined);
});
