// The project's own lint rules, each held to a text that breaks it and one that does not.

import { assertEquals } from "@std/assert";
import plugin from "../../../scripts/lint_plugin.ts";

/** The ids of what the rules find in a file of that name. */
function found(fileName: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, fileName, source).map((finding) => finding.id);
}

function messages(fileName: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, fileName, source).map((finding) => finding.message);
}

/** A file of each layer, and the layers that it may import besides its own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["cli"],
  "src/cli/x.ts": ["client", "daemon", "directory", "http", "base"],
  "src/daemon/x.ts": ["core", "store", "gateway", "http", "net", "wire", "base"],
  "src/gateway/x.ts": ["http", "net", "wire", "base"],
  "src/directory/x.ts": ["core", "net", "wire", "base"],
  "src/client/x.ts": ["http", "net", "wire", "base"],
  "src/http/x.ts": ["net", "wire", "base"],
  "src/core/x.ts": ["wire", "base"],
  "src/net/x.ts": ["wire", "base"],
  "src/store/x.ts": ["base"],
  "src/wire/x.ts": ["base"],
  "src/base/x.ts": [],
};
const LAYERS = [
  "cli",
  "daemon",
  "directory",
  "client",
  "core",
  "store",
  "gateway",
  "http",
  "net",
  "wire",
  "base",
];

Deno.test("layers lets a file import exactly the layers drawn for its own", () => {
  for (const [file, allowed] of Object.entries(MAY_IMPORT)) {
    const own = /^src\/([a-z]+)/.exec(file)?.[1];
    const prefix = own === undefined ? "./src" : "..";
    const accepted = LAYERS.filter((layer) =>
      found(file, `import { a } from "${prefix}/${layer}/y.ts";`).length === 0
    );
    const wanted = LAYERS.filter((layer) => layer === own || allowed.includes(layer));
    assertEquals(accepted, wanted, file);
  }
});

Deno.test("layers sees every form of import", () => {
  const forms = [
    `import { a } from "../store/y.ts";`,
    `import type { A } from "../store/y.ts";`,
    `import "../store/y.ts";`,
    `import * as a from "../store/y.ts";`,
    `export { a } from "../store/y.ts";`,
    `export * from "../store/y.ts";`,
    `const a = await import("../store/y.ts");`,
    `type A = import("../store/y.ts").A;`,
    `import { a } from "./../../src/core/../store/y.ts";`,
  ];
  for (const form of forms) {
    assertEquals(messages("src/core/x.ts", form), ["src/core must not import src/store"], form);
  }
});

Deno.test("layers reads paths as the linter gives them", () => {
  const root = decodeURIComponent(new URL("../../../", import.meta.url).pathname);
  const source = `import { a } from "../net/y.ts";`;
  assertEquals(found(`${root}src/store/x.ts`, source), ["pacsrv/layers"]);
  assertEquals(found(`${root}src/store/deep/x.ts`, `import { a } from "../../net/y.ts";`), [
    "pacsrv/layers",
  ]);
  assertEquals(found("src/store/x.ts", source), ["pacsrv/layers"]);
});

Deno.test("layers keeps tests and scripts out of the program, and leaves these two alone", () => {
  assertEquals(messages("src/net/x.ts", `import { a } from "../../tests/y.ts";`), [
    "src/net must not import tests/y.ts",
  ]);
  assertEquals(
    found("src/cli/x.ts", `import config from "../../deno.json" with { type: "json" };`),
    [],
  );
  assertEquals(found("tests/unit/x.ts", `import { a } from "../../src/core/y.ts";`), []);
  assertEquals(found("src/store/x.ts", `import { join } from "@std/path";`), []);
});

Deno.test("named-exports refuses every form of default export", () => {
  for (
    const source of [
      "export default 1;",
      "export default function a() {}",
      "const a = 1; export { a as default };",
      `export { default } from "./y.ts";`,
    ]
  ) {
    assertEquals(found("src/net/x.ts", source), ["pacsrv/named-exports"], source);
  }
  assertEquals(found("src/net/x.ts", "export const a = 1;"), []);
  assertEquals(found("scripts/lint_plugin.ts", "export default 1;"), []);
});

Deno.test("no-console allows the console only where output is the task", () => {
  const source = `console.log("x");`;
  for (const file of ["main.ts", "src/core/x.ts", "src/daemon/x.ts", "src/client/x.ts"]) {
    assertEquals(found(file, source), ["pacsrv/no-console"], file);
  }
  for (
    const file of ["src/cli/x.ts", "src/cli/deep/x.ts", "src/daemon/log_sink.ts", "scripts/x.ts"]
  ) {
    assertEquals(found(file, source), [], file);
  }
  assertEquals(found("src/net/x.ts", `globalThis["x"]; globalThis.console.error("x");`), [
    "pacsrv/no-console",
  ]);
});

Deno.test("no-watch-fs refuses Deno.watchFs in src", () => {
  const source = `for await (const _ of Deno.watchFs("/srv")) break;`;
  assertEquals(found("src/store/x.ts", source), ["pacsrv/no-watch-fs"]);
  assertEquals(found("tests/unit/x.ts", source), []);
});

Deno.test("no-exit allows Deno.exit only in main.ts and scripts", () => {
  for (const source of ["Deno.exit(1);", `Deno["exit"](1);`, "const f = Deno.exit;"]) {
    assertEquals(found("src/cli/x.ts", source), ["pacsrv/no-exit"], source);
    assertEquals(found("tests/unit/x.ts", source), ["pacsrv/no-exit"], source);
    assertEquals(found("main.ts", source), []);
    assertEquals(found("scripts/x.ts", source), []);
  }
});

Deno.test("pure-layers refuses input and output in base, wire and core", () => {
  for (const layer of ["base", "wire", "core"]) {
    const file = `src/${layer}/x.ts`;
    assertEquals(found(file, "Deno.cwd();"), ["pacsrv/pure-layers"], file);
    assertEquals(found(file, "let a: Deno.Conn;"), ["pacsrv/pure-layers"], file);
    assertEquals(found(file, `import { open } from "node:fs";`), ["pacsrv/pure-layers"], file);
    assertEquals(found(file, `import { createHash } from "node:crypto";`), [], file);
  }
  assertEquals(found("src/net/x.ts", "let a: Deno.Conn;"), []);
});

Deno.test("pure-core refuses time and chance of its own", () => {
  for (
    const source of [
      "Date.now();",
      "new Date();",
      "Math.random();",
      "performance.now();",
      "crypto.getRandomValues(new Uint8Array(1));",
      "setTimeout(() => {}, 1);",
    ]
  ) {
    assertEquals(found("src/core/x.ts", source), ["pacsrv/pure-core"], source);
    assertEquals(found("src/store/x.ts", source), [], source);
  }
  assertEquals(found("src/core/x.ts", "new Date(5); Math.max(1, 2);"), []);
});
