// Who gets into a network: with a key, only those who hold it, and nobody else learns anything at
// all; without one, the network's name decides, and a node of another is told so.

import { assert, assertEquals } from "@std/assert";
import { concatBytes, toHex } from "../../src/base/bytes.ts";
import { EnvironmentError } from "../../src/base/errors.ts";
import type { NodeId, QueryId } from "../../src/base/ids.ts";
import { encodeFrame } from "../../src/wire/codec.ts";
import { NODE_MAGIC, PROTOCOL_VERSION } from "../../src/wire/messages.ts";
import { startDaemon } from "./support/daemon.ts";
import { bytesByNode, FetchProcess } from "./support/fetch_process.ts";
import { assertSameFile, randomBytes, randomFile, TempDir } from "./support/files.ts";
import { RawNode, rawQuery } from "./support/raw_node.ts";
import { within } from "./support/wait.ts";

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
    version: fields.version ?? PROTOCOL_VERSION,
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
    ["another version", strangersHello({ version: PROTOCOL_VERSION + 1 })],
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

Deno.test("a replayed HELLO gets HELLO and PROOF, and nothing that it can go on with", async () => {
  await using dir = await TempDir.make();
  const args = await keyFlags(dir, "key", KEY);
  // What a member sends when it dials, recorded by whoever sits on the way.
  const recorder = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const recorded = recordOne(recorder);
  await using member = await startDaemon({
    peers: [`127.0.0.1:${recorder.addr.port}`],
    args,
  });
  const hello = await recorded;
  recorder.close();
  assert(toHex(hello).includes(member.id), "it is the member's");

  await using daemon = await startDaemon({ args });
  await using node = new RawNode();
  const replay = await node.dialUnproved(daemon.node);
  replay.sendFrame(hello);
  assertEquals((await replay.receive()).kind, "hello");
  const proof = await replay.next("proof");
  // Neither a proof out of nothing, nor the other side's own, opens the door.
  replay.send({ kind: "proof", mac: proof.mac });
  replay.send(rawQuery({ id: "d2".repeat(16) as QueryId }));
  assertEquals(await replay.ended(), []);
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

/** The first frame that somebody sends to a listener. */
async function recordOne(listener: Deno.TcpListener): Promise<Uint8Array> {
  using conn = await listener.accept();
  const buffer = new Uint8Array(1_024);
  let length = 0;
  while (length < 5 || length < 5 + new DataView(buffer.buffer).getUint32(0)) {
    const count = await conn.read(buffer.subarray(length));
    if (count === null) throw new Error("The member hung up before its HELLO was whole");
    length += count;
  }
  return buffer.slice(0, length);
}
