// Files given to nodes that did not ask for them: what each answers, and what comes of it.

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { PushReport } from "../../src/client/types.ts";
import { systemRandom } from "../../src/base/random.ts";
import { limits } from "../../src/base/limits.ts";
import { HASH_BYTES, newSessionId, type SessionId } from "../../src/base/ids.ts";
import { macEquals, sessionMac } from "../../src/wire/proofs.ts";
import type { Holder } from "../../src/wire/structures.ts";
import { ask, connectTo, untilListed, untilShared } from "./support/client.ts";
import { requestFor } from "../support/fetch_request.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { assertSameFile, randomBytes, randomFile, sha256Of, TempDir } from "./support/files.ts";
import { type HeldFile, holdFile, otherRoot } from "./support/raw_holder.ts";
import { RawNode, type RawPeer } from "./support/raw_node.ts";
import { askToTake, giveFile, listed } from "./support/raw_pusher.ts";
import { waitUntil } from "./support/wait.ts";

const NAME = "pushed.img";
const FILE_BYTES = 5_000_003;
const ZEROS = new Uint8Array(HASH_BYTES);

/** A daemon that takes `bytes` of files that others ask it to take. */
function taker(bytes: number | string, args: readonly string[] = []): Promise<DaemonProcess> {
  return startDaemon({ args: ["--accept-uploads", String(bytes), ...args] });
}

/** A daemon that shares one new file of this name. */
async function provider(
  dir: TempDir,
  options: { readonly bytes?: number; readonly args?: readonly string[] } = {},
): Promise<{ readonly daemon: DaemonProcess; readonly path: string; readonly dataDir: string }> {
  const path = await dir.sub("shared", NAME);
  await randomFile(path, options.bytes ?? FILE_BYTES, 61);
  const dataDir = await dir.folder("data");
  const daemon = await startDaemon({ dataDir, shares: [path], args: options.args ?? [] });
  await untilShared(daemon, NAME);
  return { daemon, path, dataDir };
}

function results(reports: readonly PushReport[]): (readonly [string, number])[] {
  return reports.map(({ result, bytes }) => [result, bytes]);
}

/** The path of the file once it is in its place: whole it is a little sooner. */
async function taken(peer: DaemonProcess): Promise<string> {
  const file = await untilListed(peer, {
    what: `${NAME} to be put away`,
    find: (files) => files.find(({ name, origin }) => name === NAME && origin === "downloaded"),
  });
  return file.path;
}

async function pushTo(from: DaemonProcess, peer: string): Promise<PushReport[]> {
  return await ask(from, "push", { target: NAME, peer });
}

Deno.test("pacsrv push gives a file to a node that takes it, and both count it", async () => {
  await using dir = await TempDir.make();
  const { daemon, path, dataDir } = await provider(dir);
  await using source = daemon;
  await using peer = await taker("8M");
  const { code, stdout, stderr } = await source.run(["push", NAME, peer.node, "--json"]);
  assertEquals(code, 0, stderr);
  const reports: PushReport[] = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(results(reports), [["accepted", 0], ["done", FILE_BYTES]]);
  for (const report of reports) {
    assertEquals([report.peer, report.nodeId, report.name], [peer.node, peer.id, NAME]);
  }
  const [copy] = await ask(peer, "list", {});
  assertEquals([copy!.name, copy!.origin, copy!.have], [NAME, "downloaded", "all"]);
  await assertSameFile(copy!.path, path);

  // Asked again, it has it; nothing travels.
  assertEquals(results(await pushTo(source, peer.node)), [["have", 0]]);
  const { counters } = await source.status();
  assertEquals([counters.filesServed, counters.totalFilesServed], [1, 1]);
  await source.stop();
  await using again = await startDaemon({ dataDir });
  const later = (await again.status()).counters;
  assertEquals([later.filesServed, later.totalFilesServed], [0, 1], "it outlives the daemon");
});

Deno.test("pacsrv push gives a file from a node that nobody can dial", async () => {
  await using dir = await TempDir.make();
  const { daemon, path } = await provider(dir, { args: ["--no-callback"] });
  await using source = daemon;
  await using peer = await taker("8M");
  assertEquals(results(await pushTo(source, peer.node)), [["accepted", 0], ["done", FILE_BYTES]]);
  await assertSameFile(await taken(peer), path);
});

Deno.test("pacsrv push says why a node does not take a file", async () => {
  await using dir = await TempDir.make();
  const { daemon } = await provider(dir);
  await using source = daemon;
  await using unwilling = await startDaemon();
  assertEquals(results(await pushTo(source, unwilling.node)), [["unwilling", 0]]);
  await using small = await taker(FILE_BYTES - 1);
  assertEquals(results(await pushTo(source, small.node)), [["no-room", 0]]);
  await using gone = await startDaemon();
  await gone.stop();
  const { code, stdout, stderr } = await source.run(["push", NAME, gone.node, "--json"]);
  assertEquals(code, 1, stderr);
  assertEquals([JSON.parse(stdout).result, JSON.parse(stdout).nodeId], ["unreachable", null]);
  await using stranger = await startDaemon({ args: ["--network", "another"] });
  await using directory = await startDirectory();
  const others = [[stranger.node, "refused"], [directory.address, "refused"], [
    source.node,
    "self",
  ]];
  for (const [peer, result] of others) {
    const { stdout } = await source.run(["push", NAME, peer!, "--json"]);
    assertEquals([JSON.parse(stdout).result, JSON.parse(stdout).nodeId], [result, null]);
  }
  const listing = await source.run(["files", directory.address]);
  assertEquals(listing.code, 1);
  assert(listing.stderr.includes("no node that can be asked, but a directory"), listing.stderr);
  assertEquals((await ask(small, "list", {})).length, 0);
});

Deno.test("a node takes files up to its bound, and what it fetched itself counts", async () => {
  await using dir = await TempDir.make();
  await using peer = await taker(3_000_000);
  await using node = new RawNode();
  const size = 1_000_000;
  const made = (seed: number) => holdFile(`${seed}.bin`, randomBytes(size, seed));
  const a = made(1), b = made(2), c = made(3), d = made(4);
  const give = async (file: HeldFile) => {
    const { peer: at, answer } = await askToTake(node, peer.node, {
      file: listed(file),
      serves: true,
    });
    if (answer !== "accepted") return answer;
    at.send({ kind: "offer", file: listed(file).file, bitfield: new Uint8Array() });
    await at.next("want");
    await giveFile(at, file);
    await peer.holds(file.name);
    return answer;
  };
  assertEquals(await give(a), "accepted");
  assertEquals(await give(b), "accepted");
  // A fetch of its own takes room that pushes do not get any more.
  const path = await dir.sub("shared", "own.bin");
  await randomFile(path, size, 9);
  await using holder = await startDaemon({ shares: [path], peers: [peer.node] });
  await untilShared(holder, "own.bin");
  await holder.linked(1);
  await using client = await connectTo(peer);
  await Array.fromAsync(client.get(requestFor("own.bin")));
  assertEquals(await give(c), "no-room");
  assertEquals(await give(a), "have");
  // And what is under way counts before it is here.
  assertEquals((await ask(peer, "unshare", { target: "own.bin" })).length, 1);
  const waiting = await askToTake(node, peer.node, { file: listed(c), serves: true });
  assertEquals(waiting.answer, "accepted");
  assertEquals(await give(d), "no-room");
  const twice = await askToTake(node, peer.node, { file: listed(c), serves: true });
  assertEquals(twice.answer, "busy");
  waiting.peer.close();
  await waitUntil(async () => await give(d) === "accepted", { what: "the place to come free" });
});

Deno.test("a node takes no other file than the one that it was asked to take", async () => {
  await using dir = await TempDir.make();
  const dataDir = await dir.folder("data");
  await using peer = await startDaemon({ dataDir, args: ["--accept-uploads", "20M"] });
  await using liar = new RawNode();
  const file = holdFile(NAME, randomBytes(600_000, 5));
  const lies = [
    { root: otherRoot(file.root) },
    { sizeBytes: file.data.length - 20_000, chunksHave: 36 },
    { chunksHave: 3 },
  ];
  for (const lie of lies) {
    const asked = { file: listed(file), serves: true };
    const { peer: at, answer } = await askToTake(liar, peer.node, asked);
    assertEquals(answer, "accepted");
    at.send({ kind: "offer", file: listed(file, lie).file, bitfield: new Uint8Array() });
    assertEquals(await at.ended(), []);
  }
  await peer.logged(/WARN.*Cannot take a file: 600000 bytes of root/);

  // And when it gives what does not match the root, the file comes from one that has it.
  const path = await dir.sub("shared", NAME);
  await Deno.writeFile(path, file.data);
  await using holder = await startDaemon({ shares: [path], peers: [peer.node] });
  await untilShared(holder, NAME);
  await holder.linked(1);
  const asked = { file: listed(file), serves: true };
  const { peer: at, answer } = await askToTake(liar, peer.node, asked);
  assertEquals(answer, "accepted");
  at.send({ kind: "offer", file: asked.file.file, bitfield: new Uint8Array() });
  await at.next("want");
  await giveFile(at, { ...file, data: randomBytes(600_000, 6) });
  await assertSameFile(await taken(peer), path);
  const { counters } = await peer.status();
  assertGreater(counters.strikes, 0);
  await peer.stop();
  await using again = await startDaemon({ dataDir });
  const { strikes, totalStrikes } = (await again.status()).counters;
  assertEquals([strikes, totalStrikes], [0, counters.strikes], "they outlive the daemon");
});

Deno.test("a node that is given a file gets the rest elsewhere when the provider goes away", async () => {
  await using dir = await TempDir.make();
  const { daemon, path } = await provider(dir);
  await using holder = daemon;
  await using peer = await startDaemon({
    peers: [holder.node],
    args: ["--accept-uploads", "8M"],
  });
  await peer.linked(1);
  await using node = new RawNode();
  const file = holdFile(NAME, await Deno.readFile(path));
  const asked = await askToTake(node, peer.node, { file: listed(file), serves: true });
  asked.peer.send({ kind: "offer", file: listed(file).file, bitfield: new Uint8Array() });
  await asked.peer.next("want");
  await giveFile(asked.peer, file, { requestsMax: 1 });
  await assertSameFile(await taken(peer), path);
});

Deno.test("pacsrv push says that it failed when the peer dies in mid-transfer", async () => {
  await using dir = await TempDir.make();
  const { daemon } = await provider(dir, { bytes: 96_000_000 });
  await using source = daemon;
  await using peer = await taker("1G");
  const pushing = pushTo(source, peer.node);
  await peer.logged("taking a file");
  // Stopped, it stays in mid-transfer for as long as this test needs.
  await waitUntil(async () => {
    peer.kill("SIGSTOP");
    const bytes = (await ask(source, "status", {}))[0]!.uploads[0]?.bytes ?? 0;
    if (bytes === 0) peer.kill("SIGCONT");
    return bytes > 0;
  }, { what: "something to be given", everyMs: 1 });
  peer.kill("SIGKILL");
  const [accepted, failed] = await pushing;
  assertEquals([accepted!.result, failed!.result], ["accepted", "failed"]);
  assertGreater(failed!.bytes, 0);
  assertLess(failed!.bytes, 96_000_000);
  assertEquals((await source.status()).counters.filesServed, 0);
});

Deno.test("pacsrv push says what to do when its daemon dies in mid-transfer", async () => {
  await using dir = await TempDir.make();
  const { daemon } = await provider(dir);
  await using source = daemon;
  await using peer = new RawNode({
    onPeer: async (peer) => {
      await peer.next("upload-request");
      peer.send({ kind: "upload-answer", answer: "accepted" });
      await peer.next("offer");
      source.kill();
    },
  });
  const { code, stderr } = await source.run(["push", NAME, peer.address]);
  assertEquals(code, 5, stderr);
  assert(stderr.includes("push again"), stderr);
  assertEquals(peer.errors, []);
});

Deno.test("pacsrv push says that it failed when the peer does not say that it has the file", async () => {
  await using dir = await TempDir.make();
  const { daemon } = await provider(dir);
  await using source = daemon;
  await using liar = new RawNode({
    onPeer: async (peer) => {
      const { serves, file } = await peer.next("upload-request");
      peer.send({ kind: "upload-answer", answer: serves ? "accepted" : "unwilling" });
      if (!serves) return;
      await peer.next("offer");
      peer.send({ kind: "want", root: file.file.root, searchOn: false });
      peer.send({ kind: "request", first: 0, count: 2 });
      await peer.receive();
      peer.close();
    },
  });
  const reports = await pushTo(source, liar.address);
  assertEquals(results(reports), [["accepted", 0], ["failed", 2 * 16_384]]);
  assertEquals(liar.errors, []);
});

Deno.test("pacsrv files lists what a node offers, with the SHA-256 that it has checked", async () => {
  await using dir = await TempDir.make();
  const { daemon, path } = await provider(dir);
  await using source = daemon;
  await using peer = await startDaemon({ peers: [source.node] });
  await peer.linked(1);
  const sha256 = await sha256Of(path);
  await using client = await connectTo(peer);
  await Array.fromAsync(client.get(requestFor(NAME, { sha256 })));
  const own = await source.run(["files", source.node]);
  assertStringIncludes(own.stderr, `the files of ${source.node}: it is this node itself\n`);
  assertEquals(own.code, 1, own.stderr);
  const [first] = await ask(peer, "files", { peer: source.node });
  assertEquals([first!.name, first!.sizeBytes, first!.sha256], [NAME, FILE_BYTES, null]);
  const [theirs] = await ask(source, "files", { peer: peer.node });
  assertEquals([theirs!.name, theirs!.chunks, theirs!.chunksHave], [NAME, 306, 306]);
  assertEquals(theirs!.sha256, sha256);

  // Whole lists are big: one address gets only so many.
  for (let i = 1; i < limits.fileListsBurstMax; i++) {
    await ask(source, "files", { peer: peer.node });
  }
  await assertRejects(
    () => ask(source, "files", { peer: peer.node }),
    Error,
    "no more lists of files for now",
  );
});

Deno.test("a node tells all its files, in as many frames as that takes", async () => {
  await using dir = await TempDir.make();
  const folder = await dir.folder("many");
  const count = 3 * limits.advertisedPerMessageMax + 7;
  for (let i = 0; i < count; i++) await Deno.writeTextFile(`${folder}/f${i}`, `file ${i}`);
  await using source = await startDaemon({ shares: [folder] });
  await waitUntil(async () => (await ask(source, "list", {})).length === count, { what: "files" });
  await using other = await startDaemon();
  const files = await ask(other, "files", { peer: source.node });
  assertEquals(new Set(files.map(({ name }) => name)).size, count);
});

/** A directory that a test plays: it hears of one daemon, and is dialled by it. */
class RawDirectory {
  readonly node: RawNode;
  readonly session = Promise.withResolvers<SessionId>();
  takers: Holder[] = [];

  constructor() {
    this.node = new RawNode({ onPeer: (peer) => this.#talk(peer) });
  }

  async #talk(peer: RawPeer): Promise<void> {
    const instance = this.node.nodeId;
    for (;;) {
      const message = await peer.receive().catch(() => undefined);
      if (message === undefined) return;
      if (message.kind === "refresh") this.session.resolve(message.session);
      else if (message.kind === "batch-end" || message.kind === "leave") {
        const said = {
          known: true,
          reach: "reachable",
          filesListed: 0,
          refreshMs: 60_000,
        } as const;
        peer.send({ kind: "listed", instance, ...said });
      } else if (message.kind === "takers-query") {
        peer.send({ kind: "holders", instance, holders: this.takers, last: true });
      }
    }
  }
}

Deno.test("a node takes a file from elsewhere for a directory that knows its session, and no other", async () => {
  await using dir = await TempDir.make();
  const { daemon, path } = await provider(dir);
  await using holder = daemon;
  const directory = new RawDirectory();
  await using node = directory.node;
  await using peer = await startDaemon({
    peers: [holder.node],
    args: ["--accept-uploads", "8M", "--directory", node.address, "--max-load", "7"],
  });
  await peer.linked(1);
  const file = listed(holdFile(NAME, await Deno.readFile(path)));
  const session = await directory.session.promise;

  const stranger = await askToTake(node, peer.node, { file, serves: false });
  assertEquals(stranger.answer, "unwilling");
  for (const false_ of [newSessionId(systemRandom), undefined]) {
    const wrong = await node.dial(peer.node, "directory");
    const mac = false_ === undefined ? ZEROS : sessionMac("directory", false_, wrong.remote.nonces);
    wrong.send({ kind: "load-query", mac }, { kind: "upload-request", file, serves: false });
    assertEquals((await wrong.next("load-report")).mac, ZEROS);
    assertEquals((await wrong.next("upload-answer")).answer, "unwilling");
  }

  const proved = await node.dial(peer.node, "directory");
  const { nonces } = proved.remote;
  proved.send({ kind: "load-query", mac: sessionMac("directory", session, nonces) });
  const { mac, load } = await proved.next("load-report");
  assert(macEquals(mac, sessionMac("client", session, nonces)));
  assertEquals(load, { uploads: 0, uploadsMax: 7, bytesPerSecond: 0, acceptBytes: 8_000_000 });
  proved.send({ kind: "upload-request", file, serves: false });
  assertEquals((await proved.next("upload-answer")).answer, "accepted");
  await assertSameFile(await taken(peer), path);
  await waitUntil(async () => {
    proved.send({ kind: "upload-request", file, serves: false });
    return (await proved.next("upload-answer")).answer === "have";
  }, { what: "the file to be put away" });
  proved.send({ kind: "load-query", mac: ZEROS });
  assertEquals((await proved.next("load-report")).load.acceptBytes, 8_000_000 - FILE_BYTES);
});

Deno.test("pacsrv push without a peer gives the file to the first that takes it of those a directory names", async () => {
  await using dir = await TempDir.make();
  const directory = new RawDirectory();
  await using node = directory.node;
  const { daemon, path } = await provider(dir, { args: ["--directory", node.address] });
  await using source = daemon;
  await using unwilling = await startDaemon();
  await using willing = await taker("8M");
  await using spare = await taker("8M");
  await directory.session.promise;
  const { root } = (await source.list())[0]!;
  const loads = [unwilling, willing, spare].entries();
  directory.takers = [...loads].map(([index, { id, node }]) => ({
    root,
    sizeBytes: FILE_BYTES,
    nodeId: id as Holder["nodeId"],
    host: "127.0.0.1",
    port: Number(node.split(":")[1]),
    chunksHave: 0,
    loadPermille: index,
  }));
  const reports = await ask(source, "push", { target: root });
  assertEquals(
    reports.map(({ peer, result }) => [peer, result]),
    [[unwilling.node, "unwilling"], [willing.node, "accepted"], [willing.node, "done"]],
  );
  await assertSameFile(await taken(willing), path);
  assertEquals(await ask(spare, "list", {}), []);

  directory.takers = [];
  const none = await source.run(["push", NAME]);
  assertEquals(none.code, 1);
  assert(none.stderr.includes("no directory names a peer"), none.stderr);
});
