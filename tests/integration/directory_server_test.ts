// A directory as a process: its start, its end, its answers, and what comes of those who break the
// rules. The nodes are played by the tests; real ones are in directory_fetch_test.ts.

import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { EnvironmentError } from "../../src/base/errors.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { RefusedError } from "../../src/net/handshake.ts";
import type { ListedFile } from "../../src/wire/structures.ts";
import { startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { TempDir } from "./support/files.ts";
import { runPacsrv } from "./support/process.ts";
import { expectKind, RawClient, rawFile } from "./support/raw_client.ts";
import { frameWithText } from "./support/raw_frames.ts";
import { RawNode } from "./support/raw_node.ts";
import { waitUntil } from "./support/wait.ts";

const FILE = rawFile("linux.iso");
const NAME = FILE.file.name;

/** That somebody else is served, and hears the truth. */
async function assertServes(directory: string, name: string, holders: number): Promise<void> {
  await using other = new RawClient(directory);
  assertEquals((await other.holders(name)).length, holders);
}

Deno.test("directory prints its ready line, serves, and ends by SIGTERM with exit code 0", async () => {
  await using directory = await startDirectory({ refresh: 20, replicas: 2 });
  const status = await directory.status();
  assertEquals(
    { ...status, uptimeMs: 0 },
    {
      directory: directory.address,
      instance: directory.id as typeof status.instance,
      uptimeMs: 0,
      clients: 0,
      clientsReachable: 0,
      roots: 0,
      names: 0,
      filesListed: 0,
      queries: 0,
      batches: 0,
      denied: 0,
      uploadsAccepted: 0,
      replicas: 2,
      refreshMs: 20_000,
    },
  );
  const text = await runPacsrv(["status", "--directory", directory.address]);
  assertMatch(text.stdout, new RegExp(`^directory ${directory.address}, up `));
  assertMatch(text.stdout, /^replicas {2}up to 2; 0 copies begun$/m);
  await directory.stop();
  assertEquals(directory.process.stdout.all.length, 1);
  const gone = await runPacsrv(["status", "--directory", directory.address]);
  assertEquals(gone.code, 5);
  assertMatch(gone.stderr, /^pacsrv: Cannot ask the directory at .*: Cannot connect to /);
  assertMatch(gone.stderr, /^hint: Start one with `pacsrv directory`\.$/m);
});

Deno.test("status --directory says that a port may be a node's", async () => {
  await using daemon = await startDaemon();
  const { code, stderr } = await runPacsrv(["status", "--directory", daemon.node]);
  assertEquals(code, 5);
  assertMatch(stderr, /^hint: It may be a node's port, or the directory has all the connections /m);
});

Deno.test("directory says what is wrong when its port is taken", async () => {
  await using directory = await startDirectory();
  const { code, stderr } = await runPacsrv(["directory", "--listen", directory.address]);
  assertEquals(code, 1);
  assertMatch(stderr, /^pacsrv: Cannot listen on \S+: the port is in use\nhint: /m);
});

Deno.test("directory reads its settings from a file, and the command line wins", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("directory.toml");
  await Deno.writeTextFile(path, 'network = "office"\nreplicas = 7\nmax-queries = 5\n');
  const network = ["--network", "office"];
  await using directory = await startDirectory({ args: ["--config", path], replicas: 1 });
  const asked = ["status", "--json", "--directory", directory.address];
  const { stdout } = await runPacsrv([...asked, ...network]);
  assertEquals(JSON.parse(stdout).replicas, 1);
  const stranger = await runPacsrv(asked);
  assertEquals(stranger.code, 5);
  assertMatch(stranger.stderr, /wrong-network/);

  await Deno.writeTextFile(path, "peer = []\n");
  const { code, stderr } = await runPacsrv(["directory", "--config", path]);
  assertEquals(code, 2);
  assertMatch(stderr, /there is no key "peer"/);
});

Deno.test("directory lets only those in who hold the network's key", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("key");
  const key = "a secret of the test's network";
  await Deno.writeTextFile(path, key, { mode: 0o600 });
  await using directory = await startDirectory({ network: ["--network-key-file", path] });
  assertEquals((await directory.status()).clients, 0);

  await using stranger = new RawClient(directory.address);
  await assertRejects(() => stranger.open(), EnvironmentError);
  await directory.logged(/WARN .*refused a connection on the directory host=127\.0\.0\.1/);

  await using client = new RawClient(directory.address, { networkKey: utf8(key) });
  assertEquals((await client.batch([FILE])).kind, "listed");
  assertEquals((await client.settled(1)).reach, "reachable");
});

Deno.test("directory refuses every purpose but its own", async () => {
  await using directory = await startDirectory();
  await using node = new RawNode();
  for (const purpose of ["link", "callback", "transfer"] as const) {
    const error = await assertRejects(() => node.dial(directory.address, purpose), RefusedError);
    assertEquals(error.refusal, "not-supported");
  }
});

Deno.test("directory tells what a client lists, once it has dialled it back", async () => {
  await using directory = await startDirectory();
  await using holder = new RawClient(directory.address);
  await using seeker = new RawClient(directory.address);
  const answer = await holder.batch([FILE, rawFile("other.iso")]);
  assertEquals(answer, {
    kind: "listed",
    instance: directory.id as typeof answer.instance,
    known: true,
    reach: "checking",
    filesListed: 2,
    refreshMs: 1_000,
  });
  assertEquals((await holder.settled(2)).reach, "reachable");
  assertEquals(holder.checks, 1);
  const [found, ...more] = await seeker.holders(NAME);
  assertEquals(more, []);
  assertEquals(`${found!.host}:${found!.port}`, holder.node.address);
  assertEquals(found!.nodeId, holder.node.nodeId);
  assertEquals(found!.root, FILE.file.root);

  const { root, type, sizeBytes } = FILE.file;
  const known = { root, name: NAME, type, sizeBytes, sha256: null, whole: 1, part: 0 };
  assertEquals(await seeker.metadata(NAME), [known]);
  const peer = await seeker.open([
    { kind: "search-query", glob: "linux*", max: 10 },
    { kind: "metadata-query", sought: { by: "root", value: root.toUpperCase() } },
    { kind: "takers-query", root, sizeBytes, max: 10 },
    { kind: "directory-query" },
  ]);
  assertEquals(expectKind(await peer.receive(), "metadata").files, [known]);
  assertEquals(expectKind(await peer.receive(), "metadata").files, [known]);
  assertEquals(expectKind(await peer.receive(), "holders").holders, []);
  const status = expectKind(await peer.receive(), "directory-status");
  assertEquals([status.clients, status.clientsReachable, status.filesListed], [1, 1, 2]);
  peer.close();

  assertEquals((await holder.leave()).kind, "listed");
  assertEquals(await seeker.holders(NAME), []);
});

Deno.test("directory answers pipelined questions in order, however many", async () => {
  await using directory = await startDirectory({ maxQueries: 1_000_000 });
  await using holder = new RawClient(directory.address);
  const files = Array.from({ length: 300 }, (_, i) => rawFile(`file-${i}.bin`));
  await holder.batch(files);
  const peer = await holder.open();
  const count = 2_000;
  for (let i = 0; i < count; i++) {
    const value = `file-${i % files.length}.bin`;
    peer.send({ kind: "metadata-query", sought: { by: "name", value } });
  }
  // Five frames for one question, in between.
  peer.send({ kind: "search-query", glob: "*", max: 300 }, { kind: "directory-query" });
  for (let i = 0; i < count; i++) {
    const { files, last } = expectKind(await peer.receive(), "metadata");
    assertEquals([files.map(({ name }) => name), last], [[`file-${i % 300}.bin`], true]);
  }
  const found: string[] = [];
  for (let isLast = false; !isLast;) {
    const { files, last } = expectKind(await peer.receive(), "metadata");
    found.push(...files.map(({ name }) => name));
    isLast = last;
  }
  assertEquals(found.toSorted(), files.map(({ file }) => file.name).toSorted());
  assertEquals(expectKind(await peer.receive(), "directory-status").filesListed, 300);
  peer.close();
});

Deno.test("directory lists one that it cannot dial as not reachable", async () => {
  await using directory = await startDirectory();
  await using hidden = new RawClient(directory.address, { listenPort: 0 });
  await hidden.batch([FILE]);
  assertEquals((await hidden.settled(1)).reach, "unreachable");
  const [found] = await hidden.holders(NAME).then(() => seekFrom(directory.address));
  assertEquals([found!.host, found!.port], ["", 0]);

  async function seekFrom(address: string) {
    await using seeker = new RawClient(address);
    return await seeker.holders(NAME);
  }
});

Deno.test("directory after kill -9 is another instance and knows nothing", async () => {
  await using directory = await startDirectory();
  await using client = new RawClient(directory.address);
  await client.batch([FILE]);
  directory.kill("SIGKILL");
  await directory.process.ended();
  await using again = await startDirectory({ listen: directory.address });
  assertNotEquals(again.id, directory.id);
  const answer = expectKind(await client.batch([], { whole: false, filesListed: 1 }), "listed");
  assertEquals([answer.known, answer.instance as string], [false, again.id]);
  expectKind(await client.batch([FILE]), "listed");
  await assertServes(again.address, NAME, 1);
});

Deno.test("directory forgets a client that dies, and not one that only stays silent", async () => {
  await using directory = await startDirectory({ refresh: 1 });
  await using dead = new RawClient(directory.address);
  await using silent = new RawClient(directory.address);
  await dead.batch([rawFile("dead.bin")]);
  await silent.batch([FILE]);
  await dead.settled(1);
  await silent.settled(1);
  await dead[Symbol.asyncDispose]();
  const { checks } = silent;
  await waitUntil(async () => (await silent.holders("dead.bin")).length === 0, {
    what: "the dead client to be forgotten",
  });
  // The other one was asked, at the latest when the dead one was, and is there.
  await waitUntil(() => silent.checks > checks, { what: "the silent client to be asked" });
  await assertServes(directory.address, NAME, 1);
});

Deno.test("directory closes half-open connections and serves others meanwhile", async () => {
  await using directory = await startDirectory();
  await using holder = new RawClient(directory.address);
  await holder.batch([FILE]);
  await using node = new RawNode();
  // Nothing said, half of a HELLO, a whole handshake, a batch that does not go on.
  const mute = await node.connect(directory.address);
  const entered = await holder.open();
  const batch = await holder.open([holder.refresh()]);
  batch.send({ kind: "advertise", files: [rawFile("half.bin")] });
  await assertServes(directory.address, NAME, 1);
  await assertRejects(() => mute.receiveOne(), EnvironmentError);
  await entered.ended();
  await batch.ended();
  // Of a whole list that was never finished nothing counts as gone.
  await assertServes(directory.address, NAME, 1);
});

Deno.test("directory drops who advertises without a refresh, and logs it", async () => {
  await using directory = await startDirectory();
  await using client = new RawClient(directory.address);
  const peer = await client.open([{ kind: "advertise", files: [FILE] }]);
  assertEquals(await peer.ended(), []);
  await directory.logged(/WARN .*a client broke the protocol host=127\.0\.0\.1 .*Cannot serve/);
  await assertServes(directory.address, NAME, 0);
});

Deno.test("directory drops who lists a name that breaks the rules", async () => {
  await using directory = await startDirectory();
  await using client = new RawClient(directory.address);
  for (const name of ["../etc/passwd", "a/b", "..", "", "a\0b", "x".repeat(256)]) {
    const peer = await client.open([client.refresh({ whole: false })]);
    const message = { kind: "advertise", files: [FILE] } as const;
    peer.sendFrame(frameWithText(message, NAME, utf8(name)));
    assertEquals(await peer.ended(), [], JSON.stringify(name));
  }
  await directory.logged(/WARN .*a client broke the protocol .*Cannot read text/);
  await assertServes(directory.address, NAME, 0);
  assertEquals((await directory.status()).filesListed, 0);
});

Deno.test("directory denies names without end, and says which limit stands against them", async () => {
  await using directory = await startDirectory({ logLevel: "info" });
  await using honest = new RawClient(directory.address);
  await honest.batch([FILE]);
  await using client = new RawClient(directory.address);
  const peer = await client.open([client.refresh()]);
  // One root for all of them: it is the names that count.
  const perFrame = limits.advertisedPerMessageMax;
  for (let first = 0; first < 1.2 * limits.listingsPerClientMax; first += perFrame) {
    const files = Array.from({ length: perFrame }, (_, i): ListedFile => ({
      ...FILE,
      file: { ...FILE.file, name: `n-${first + i}` },
    }));
    peer.send({ kind: "advertise", files });
    await peer.connection.flushed();
  }
  peer.send({ kind: "batch-end" });
  const denied = expectKind(await peer.receive(), "denied");
  assertEquals(denied.limit, "files-per-client");
  assertEquals(denied.bound, limits.listingsPerClientMax);
  assertMatch(denied.message, new RegExp(String(limits.listingsPerClientMax)));
  await directory.logged(/WARN .*refused a client host=127\.0\.0\.1 limit=files-per-client/);
  await assertServes(directory.address, NAME, 1);
});

Deno.test("directory refuses a batch that was heard before", async () => {
  await using directory = await startDirectory();
  await using client = new RawClient(directory.address);
  await client.batch([FILE], { sequence: 5 });
  for (const sequence of [5, 4, 0]) {
    // A replay of an earlier, empty list would make all files vanish.
    const denied = expectKind(await client.batch([], { sequence }), "denied");
    assertEquals([denied.limit, denied.bound], ["sequence", 5]);
  }
  expectKind(await client.leave(5), "denied");
  await assertServes(directory.address, NAME, 1);
  expectKind(await client.batch([], { sequence: 6 }), "listed");
  await assertServes(directory.address, NAME, 0);
});

Deno.test("directory lists nothing of one that gives another node's port as its own", async () => {
  await using directory = await startDirectory();
  await using victim = await startDaemon();
  const listenPort = Number(victim.node.split(":")[1]);
  await using liar = new RawClient(directory.address, { listenPort });
  await using honest = new RawClient(directory.address);
  await honest.batch([rawFile("honest.bin")]);
  await liar.batch([FILE]);
  await directory.logged(/WARN .*wrong|another node answers/);
  await assertServes(directory.address, NAME, 0);
  const denied = expectKind(await liar.batch([FILE]), "denied");
  assertEquals(denied.limit, "wrong-address");
  await assertServes(directory.address, NAME, 0);
  await assertServes(directory.address, "honest.bin", 1);
});

Deno.test("directory denies questions past --max-queries, and names the bound", async () => {
  await using directory = await startDirectory({ maxQueries: 5 });
  await using client = new RawClient(directory.address);
  const peer = await client.open();
  const sought = { by: "name", value: NAME } as const;
  for (let i = 0; i < 50; i++) peer.send({ kind: "holders-query", sought, max: 1 });
  const kinds: string[] = [];
  let bound = 0;
  for (let i = 0; i < 50; i++) {
    const answer = expectKind(await peer.receive(), "holders", "denied");
    kinds.push(answer.kind);
    if (answer.kind === "denied") bound = answer.bound;
  }
  assert(kinds.indexOf("denied") >= 5, kinds.join());
  assert(kinds.filter((kind) => kind === "denied").length >= 30, kinds.join());
  assertEquals(bound, 5);
  await directory.logged(/WARN .*refused a client .*limit=queries-per-second bound=5/);
  peer.close();
});

Deno.test("directory drops a question that makes no sense", async () => {
  await using directory = await startDirectory();
  await using client = new RawClient(directory.address);
  for (
    const sought of [{ by: "glob", value: "*" }, { by: "root", value: "abc" }] as const
  ) {
    const peer = await client.open([{ kind: "metadata-query", sought }]);
    assertEquals(await peer.ended(), []);
  }
  const peer = await client.open([{ kind: "files-query" }]);
  assertEquals(await peer.ended(), []);
});

Deno.test("directory goes on with the batch that a client began last", async () => {
  await using directory = await startDirectory();
  await using client = new RawClient(directory.address);
  const first = await client.open([client.refresh()]);
  first.send({ kind: "advertise", files: [rawFile("first.bin")] });
  await first.connection.flushed();
  const second = await client.open([client.refresh()]);
  second.send({ kind: "advertise", files: [FILE] }, { kind: "batch-end" });
  assertEquals(expectKind(await second.receive(), "listed").filesListed, 1);
  assertEquals(await first.ended(), []);
  await assertServes(directory.address, NAME, 1);
  await assertServes(directory.address, "first.bin", 0);
});
