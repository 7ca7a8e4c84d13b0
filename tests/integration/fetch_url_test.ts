// `pacsrv fetch URL`, as pacman runs it by XferCommand: through a daemon, and straight from the
// mirror where there is none, where it fails, and where others must not be asked.

import { cpSync } from "node:fs";
import { join } from "node:path";
import { assert, assertEquals, assertFalse, assertMatch, assertStringIncludes } from "@std/assert";
import { pacsrvArgs } from "../../scripts/deno_args.ts";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import { startDaemon } from "./support/daemon.ts";
import { assertSameFile, namesIn, randomFile, sha256Of, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { type Outcome, PacsrvProcess, runPacsrv } from "./support/process.ts";
import { Repository } from "./support/repository.ts";
import { runTool, tool } from "./support/tool.ts";
import { WAIT_MS, waitUntil } from "./support/wait.ts";

/** Nothing listens there: the port is reserved for a service that nobody runs. */
const NO_DAEMON = ["--client", "127.0.0.1:1"];
const PKG = "a-1-1-any.pkg.tar.zst";
const SIZE = 2_000_000;

/** A mirror with one package, and a folder to download into. */
class Scene implements AsyncDisposable {
  readonly mirror: Mirror;
  readonly #dir: TempDir;
  readonly folder: string;

  private constructor(dir: TempDir, mirror: Mirror, folder: string) {
    this.#dir = dir;
    this.mirror = mirror;
    this.folder = folder;
  }

  static async make(bytes = SIZE): Promise<Scene> {
    const dir = await TempDir.make();
    await randomFile(await dir.sub("mirror", PKG), bytes, 1);
    return new Scene(dir, Mirror.start(`${dir.path}/mirror`), await dir.folder("out"));
  }

  /** The package as the mirror has it. */
  get original(): string {
    return `${this.#dir.path}/mirror/${PKG}`;
  }

  get part(): string {
    return `${this.folder}/${PKG}.part`;
  }

  get url(): string {
    return `${this.mirror.url}/${PKG}`;
  }

  /** Lets other users in; folders for tests are for their owner only. */
  async open(): Promise<void> {
    await Deno.chmod(this.#dir.path, 0o755);
  }

  async sub(...parts: readonly string[]): Promise<string> {
    return await this.#dir.sub(...parts);
  }

  /** As pacman runs it. */
  async fetch(args: readonly string[], url = this.url, part = this.part): Promise<Outcome> {
    return await runPacsrv(["fetch", url, "-o", part, ...args], { cwd: this.folder });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await Deno.stat(path)).size;
}

Deno.test("fetch URL gets the file from the mirror where no daemon runs, and says so in one line", async () => {
  await using scene = await Scene.make();
  const { code, stdout, stderr } = await scene.fetch(NO_DAEMON);
  assertEquals([code, stdout], [0, ""], stderr);
  await assertSameFile(scene.part, scene.original);
  assert(/^a-1-1-any\.pkg\.tar\.zst: 2 MB in .* from 127\.0\.0\.1:\d+\n$/.test(stderr), stderr);
  assertEquals(await namesIn(scene.folder), [`${PKG}.part`]);
  const quiet = await scene.fetch([...NO_DAEMON, "--quiet"]);
  assertEquals([quiet.code, quiet.stdout, quiet.stderr], [0, "", ""]);
});

Deno.test("fetch URL leaves a .part when it is interrupted, and goes on from there", async () => {
  await using scene = await Scene.make();
  scene.mirror.misbehave({ bytesPerSecond: 400_000 });
  await using process = new PacsrvProcess(["fetch", scene.url, "-o", scene.part, ...NO_DAEMON]);
  await waitUntil(async () => await sizeOf(scene.part) > 200_000, { what: "some of the file" });
  process.kill("SIGINT");
  const { code, stderr } = await process.ended();
  assertEquals(code, 130, stderr);
  assertMatch(
    stderr,
    /Ended by SIGINT: \d+ kB of 2 MB are kept; the same command goes on from there/,
  );
  const had = await sizeOf(scene.part);
  assert(had > 200_000 && had < SIZE, String(had));
  scene.mirror.behave();
  scene.mirror.forget();
  assertEquals((await scene.fetch(NO_DAEMON)).code, 0);
  await assertSameFile(scene.part, scene.original);
  const given = scene.mirror.packageBytes;
  assert(given <= SIZE - had + 8_192, `the mirror gave ${given} of the last ${SIZE - had} bytes`);
});

Deno.test("fetch URL says that nothing comes, though its only source is silent", async () => {
  await using scene = await Scene.make();
  scene.mirror.misbehave({ silentAfterBytes: 500_000 });
  const args = ["fetch", scene.url, "-o", scene.part, "--json", ...NO_DAEMON];
  await using process = new PacsrvProcess(args);
  const { stalled } = JSON.parse(await process.stdout.matching('"stalled":{'));
  assert(stalled.sinceMs >= 2_000, JSON.stringify(stalled));
  assertEquals(stalled.waitingFor, new URL(scene.url).host);
});

Deno.test("fetch URL says shortly why there is nothing, and leaves no wrong bytes", async () => {
  await using scene = await Scene.make();
  const secret = scene.url.replace("http://", "http://user:secret@").replace(
    PKG,
    `${PKG}.sig?k=secret`,
  );
  const missing = await scene.fetch(NO_DAEMON, secret);
  assertEquals(missing.code, 3, missing.stderr);
  assertEquals(missing.stderr.split("\n").length, 2, missing.stderr);
  assertStringIncludes(missing.stderr, `has no ${PKG}.sig (404)`);
  assertFalse(missing.stderr.includes("secret"), missing.stderr);
  scene.mirror.misbehave({ flippedBytes: [1_000_000] });
  const sha256 = await sha256Of(scene.original);
  const wrong = await scene.fetch([...NO_DAEMON, "--sha256", sha256]);
  assertEquals(wrong.code, 4, wrong.stderr);
  assertEquals(await sizeOf(scene.part), 0);
  await scene.mirror.die();
  const dead = await scene.fetch(NO_DAEMON);
  assertEquals(dead.code, 1, dead.stderr);
  assertStringIncludes(dead.stderr, `mirror ${new URL(scene.url).host}`);
});

Deno.test("fetch URL goes on when the mirror breaks off, and starts over when it cannot", async () => {
  await using scene = await Scene.make();
  scene.mirror.misbehave({ breakOffAfterBytes: 500_000 }, { times: 2 });
  assertEquals((await scene.fetch(NO_DAEMON)).code, 0);
  await assertSameFile(scene.part, scene.original);
  assertEquals(scene.mirror.packageBytes, SIZE);
  // What is there is of another file.
  await randomFile(scene.part, 1_500_000, 9);
  assertEquals((await scene.fetch(NO_DAEMON)).code, 0);
  await assertSameFile(scene.part, scene.original);
});

Deno.test("fetch URL takes the size and SHA-256 from the databases of --sync-db", async () => {
  await using dir = await TempDir.make();
  const root = await dir.folder("mirror");
  const repository = await Repository.build(root, {
    packages: [{ name: "x", payloadBytes: 300_000 }],
  });
  const { path, url, fileName } = repository.package("x");
  await using mirror = Mirror.start(root);
  const part = await dir.sub("out", `${fileName}.part`);
  const fetch = () =>
    runPacsrv([
      ...["fetch", mirror.url + url, "-o", part, ...NO_DAEMON],
      ...["--sync-db", `${root}${repository.folder}`],
    ]);
  mirror.misbehave({ flippedBytes: [100_000] });
  const wrong = await fetch();
  assertEquals(wrong.code, 4, wrong.stderr);
  mirror.behave();
  const right = await fetch();
  assertEquals(right.code, 0, right.stderr);
  await assertSameFile(part, path);
});

Deno.test("fetch URL does not take from the mirror what the daemon's databases refuse", async () => {
  await using dir = await TempDir.make();
  const root = await dir.folder("mirror");
  const repository = await Repository.build(root, {
    packages: [{ name: "x", payloadBytes: 300_000 }],
  });
  const { path, url, fileName } = repository.package("x");
  await using mirror = Mirror.start(root);
  await using daemon = await startDaemon({ args: ["--sync-db", `${root}${repository.folder}`] });
  const part = await dir.sub("out", `${fileName}.part`);
  const fetch = (...args: readonly string[]) =>
    runPacsrv(["fetch", mirror.url + url, "-o", part, "--client", daemon.client, ...args]);
  const right = await Deno.readFile(path);
  const flipped = right.slice();
  flipped[100_000]! ^= 0xff;
  const cases = [
    [flipped, 4, "what the mirror gives failed its check"],
    // As if it was not there: it may be a version that is still to come, or gone.
    [right.subarray(0, 200_000), 3, "no mirror does"],
  ] as const;
  for (const [wrong, exit, words] of cases) {
    await Deno.writeFile(path, wrong);
    const { code, stderr } = await fetch();
    assertEquals(code, exit, stderr);
    assertStringIncludes(stderr, words);
    assertEquals(await Deno.stat(part).then(({ size }) => size, () => 0), 0);
  }
  // Whoever says what it must be has it looked at on the straight way too.
  assertEquals((await fetch("--sha256", "00".repeat(32))).code, 4);
  assertEquals(await Deno.stat(part).then(({ size }) => size, () => 0), 0);
  await Deno.writeFile(path, right);
  const { code, stderr } = await fetch();
  assertEquals(code, 0, stderr);
  await assertSameFile(part, path);
});

Deno.test("fetch URL copies a file of this machine, and says when there is none", async () => {
  await using scene = await Scene.make();
  await Deno.writeFile(scene.part, (await Deno.readFile(scene.original)).subarray(0, 700_000));
  const url = `file://${scene.original}`;
  assertEquals((await scene.fetch(NO_DAEMON, url)).code, 0);
  await assertSameFile(scene.part, scene.original);
  const none = await scene.fetch(NO_DAEMON, `${url}.sig`, `${scene.part}.part`);
  assertEquals(none.code, 3, none.stderr);
  assertEquals(scene.mirror.requests.length, 0);
});

Deno.test("fetch URL works for a user who may write nothing but the .part", async () => {
  await using scene = await Scene.make();
  await Deno.writeFile(scene.part, (await Deno.readFile(scene.original)).subarray(0, 100_000));
  await scene.open();
  await Deno.chmod(scene.folder, 0o555);
  const deno = [Deno.execPath(), ...pacsrvArgs(), "fetch", scene.url, "-o", scene.part];
  // Where deno, from which the tests run the program, keeps libraries: a user without a home has
  // none, so it gets a copy.
  const denoDir = await scene.sub("deno");
  const { denoDir: own } = JSON.parse(
    await tool(Deno.execPath(), ["info", "--json", "--no-config"]),
  );
  for (const part of ["npm", "remote"]) {
    const from = join(own, part);
    if (await Deno.stat(from).catch(() => null) !== null) {
      cpSync(from, join(denoDir, part), { recursive: true });
    }
  }
  const bare = [
    ...["env", "-i", `PATH=${Deno.env.get("PATH")}`, `DENO_DIR=${denoDir}`],
    ...["TMPDIR=/nonexistent", "NO_COLOR=1"],
  ];
  const NOBODY = 65_534;
  let become: string[] = [];
  if (Deno.uid() === 0) {
    // Nobody, who may read what belongs to root, for that is where deno lies, but write nothing.
    await Deno.chown(scene.part, NOBODY, NOBODY);
    become = [
      ...["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--no-new-privs"],
      ...["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"],
    ];
  }
  const [command, ...args] = [...become, ...bare, ...deno];
  const options = { cwd: scene.folder };
  const { code, stderr } = await runTool(command!, [...args, ...NO_DAEMON], options);
  assertEquals(code, 0, stderr);
  await Deno.chmod(scene.folder, 0o755);
  await assertSameFile(scene.part, scene.original);
  assertEquals(await namesIn(scene.folder), [`${PKG}.part`]);
  assert(scene.mirror.packageBytes < SIZE - 90_000, "what was there was fetched again");
});

Deno.test("fetch URL never asks others for a database, and never goes on from an old one", async () => {
  await using scene = await Scene.make();
  for (const name of ["core.db", "core.db.sig"]) {
    await randomFile(await scene.sub("mirror", name), 50_000, 2);
    await randomFile(await scene.sub("shared", name), 50_000, 3);
  }
  const shares = [await scene.sub("shared", "core.db"), await scene.sub("shared", "core.db.sig")];
  await using daemon = await startDaemon({ shares });
  for (const name of ["core.db", "core.db.sig"]) {
    await daemon.holds(name);
    const part = `${scene.folder}/${name}.part`;
    await randomFile(part, 70_000, 4);
    const { code, stderr } = await scene.fetch(
      ["--client", daemon.client],
      `${scene.mirror.url}/${name}`,
      part,
    );
    assertEquals(code, 0, stderr);
    await assertSameFile(part, await scene.sub("mirror", name));
    assertEquals(daemon.log.filter((line) => line.includes(`name=${name}`)).length, 0);
  }
});

Deno.test("fetch URL takes what the daemon has from there, and next to nothing from the mirror", async () => {
  await using scene = await Scene.make();
  const shared = await scene.sub("shared", PKG);
  await Deno.copyFile(scene.original, shared);
  await using daemon = await startDaemon({ shares: [shared] });
  await daemon.holds(PKG);
  const { code, stderr } = await scene.fetch(["--client", daemon.client]);
  assertEquals(code, 0, stderr);
  await assertSameFile(scene.part, scene.original);
  // Its first chunk: only a mirror says which file of that name is meant.
  assertEquals(scene.mirror.packageBytes, CHUNK_BYTES);
});

Deno.test("fetch URL has the daemon get from the mirror what nobody has, and share it", async () => {
  await using scene = await Scene.make();
  await using daemon = await startDaemon();
  const { code, stderr } = await scene.fetch(["--client", daemon.client]);
  assertEquals(code, 0, stderr);
  await assertSameFile(scene.part, scene.original);
  await daemon.holds(PKG);
  scene.mirror.forget();
  await Deno.remove(scene.part);
  assertEquals((await scene.fetch(["--client", daemon.client])).code, 0);
  await assertSameFile(scene.part, scene.original);
  assertEquals(scene.mirror.packageBytes, CHUNK_BYTES);
});

Deno.test("fetch URL asks the daemon for a file: URL, and copies what nobody has", async () => {
  await using scene = await Scene.make();
  await using holder = await startDaemon();
  await using daemon = await startDaemon({ peers: [holder.node] });
  await daemon.linked(1);
  const url = `file://${scene.original}`;
  const { code, stderr } = await scene.fetch(["--client", daemon.client], url);
  assertEquals(code, 0, stderr);
  await assertSameFile(scene.part, scene.original);
  assertEquals((await holder.status()).counters.queriesSeen, 1, "nobody was asked");
});

Deno.test("fetch URL runs a node of its own where peers are named and no daemon is", async () => {
  await using scene = await Scene.make();
  const shared = await scene.sub("shared", PKG);
  await Deno.copyFile(scene.original, shared);
  await using holder = await startDaemon({ shares: [shared] });
  await holder.holds(PKG);
  const own = ["--alone", "--peer", holder.node, "--node", "127.0.0.1:0"];
  const { code, stderr } = await scene.fetch(own);
  assertEquals(code, 0, stderr);
  await assertSameFile(scene.part, scene.original);
  // Another one, that only the mirror has.
  const other = "b-1-1-any.pkg.tar.zst";
  await randomFile(await scene.sub("mirror", other), 400_000, 5);
  const part = `${scene.folder}/${other}.part`;
  const { code: second, stderr: said } = await scene.fetch(
    own,
    `${scene.mirror.url}/${other}`,
    part,
  );
  assertEquals(second, 0, said);
  await assertSameFile(part, await scene.sub("mirror", other));
});

Deno.test("fetch URL with a node of its own takes no other file of the same name", async () => {
  for (const bytes of [SIZE, SIZE - 1]) {
    await using scene = await Scene.make();
    const wrong = await scene.sub("wrong", PKG);
    await randomFile(wrong, bytes, 7);
    await using liar = await startDaemon({ shares: [wrong] });
    await liar.holds(PKG);
    // Slow at first, so that the liar has its chance.
    scene.mirror.misbehave({ bytesPerSecond: 1_000_000 });
    const own = ["--alone", "--peer", liar.node, "--node", "127.0.0.1:0"];
    const { code, stderr } = await scene.fetch(own);
    assertEquals(code, 0, stderr);
    await assertSameFile(scene.part, scene.original);
  }
});

Deno.test("fetch URL goes on straight from the mirror when the daemon dies", async () => {
  await using scene = await Scene.make();
  await using daemon = await startDaemon();
  const stopSlow = scene.mirror.misbehave({ bytesPerSecond: 1_000_000 });
  await using process = new PacsrvProcess(
    ["fetch", scene.url, "-o", scene.part, "--client", daemon.client],
  );
  await waitUntil(async () => await sizeOf(scene.part) > 100_000, { what: "some of the file" });
  daemon.kill("SIGKILL");
  stopSlow();
  const { code, stderr } = await process.ended(2 * WAIT_MS);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "went away");
  await assertSameFile(scene.part, scene.original);
});

Deno.test("fetch URL takes the right file from the mirror when all that the daemon finds is wrong", async () => {
  await using scene = await Scene.make();
  const wrong = await scene.sub("wrong", PKG);
  await randomFile(wrong, SIZE, 7);
  await using liar = await startDaemon({ shares: [wrong] });
  await liar.holds(PKG);
  await using daemon = await startDaemon({ peers: [liar.node] });
  await daemon.linked(1);
  const sha256 = await sha256Of(scene.original);
  const { code, stderr } = await scene.fetch(["--client", daemon.client, "--sha256", sha256]);
  assertEquals(code, 0, stderr);
  await assertSameFile(scene.part, scene.original);
});
