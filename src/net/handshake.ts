/**
 * The handshake of the node port. Initiator I, acceptor R:
 *
 *     I -> R  HELLO      who I am, for what I come, a nonce, a tag under the network key
 *     R -> I  HELLO, PROOF
 *     I -> R  PROOF      and, if it likes, its first messages
 *     R -> I  ACCEPTED or REFUSED
 *
 * In a network with a key, R answers a HELLO without a valid tag by closing, without a byte: a
 * stranger learns nothing. The tag alone could be a replay; the proof, over both nonces, cannot.
 * Without a key the HMAC key is empty: the exchange proves nothing then, and is the same code.
 */

import { createHmac } from "node:crypto";
import { concatBytes, fromHex, utf8 } from "../base/bytes.ts";
import { PeerFault } from "../base/errors.ts";
import { HASH_BYTES, type NodeId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { encodeFrame } from "../wire/codec.ts";
import {
  type Message,
  type MessageKind,
  type MessageOf,
  NODE_MAGIC,
  PROTOCOL_VERSION,
  type Purpose,
  PURPOSES,
  type Refusal,
} from "../wire/messages.ts";
import { macEquals } from "../wire/proofs.ts";
import { onlyKinds } from "../wire/framer.ts";
import type { Connection } from "./connection.ts";
import { withDeadline } from "./deadline.ts";

/** Who this node is to others. */
export interface LocalIdentity {
  readonly nodeId: NodeId;
  /** Where it accepts connections; 0 when it cannot be reached. */
  readonly listenPort: number;
  readonly network: string;
  readonly networkKey: Uint8Array | undefined;
  readonly random: Random;
}

/** Who the other side proved to be. */
export interface RemoteIdentity {
  readonly nodeId: NodeId;
  readonly purpose: Purpose;
  readonly listenPort: number;
  /** Initiator's and acceptor's nonce, for proofs bound to this connection. */
  readonly nonces: Uint8Array;
}

/** The other side refused, and said why. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(`The node refused the connection: ${refusal}`);
    this.refusal = refusal;
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
    readonly first?: (remote: RemoteIdentity) => readonly Message[];
    /** Time for all of it. */
    readonly timeoutMs?: number;
  },
): Promise<RemoteIdentity> {
  const { identity, purpose } = options;
  return await withDeadline(connection, "Cannot shake hands", async () => {
    allowOnly(connection, ["hello", "refused"]);
    const own = makeHello(identity, purpose);
    connection.send(own);
    const theirs = expectMessage(await connection.receiveOne(), "hello");
    checkHello(theirs, identity);
    const remote = remoteOf(theirs, purpose, own.nonce, theirs.nonce);
    allowOnly(connection, ["proof"]);
    const proof = expectMessage(await connection.receiveOne(), "proof");
    checkProof(proof.mac, proofMac("acceptor", identity, own, theirs));
    // Its own address, or somebody who has this node talk to itself and listens.
    if (theirs.nodeId === identity.nodeId) throw new RefusedError("self");
    connection.send({ kind: "proof", mac: proofMac("initiator", identity, own, theirs) });
    for (const message of options.first?.(remote) ?? []) connection.send(message);
    allowOnly(connection, ["accepted", "refused"]);
    expectMessage(await connection.receiveOne(), "accepted");
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
    /** Time for all of it. */
    readonly timeoutMs?: number;
  },
): Promise<RemoteIdentity> {
  const { identity } = options;
  return await withDeadline(connection, "Cannot shake hands", async () => {
    allowOnly(connection, ["hello"]);
    const theirs = expectMessage(await connection.receiveOne(), "hello");
    try {
      checkHello(theirs, identity);
    } catch (error) {
      const code = error instanceof PeerFault ? error.code : undefined;
      const open = identity.networkKey === undefined;
      if (open && (code === "wrong-version" || code === "wrong-network")) {
        connection.send({ kind: "refused", refusal: code });
        await connection.closeAfterWriting();
      }
      throw error;
    }
    const own = makeHello(identity, theirs.purpose);
    connection.send(own);
    connection.send({ kind: "proof", mac: proofMac("acceptor", identity, theirs, own) });
    allowOnly(connection, ["proof"]);
    const proof = expectMessage(await connection.receiveOne(), "proof");
    checkProof(proof.mac, proofMac("initiator", identity, theirs, own));
    const remote = remoteOf(theirs, theirs.purpose, theirs.nonce, own.nonce);
    const refusal = remote.nodeId === identity.nodeId ? "self" : options.admit(remote);
    if (refusal !== undefined) {
      connection.send({ kind: "refused", refusal });
      await connection.closeAfterWriting();
      throw new RefusedError(refusal);
    }
    connection.send({ kind: "accepted" });
    allowAny(connection);
    return remote;
  }, options);
}

function makeHello(identity: LocalIdentity, purpose: Purpose): Hello {
  const hello: Hello = {
    kind: "hello",
    magic: NODE_MAGIC,
    version: PROTOCOL_VERSION,
    purpose,
    nodeId: identity.nodeId,
    listenPort: identity.listenPort,
    network: identity.network,
    nonce: identity.random.bytes(16),
    tag: new Uint8Array(HASH_BYTES),
  };
  return { ...hello, tag: helloTag(hello, identity.networkKey) };
}

/** The tag covers the frame's payload before the tag itself. */
function helloTag(hello: Hello, networkKey: Uint8Array | undefined): Uint8Array {
  if (networkKey === undefined) return new Uint8Array(HASH_BYTES);
  const frame = encodeFrame(hello);
  const covered = frame.subarray(limits.frameHeaderBytes, frame.length - HASH_BYTES);
  return createHmac("sha256", networkKey).update("hello").update(covered).digest();
}

function checkHello(hello: Hello, identity: LocalIdentity): void {
  if (hello.magic !== NODE_MAGIC) {
    throw new PeerFault("wrong-magic", "Cannot shake hands: the other side is not a pacsrv node");
  }
  if (hello.version !== PROTOCOL_VERSION) {
    throw new PeerFault(
      "wrong-version",
      `Cannot shake hands: protocol version ${hello.version} is not ${PROTOCOL_VERSION}`,
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
  hello: Hello,
  purpose: Purpose,
  initiatorNonce: Uint8Array,
  acceptorNonce: Uint8Array,
): RemoteIdentity {
  return {
    nodeId: hello.nodeId,
    purpose,
    listenPort: hello.listenPort,
    nonces: concatBytes([initiatorNonce, acceptorNonce]),
  };
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
