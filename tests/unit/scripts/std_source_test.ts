// Where the standard library is taken from, against real listeners that answer as a registry does,
// as something else does, or not at all; and what the two lock files and import maps promise.

import { assert, assertEquals, assertLess } from "@std/assert";
import { denoArgs, pacsrvArgs } from "../../../scripts/deno_args.ts";
import { denoFlags, findStdSource, rootPath } from "../../../scripts/std_source.ts";

interface Lock {
  specifiers: Record<string, string>;
  jsr?: Record<string, { integrity: string }>;
  npm: Record<string, { integrity: string }>;
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await Deno.readTextFile(rootPath(path)));
}

async function imports(path: string): Promise<Record<string, string>> {
  return (await readJson<{ imports: Record<string, string> }>(path)).imports;
}

/** Finds the source with an empty cache and a registry that answers as given. */
async function sourceWith(answer: (path: string) => Response | Promise<Response>) {
  const cacheDir = await Deno.makeTempDir();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => answer(new URL(request.url).pathname),
  );
  try {
    const registry = `http://127.0.0.1:${server.addr.port}/`;
    return await findStdSource({ registry, cacheDir, timeoutMs: 2_000 });
  } finally {
    await server.shutdown();
    await Deno.remove(cacheDir, { recursive: true });
  }
}

Deno.test("findStdSource() takes the registry when it answers for every pin", async () => {
  const pins = await imports("deno.json");
  const asked = new Set<string>();
  const source = await sourceWith((path) => {
    const name = path.slice(1).replace("/meta.json", "");
    asked.add(name);
    const version = pins[name]?.split("@").at(-1) ?? "";
    return Response.json({ versions: { [version]: {} } });
  });
  assertEquals(source, "jsr");
  assertEquals([...asked].sort(), ["@std/assert", "@std/fs", "@std/path"]);
});

Deno.test("findStdSource() takes npm when the registry lacks a pinned version", async () => {
  assertEquals(await sourceWith(() => Response.json({ versions: { "0.0.1": {} } })), "npm");
});

Deno.test("findStdSource() takes npm when a proxy answers in the registry's stead", async () => {
  assertEquals(await sourceWith(() => new Response("<html>Blocked</html>")), "npm");
  assertEquals(await sourceWith(() => new Response("no", { status: 403 })), "npm");
});

Deno.test("findStdSource() takes npm when nobody listens", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const registry = `http://127.0.0.1:${listener.addr.port}/`;
  listener.close();
  const cacheDir = await Deno.makeTempDir();
  assertEquals(await findStdSource({ registry, cacheDir }), "npm");
  await Deno.remove(cacheDir, { recursive: true });
});

Deno.test("findStdSource() takes npm when a registry accepts and never answers", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const accepted: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const conn of listener) accepted.push(conn);
  })();
  const cacheDir = await Deno.makeTempDir();
  const start = performance.now();
  const registry = `http://127.0.0.1:${listener.addr.port}/`;
  assertEquals(await findStdSource({ registry, cacheDir, timeoutMs: 200 }), "npm");
  // The bound, and the time that one process of deno takes to look into its cache.
  assertLess(performance.now() - start, 10_000);
  assert(accepted.length > 0, "nobody asked the registry");
  for (const conn of accepted) conn.close();
  listener.close();
  await accepting;
  await Deno.remove(cacheDir, { recursive: true });
});

Deno.test("denoArgs() names files that exist, and the source that this test itself uses", async () => {
  const flags = denoArgs();
  const isNpm = import.meta.resolve("@std/assert").startsWith("file:");
  assertEquals(flags, denoFlags(isNpm ? "npm" : "jsr"));
  const files = flags.flatMap((flag) => /=(.*)$/.exec(flag)?.[1] ?? []);
  assertEquals(files.length, isNpm ? 3 : 2);
  for (const file of files) assert((await Deno.stat(file)).isFile, file);
});

Deno.test("pacsrvArgs() grants neither everything nor the start of other programs", () => {
  const args = pacsrvArgs();
  assertEquals(args[0], "run");
  assertEquals(args.at(-1), rootPath("main.ts"));
  const grants = args.filter((arg) => /^(-A|--allow-)/.test(arg)).map((arg) => arg.split("=")[0]);
  assertEquals(grants.sort(), [
    "--allow-env",
    "--allow-net",
    "--allow-read",
    "--allow-sys",
    "--allow-write",
  ]);
});

Deno.test("the import map for npm has what deno.json has, with the same versions", async () => {
  const normal = Object.entries(await imports("deno.json"));
  const fallback = await imports("scripts/npm_imports.json");
  for (const [name, target] of normal) {
    if (target.startsWith("npm:")) assertEquals(fallback[name], target);
    else assert(Object.keys(fallback).some((key) => key.split("/", 2).join("/") === name), name);
  }
});

Deno.test("the lock files hold every pin with its integrity, and nothing of each other", async () => {
  const normal = await readJson<Lock>("deno.lock");
  const fallback = await readJson<Lock>("scripts/npm_deno.lock");
  for (const target of Object.values(await imports("deno.json"))) {
    const [, source, pinned = ""] = /^(jsr|npm):(.*)$/.exec(target) ?? [];
    const entries = source === "jsr" ? normal.jsr : normal.npm;
    assert(normal.specifiers[target], `deno.lock lacks ${target}`);
    assert(entries?.[pinned]?.integrity, `deno.lock lacks the integrity of ${pinned}`);
  }
  const isStd = (specifier: string) => specifier.startsWith("npm:deno-std@");
  assert(
    !Object.keys(normal.specifiers).some(isStd),
    "deno.lock was written with the import map of the fallback: undo its changes",
  );
  assertEquals(fallback.jsr, undefined);
  const { "deno-std@1.4.0": std, ...rest } = fallback.npm;
  assert(std?.integrity);
  assertEquals(rest, normal.npm);
});
