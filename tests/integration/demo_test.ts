// The demo as a person runs it: what it shows, how it ends, and that nothing of it is left.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { denoArgs } from "../../scripts/deno_args.ts";
import { rootPath } from "../../scripts/std_source.ts";
import { TempDir } from "./support/files.ts";
import { Lines } from "./support/process.ts";
import { within } from "./support/wait.ts";

/** The demo ends itself after 58 s, and has to clean up. */
const DEMO_MS = 70_000;

/** The demo as a process whose temporary files all lie in `dir`. */
class Demo implements AsyncDisposable {
  readonly process: Deno.ChildProcess;
  readonly stdout: Lines;
  readonly stderr: Lines;

  constructor(dir: TempDir, args: readonly string[] = []) {
    this.process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", ...denoArgs(), rootPath("scripts/demo.ts"), ...args],
      env: { TMPDIR: dir.path, TMP: dir.path, TEMP: dir.path, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.stdout = new Lines(this.process.stdout);
    this.stderr = new Lines(this.process.stderr);
  }

  /** Waits for the end; gives the exit code. */
  async ended(): Promise<number> {
    const end = Promise.all([this.process.status, this.stdout.ended, this.stderr.ended]);
    const [{ code }] = await within(end, { what: "the end of the demo", timeoutMs: DEMO_MS });
    return code;
  }

  get text(): string {
    return this.stdout.all.join("\n");
  }

  /** All that it said, for the message of a failed test. */
  get all(): string {
    return `${this.text}\n${this.stderr.all.join("\n")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.process.kill("SIGTERM");
    } catch { /* It has ended. */ }
    await this.ended();
  }
}

/** Command lines of all processes that name `path`. */
async function processesNaming(path: string): Promise<string[]> {
  const lines: string[] = [];
  if (Deno.build.os === "linux") {
    for await (const { name } of Deno.readDir("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
      lines.push(line.replaceAll("\0", " "));
    }
  } else {
    const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "args="] }).output();
    lines.push(...new TextDecoder().decode(stdout).split("\n"));
  }
  return lines.filter((line) => line.includes(path));
}

async function assertNothingLeft(dir: TempDir): Promise<void> {
  assertEquals([...Deno.readDirSync(dir.path)].map(({ name }) => name), []);
  assertEquals(await processesNaming(dir.path), []);
}

Deno.test("demo gets the file through eight daemons and leaves nothing behind", async () => {
  await using dir = await TempDir.make();
  await using demo = new Demo(dir);
  await demo.stdout.matching(/^\[ *[\d.]+ s\] n1 knows nobody but n2 and asks/, {
    timeoutMs: DEMO_MS,
  });
  const daemons = (await processesNaming(dir.path)).filter((line) => line.includes(" daemon "));
  // One of the eight may have been killed already: that is part of the show.
  assert([7, 8].includes(daemons.length), daemons.join("\n"));
  assertEquals(await demo.ended(), 0, demo.all);

  // Three holders, the nearest three links away, drawn and named.
  assertStringIncludes(demo.text, "three nodes, 3, 5, 4 links away from n1");
  assertMatch(demo.text, /^ {2}n1 -+ n2 -+ n3 -+ n4 -+ n5 -+ n6$/m);
  // The fetch itself said where the file was and how it went.
  const notes = demo.stderr.all.join("\n");
  assertMatch(notes, /^Found \S+: \d+ MB|^Found \S+: [\d.]+ MB/m);
  assertMatch(notes, /^\S+: [\d.]+ MB in .* from 127\.0\.0\.1:\d+/m);
  // What came is what was shared, and the nodes' gifts make exactly that.
  const sizeBytes = (await Deno.stat(Deno.execPath())).size;
  assert(sizeBytes >= 90_000_000, `the file has only ${sizeBytes} bytes`);
  assertMatch(demo.text, /What came is the file, byte for byte: SHA-256 [0-9a-f]{64}$/m);
  const gifts = [...demo.text.matchAll(/^ {2}n\d +127\.0\.0\.1:\d+ +[3-5] +(\d+) +[\d.]+% {2}/gm)]
    .map((match) => Number(match[1]));
  assertEquals(gifts.length, 3, demo.text);
  assertEquals(gifts.reduce((sum, bytes) => sum + bytes, 0), sizeBytes);
  // A query goes over each of the eight links once, and over the one that closes the ring twice, unless
  // a holder has it from there before it passes it on.
  const cost = /^(\d+) quer(?:y|ies) of n1, (\d+) messages over 8 links .* (\d+) cop(?:y|ies)/m
    .exec(demo.text);
  assert(cost !== null, demo.text);
  const [queries = 0, messages = 0, copies = 0] = cost.slice(1).map(Number);
  if (queries === 1) {
    assert(messages === 8 || messages === 9, demo.text);
    assertEquals(copies, messages - 7);
  }
  assertStringIncludes(demo.text, "No node had any link but the 8 that are drawn");
  await assertNothingLeft(dir);
});

Deno.test({
  name: "demo leaves nothing behind when a signal ends it",
  ignore: Deno.build.os === "windows",
  fn: async (t) => {
    const cases: [Deno.Signal, RegExp, number][] = [
      ["SIGTERM", /Starting 8 daemons/, 143],
      ["SIGINT", /n1 knows nobody but n2 and asks/, 130],
    ];
    for (const [signal, when, code] of cases) {
      await t.step(`${signal} at "${when.source}"`, async () => {
        await using dir = await TempDir.make();
        await using demo = new Demo(dir);
        await demo.stdout.matching(when, { timeoutMs: DEMO_MS });
        demo.process.kill(signal);
        assertEquals(await demo.ended(), code, demo.all);
        await assertNothingLeft(dir);
      });
    }
  },
});

Deno.test("demo takes no arguments", async () => {
  await using dir = await TempDir.make();
  await using demo = new Demo(dir, ["--fast"]);
  assertEquals(await demo.ended(), 2);
  assertStringIncludes(demo.all, "it takes no arguments");
  await assertNothingLeft(dir);
});
