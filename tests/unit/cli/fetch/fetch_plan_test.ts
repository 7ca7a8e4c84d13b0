// What a fetch is to do, by its flags.

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../../../src/base/errors.ts";
import { limits } from "../../../../src/base/limits.ts";
import { parseCommandLine } from "../../../../src/cli/arguments/command_line.ts";
import { findCommand } from "../../../../src/cli/command_table.ts";
import { type FetchPlan, readFetchPlan } from "../../../../src/cli/fetch/fetch_plan.ts";

const ROOT = "0123456789abcdef".repeat(4);

async function plan(line: string): Promise<FetchPlan> {
  return readFetchPlan(await parseCommandLine(await findCommand("fetch"), line.split(" ")));
}

async function refusal(line: string): Promise<string> {
  const args = await parseCommandLine(await findCommand("fetch"), line.split(" ").filter(Boolean));
  return assertThrows(() => readFetchPlan(args), UsageError).message;
}

Deno.test("readFetchPlan() reads a name with nothing beside it", async () => {
  assertEquals(await plan("linux.iso"), {
    request: {
      name: "linux.iso",
      root: null,
      sha256: null,
      sizeBytes: null,
      chunks: null,
      deliver: true,
      timeoutMs: 0,
      searchMs: 0,
      mirrors: [],
      mirrorDelayMs: null,
      background: false,
    },
    isNamedByOthers: false,
    label: "linux.iso",
    output: undefined,
    url: null,
    syncDbDir: undefined,
    style: "people",
    isAlone: false,
    client: { host: "127.0.0.1", port: 8049 },
    isClientGiven: false,
    peers: [],
    directories: [],
  } as unknown as FetchPlan);
});

Deno.test("readFetchPlan() takes 64 digits for a root, unless --root is there too", async () => {
  const sought = async (line: string) => {
    const { request: { name, root }, label } = await plan(line);
    return { name, root, label };
  };
  const other = "f".repeat(64);
  assertEquals(await sought(ROOT.toUpperCase()), { name: "", root: ROOT, label: ROOT } as never);
  assertEquals(await sought(`--root ${ROOT}`), { name: "", root: ROOT, label: ROOT } as never);
  assertEquals(await sought(`a --root ${ROOT}`), { name: "a", root: ROOT, label: "a" } as never);
  assertEquals(await sought(`${other} --root ${ROOT}`), {
    name: other,
    root: ROOT,
    label: other,
  } as never);
  assertEquals(
    await sought(`${ROOT} --root ${ROOT}`),
    { name: "", root: ROOT, label: ROOT } as never,
  );
  assertEquals((await sought(ROOT.slice(1))).name, ROOT.slice(1));
});

Deno.test("readFetchPlan() reads what the file must be, and which part of it", async () => {
  const { request } = await plan(`a --sha256 ${ROOT.toUpperCase()} --size 5 --timeout 1.5`);
  assertEquals([request.sha256, request.sizeBytes, request.timeoutMs], [ROOT, 5, 1500]);
  const store = (await plan("a --chunks 4-7")).request;
  assertEquals([store.chunks, store.deliver], [{ first: 4, count: 4 }, false] as never);
  const range = (await plan("a --chunks 4-7 -o x")).request;
  assertEquals(range.deliver, true);
});

Deno.test("readFetchPlan() takes a URL for a name and for where else the file is", async () => {
  const { request, url, label } = await plan("HTTP://u:p@h:81/core/a%3A1.pkg?x=y#z --size 5");
  assertEquals([request.name, request.root, request.sizeBytes, label], [
    "a:1.pkg",
    null,
    5,
    "a:1.pkg",
  ]);
  assertEquals(request.mirrors, ["http://u:p@h:81/core/a%3A1.pkg?x=y"]);
  assertEquals(request.searchMs, limits.urlSearchMs);
  assertEquals([url?.host, url?.isFile, url?.isDatabase], ["h:81", false, false]);
  const local = await plan(`file:///srv/core.db --root ${ROOT} --sync-db /x`);
  assertEquals(local.request.mirrors, []);
  assertEquals([local.request.root, local.syncDbDir], [ROOT, "/x"] as never);
  assertEquals([local.url?.host, local.url?.isFile, local.url?.isDatabase], ["file", true, true]);
  assertEquals((await plan("http://h/x --alone")).isAlone, true);
});

Deno.test("readFetchPlan() reads how long peers are given before a mirror", async () => {
  const given = async (flags: string) => {
    const { request: { mirrorDelayMs, background } } = await plan(`http://h/x${flags}`);
    return [mirrorDelayMs, background];
  };
  assertEquals(await given(" --mirror-delay 0"), [0, false]);
  assertEquals(await given(" --mirror-delay 86400"), [86_400_000, false]);
  assertEquals(await given(" --background --mirror-delay 2.5"), [2_500, true]);
  assertEquals(await given(" --background"), [null, true]);
  for (const text of ["86400.5", "-1", "soon"]) {
    const message = await refusal(`http://h/x --mirror-delay=${text}`);
    assertStringIncludes(message, "it is not a number of seconds from 0 to 86400");
  }
});

Deno.test("readFetchPlan() refuses what contradicts itself", async () => {
  const cases: [line: string, message: string][] = [
    ["", "NAME, ROOT or URL is missing"],
    ["a/b", "it contains a slash"],
    ["..", "it names a directory"],
    ["a\u0000b", "it contains a control character"],
    ["x".repeat(256), "it has 256 bytes"],
    ["a --root 12", "Cannot read root"],
    ["a --sha256 12", "Cannot read --sha256"],
    ["a --json -o -", "both would write to stdout"],
    ["a --json -q", "--json and --quiet"],
    ["a --all", "--all without --match"],
    ["ftp://h/a", "its scheme is not one of http, https, file"],
    ["http://h/", "it names a directory"],
    ["http://h/a --alone --chunks 1-2", "without -o"],
    ["a --alone", "without --peer or --directory"],
    [`a ${Array.from({ length: 17 }, (_, i) => `--directory d${i}`).join(" ")}`, "at most 16"],
    ["a --alone --peer b --client c", "--alone and --client"],
    ["a --alone --peer b --chunks 1-2", "without -o"],
    [`a --chunks 1-2 -o x --sha256 ${ROOT}`, "--sha256 and --chunks"],
    ["a --client h:0", "port 0"],
    ["a --peer h:0 --alone", "port 0"],
  ];
  for (const [line, message] of cases) {
    assertStringIncludes(await refusal(line), message, line);
  }
});
