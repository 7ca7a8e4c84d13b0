import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHmac } from "node:crypto";
import vectors from "../../vectors/wire_handshake.json" with { type: "json" };
import { concatBytes, fromHex, toHex } from "../../../src/base/bytes.ts";
import { EnvironmentError, PeerFault, type PeerFaultCode } from "../../../src/base/errors.ts";
import type { NodeId } from "../../../src/base/ids.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { Connection } from "../../../src/net/connection.ts";
import {
  accept,
  initiate,
  type LocalIdentity,
  type LocalPlace,
  OwnNonces,
  RefusedError,
} from "../../../src/net/handshake.ts";
import { decodePayload, encodeFrame } from "../../../src/wire/codec.ts";
import { Framer } from "../../../src/wire/framer.ts";
import {
  type Message,
  type MessageOf,
  NODE_MAGIC,
  NODE_VERSIONS,
  type NodeVersion,
  type Purpose,
  type Refusal,
} from "../../../src/wire/messages.ts";
import { secureAsInitiator, secureAsResponder } from "../../../src/net/secure_duplex.ts";
import { type Duplex, writeAll } from "../../../src/net/transport.ts";
import { type MemoryDuplex, memoryPair } from "../../support/memory_transport.ts";

/** What an acceptor sends to who has the network's key, before it hears anything else. */
const GREETING_BYTES = 48;
/** One more than the newest. */
const NO_VERSION = NODE_VERSIONS.at(-1)! + 1;
const KEY = fromHex("00".repeat(31) + "01");
const OTHER_KEY = fromHex("00".repeat(31) + "02");
const ALICE = "a1".repeat(16) as NodeId;
const BOB = "b0".repeat(16) as NodeId;

function identity(values: Partial<LocalIdentity> = {}): LocalIdentity {
  return {
    nodeId: ALICE,
    listenPort: 1,
    network: "fleet",
    networkKey: undefined,
    random: systemRandom,
    ...values,
  };
}

const nobodyRefused = () => undefined;

/** A handshake between two honest ends, each as it is given; how it ended for either. */
async function between(
  initiator: Partial<LocalIdentity>,
  acceptor: Partial<LocalIdentity>,
  admit: () => Refusal | undefined = nobodyRefused,
) {
  const [near, far] = memoryPair();
  const [initiated, accepted] = await Promise.allSettled([
    initiate(new Connection(near), { identity: identity(initiator), purpose: "transfer" }),
    accept(new Connection(far), { identity: identity({ nodeId: BOB, ...acceptor }), admit }),
  ]);
  near.close();
  far.close();
  return { initiated, accepted, initiatorSent: near.bytesWritten, acceptorSent: far.bytesWritten };
}

/** A peer that does with bytes what it likes; under a key, with those that are sealed. */
class RawPeer implements Disposable {
  readonly #inner: Duplex;
  readonly #duplex: Promise<Duplex>;
  readonly #framer = new Framer();

  constructor(
    duplex: MemoryDuplex,
    { secure, key }: { readonly secure: typeof secureAsInitiator; readonly key?: Uint8Array },
  ) {
    this.#inner = duplex;
    this.#duplex = key === undefined
      ? Promise.resolve(duplex)
      : secure(duplex, [key], systemRandom).then((secured) => secured.duplex);
    this.#duplex.catch(() => {});
  }

  async send(...parts: (Message | Uint8Array)[]): Promise<void> {
    const frames = parts.map((part) => part instanceof Uint8Array ? part : encodeFrame(part));
    await writeAll(await this.#duplex, concatBytes(frames));
  }

  /** The next message; undefined when the other side closed first. */
  async next(): Promise<Message | undefined> {
    for (;;) {
      const frame = this.#framer.next();
      if (frame !== null) return decodePayload(frame.code, frame.payload);
      const count = await (await this.#duplex).read(this.#framer.writable());
      if (count === null) return undefined;
      this.#framer.commit(count);
    }
  }

  close(): void {
    this.#inner.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** An acceptor and a raw peer that talks to it. */
function acceptorFor(values: Partial<LocalIdentity>, timeoutMs = 5_000) {
  const [near, far] = memoryPair();
  const connection = new Connection(far);
  const accepting = accept(connection, {
    identity: identity({ nodeId: BOB, ...values }),
    admit: nobodyRefused,
    timeoutMs,
  });
  accepting.catch(() => connection.close());
  const peer = new RawPeer(near, { secure: secureAsInitiator, ...sealedBy(values) });
  return { peer, accepting, far, connection };
}

/** An initiator and a raw peer that it talks to. */
function initiatorFor(values: Partial<LocalIdentity>, timeoutMs = 5_000) {
  const [near, far] = memoryPair();
  const connection = new Connection(near);
  const initiating = initiate(connection, {
    identity: identity(values),
    purpose: "link",
    timeoutMs,
  });
  initiating.catch(() => {});
  const peer = new RawPeer(far, { secure: secureAsResponder, ...sealedBy(values) });
  return { peer, initiating, near, connection };
}

/** The key that a raw peer uses: that of the side that is tested. */
function sealedBy({ networkKey }: Partial<LocalIdentity>): { readonly key?: Uint8Array } {
  return networkKey === undefined ? {} : { key: networkKey };
}

/** A HELLO as the protocol's page says, made without the code under test. */
function helloOf(values: Partial<MessageOf<"hello">>, key?: Uint8Array): MessageOf<"hello"> {
  const hello: MessageOf<"hello"> = {
    kind: "hello",
    magic: NODE_MAGIC,
    version: 1,
    purpose: "link",
    nodeId: ALICE,
    listenPort: 1,
    network: "fleet",
    nonce: new Uint8Array(16).fill(7),
    tag: new Uint8Array(32),
    ...values,
  };
  if (key === undefined) return hello;
  const covered = encodeFrame(hello).subarray(5, -32);
  const tag = createHmac("sha256", key).update("hello").update(covered).digest();
  return { ...hello, tag: new Uint8Array(tag) };
}

/** A PROOF as the protocol's page says, made without the code under test. */
function proofOf(
  role: "initiator" | "acceptor",
  hellos: { readonly initiator: MessageOf<"hello">; readonly acceptor: MessageOf<"hello"> },
  key: Uint8Array,
): MessageOf<"proof"> {
  const { initiator, acceptor } = hellos;
  const purposes = ["link", "callback", "transfer", "directory", "fellow"];
  const mac = createHmac("sha256", key)
    .update(role)
    .update(Uint8Array.of(1 + purposes.indexOf(initiator.purpose)))
    .update(initiator.nonce)
    .update(acceptor.nonce)
    .update(fromHex(initiator.nodeId))
    .update(fromHex(acceptor.nodeId))
    .digest();
  return { kind: "proof", mac: new Uint8Array(mac) };
}

async function faultOf(promise: Promise<unknown>): Promise<PeerFaultCode> {
  return (await assertRejects(() => promise, PeerFault)).code;
}

async function expectHello(peer: RawPeer): Promise<MessageOf<"hello">> {
  const message = await peer.next();
  assert(message?.kind === "hello", `got ${message?.kind}`);
  return message;
}

for (const vector of vectors.handshakes) {
  const about = vector.key === null ? "without a key" : "with a key";
  Deno.test(`initiate() and accept() send the golden bytes ${about}`, async () => {
    const [near, far] = memoryPair({ bufferBytes: 4_096 });
    const sides = [vector.initiator, vector.acceptor].map((side) =>
      identity({
        nodeId: side.nodeId as NodeId,
        listenPort: side.listenPort,
        network: vector.network,
        networkKey: vector.key === null ? undefined : fromHex(vector.key),
        random: {
          bytes: (length) => fromHex(length === 16 ? side.nonce : side.ephemeral!),
          unit: () => 0,
        },
      })
    );
    const sent = { initiator: recorded(near), acceptor: recorded(far) };
    await Promise.all([
      initiate(new Connection(near), { identity: sides[0]!, purpose: "link" }),
      accept(new Connection(far), { identity: sides[1]!, admit: nobodyRefused }),
    ]);
    assertEquals(toHex(concatBytes(sent.initiator)), vector.initiator.sends);
    assertEquals(toHex(concatBytes(sent.acceptor)), vector.acceptor.sends);
    near.close();
    far.close();
  });
}

/** Has everything that an end writes put down as well. */
function recorded(duplex: MemoryDuplex): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const write = duplex.write.bind(duplex);
  duplex.write = async (source) => {
    const count = await write(source);
    parts.push(source.slice(0, count));
    return count;
  };
  return parts;
}

for (const networkKey of [undefined, KEY]) {
  const about = networkKey === undefined ? "an open network" : "a network with a key";
  Deno.test(`a handshake tells both sides who the other is in ${about}`, async () => {
    const { initiated, accepted } = await between(
      { networkKey, listenPort: 0 },
      { networkKey, listenPort: 8048 },
    );
    assert(initiated.status === "fulfilled" && accepted.status === "fulfilled");
    const { nonces, ...acceptor } = initiated.value;
    assertEquals(acceptor, { nodeId: BOB, purpose: "transfer", version: 1, listenPort: 8048 });
    const { nonces: same, ...initiator } = accepted.value;
    assertEquals(initiator, { nodeId: ALICE, purpose: "transfer", version: 1, listenPort: 0 });
    assertEquals([same, nonces.length], [nonces, 32]);
  });
}

/** A handshake between an initiator and an acceptor that speak these versions. */
async function speaking(
  version: NodeVersion,
  options: {
    readonly versions?: readonly NodeVersion[];
    readonly networkKey?: Uint8Array | undefined;
    readonly purpose?: Purpose;
  } = {},
) {
  const { versions = NODE_VERSIONS, networkKey, purpose = "callback" } = options;
  const [near, far] = memoryPair();
  const initiator = identity({ networkKey });
  const acceptor = identity({ nodeId: BOB, networkKey });
  const [initiated, accepted] = await Promise.allSettled([
    initiate(new Connection(near), { identity: initiator, purpose, version }),
    accept(new Connection(far), { identity: acceptor, admit: nobodyRefused, versions }),
  ]);
  near.close();
  far.close();
  return { initiated, accepted, acceptorSent: far.bytesWritten };
}

for (const networkKey of [undefined, KEY]) {
  const about = networkKey === undefined ? "an open network" : "a network with a key";
  Deno.test(`accept() speaks each version that it knows, as the initiator asks, in ${about}`, async () => {
    for (const version of NODE_VERSIONS) {
      const { initiated, accepted } = await speaking(version, { networkKey });
      assert(initiated.status === "fulfilled" && accepted.status === "fulfilled");
      assertEquals([initiated.value.version, accepted.value.version], [version, version]);
    }
  });
}

/** A place that notes who was how near. */
function placeOf(site: string, heard: string[]): LocalPlace {
  return {
    site,
    nearnessOf(remote) {
      heard.push(`${remote.host} ${remote.site}`);
      return remote.site === site ? "site" : "far";
    },
  };
}

Deno.test("a handshake tells both sides where the other is from version 5 on, and how near that is", async () => {
  for (const [version, site] of [[5, "here"], [4, ""]] as const) {
    const [near, far] = memoryPair();
    const [one, other] = [new Connection(near), new Connection(far)];
    const heard: string[] = [];
    await Promise.all([
      initiate(one, {
        identity: identity({ place: placeOf("here", heard) }),
        purpose: "link",
        version,
      }),
      accept(other, {
        identity: identity({ nodeId: BOB, place: placeOf("here", heard) }),
        admit: nobodyRefused,
      }),
    ]);
    const nearness = site === "" ? "far" : "site";
    assertEquals([one.nearness, other.nearness], [nearness, nearness]);
    assertEquals(
      heard.sort(),
      [`${one.remote.host} ${site}`, `${other.remote.host} ${site}`].sort(),
    );
    assert(one.roundTripMs !== null && other.roundTripMs !== null);
    near.close();
    far.close();
  }
});

Deno.test("accept() refuses the name of a site with control characters", async () => {
  const [near, far] = memoryPair();
  const place = placeOf("two\nlines", []);
  const [, accepted] = await Promise.allSettled([
    initiate(new Connection(near), { identity: identity({ place }), purpose: "link", version: 5 }),
    accept(new Connection(far), { identity: identity({ nodeId: BOB }), admit: nobodyRefused }),
  ]);
  near.close();
  far.close();
  assert(accepted.status === "rejected" && accepted.reason instanceof PeerFault);
  assertEquals(accepted.reason.code, "malformed");
});

Deno.test("accept() refuses a version that it does not know, by name only in an open network", async () => {
  for (const networkKey of [undefined, KEY]) {
    const { initiated, accepted, acceptorSent } = await speaking(2, { versions: [1], networkKey });
    assert(accepted.status === "rejected" && accepted.reason instanceof PeerFault);
    assertEquals(accepted.reason.code, "wrong-version");
    assert(initiated.status === "rejected");
    if (networkKey === undefined) {
      assert(initiated.reason instanceof RefusedError);
      assertEquals(initiated.reason.refusal, "wrong-version");
    } else {
      assert(initiated.reason instanceof EnvironmentError);
      assertEquals(acceptorSent, GREETING_BYTES);
    }
  }
});

Deno.test("accept() takes a fellow in version 2, and finds one in version 1 at fault", async () => {
  const { initiated, accepted } = await speaking(2, { purpose: "fellow" });
  assert(initiated.status === "fulfilled" && accepted.status === "fulfilled");
  const { purpose, version } = accepted.value;
  assertEquals({ purpose, version }, { purpose: "fellow", version: 2 });

  for (const networkKey of [undefined, KEY]) {
    const { peer, accepting, far } = acceptorFor({ networkKey });
    await peer.send(helloOf({ purpose: "fellow" }, networkKey));
    assertEquals(await faultOf(accepting), "malformed");
    const greetedBytes = networkKey === undefined ? 0 : GREETING_BYTES;
    assertEquals([far.bytesWritten, await peer.next()], [greetedBytes, undefined]);
    peer.close();
  }
});

Deno.test("initiate() proves nothing to a node that answers in another version than it was asked", async () => {
  const [near, far] = memoryPair();
  const peer = new RawPeer(far, { secure: secureAsResponder, key: KEY });
  const initiating = initiate(new Connection(near), {
    identity: identity({ networkKey: KEY }),
    purpose: "callback",
    version: 2,
  });
  initiating.catch(() => {});
  assertEquals((await expectHello(peer)).version, 2);
  await peer.send(helloOf({ nodeId: BOB, version: 1 }, KEY));
  assertEquals(await faultOf(initiating), "wrong-version");
  assertEquals(await peer.next(), undefined);
  peer.close();
});

Deno.test("accept() leaves the messages that came with the proof to be read", async () => {
  const [near, far] = memoryPair();
  const initiator = new Connection(near), acceptor = new Connection(far);
  const initiating = initiate(initiator, {
    identity: identity(),
    purpose: "callback",
    first: (remote) => {
      assertEquals(remote.nodeId, BOB);
      return [{ kind: "ping", token: 1 }, { kind: "ping", token: 2 }];
    },
  });
  await accept(acceptor, { identity: identity({ nodeId: BOB }), admit: nobodyRefused });
  await initiating;
  assertEquals(await acceptor.receiveOne(), { kind: "ping", token: 1 });
  assertEquals(await acceptor.receiveOne(), { kind: "ping", token: 2 });
  initiator.close();
  acceptor.close();
});

Deno.test("accept() sends not one byte to a node with another key, or with none", async () => {
  for (const networkKey of [OTHER_KEY, undefined]) {
    const { initiated, accepted, acceptorSent } = await between({ networkKey }, {
      networkKey: KEY,
    });
    assert(accepted.status === "rejected" && accepted.reason instanceof PeerFault);
    assertEquals(accepted.reason.code, "wrong-key");
    assertEquals(acceptorSent, 0);
    assert(initiated.status === "rejected" && initiated.reason instanceof EnvironmentError);
  }
});

Deno.test("accept() says nothing when there is a key and any other thing is wrong", async () => {
  const wrongs = [
    helloOf({ network: "other" }, KEY),
    helloOf({ version: NO_VERSION }, KEY),
    helloOf({ magic: 1 }, KEY),
    helloOf({ network: "other" }),
    helloOf({ version: NO_VERSION }),
  ];
  for (const hello of wrongs) {
    const { peer, accepting, far } = acceptorFor({ networkKey: KEY });
    await peer.send(hello);
    await faultOf(accepting);
    assertEquals([far.bytesWritten, await peer.next()], [GREETING_BYTES, undefined]);
    peer.close();
  }
});

Deno.test("accept() names what is wrong in an open network, once it is a node that asks", async () => {
  const wrongs: [Message, PeerFaultCode, Refusal | undefined][] = [
    [helloOf({ network: "other" }), "wrong-network", "wrong-network"],
    // A node of a network with a key: another network, though it has the same name.
    [helloOf({}, KEY), "wrong-network", "wrong-network"],
    [helloOf({ version: NO_VERSION }), "wrong-version", "wrong-version"],
    [helloOf({ magic: NODE_MAGIC + 1 }), "wrong-magic", undefined],
  ];
  for (const [hello, code, refusal] of wrongs) {
    const { peer, accepting } = acceptorFor({});
    await peer.send(hello);
    const answer = refusal === undefined ? undefined : { kind: "refused", refusal } as const;
    assertEquals(await peer.next(), answer);
    assertEquals(await faultOf(accepting), code);
    assertEquals(await peer.next(), undefined);
    peer.close();
  }
});

Deno.test("initiate() throws the refusal that an open node names", async () => {
  const { initiated } = await between({ network: "one" }, { network: "two" });
  assert(initiated.status === "rejected" && initiated.reason instanceof RefusedError);
  assertEquals(initiated.reason.refusal, "wrong-network");
});

Deno.test("initiate() throws what the acceptor's own rules refuse it for", async () => {
  for (const refusal of ["banned", "busy", "duplicate", "not-supported"] as const) {
    const { initiated, accepted } = await between({}, {}, () => refusal);
    for (const side of [initiated, accepted]) {
      assert(side.status === "rejected" && side.reason instanceof RefusedError);
      assertEquals(side.reason.refusal, refusal);
    }
  }
});

Deno.test("initiate() proves nothing to a node that has another name, version or key", async () => {
  const answers: [Message, PeerFaultCode][] = [
    [helloOf({ nodeId: BOB, network: "other" }, KEY), "wrong-network"],
    [helloOf({ nodeId: BOB, version: 2 }, KEY), "wrong-version"],
    [helloOf({ nodeId: BOB, magic: 1 }, KEY), "wrong-magic"],
    [helloOf({ nodeId: BOB }, OTHER_KEY), "wrong-key"],
    [helloOf({ nodeId: BOB }), "wrong-key"],
  ];
  for (const [answer, code] of answers) {
    const { peer, initiating } = initiatorFor({ networkKey: KEY });
    await expectHello(peer);
    await peer.send(answer);
    assertEquals(await faultOf(initiating), code);
    assertEquals(await peer.next(), undefined);
    peer.close();
  }
});

Deno.test("initiate() gives up on an acceptor that cannot prove the key", async () => {
  const { peer, initiating } = initiatorFor({ networkKey: KEY });
  const initiator = await expectHello(peer);
  // A HELLO that was recorded has a good tag; the proof has to be for these very nonces.
  const acceptor = helloOf({ nodeId: BOB }, KEY);
  const earlier = helloOf({ nonce: new Uint8Array(16) }, KEY);
  await peer.send(acceptor, proofOf("acceptor", { initiator: earlier, acceptor }, KEY));
  assertEquals(await faultOf(initiating), "wrong-key");
  assertEquals(initiator.nodeId, ALICE);
  assertEquals(await peer.next(), undefined);
  peer.close();
});

Deno.test("accept() refuses itself, once that is proved", async () => {
  const { peer, accepting } = acceptorFor({ nodeId: ALICE, networkKey: KEY });
  using _ = peer;
  const initiator = helloOf({ nodeId: ALICE }, KEY);
  await peer.send(initiator);
  const acceptor = await expectHello(peer);
  assertEquals(await peer.next(), proofOf("acceptor", { initiator, acceptor }, KEY));
  await peer.send(proofOf("initiator", { initiator, acceptor }, KEY));
  assertEquals(await peer.next(), { kind: "refused", refusal: "self" });
  assertEquals((await assertRejects(() => accepting, RefusedError)).refusal, "self");
});

Deno.test("initiate() knows itself, also when somebody relays and says that all is well", async () => {
  const { peer: middle, initiating } = initiatorFor({ networkKey: KEY });
  const { peer: relay, accepting } = acceptorFor({ nodeId: ALICE, networkKey: KEY });
  await relay.send(await expectHello(middle));
  await middle.send(await expectHello(relay), (await relay.next())!, { kind: "accepted" });
  assertEquals((await assertRejects(() => initiating, RefusedError)).refusal, "self");
  assertEquals(await middle.next(), undefined);
  relay.close();
  assertEquals((await assertRejects(() => accepting, RefusedError)).refusal, "self");
  middle.close();
});

Deno.test("accept() is not taken in by a recorded HELLO and its recorded proof", async () => {
  const initiator = helloOf({}, KEY);
  const first = acceptorFor({ networkKey: KEY });
  await first.peer.send(initiator);
  const acceptor = await expectHello(first.peer);
  await first.peer.next();
  const recorded = proofOf("initiator", { initiator, acceptor }, KEY);
  await first.peer.send(recorded);
  assertEquals(await first.peer.next(), { kind: "accepted" });
  assertEquals((await first.accepting).nodeId, ALICE);
  first.peer.close();
  first.connection.close();

  const again = acceptorFor({ networkKey: KEY });
  await again.peer.send(initiator, recorded);
  assertEquals(await faultOf(again.accepting), "wrong-key");
  again.peer.close();
});

Deno.test("accept() is not taken in by its own proof sent back, nor by another purpose", async () => {
  for (const trick of ["reflection", "purpose"] as const) {
    const { peer, accepting } = acceptorFor({ networkKey: KEY });
    const initiator = helloOf({}, KEY);
    await peer.send(initiator);
    const acceptor = await expectHello(peer);
    const proof = await peer.next();
    assert(proof?.kind === "proof");
    const other = { initiator: { ...initiator, purpose: "transfer" as const }, acceptor };
    await peer.send(trick === "reflection" ? proof : proofOf("initiator", other, KEY));
    assertEquals(await faultOf(accepting), "wrong-key", trick);
    assertEquals(await peer.next(), undefined);
    peer.close();
  }
});

Deno.test("accept() checks the tag over every field of HELLO", async () => {
  const good = helloOf({}, KEY);
  const changes: Partial<MessageOf<"hello">>[] = [
    { purpose: "transfer" },
    { nodeId: BOB },
    { listenPort: 2 },
    { nonce: new Uint8Array(16) },
  ];
  for (const change of changes) {
    const { peer, accepting } = acceptorFor({ nodeId: "cc".repeat(16) as NodeId, networkKey: KEY });
    await peer.send({ ...good, ...change });
    assertEquals(await faultOf(accepting), "wrong-key", Object.keys(change)[0]);
    peer.close();
  }
});

Deno.test("accept() gives a silent peer its time and no more, at every step", async () => {
  const steps: ((peer: RawPeer) => Promise<void>)[] = [
    () => Promise.resolve(),
    (peer) => peer.send(encodeFrame(helloOf({})).subarray(0, 20)),
    (peer) => peer.send(helloOf({})),
  ];
  for (const step of steps) {
    const { peer, accepting, connection } = acceptorFor({}, 30);
    await step(peer);
    assertEquals(await faultOf(accepting), "silent");
    assertEquals(connection.isClosed, true);
    peer.close();
  }
});

Deno.test("initiate() gives a silent peer its time and no more, at every step", async () => {
  const steps: ((peer: RawPeer) => Promise<void>)[] = [
    () => Promise.resolve(),
    (peer) => peer.send(helloOf({ nodeId: BOB })),
    async (peer) => {
      const initiator = await expectHello(peer);
      const acceptor = helloOf({ nodeId: BOB });
      await peer.send(acceptor, proofOf("acceptor", { initiator, acceptor }, new Uint8Array()));
    },
  ];
  for (const step of steps) {
    const { peer, initiating, connection } = initiatorFor({}, 30);
    await step(peer);
    assertEquals(await faultOf(initiating), "silent");
    assertEquals(connection.isClosed, true);
    peer.close();
  }
});

Deno.test("accept() refuses a frame by its header when it is too big or comes too early", async () => {
  const headers: [Uint8Array, PeerFaultCode][] = [
    // HELLO of 257 bytes; CHUNKS of 512 KiB; PROOF before HELLO; PING; an HTTP request.
    [Uint8Array.of(0, 0, 1, 1, 0x01), "oversized"],
    [Uint8Array.of(0, 8, 0, 4, 0x33), "unexpected"],
    [Uint8Array.of(0, 0, 0, 32, 0x02), "unexpected"],
    [Uint8Array.of(0, 0, 0, 4, 0x10), "unexpected"],
    [new TextEncoder().encode("GET /"), "malformed"],
  ];
  for (const [header, code] of headers) {
    const { peer, accepting, far } = acceptorFor({});
    await peer.send(header);
    assertEquals([await faultOf(accepting), far.bytesWritten], [code, 0]);
    peer.close();
  }
});

Deno.test("initiate() refuses whatever comes before its turn", async () => {
  const { peer, initiating } = initiatorFor({});
  await expectHello(peer);
  await peer.send({ kind: "accepted" });
  assertEquals(await faultOf(initiating), "unexpected");
  peer.close();
});

Deno.test("a handshake that the other side leaves ends at once", async () => {
  const { peer, accepting } = acceptorFor({});
  await peer.send(helloOf({}));
  await peer.next();
  peer.close();
  const error = await assertRejects(() => accepting, EnvironmentError);
  assertEquals(error.code, "unreachable");
});

Deno.test("initiate() and accept() tell another node with this node's id from this node itself", async () => {
  for (const isSame of [true, false]) {
    const nonces = new OwnNonces();
    const own = { networkKey: KEY, nodeId: ALICE };
    const { peer: middle, initiating } = initiatorFor({ ...own, ownNonces: nonces });
    const { peer: relay, accepting } = acceptorFor({
      ...own,
      ownNonces: isSame ? nonces : new OwnNonces(),
    });
    await relay.send(await expectHello(middle));
    await middle.send(await expectHello(relay), (await relay.next())!);
    assertEquals((await assertRejects(() => initiating, RefusedError)).isClone, !isSame);
    relay.close();
    assertEquals((await assertRejects(() => accepting, RefusedError)).isClone, !isSame);
    middle.close();
  }
});
