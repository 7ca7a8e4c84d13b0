// The finder of unused exports, each form of export and import on a small tree of its own.

import { assertEquals } from "@std/assert";
import { findUnused } from "../../../scripts/unused_exports.ts";

/** The unused exports of a tree of texts by path, each as `path name`. */
function unused(tree: Record<string, string>): string[] {
  return findUnused(new Map(Object.entries(tree))).unused.map(({ path, name }) =>
    `${path} ${name}`
  );
}

/** The names of src/a.ts that stay unused when src/b.ts or another file has a text. */
function unusedOfA(exports: string, user: string, userPath = "src/b.ts"): string[] {
  const tree = { "src/a.ts": exports, [userPath]: user };
  return unused(tree).filter((line) => line.startsWith("src/a.ts ")).map((line) => line.slice(9));
}

const THREE = "export const a = 1;\nexport class B {}\nexport type C = 1;\n";

Deno.test("findUnused() knows every form of declaration, and gives its line", () => {
  const source = `
export const a = 1, { b, c: [d] } = x;
export function e(): void;
export function e(x?: 1): void {}
export async function f() {}
export abstract class G {}
export interface H {}
export type I = 1;
export enum J {}
export namespace K {}
const l = 1;
export { l, l as m };
export default 1;
const notExported = 1;
`;
  const found = findUnused(new Map([["src/a.ts", source]])).unused;
  assertEquals(
    found.map(({ name, line }) => `${line} ${name}`),
    [
      ...["2 a", "2 b", "2 d", "3 e", "5 f", "6 G", "7 H", "8 I", "9 J", "10 K"],
      ...["12 l", "12 m", "13 default"],
    ],
  );
});

Deno.test("findUnused() follows each form of import to the names that it takes", () => {
  const forms: [source: string, unused: string[]][] = [
    [`import { a } from "./a.ts";`, ["B", "C"]],
    [`import { a as b, type C } from "./a.ts";`, ["B"]],
    [`import type { C } from "./a.ts";`, ["a", "B"]],
    [`import "./a.ts";`, ["a", "B", "C"]],
    [`import { a } from "./other.ts";`, ["a", "B", "C"]],
    [`import * as all from "./a.ts"; all.a; let x: all.C;`, ["B"]],
    [`import * as all from "./a.ts"; other.all; ({ all: 1 });`, ["a", "B", "C"]],
    [`import * as all from "./a.ts"; show(all);`, []],
    [`import * as all from "./a.ts"; show({ all });`, []],
    [`let x: import("./a.ts").C;`, ["a", "B"]],
    [`let x: typeof import("./a.ts");`, []],
  ];
  for (const [source, wanted] of forms) assertEquals(unusedOfA(THREE, source), wanted, source);
});

Deno.test("findUnused() follows dynamic imports as far as it can, else takes all for used", () => {
  const forms: [source: string, unused: string[]][] = [
    [`await import("./a.ts");`, ["a", "B", "C"]],
    [`const { a } = await import("./a.ts");`, ["B", "C"]],
    [`const { a: b, B } = await import("./a.ts");`, ["C"]],
    [`const { a, ...rest } = await import("./a.ts");`, []],
    [`(await import("./a.ts")).a;`, ["B", "C"]],
    [`const load = async () => (await import("./a.ts")).a;`, ["B", "C"]],
    [`const m = await import("./a.ts"); new m.B();`, ["a", "C"]],
    [`const m = x ? undefined : await import("./a.ts"); if (m !== undefined) m.a;`, ["B", "C"]],
    [`const m = x ? undefined : await import("./a.ts"); m?.a;`, ["B", "C"]],
    [`const load = () => import("./a.ts"); (await load()).a;`, ["B", "C"]],
    [`const load = () => import("./a.ts"); const { B } = await load();`, ["a", "C"]],
    [`const load = () => import("./a.ts"); give(load);`, []],
    [`export const load = () => import("./a.ts");`, []],
    [`export const m = await import("./a.ts"); m.a;`, []],
    [`import("./a.ts").then((m) => m.a);`, ["B", "C"]],
    [`import("./a.ts").then(({ a }) => a);`, ["B", "C"]],
    [`import("./a.ts").then(use);`, []],
    [`give(await import("./a.ts"));`, []],
    [`const name = "./a.ts"; await import(name);`, ["a", "B", "C"]],
  ];
  for (const [source, wanted] of forms) assertEquals(unusedOfA(THREE, source), wanted, source);
});

Deno.test("findUnused() takes what is passed on for used only where somebody takes it", () => {
  const tree = {
    "src/a.ts": THREE,
    "src/b.ts": `export { a as d } from "./a.ts";\nexport * from "./a.ts";`,
    "src/c.ts": `export * as all from "./b.ts";`,
  };
  assertEquals(unused(tree), [
    ...["src/a.ts a", "src/a.ts B", "src/a.ts C", "src/b.ts d", "src/c.ts all"],
  ]);
  const used = (source: string) => unused({ ...tree, "main.ts": source });
  assertEquals(used(`import { d } from "./src/b.ts";`), [
    ...["src/a.ts B", "src/a.ts C", "src/c.ts all"],
  ]);
  assertEquals(used(`import { B } from "./src/b.ts";`), [
    ...["src/a.ts a", "src/a.ts C", "src/b.ts d", "src/c.ts all"],
  ]);
  assertEquals(used(`import { all } from "./src/c.ts";`), []);
});

Deno.test("findUnused() does not end in a circle of files that pass each other on", () => {
  assertEquals(
    unused({
      "src/a.ts": `export * from "./b.ts";\nexport const a = 1;`,
      "src/b.ts": `export * from "./a.ts";\nexport const b = 1;`,
      "src/c.ts": `import { b } from "./a.ts";\nimport { a } from "./b.ts";`,
    }),
    [],
  );
});

Deno.test("findUnused() counts an own use as none, and main.ts and scripts as others", () => {
  assertEquals(unusedOfA(`export const a = 1;\nexport const b = a;`, ""), ["a", "b"]);
  for (const path of ["main.ts", "scripts/x.ts"]) {
    const source = `import { a } from "${path === "main.ts" ? "." : ".."}/src/a.ts";`;
    assertEquals(unusedOfA("export const a = 1;", source, path), [], path);
  }
});

Deno.test("findUnused() lists apart what only tests import, or pass on", () => {
  const found = findUnused(
    new Map([
      ["src/a.ts", "export const a = 1;\nexport const b = 1;\nexport const c = 1;"],
      ["src/b.ts", `import { b } from "./a.ts";`],
      ["tests/a_test.ts", `import { a, b } from "../src/a.ts";`],
      ["tests/support/all.ts", `export { c } from "../../src/a.ts";`],
    ]),
  );
  assertEquals(found.unused, []);
  assertEquals(found.testOnly.map(({ name }) => name), ["a", "c"]);
});
