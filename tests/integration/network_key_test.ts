// Who gets into a network: with a key, only those who hold it, and nobody else learns anything at
// all; without one, the network's name decides, and a node of another is told so.

import { Buffer } from "node:buffer";
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { concatBytes, fromHex, toHex } from "../../src/base/bytes.ts";
import { EnvironmentError } from "../../src/base/errors.ts";
import type { NodeId, QueryId } from "../../src/base/ids.ts";
import { encodeFrame } from "../../src/wire/codec.ts";
import { NODE_MAGIC, NODE_VERSION_OLDEST, NODE_VERSIONS } from "../../src/wire/messages.ts";
import { startDaemon } from "./support/daemon.ts";
import { bytesByNode, FetchProcess } from "./support/fetch_process.ts";
import { assertSameFile, randomBytes, randomFile, TempDir } from "./support/files.ts";
import { runPacsrv } from "./support/process.ts";
import { Relay } from "./support/relay.ts";
import { RawNode, rawQuery } from "./support/raw_node.ts";
import { waitUntil, within } from "./support/wait.ts";

const NAME = "secret.bin";
const FILE_BYTES = 700_001;
const KEY = "a secret of the test's network";

/** Writes a key file; gives the flags that use it. */
async function keyFlags(dir: TempDir, name: string, key: string): Promise<string[]> {
  const path = await dir.sub(name);
  await Deno.writeTextFile(path, key, { mode: 0o600 });
  return ["--network-key-file", path];
}

/** Sends `bytes` to HOST:PORT and gives all that comes back until the other side ends it. */
async function answerTo(address: string, bytes: Uint8Array): Promise<Uint8Array> {
  const [hostname, port] = address.split(":");
  using conn = await Deno.connect({ hostname: hostname!, port: Number(port) });
  await conn.write(bytes);
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(4_096);
  for (;;) {
    const count = await within(conn.read(buffer).catch(() => null), { what: "the end" });
    if (count === null) return concatBytes(parts);
    parts.push(buffer.slice(0, count));
  }
}

/** A HELLO as bytes, as a stranger makes it: well formed, with a tag out of nothing. */
function strangersHello(fields: { network?: string; version?: number; tag?: Uint8Array } = {}) {
  return encodeFrame({
    kind: "hello",
    magic: NODE_MAGIC,
    version: fields.version ?? NODE_VERSION_OLDEST,
    purpose: "link",
    nodeId: "d1".repeat(16) as NodeId,
    listenPort: 1,
    network: fields.network ?? "pacsrv",
    nonce: randomBytes(16, 1),
    tag: fields.tag ?? new Uint8Array(32),
  });
}

Deno.test("nodes that hold the network's key link, search and fetch", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", NAME);
  await randomFile(path, FILE_BYTES, 30);
  const args = await keyFlags(dir, "key", KEY);
  await using holder = await startDaemon({ shares: [path], args });
  await holder.holds(NAME);
  await using daemon = await startDaemon({ peers: [holder.node], args });
  await daemon.linked(1);
  assert((await daemon.status()).keyed);
  const output = await dir.sub("got");
  await using fetch = daemon.fetch([NAME, "-o", output]);
  assertEquals(bytesByNode(await fetch.done()), new Map([[holder.id, FILE_BYTES]]));
  await assertSameFile(output, path);

  const alone = await dir.sub("got-alone");
  const flags = ["--alone", "--peer", holder.node];
  await using own = new FetchProcess([NAME, "-o", alone, ...flags, ...args]);
  await own.done();
  await assertSameFile(alone, path);
});

Deno.test("a node without the network's key gets not one byte out of a daemon", async () => {
  await using dir = await TempDir.make();
  await using daemon = await startDaemon({ args: await keyFlags(dir, "key", KEY) });
  const strangers: [what: string, bytes: Uint8Array][] = [
    ["no tag", strangersHello()],
    ["a made-up tag", strangersHello({ tag: randomBytes(32, 2) })],
    ["another network", strangersHello({ network: "office" })],
    ["another version", strangersHello({ version: Math.max(...NODE_VERSIONS) + 1 })],
    ["no HELLO", encodeFrame({ kind: "ping", token: 1 })],
    ["no frame", new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")],
  ];
  for (const [what, bytes] of strangers) {
    assertEquals(await answerTo(daemon.node, bytes), new Uint8Array(), what);
  }
  await daemon.logged("refused a connection");

  // A node that holds another key, and one that holds none, do all as they should, but for that.
  for (const networkKey of [undefined, new TextEncoder().encode("another secret, as long")]) {
    await using node = new RawNode(networkKey === undefined ? {} : { networkKey });
    const error = await node.dial(daemon.node, "link").catch((error) => error);
    assert(error instanceof EnvironmentError, String(error));
    assertEquals(node.bytesIn, 0);
  }
  assertEquals(await daemon.peers(), []);

  await using wrong = await startDaemon({
    peers: [daemon.node],
    args: await keyFlags(dir, "wrong", "another secret, as long"),
  });
  await wrong.logged("cannot link");
  assertEquals([await wrong.peers(), await daemon.peers()], [[], []]);
});

Deno.test("a recorded greeting gets an answer, and nothing that its player can go on with", async () => {
  await using dir = await TempDir.make();
  const args = await keyFlags(dir, "key", KEY);
  // What a member sends when it dials, recorded by whoever sits on the way.
  const recorder = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const recorded = recordOne(recorder);
  await using member = await startDaemon({
    peers: [`127.0.0.1:${recorder.addr.port}`],
    args,
  });
  const greeting = await recorded;
  recorder.close();
  assert(!toHex(greeting).includes(member.id), "it does not even say whose it is");

  await using daemon = await startDaemon({ args });
  await using node = new RawNode();
  const replay = await node.dialUnproved(daemon.node);
  replay.sendFrame(greeting);
  // It has no part of the secret that the daemon's answer makes of it: all that it says is noise.
  replay.send(rawQuery({ id: "d2".repeat(16) as QueryId }));
  replay.sendFrame(new Uint8Array(1_000));
  await daemon.logged("refused a connection");
  assertEquals((await daemon.status()).counters.queriesSeen, 0);
  assertEquals(await daemon.peers(), []);
});

Deno.test("a node of another network is refused by name, and says so in its log", async () => {
  await using one = await startDaemon({ args: ["--network", "one"] });
  await using two = await startDaemon({ args: ["--network", "two"], peers: [one.node] });
  const line = await two.logged("cannot link");
  assert(line.includes(one.node) && line.includes("wrong-network"), line);
  assertEquals([await one.peers(), await two.peers()], [[], []]);
});

Deno.test("who records a network with a key learns no name, root, id or byte of a file", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", NAME);
  await randomFile(path, FILE_BYTES, 31);
  const args = await keyFlags(dir, "key", KEY);
  await using holder = await startDaemon({ shares: [path], args });
  const { root } = await holder.holds(NAME);
  const recorded: Uint8Array[] = [];
  await using relay = new Relay(holder.node, {
    host: "127.0.0.2",
    isOpen: true,
    onTheWay: (bytes) => {
      recorded.push(bytes.slice());
      return bytes;
    },
  });
  const output = await dir.sub("got");
  await using fetch = new FetchProcess([
    NAME,
    ...["-o", output, "--alone", "--peer", relay.address, "--no-callback", ...args],
  ]);
  await fetch.done();
  await assertSameFile(output, path);
  const all = Buffer.concat(recorded);
  assertGreater(all.length, FILE_BYTES);
  const bytes = await Deno.readFile(path);
  const secrets: [what: string, bytes: Uint8Array][] = [
    ["the name", new TextEncoder().encode(NAME)],
    ["the network", new TextEncoder().encode("pacsrv")],
    ["the root", fromHex(root)],
    ["the holder's id", fromHex(holder.id)],
  ];
  for (let at = 0; at + 16 <= FILE_BYTES; at += 50_000) {
    secrets.push([`byte ${at} of the file`, bytes.subarray(at, at + 16)]);
  }
  for (const [what, secret] of secrets) assert(all.indexOf(secret) < 0, what);
});

Deno.test("a bit that is turned on the way ends the connection, and harms nobody else", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", NAME);
  await randomFile(path, FILE_BYTES, 32);
  const args = await keyFlags(dir, "key", KEY);
  await using holder = await startDaemon({ shares: [path], args });
  await holder.holds(NAME);
  // In the first answer that is longer than a greeting, and so in a record; after that no more.
  let isTurned = false;
  await using relay = new Relay(holder.node, {
    host: "127.0.0.2",
    isOpen: true,
    onTheWay: (bytes, { isBack }) => {
      if (!isBack || isTurned || bytes.length < 1_000) return bytes;
      isTurned = true;
      const copy = bytes.slice();
      copy[700]! ^= 4;
      return copy;
    },
  });
  await using daemon = await startDaemon({
    peers: [relay.address],
    args: [...args, "--no-callback"],
  });
  // It may have been the link that ended: then the search starts over with another one.
  const output = await dir.sub("got");
  await waitUntil(async () => (await daemon.run(["fetch", NAME, "-o", output])).code === 0, {
    what: "the file, over another connection",
  });
  await assertSameFile(output, path);
  assert(isTurned);
  assert([...daemon.log, ...holder.log].every((line) => !line.includes("banned")));
});

Deno.test("a network changes its key without a gap", async () => {
  await using dir = await TempDir.make();
  const before = await keyFlags(dir, "before", KEY);
  const after = await keyFlags(dir, "after", "the secret that comes next, as long");
  await using first = await startDaemon({ args: before });
  await using second = await startDaemon({ args: [...before, ...after], peers: [first.node] });
  await second.linked(1);
  await using third = await startDaemon({ args: [...after, ...before], peers: [second.node] });
  await third.linked(1);
  await using last = await startDaemon({ args: after, peers: [third.node, second.node] });
  await last.linked(2);
  const tooMany = await runPacsrv(["daemon", ...before, ...after, ...before]);
  assertEquals(tooMany.code, 2);
  assertStringIncludes(tooMany.stderr, "at most 2");
});

/** The greeting that somebody sends to a listener. */
async function recordOne(listener: Deno.TcpListener): Promise<Uint8Array> {
  using conn = await listener.accept();
  const greeting = new Uint8Array(48);
  for (let length = 0; length < greeting.length;) {
    const count = await conn.read(greeting.subarray(length));
    if (count === null) throw new Error("The member hung up before its greeting was whole");
    length += count;
  }
  return greeting;
}
