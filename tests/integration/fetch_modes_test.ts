// `pacsrv fetch` as people and programs use it: where the bytes go, what is printed, how it ends,
// and that an output is there whole or not at all.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { pacsrvArgs } from "../../scripts/deno_args.ts";
import { CHUNK_BYTES, rangeBytes } from "../../src/base/geometry.ts";
import { ask, placesOf, untilShared } from "./support/client.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { bytesFetched, FetchProcess } from "./support/fetch_process.ts";
import { assertSameFile, namesIn, randomBytes, randomFile, TempDir } from "./support/files.ts";
import { runPacsrv } from "./support/process.ts";
import { type Behaviour, holdFile, RawHolder } from "./support/raw_holder.ts";
import { waitUntil } from "./support/wait.ts";

const MIB = 1024 * 1024;
/** Nothing listens on the discard port of this machine, or nothing that speaks pacsrv. */
const NOBODY = "127.0.0.1:9";

/** Serves the first 2 MiB and nothing more. */
const STALLS: Behaviour = {
  onRequest: (range, serving) => {
    if (range.first + range.count <= 128) serving.serve(range);
  },
};

/** So slowly that also a busy machine sees it come before it is there. */
const SLOWLY = "12M";

for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
  Deno.test(`fetch leaves no output when ended by ${signal}`, async () => {
    await using dir = await TempDir.make();
    await using daemon = await startDaemon();
    await using holder = await stallingHolder(daemon);
    await using fetch = daemon.fetch(["file.bin"], { cwd: dir.path });
    let kept: { event: string; signal: string; bytesKept: number } | undefined;
    await untilWorkingFile(dir.path);
    await fetch.progressed(1);
    if (signal === "SIGINT") {
      const event = await fetch.process.stdout.matching('"stalled":{');
      const { bytesPerSecond, stalled: { sinceMs, waitingFor } } = JSON.parse(event);
      const seen = [sinceMs >= 2_000, waitingFor, bytesPerSecond];
      assertEquals(seen, [true, "1 source", 0], event);
    }
    fetch.process.kill(signal);
    const { code, stdout, stderr } = await fetch.ended();
    if (signal === "SIGKILL") {
      // Nobody can tidy up after that; but what is left is hidden and not under the name.
      for (const name of await namesIn(dir.path)) assertMatch(name, /^\.pacsrv-/);
    } else {
      assertEquals(code, signal === "SIGINT" ? 130 : 143);
      assertEquals(await namesIn(dir.path), []);
      const [, text] = /^pacsrv: Ended by SIG\w+: (.+)\n/.exec(stderr) ?? [];
      assertMatch(text ?? stderr, /B of 6\.29 MB are kept; the same command goes on from there$/);
      kept = JSON.parse(stdout.trim().split("\n").at(-2)!);
      assertEquals([kept?.event, kept?.signal], ["interrupted", signal]);
    }
    // The daemon sees that nobody waits any more, and keeps what came.
    await waitUntil(async () => (await ask(daemon, "status", {}))[0]?.transfers.length === 0, {
      what: "the transfer to end",
    });
    const [place] = await placesOf(daemon, "file.bin");
    assertEquals(place?.origin, "partial");
    assert(place!.chunksHave * CHUNK_BYTES >= (kept?.bytesKept ?? 0), JSON.stringify(kept));
    assert(holder.requested.length > 0);
  });
}

Deno.test("fetch with a node of its own leaves no output when ended by SIGTERM", async () => {
  await using shared = await SharedFile.start(24 * MIB, SLOWLY);
  const work = await shared.dir.folder("work");
  await using fetch = new FetchProcess(["file.bin", ...shared.alone], { cwd: work });
  await untilWorkingFile(work);
  shared.holder.kill("SIGSTOP");
  fetch.process.kill("SIGTERM");
  assertEquals((await fetch.ended()).code, 143);
  assertEquals(await namesIn(work), []);
});

Deno.test("fetch ends with 5 and leaves no output when the daemon is killed", async () => {
  await using dir = await TempDir.make();
  await using daemon = await startDaemon();
  await using _ = await stallingHolder(daemon);
  await using fetch = daemon.fetch(["file.bin"], { cwd: dir.path });
  await untilWorkingFile(dir.path);
  daemon.kill("SIGKILL");
  const { code, stderr } = await fetch.ended();
  assertEquals(code, 5);
  assertStringIncludes(stderr, "went away");
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("fetch replaces an old file only when the new one is whole", async () => {
  await using dir = await TempDir.make();
  const output = `${dir.path}/file.bin`;
  await Deno.writeTextFile(output, "old");
  await using daemon = await startDaemon();
  await using _ = await stallingHolder(daemon);
  const late = await daemon.run(["fetch", "file.bin", "-o", output, "--timeout", "2"]);
  assertEquals(late.code, 6, late.stderr);
  assertEquals(await Deno.readTextFile(output), "old");
  await using honest = await RawHolder.start(daemon.node, stallingFile());
  const { code, stderr } = await daemon.run(["fetch", "file.bin", "-o", output]);
  assertEquals(code, 0, stderr);
  assertEquals(await Deno.readFile(output), honest.file.data);
  assertEquals(await namesIn(dir.path), ["file.bin"]);
});

Deno.test("-o FILE.part stays on failure and is resumed", async (t) => {
  const bytes = 24 * MIB + 5;
  await using shared = await SharedFile.start(bytes, SLOWLY);
  const { holder, dir } = shared;
  const work = await dir.folder("work"), part = `${work}/file.bin.part`;
  await using daemon = await startDaemon({ peers: [holder.node] });
  await daemon.linked(1);
  const ways: readonly (readonly [string, readonly string[]])[] = [
    ["with a node of its own", shared.alone],
    ["through a daemon", ["--client", daemon.client]],
  ];
  for (const [way, args] of ways) {
    await t.step(`${way}: left in place when the fetch fails`, async () => {
      await using fetch = new FetchProcess(["file.bin", "-o", part, "--timeout", "3", ...args]);
      await untilWorkingFile(work);
      holder.kill("SIGSTOP");
      const { code, stderr } = await fetch.ended();
      assertEquals(code, 6, stderr);
      const { size } = await Deno.stat(part);
      assert(size > 0 && size <= bytes, `${size} bytes are left`);
    });
    await t.step(`${way}: goes on with what is there`, async () => {
      holder.kill("SIGCONT");
      await daemon.linked(1);
      await using fetch = new FetchProcess(["file.bin", "-o", part, ...args]);
      const done = await fetch.done();
      assert(done.bytesLocal > 0, "nothing was resumed");
      assertEquals(done.bytesLocal + bytesFetched(done), bytes);
      assertEquals(await namesIn(work), ["file.bin.part"]);
      await assertSameFile(part, shared.path);
    });
    await Deno.remove(part);
  }
  await t.step(
    "what is wrong in it is fetched again, and what is too long is cut off",
    async () => {
      const content = new Uint8Array(bytes + MIB);
      content.set((await Deno.readFile(shared.path)).subarray(0, 4 * MIB));
      content.fill(0xee, MIB, MIB + 10);
      await Deno.writeFile(part, content);
      await using fetch = new FetchProcess(["file.bin", "-o", part, ...shared.alone]);
      const done = await fetch.done();
      assertEquals(done.bytesLocal, 4 * MIB - 16_384);
      await assertSameFile(part, shared.path);
    },
  );
});

Deno.test("-o - writes the verified bytes to stdout, and nothing else", async () => {
  await using shared = await SharedFile.start(3 * MIB + 7);
  for (const from of [shared.ofDaemon, shared.alone]) {
    const { code, stdout } = await output(["fetch", "file.bin", "-o", "-", ...from]);
    assertEquals(code, 0);
    await Deno.writeFile(`${shared.dir.path}/out`, stdout);
    await assertSameFile(`${shared.dir.path}/out`, shared.path);
  }
  const { code, stdout } = await output([
    ...["fetch", "file.bin", "-o", "-", "--sha256", "00".repeat(32)],
    ...shared.alone,
  ]);
  assertEquals({ code, bytes: stdout.length }, { code: 4, bytes: 0 });
});

Deno.test("--chunks brings a part into the store, from where it is offered", async () => {
  await using shared = await SharedFile.start(1 * MIB + 7);
  const { holder, dir } = shared;
  await using daemon = await startDaemon({ peers: [holder.node] });
  await daemon.linked(1);
  const { code, stderr } = await daemon.run(["fetch", "file.bin", "--chunks", "3-9"], {
    cwd: await dir.folder("work"),
  });
  assertEquals(code, 0, stderr);
  assertEquals(await namesIn(`${dir.path}/work`), []);
  const [place] = await placesOf(daemon, "file.bin");
  assertEquals([place?.origin, place?.have, place?.chunksHave], ["partial", "3-9", 7]);
  const [found] = await ask(daemon, "search", { glob: "file.*" });
  assertEquals([found?.peersWhole, found?.peersPart], [1, 1]);

  // Without the holder there is only this part in the network.
  await holder.stop();
  const range = await fetchRange("3-9");
  assertEquals(range, (await Deno.readFile(shared.path)).subarray(3 * 16_384, 10 * 16_384));
  const more = await runPacsrv([...rangeArgs("2-9"), "--timeout", "3"]);
  assert(more.code === 3 || more.code === 6, more.stderr);

  async function fetchRange(chunks: string): Promise<Uint8Array> {
    const { code, stderr } = await runPacsrv(rangeArgs(chunks));
    assertEquals(code, 0, stderr);
    return await Deno.readFile(`${dir.path}/range`);
  }

  function rangeArgs(chunks: string): string[] {
    const output = ["-o", `${dir.path}/range`, "--alone", "--peer", daemon.node];
    return ["fetch", "file.bin", "--chunks", chunks, ...output];
  }
});

Deno.test("--chunks with -o writes that range of bytes", async () => {
  await using shared = await SharedFile.start(1 * MIB + 7);
  const bytes = await Deno.readFile(shared.path);
  const out = `${shared.dir.path}/range`;
  for (const from of [shared.ofDaemon, shared.alone]) {
    for (const [first, last] of [[0, 0], [5, 12], [64, 64]] as const) {
      const chunks = `${first}-${last}`;
      const { code, stderr } = await runPacsrv([
        ...["fetch", "file.bin", "--chunks", chunks, "-o", out],
        ...from,
      ]);
      assertEquals(code, 0, stderr);
      const { offset, length } = rangeBytes(bytes.length, { first, count: last - first + 1 });
      assertEquals(await Deno.readFile(out), bytes.slice(offset, offset + length));
      await Deno.remove(out);
    }
    const beyond = await runPacsrv(["fetch", "file.bin", "--chunks", "64-65", "-o", out, ...from]);
    assertEquals(beyond.code, 2, beyond.stderr);
    assertStringIncludes(beyond.stderr, "the file has 65 (0-64)");
    assertEquals(await namesIn(shared.dir.path), ["file.bin"]);
  }
});

Deno.test("--json prints one event a line, the last one says how many bytes came whence", async () => {
  await using shared = await SharedFile.start(20 * MIB);
  const { holder, dir } = shared;
  await using daemon = await startDaemon({ peers: [holder.node] });
  await daemon.linked(1);
  await using fetch = daemon.fetch(["file.bin", "-o", `${dir.path}/out`]);
  const done = await fetch.done();
  const kinds = fetch.events().map(({ event }) => event).filter((kind) => kind !== "searching");
  assertEquals(kinds[0], "found");
  assertEquals(kinds.at(-1), "done");
  assertEquals(new Set(kinds.slice(1, -1)), new Set(["progress"]));
  const totals = fetch.events().flatMap((e) => e.event === "progress" ? [e.bytesTotal] : []);
  assertEquals(new Set(totals), new Set([20 * MIB]));
  const [source, ...others] = done.sources;
  assertEquals(others, []);
  assertEquals([source?.peer, source?.nodeId, source?.bytes], [holder.node, holder.id, 20 * MIB]);
  assertEquals(done.output, `${dir.path}/out`);

  // Where there is nobody who could say that it has nothing.
  await using alone = await startDaemon();
  await using failed = alone.fetch(["no such file", "--timeout", "1"], { cwd: dir.path });
  const { code } = await failed.ended();
  const last = JSON.parse(failed.process.stdout.all.at(-1)!);
  assertEquals([last.event, last.exit, last.code], ["failed", "timedOut", code]);
});

Deno.test("fetch prints lines where there is no terminal, and nothing with -q", async () => {
  await using shared = await SharedFile.start(5 * MIB);
  const out = ["-o", `${shared.dir.path}/out`];
  const plain = await runPacsrv(["fetch", "file.bin", ...out, ...shared.alone]);
  assertEquals([plain.code, plain.stdout], [0, ""]);
  const last = plain.stderr.trim().split("\n").at(-1)!;
  assertStringIncludes(last, `5.24 MB from ${shared.holder.node}`);
  assertStringIncludes(last, `${shared.dir.path}/out`);
  const quiet = await runPacsrv(["fetch", "file.bin", "-q", ...out, ...shared.alone]);
  assertEquals(quiet, { code: 0, stdout: "", stderr: "" });
});

Deno.test("a fetch without a daemon ends with 5, or runs a node of its own", async () => {
  await using shared = await SharedFile.start(2 * MIB);
  const out = `${shared.dir.path}/out`;
  // The person named this daemon: then no other way is taken.
  const named = await runPacsrv(["fetch", "file.bin", "-o", out, "--client", NOBODY]);
  assertEquals(named.code, 5, named.stderr);
  assertStringIncludes(named.stderr, "hint: ");
  const alone = await runPacsrv(["fetch", "file.bin", "-o", out, ...shared.alone]);
  assertEquals(alone.code, 0, alone.stderr);
  await assertSameFile(out, shared.path);
  for (const command of [["list"], ["status"], ["peers"], ["search", "*"], ["share", out]]) {
    const { code, stderr } = await runPacsrv([...command, "--client", NOBODY]);
    assertEquals(code, 5, stderr);
  }
});

Deno.test("fetch ends with 3 when nobody has it, with 6 when it is out of time", async () => {
  await using dir = await TempDir.make();
  await using daemon = await startDaemon();
  await using _ = await stallingHolder(daemon);
  const options = { cwd: dir.path };
  const alone = ["--alone", "--peer", daemon.node];
  const begunMs = performance.now();
  const [nobody, nobodyAlone, late, lateAlone] = await Promise.all([
    daemon.run(["fetch", "nothing.bin"], options).then((outcome) => {
      const tookMs = performance.now() - begunMs;
      assert(tookMs > 4_500 && tookMs < 20_000, `it gave up after ${tookMs} ms`);
      return outcome;
    }),
    runPacsrv(["fetch", "nothing.bin", ...alone], options),
    daemon.run(["fetch", "file.bin", "--timeout", "3"], options),
    runPacsrv(["fetch", "file.bin", "--timeout", "3", ...alone], options),
  ]);
  assertEquals([nobody.code, nobodyAlone.code, late.code, lateAlone.code], [3, 3, 6, 6]);
  assertStringIncludes(nobody.stderr, "nobody has it");
  assertStringIncludes(late.stderr, "out of time");
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("two clients that want one file share its transfer", async () => {
  await using shared = await SharedFile.start(24 * MIB);
  const { holder, dir } = shared;
  await using daemon = await startDaemon({ peers: [holder.node] });
  await daemon.linked(1);
  const outputs = ["one", "two", "three"].map((name) => `${dir.path}/${name}`);
  const outcomes = await Promise.all(
    outputs.map((output) => daemon.run(["fetch", "file.bin", "-o", output])),
  );
  for (const { code, stderr } of outcomes) assertEquals(code, 0, stderr);
  for (const output of outputs) await assertSameFile(output, shared.path);
  const [status] = await ask(daemon, "status", {});
  assert(status!.counters.bytesIn < 2 * 24 * MIB, `${status!.counters.bytesIn} bytes came`);
});

/** A file that one daemon shares, and the two ways to fetch it. */
class SharedFile implements AsyncDisposable {
  readonly path: string;
  readonly ofDaemon: readonly string[];
  readonly alone: readonly string[];

  private constructor(readonly dir: TempDir, readonly holder: DaemonProcess) {
    this.path = `${dir.path}/file.bin`;
    this.ofDaemon = ["--client", holder.client];
    this.alone = ["--alone", "--peer", holder.node];
  }

  /** @param rate At which it is given; by default as fast as may be. */
  static async start(bytes: number, rate?: string): Promise<SharedFile> {
    const dir = await TempDir.make();
    await randomFile(`${dir.path}/file.bin`, bytes, 61);
    const holder = await startDaemon({
      shares: [`${dir.path}/file.bin`],
      args: rate === undefined ? [] : ["--upload-rate", rate],
    });
    await untilShared(holder, "file.bin");
    return new SharedFile(dir, holder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.holder[Symbol.asyncDispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

function stallingFile() {
  return holdFile("file.bin", randomBytes(6 * MIB, 62));
}

async function stallingHolder(daemon: DaemonProcess): Promise<RawHolder> {
  return await RawHolder.start(daemon.node, stallingFile(), { behaviour: STALLS });
}

/** Waits until a fetch has written into its working file. */
async function untilWorkingFile(path: string): Promise<void> {
  await waitUntil(async () => {
    const [name] = await namesIn(path);
    return name !== undefined && (await Deno.stat(`${path}/${name}`)).size > 0;
  }, { what: "a working file with bytes in it", everyMs: 2 });
}

/** Runs pacsrv for the bytes that it writes to stdout. */
async function output(args: readonly string[]): Promise<{ code: number; stdout: Uint8Array }> {
  return await new Deno.Command(Deno.execPath(), {
    args: [...pacsrvArgs(), ...args],
    stdin: "null",
    stderr: "null",
  }).output();
}
