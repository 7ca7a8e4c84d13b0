/**
 * The handshake of the node port. Initiator I, acceptor R:
 *
 *     I -> R  HELLO      who I am, for what I come, a nonce, a tag under the network key
 *     R -> I  HELLO, PROOF
 *     I -> R  PROOF      (SITE,) and, if it likes, its first messages
 *     R -> I  ACCEPTED (, SITE) or REFUSED
 *
 * In a network with a key, R answers a HELLO without a valid tag by closing, without a byte: a
 * stranger learns nothing. The tag alone could be a replay; the proof, over both nonces, cannot.
 * Without a key the HMAC key is empty: the exchange proves nothing then, and is the same code.
 *
 * I's HELLO names the version of the protocol that it needs; R answers with the same if it knows it.
 * Who does not know it refuses: `version_fallback.ts` dials such a node again.
 */

import { createHmac } from "node:crypto";
import { BoundedMap } from "../base/bounded_map.ts";
import { concatBytes, fromHex, toHex, utf8 } from "../base/bytes.ts";
import { PeerFault } from "../base/errors.ts";
import { HASH_BYTES, type NodeId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { siteProblem } from "../base/names.ts";
import type { Random } from "../base/random.ts";
import { encodeFrame } from "../wire/codec.ts";
import {
  type Message,
  type MessageKind,
  type MessageOf,
  NODE_MAGIC,
  NODE_VERSION_FLIGHTS,
  NODE_VERSION_OLDEST,
  NODE_VERSION_SITES,
  NODE_VERSIONS,
  type NodeVersion,
  type Purpose,
  PURPOSES,
  type Refusal,
} from "../wire/messages.ts";
import type { Nearness } from "../wire/nearness.ts";
import { macEquals } from "../wire/proofs.ts";
import { onlyKinds } from "../wire/framer.ts";
import type { Connection } from "./connection.ts";
import { withDeadline } from "./deadline.ts";
import { secureAsInitiator, secureAsResponder, type Secured } from "./secure_duplex.ts";
import type { Duplex } from "./transport.ts";

/** Who this node is to others. */
export interface LocalIdentity {
  readonly nodeId: NodeId;
  /** Where it accepts connections; 0 when it cannot be reached. */
  readonly listenPort: number;
  readonly network: string;
  /** The secret of its network; undefined in an open one. */
  readonly networkKey: Uint8Array | undefined;
  /** Keys that others may still use, or use already; this node dials with `networkKey` alone. */
  readonly otherKeys?: readonly Uint8Array[];
  readonly random: Random;
  /** Tells this node from another one that has its id; without it, that is always itself. */
  readonly ownNonces?: OwnNonces;
  /** Where this node is; without it, all others are far. */
  readonly place?: LocalPlace;
}

/** Where a node is, and how near it others are. */
export interface LocalPlace {
  /** Its site, as a person named it; "": nobody did. */
  readonly site: string;
  nearnessOf(remote: { readonly host: string; readonly site: string }): Nearness;
}

/** Where and when another node was met that has the id of this one. */
interface CloneMet {
  readonly host: string;
  readonly atMs: number;
}

/** The nonces that one node sent lately: who meets them has met that very node. */
export class OwnNonces {
  /** The last meeting with another node that has the id of this one; null before any. */
  clone: CloneMet | null = null;
  readonly #nonces = new BoundedMap<string, true>(limits.ownNoncesMax);

  add(nonce: Uint8Array): void {
    this.#nonces.set(toHex(nonce), true);
  }

  has(nonce: Uint8Array): boolean {
    return this.#nonces.has(toHex(nonce));
  }
}

/** Who the other side proved to be. */
export interface RemoteIdentity {
  readonly nodeId: NodeId;
  readonly purpose: Purpose;
  /** What both speak on this connection. */
  readonly version: NodeVersion;
  readonly listenPort: number;
  /** Initiator's and acceptor's nonce, for proofs bound to this connection. */
  readonly nonces: Uint8Array;
}

/** The other side refused, and said why. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly refusal: Refusal;
  /** Whether it is "self" because another node has the id of this one. */
  readonly isClone: boolean;
  /** Who refused, where that is known. */
  readonly nodeId: NodeId | undefined;

  constructor(
    refusal: Refusal,
    { isClone = false, nodeId }: {
      readonly isClone?: boolean;
      readonly nodeId?: NodeId;
    } = {},
  ) {
    super(
      isClone
        ? "Another node has the id of this one: a data directory was copied"
        : `The node refused the connection: ${refusal}`,
    );
    this.refusal = refusal;
    this.isClone = isClone;
    this.nodeId = nodeId;
  }
}

type Hello = MessageOf<"hello">;

/**
 * Opens a connection as initiator. `first` gives messages that travel with the proof, which saves
 * a round trip.
 *
 * @throws {RefusedError} when the other side says no.
 * @throws {PeerFault} when it is no node, has another version, network or key.
 * @throws {EnvironmentError} when the connection ends first; with a network key that is also how
 * a node with another key says no.
 */
export async function initiate(
  connection: Connection,
  options: {
    readonly identity: LocalIdentity;
    readonly purpose: Purpose;
    /** What is to be spoken: by default the oldest version, which every node knows. */
    readonly version?: NodeVersion;
    readonly first?: (remote: RemoteIdentity) => readonly Message[];
    /** Time for all of it. */
    readonly timeoutMs?: number;
  },
): Promise<RemoteIdentity> {
  const { purpose, version = NODE_VERSION_OLDEST } = options;
  using _ = { [Symbol.dispose]: () => connection.tellDialled(false) };
  return await withDeadline(connection, "Cannot shake hands", async () => {
    const identity = await underKey(connection, options.identity, secureAsInitiator);
    allowOnly(connection, ["hello", "refused"]);
    const own = makeHello(identity, { purpose, version });
    connection.send(own);
    const sentMs = connection.clock.nowMs();
    const theirs = expectMessage(await connection.receiveOne(), "hello");
    connection.roundTripMs = connection.clock.nowMs() - sentMs;
    checkHello(theirs, { identity, versions: [version] });
    const remote = remoteOf(theirs, { purpose, version }, [own.nonce, theirs.nonce]);
    allowOnly(connection, ["proof"]);
    const proof = expectMessage(await connection.receiveOne(), "proof");
    checkProof(proof.mac, proofMac("acceptor", identity, own, theirs));
    connection.tellDialled(true);
    // Its own address, or somebody who has this node talk to itself and listens.
    if (theirs.nodeId === identity.nodeId) throw metOwnId(theirs, { identity, connection });
    connection.send({ kind: "proof", mac: proofMac("initiator", identity, own, theirs) });
    tellSite(connection, { identity, version });
    for (const message of options.first?.(remote) ?? []) connection.send(message);
    allowOnly(connection, ["accepted", "refused"]);
    const last = await connection.receiveOne();
    if (last.kind === "refused") throw new RefusedError(last.refusal, { nodeId: theirs.nodeId });
    expectMessage(last, "accepted");
    await hearSite(connection, { identity, version });
    allowAny(connection);
    return remote;
  }, options);
}

/**
 * Answers a connection as acceptor; `admit` says why not, once the other side has proved itself.
 *
 * @throws {PeerFault} when it is no node, or has another version, network or key.
 * @throws {RefusedError} when `admit` refused it.
 */
export async function accept(
  connection: Connection,
  options: {
    readonly identity: LocalIdentity;
    readonly admit: (remote: RemoteIdentity) => Refusal | undefined;
    /** What this side speaks: by default all that this program knows. */
    readonly versions?: readonly NodeVersion[];
    /** Time for all of it. */
    readonly timeoutMs?: number;
  },
): Promise<RemoteIdentity> {
  const { versions = NODE_VERSIONS } = options;
  return await withDeadline(connection, "Cannot shake hands", async () => {
    const identity = await underKey(connection, options.identity, secureAsResponder);
    allowOnly(connection, ["hello"]);
    const theirs = expectMessage(await connection.receiveOne(), "hello");
    let version: NodeVersion;
    try {
      version = checkHello(theirs, { identity, versions });
    } catch (error) {
      const code = error instanceof PeerFault ? error.code : undefined;
      const open = identity.networkKey === undefined;
      if (open && (code === "wrong-version" || code === "wrong-network")) {
        connection.send({ kind: "refused", refusal: code });
        await connection.closeAfterWriting();
      }
      throw error;
    }
    const { purpose } = theirs;
    const own = makeHello(identity, { purpose, version });
    connection.send(own);
    connection.send({ kind: "proof", mac: proofMac("acceptor", identity, theirs, own) });
    const sentMs = connection.clock.nowMs();
    allowOnly(connection, ["proof"]);
    const isOwnId = theirs.nodeId === identity.nodeId;
    const proof = expectMessage(
      await connection.receiveOne().catch((error) => {
        // It has seen the same, and hung up.
        throw isOwnId ? metOwnId(theirs, { identity, connection }) : error;
      }),
      "proof",
    );
    checkProof(proof.mac, proofMac("initiator", identity, theirs, own));
    connection.roundTripMs = connection.clock.nowMs() - sentMs;
    await hearSite(connection, { identity, version });
    const remote = remoteOf(theirs, { purpose, version }, [theirs.nonce, own.nonce]);
    const refusal = isOwnId ? "self" : options.admit(remote);
    if (refusal !== undefined) {
      connection.send({ kind: "refused", refusal });
      await connection.closeAfterWriting();
      throw isOwnId ? metOwnId(theirs, { identity, connection }) : new RefusedError(refusal);
    }
    connection.send({ kind: "accepted" });
    tellSite(connection, { identity, version });
    allowAny(connection);
    return remote;
  }, options);
}

/** In a network with a key, has all that follows sealed; gives the identity with the key that is used. */
async function underKey(
  connection: Connection,
  identity: LocalIdentity,
  secure: (duplex: Duplex, keys: readonly Uint8Array[], random: Random) => Promise<Secured>,
): Promise<LocalIdentity> {
  const { networkKey, otherKeys = [], random } = identity;
  if (networkKey === undefined) return identity;
  await connection.seal((duplex) => secure(duplex, [networkKey, ...otherKeys], random));
  return { ...identity, networkKey: connection.networkKey };
}

/** The other side has this node's id: it is this node, or one that was made from a copy of it. */
function metOwnId(
  { nonce }: Hello,
  { identity: { ownNonces }, connection: { clock, remote: { host } } }: {
    readonly identity: LocalIdentity;
    readonly connection: Connection;
  },
): RefusedError {
  const isClone = ownNonces !== undefined && !ownNonces.has(nonce);
  if (isClone) ownNonces.clone = { host, atMs: clock.nowMs() };
  return new RefusedError("self", { isClone });
}

/** What a connection is for, and in which version of the protocol. */
interface Use {
  readonly purpose: Purpose;
  readonly version: NodeVersion;
}

function makeHello(identity: LocalIdentity, { purpose, version }: Use): Hello {
  const hello: Hello = {
    kind: "hello",
    magic: NODE_MAGIC,
    version,
    purpose,
    nodeId: identity.nodeId,
    listenPort: identity.listenPort,
    network: identity.network,
    nonce: identity.random.bytes(16),
    tag: new Uint8Array(HASH_BYTES),
  };
  identity.ownNonces?.add(hello.nonce);
  return { ...hello, tag: helloTag(hello, identity.networkKey) };
}

/** The tag covers the frame's payload before the tag itself. */
function helloTag(hello: Hello, networkKey: Uint8Array | undefined): Uint8Array {
  if (networkKey === undefined) return new Uint8Array(HASH_BYTES);
  const frame = encodeFrame(hello);
  const covered = frame.subarray(limits.frameHeaderBytes, frame.length - HASH_BYTES);
  return createHmac("sha256", networkKey).update("hello").update(covered).digest();
}

/** The version that both speak from here. */
function checkHello(
  hello: Hello,
  ours: { readonly identity: LocalIdentity; readonly versions: readonly NodeVersion[] },
): NodeVersion {
  const { identity, versions } = ours;
  if (hello.magic !== NODE_MAGIC) {
    throw new PeerFault("wrong-magic", "Cannot shake hands: the other side is not a pacsrv node");
  }
  const version = versions.find((known) => known === hello.version);
  if (version === undefined) {
    throw new PeerFault(
      "wrong-version",
      `Cannot shake hands: protocol version ${hello.version} is not ${versions.join(" or ")}`,
    );
  }
  if (hello.purpose === "fellow" && version < NODE_VERSION_FLIGHTS) {
    throw new PeerFault(
      "malformed",
      `Cannot shake hands: protocol version ${version} has no purpose ${hello.purpose}`,
    );
  }
  if (hello.network !== identity.network) {
    throw new PeerFault(
      "wrong-network",
      `Cannot shake hands: network ${JSON.stringify(hello.network)} is not ` +
        JSON.stringify(identity.network),
    );
  }
  if (!macEquals(hello.tag, helloTag(hello, identity.networkKey))) {
    throw new PeerFault(
      identity.networkKey === undefined ? "wrong-network" : "wrong-key",
      "Cannot shake hands: the other side has another network key, or none",
    );
  }
  return version;
}

function checkProof(given: Uint8Array, expected: Uint8Array): void {
  if (!macEquals(given, expected)) {
    throw new PeerFault("wrong-key", "Cannot shake hands: the proof of the network key is wrong");
  }
}

/** The role keeps a proof from being sent back to its maker. */
function proofMac(
  role: "initiator" | "acceptor",
  identity: LocalIdentity,
  initiator: Hello,
  acceptor: Hello,
): Uint8Array {
  return createHmac("sha256", identity.networkKey ?? new Uint8Array())
    .update(concatBytes([
      utf8(role),
      Uint8Array.of(PURPOSES.indexOf(initiator.purpose) + 1),
      initiator.nonce,
      acceptor.nonce,
      fromHex(initiator.nodeId),
      fromHex(acceptor.nodeId),
    ]))
    .digest();
}

function remoteOf(
  { nodeId, listenPort }: Hello,
  use: Use,
  nonces: readonly [initiator: Uint8Array, acceptor: Uint8Array],
): RemoteIdentity {
  return { nodeId, ...use, listenPort, nonces: concatBytes(nonces) };
}

/** Who is where, in a version that says so. */
interface SiteTalk {
  readonly identity: LocalIdentity;
  readonly version: NodeVersion;
}

function tellSite(connection: Connection, { identity: { place }, version }: SiteTalk): void {
  if (version >= NODE_VERSION_SITES) connection.send({ kind: "site", site: place?.site ?? "" });
}

/** Hears where the other side is, if it says so, and notes how near that is. */
async function hearSite(
  connection: Connection,
  { identity: { place }, version }: SiteTalk,
): Promise<void> {
  let site = "";
  if (version >= NODE_VERSION_SITES) {
    allowOnly(connection, ["site"]);
    ({ site } = expectMessage(await connection.receiveOne(), "site"));
    const problem = siteProblem(site);
    if (problem !== undefined) {
      throw new PeerFault("malformed", `Cannot shake hands: the name of its site: ${problem}`);
    }
  }
  const { host } = connection.remote;
  connection.nearness = place?.nearnessOf({ host, site }) ?? "far";
}

/** The message, if it is of the kind that must come now; a refusal becomes its error. */
export function expectMessage<K extends MessageKind>(message: Message, kind: K): MessageOf<K> {
  if (message.kind === kind) return message as MessageOf<K>;
  if (message.kind === "refused") throw new RefusedError(message.refusal);
  throw new PeerFault("unexpected", `Cannot go on: ${message.kind} came instead of ${kind}`);
}

function allowOnly(connection: Connection, kinds: readonly MessageKind[]): void {
  connection.setGate(
    onlyKinds("Cannot shake hands", kinds, { bytesMax: limits.handshakeFrameBytesMax }),
  );
}

function allowAny(connection: Connection): void {
  connection.setGate(() => {});
}
