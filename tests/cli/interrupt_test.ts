// What is left when a fetch, a pipe or a daemon ends before its time: real processes, and a real
// file of some 90 MB, Deno's own executable, so that the end comes in the middle.

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { basename, join } from "@std/path";
import { FetchFailure } from "../../src/base/errors.ts";
import { parseCommandLine } from "../../src/cli/arguments/command_line.ts";
import { findCommand } from "../../src/cli/command_table.ts";
import { readFetchPlan } from "../../src/cli/fetch/fetch_plan.ts";
import { openFetchSource } from "../../src/cli/fetch/fetch_source.ts";
import { SOON_MS } from "../integration/support/wait.ts";
import { DaemonProcess, LineProcess, pacsrvCommand } from "./process.ts";

const FILE = Deno.execPath();
const NAME = basename(FILE);

/** A folder, and a daemon that shares the file. */
async function withHolder(
  body: (dir: string, holder: DaemonProcess) => Promise<void>,
): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  try {
    await using holder = await DaemonProcess.start(dir, { name: "a", args: ["--share", FILE] });
    await Deno.mkdir(join(dir, "out"));
    const list = ["list", "--json", "--client", holder.client];
    // Until it is hashed; a process a time is pause enough.
    while ((await pacsrvCommand(dir, list).output()).stdout.length === 0);
    await body(dir, holder);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function names(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
}

/** Starts a fetch and waits until it is in full swing. */
async function fetchHalf(dir: string, args: readonly string[]): Promise<LineProcess> {
  const fetch = new LineProcess(pacsrvCommand(dir, ["fetch", NAME, "--json", ...args]).spawn());
  for (;;) {
    const line = await fetch.line();
    if (line === undefined) throw new Error((await fetch.ended()).stderr);
    const event = JSON.parse(line);
    if (event.event === "found") return fetch;
  }
}

const EXITS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.test(`fetch ended by ${signal} leaves no output, and says what is kept`, async () => {
    await withHolder(async (dir, holder) => {
      // Through a second daemon: what the first one has itself would come at once.
      const args = ["--peer", holder.node];
      await using between = await DaemonProcess.start(dir, { name: "b", args });
      const kept = await endBy(signal, dir, ["--client", between.client]);
      assertEquals(names(join(dir, "out")), []);
      assertMatch(kept, /^(what came is|\S+ [kM]B of \S+ MB are) kept; the same command goes on /);
      const lost = await endBy(signal, dir, ["--alone", "--peer", holder.node]);
      assertEquals(lost, "nothing is kept");
      assertEquals(names(join(dir, "out")), []);
    });
  });
}

/** Ends a fetch that has begun; gives what it says of that. */
async function endBy(
  signal: keyof typeof EXITS,
  dir: string,
  way: readonly string[],
): Promise<string> {
  await using fetch = await fetchHalf(dir, ["-o", "out/x", ...way]);
  assertEquals(names(join(dir, "out")).length, 1, "there is no working file");
  fetch.process.kill(signal);
  const events = await restOf(fetch);
  const { code, stderr } = await fetch.ended();
  const [, kept] = /^pacsrv: Ended by SIG[A-Z]+: (.*)\n/.exec(stderr) ?? [];
  assertEquals(code, EXITS[signal], stderr);
  const [interrupted, failed] = events.slice(-2);
  assertEquals(interrupted!.event, "interrupted");
  assertEquals(interrupted!.signal, signal);
  assertEquals([failed!.event, failed!.code], ["failed", EXITS[signal]]);
  assertEquals(interrupted!.bytesTotal, Deno.statSync(FILE).size);
  return kept ?? stderr;
}

/** What these tests look at of an event. */
interface Event {
  readonly event: string;
  readonly bytesTotal?: number;
  readonly signal?: string;
  readonly code?: number;
}

/** The events until it ends. */
async function restOf(fetch: LineProcess): Promise<Event[]> {
  const events: Event[] = [];
  for (let line = await fetch.line(); line !== undefined; line = await fetch.line()) {
    events.push(JSON.parse(line));
  }
  return events;
}

Deno.test("fetch -o FILE.part goes on from what an earlier one left", async () => {
  await withHolder(async (dir, holder) => {
    const args = ["-o", "out/x.part", "--alone", "--peer", holder.node];
    await using fetch = await fetchHalf(dir, args);
    while ((await Deno.stat(join(dir, "out/x.part"))).size < 1_000_000);
    fetch.process.kill("SIGTERM");
    const ended = await fetch.ended();
    assertEquals(ended.code, 143);
    assertStringIncludes(ended.stderr, " kept; the same command goes on from there");
    assertEquals(names(join(dir, "out")), ["x.part"]);
    const { stdout, code } = await pacsrvCommand(dir, ["fetch", NAME, "--json", ...args]).output();
    assertEquals(code, 0);
    const done = JSON.parse(new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1)!);
    assert(done.bytesLocal > 0, "nothing was taken over");
    assertEquals(done.bytesLocal + done.sources[0].bytes, done.sizeBytes);
    const [is, was] = await Promise.all([
      Deno.readFile(join(dir, "out/x.part")),
      Deno.readFile(FILE),
    ]);
    assertEquals(is.length, was.length);
    assert(is.every((byte, i) => byte === was[i]), "the file is not right");
  });
});

Deno.test("fetch whose daemon is killed leaves nothing and ends with 5", async () => {
  await withHolder(async (dir, holder) => {
    await using between = await DaemonProcess.start(dir, {
      name: "b",
      args: ["--peer", holder.node],
    });
    await using fetch = await fetchHalf(dir, ["-o", "out/x", "--client", between.client]);
    between.process.kill("SIGKILL");
    const { code, stderr } = await fetch.ended();
    assertEquals(code, 5, stderr);
    assertStringIncludes(stderr, "went away");
    assertEquals(names(join(dir, "out")), []);
  });
});

Deno.test("fetch -o - writes the whole file, and ends quietly when nobody reads on", async () => {
  await withHolder(async (dir, holder) => {
    const args = ["fetch", NAME, "-q", "-o", "-", "--client", holder.client];
    const { stdout, stderr, code } = await pacsrvCommand(dir, args).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    const was = await Deno.readFile(FILE);
    assert(stdout.length === was.length && stdout.every((byte, i) => byte === was[i]));
    const process = pacsrvCommand(dir, args).spawn();
    const reader = process.stdout.getReader();
    assert((await reader.read()).value!.length > 0);
    await reader.cancel();
    assertEquals(await new Response(process.stderr).text(), "");
    assertEquals((await process.status).code, 141);
  });
});

Deno.test("openFetchSource() takes a node of its own where no daemon is, but needs a peer", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const open = async (...words: string[]) => {
    const args = await parseCommandLine(await findCommand("fetch"), ["x", "-q", ...words]);
    const plan = { ...readFetchPlan(args), client: { host: "127.0.0.1", port } };
    return await openFetchSource(args, plan, { signal: AbortSignal.timeout(10_000) });
  };
  await using source = await open("--peer", "127.0.0.1:1");
  assertEquals([source.kind, source.gives], ["node", "nothing"]);
  // A URL needs neither: it is fetched from where it leads.
  const words = ["http://127.0.0.1:1/x", "-q"];
  const args = await parseCommandLine(await findCommand("fetch"), words);
  const plan = { ...readFetchPlan(args), client: { host: "127.0.0.1", port } };
  await using direct = await openFetchSource(args, plan, { signal: AbortSignal.timeout(10_000) });
  assertEquals([direct.kind, direct.gives], ["direct", "rest"]);
  const lonely = await assertRejects(
    () => open(),
    FetchFailure,
    "no --peer or --directory is given",
  );
  assertEquals(lonely.exit, "noDaemon");
  assertStringIncludes(lonely.hint ?? "", "--alone --peer");
  const named = await assertRejects(
    () => open("--peer", "127.0.0.1:1", "--client", `127.0.0.1:${port}`),
    FetchFailure,
  );
  assertEquals(named.exit, "noDaemon");
});

Deno.test("the daemon rescans on SIGHUP, and ends on SIGINT and SIGTERM within 2 s", async () => {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  try {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      await using daemon = await DaemonProcess.start(dir, { name: signal, args: ["--share", "."] });
      daemon.process.kill("SIGHUP");
      const atMs = performance.now();
      daemon.process.kill(signal);
      const { code, stderr } = await daemon.ended();
      assertEquals(code, 0, stderr);
      assert(performance.now() - atMs < SOON_MS, stderr);
      assertStringIncludes(stderr, "looking through the shared paths again");
      assertStringIncludes(stderr, `stopping signal=${signal}`);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a command that waits for a daemon ends by a signal with its code, and says so", async () => {
  const dir = await Deno.makeTempDir();
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = ["--client", `127.0.0.1:${silent.addr.port}`];
  const hint = "hint: Push again: what the peer already has is not sent again.\n";
  const cases = [
    [["search", "*"], "SIGINT", ""],
    [["list", "--json"], "SIGTERM", ""],
    [["fetch", "--match", "*", "-q"], "SIGHUP", ""],
    [["push", "x", "127.0.0.1:1"], "SIGINT", hint],
  ] as const;
  try {
    for (const [words, signal, hint] of cases) {
      await using command = new LineProcess(pacsrvCommand(dir, [...words, ...client]).spawn());
      using connection = await silent.accept();
      command.process.kill(signal);
      // Impatient people do it twice.
      command.process.kill(signal);
      const { code, stderr } = await command.ended();
      assertEquals([code, stderr], [EXITS[signal], `pacsrv: Ended by ${signal}\n${hint}`]);
      connection.close();
    }
  } finally {
    await Deno.remove(dir);
  }
});

Deno.test("fetch ended by two signals at once leaves no output", async () => {
  await withHolder(async (dir, holder) => {
    await using fetch = await fetchHalf(dir, ["-o", "out/x", "--alone", "--peer", holder.node]);
    fetch.process.kill("SIGINT");
    await untilSignalled(fetch);
    fetch.process.kill("SIGINT");
    assertEquals((await fetch.ended()).code, 130);
    assertEquals(names(join(dir, "out")), []);
  });
});

/** Waits until a fetch has taken a signal. */
async function untilSignalled(fetch: LineProcess): Promise<void> {
  for (let line = await fetch.line(); line !== undefined; line = await fetch.line()) {
    if ((JSON.parse(line) as Event).event === "interrupted") return;
  }
}
