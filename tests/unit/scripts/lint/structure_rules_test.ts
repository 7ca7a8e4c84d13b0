// The rules of the structure of src/, each on small trees of its own; and the linter itself on a
// copy of a project, since a plugin that reads the disk depends on how the linter runs it.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { ImportGraph } from "../../../../scripts/lint/import_graph.ts";
import {
  CROWDED_FOLDERS,
  floorFault,
  type Floors,
  folderFault,
} from "../../../../scripts/lint/layers.ts";
import { folderSize, importCircles } from "../../../../scripts/lint/structure_rules.ts";
import { rootPath } from "../../../../scripts/std_source.ts";

/** The messages of one rule for one file of a tree, given as texts by path. */
function messages(tree: Record<string, string>, path: string, makeRule: typeof folderSize) {
  const graph = new ImportGraph(new Map(Object.entries(tree)));
  const plugin = { name: "test", rules: { rule: makeRule(() => graph) } };
  const found = Deno.lint.runPlugin(plugin, path, tree[path] ?? "");
  return found.map(({ message }) => message);
}

/** What the rule of circles, with nothing let pass, says of each file of a tree. */
function circles(tree: Record<string, string>): string[] {
  return Object.keys(tree).flatMap((path) =>
    messages(tree, path, (readGraph) => importCircles(readGraph, []))
  );
}

Deno.test("importCircles() names a circle of two files at both imports", () => {
  assertEquals(
    circles({
      "src/net/a.ts": `import { b } from "./b.ts";`,
      "src/net/b.ts": `import { a } from "./a.ts";`,
    }),
    [
      "Import circle: src/net/a.ts -> src/net/b.ts -> src/net/a.ts",
      "Import circle: src/net/b.ts -> src/net/a.ts -> src/net/b.ts",
    ],
  );
});

Deno.test("importCircles() sees circles through every form of import", () => {
  const forms = [
    `import type { B } from "./b.ts";`,
    `import {\n  one,\n  type B,\n} from "./b.ts";`,
    `import "./b.ts";`,
    `import * as b from "./b.ts";`,
    `export { b } from "./b.ts";`,
    `export * from "./b.ts";`,
    `export type { B } from "../net/b.ts";`,
    `const load = async () => (await import("./b.ts")).b;`,
    `type B = import("./b.ts").B;`,
  ];
  for (const form of forms) {
    const tree = { "src/net/a.ts": form, "src/net/b.ts": `import type { A } from "./a.ts";` };
    assertEquals(circles(tree).length, 2, form);
  }
});

Deno.test("importCircles() names a long circle of types, and a file that imports itself", () => {
  const tree = {
    "src/net/a.ts": `import type { B } from "./b.ts";`,
    "src/net/b.ts": `import type { C } from "./deep/c.ts";`,
    "src/net/deep/c.ts": `import type { A } from "../a.ts";`,
    "src/net/d.ts": `import type { A } from "./a.ts";`,
    "src/net/e.ts": `import type { E } from "./e.ts";`,
  };
  assertEquals(circles(tree), [
    "Import circle: src/net/a.ts -> src/net/b.ts -> src/net/deep/c.ts -> src/net/a.ts",
    "Import circle: src/net/b.ts -> src/net/deep/c.ts -> src/net/a.ts -> src/net/b.ts",
    "Import circle: src/net/deep/c.ts -> src/net/a.ts -> src/net/b.ts -> src/net/deep/c.ts",
    "Import circle: src/net/e.ts -> src/net/e.ts",
  ]);
});

Deno.test("importCircles() takes no text, comment or diamond for a circle", () => {
  assertEquals(
    circles({
      "src/net/a.ts": `import { b } from "./b.ts";\nimport { c } from "./c.ts";`,
      "src/net/b.ts":
        `// import { a } from "./a.ts";\n/** import("./a.ts") */\nexport const b = 1;`,
      "src/net/c.ts": `import { b } from "./b.ts";\nexport const text = "./a.ts";`,
    }),
    [],
  );
});

Deno.test("importCircles() lets pass only circles inside the layers that it is told", () => {
  const tree = {
    "src/net/a.ts": `import { b } from "./b.ts";`,
    "src/net/b.ts": `import { a } from "./a.ts";`,
  };
  const passing = (layer: string) =>
    messages(tree, "src/net/a.ts", (readGraph) => importCircles(readGraph, [layer])).length === 0;
  assertEquals([passing("net"), passing("core")], [true, false]);
});

const FLOORS: Floors = { daemon: [["trust"], ["swarm", "upload"], ["fetch"]] };

Deno.test("floorFault() lets a folder import itself and what is strictly below it", () => {
  const fault = (from: string, specifier: string) =>
    floorFault(`src/daemon/${from}`, specifier, FLOORS);
  assertEquals(fault("fetch/x.ts", "./y.ts"), undefined);
  assertEquals(fault("fetch/x.ts", "./deep/y.ts"), undefined);
  assertEquals(fault("fetch/x.ts", "../swarm/y.ts"), undefined);
  assertEquals(fault("fetch/deep/x.ts", "../../trust/y.ts"), undefined);
  assertEquals(
    fault("trust/x.ts", "../fetch/y.ts"),
    "src/daemon/trust must not import src/daemon/fetch, which is not below it",
  );
  assertEquals(
    fault("swarm/x.ts", "../upload/y.ts"),
    "src/daemon/swarm must not import src/daemon/upload, which is not below it",
  );
});

Deno.test("floorFault() puts the files of a layer above its folders, or where `.` stands", () => {
  assertEquals(floorFault("src/daemon/node.ts", "./fetch/y.ts", FLOORS), undefined);
  assertEquals(floorFault("src/daemon/node.ts", "./config.ts", FLOORS), undefined);
  assertEquals(
    floorFault("src/daemon/fetch/x.ts", "../node.ts", FLOORS),
    "src/daemon/fetch must not import src/daemon/node.ts, which is not below it",
  );
  const below: Floors = { core: [["."], ["fetch"]] };
  assertEquals(floorFault("src/core/fetch/x.ts", "../random.ts", below), undefined);
  assertEquals(
    floorFault("src/core/random.ts", "./fetch/x.ts", below),
    "src/core/random.ts must not import src/core/fetch, which is not below it",
  );
});

Deno.test("floorFault() refuses a folder without a floor, and knows only its layers", () => {
  const message = "src/daemon/other has no floor";
  assertEquals(floorFault("src/daemon/other/x.ts", "../trust/y.ts", FLOORS), message);
  assertEquals(floorFault("src/daemon/node.ts", "./other/y.ts", FLOORS), message);
  assertEquals(floorFault("src/net/a/x.ts", "../b/y.ts", FLOORS), undefined);
  assertEquals(floorFault("src/daemon/trust/x.ts", "../../net/y.ts", FLOORS), undefined);
  assertEquals(floorFault("tests/unit/x.ts", "../../src/daemon/node.ts", FLOORS), undefined);
});

/** A tree of that many files in src/net, and one in a folder of it. */
function crowd(count: number): Record<string, string> {
  const names = Array.from(
    { length: count },
    (_, i) => `src/net/f${String(i).padStart(2, "0")}.ts`,
  );
  return Object.fromEntries([...names, "src/net/deep/x.ts"].map((path) => [path, ""]));
}

Deno.test("folderSize() reports a folder with one file too many, once", () => {
  const tree = crowd(21);
  const found = Object.keys(tree).flatMap((path) => messages(tree, path, folderSize));
  assertEquals(found, ["src/net holds 21 source files, more than 20"]);
  const full = crowd(20);
  assertEquals(Object.keys(full).flatMap((path) => messages(full, path, folderSize)), []);
});

Deno.test("folderFault() leaves the folders alone that wait to be split", () => {
  for (const folder of Object.keys(CROWDED_FOLDERS)) {
    const paths = Array.from({ length: 30 }, (_, i) => `${folder}/f${i}.ts`);
    assertEquals(folderFault(folder, paths), undefined);
  }
});

Deno.test("deno lint fails on a circle, whether it is asked for all files or for one", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${dir}/scripts/lint`, { recursive: true });
    await Deno.copyFile(rootPath("scripts/lint_plugin.ts"), `${dir}/scripts/lint_plugin.ts`);
    for await (const { name } of Deno.readDir(rootPath("scripts/lint"))) {
      await Deno.copyFile(rootPath(`scripts/lint/${name}`), `${dir}/scripts/lint/${name}`);
    }
    const config = { lint: { plugins: ["./scripts/lint_plugin.ts"] } };
    await Deno.writeTextFile(`${dir}/deno.json`, JSON.stringify(config));
    await Deno.mkdir(`${dir}/src/wire`, { recursive: true });
    await Deno.writeTextFile(`${dir}/src/wire/a.ts`, `export type { B } from "./b.ts";\n`);
    await Deno.writeTextFile(`${dir}/src/wire/b.ts`, `export type B = 1;\n`);
    assertEquals((await lint(dir, "src")).code, 0);
    await Deno.writeTextFile(
      `${dir}/src/wire/b.ts`,
      `import type { A } from "./a.ts";\nexport type B = A;\n`,
    );
    for (const target of ["src", "src/wire/a.ts", "src/wire/b.ts"]) {
      const { code, text } = await lint(dir, target);
      assertEquals(code, 1, text);
      assertStringIncludes(text, "Import circle: src/wire/");
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

async function lint(cwd: string, target: string): Promise<{ code: number; text: string }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["lint", target],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  return { code, text: new TextDecoder().decode(stderr) };
}
