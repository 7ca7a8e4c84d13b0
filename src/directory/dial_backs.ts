/**
 * What a directory asks of its clients, on connections that it opens: whether the client is who
 * answers there, which files it has, whether it would take one. When to ask what is decided in
 * `core/directory/directory.ts`.
 */

import type { HostPort } from "../base/address.ts";
import { PeerFault } from "../base/errors.ts";
import type { SessionId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Connection } from "../net/connection.ts";
import type { Connections } from "../net/connections.ts";
import { withDeadline } from "../net/deadline.ts";
import { expectMessage, initiate, type LocalIdentity, RefusedError } from "../net/handshake.ts";
import type { UploadAnswer } from "../wire/directory_messages.ts";
import { onlyKinds } from "../wire/framer.ts";
import { macEquals, sessionMac } from "../wire/proofs.ts";
import type { ListedFile, Load } from "../wire/structures.ts";

/** What a dial needs of the server. */
export interface DialBackServer {
  readonly identity: LocalIdentity;
  readonly connections: Connections;
}

/** A client as it is dialled. */
export interface DialledClient {
  readonly address: HostPort;
  readonly session: SessionId;
}

/** Who answered: the client itself, another node, or nobody of this network. */
export type CheckOutcome =
  | { readonly kind: "proved"; readonly load: Load }
  | { readonly kind: "wrong" }
  | { readonly kind: "unreachable"; readonly error: Error }
  /** It has no time to answer. */
  | { readonly kind: "unknown"; readonly error: Error };

/** Whether the client is who answers at its address. Never rejects. */
export async function checkClient(
  dialler: DialBackServer,
  client: DialledClient,
): Promise<CheckOutcome> {
  return await dialProved(dialler, client, () => Promise.resolve());
}

/**
 * Asks for the whole list of files: `heard` gets it in parts, as it comes, and what it throws ends
 * the exchange. Never rejects.
 */
export async function askFiles(
  dialler: DialBackServer,
  client: DialledClient,
  heard: (files: readonly ListedFile[], last: boolean) => void,
): Promise<CheckOutcome> {
  return await dialProved(dialler, client, async (connection) => {
    connection.setGate(onlyKinds("Cannot hear files", ["files"]));
    connection.send({ kind: "files-query" });
    // A long list takes its time, but a trickle must not hold up others.
    const timeoutMs = limits.directoryConnectionMs;
    const list = () => hearFiles(connection, heard);
    await withDeadline(connection, "Cannot hear files", list, { timeoutMs });
  });
}

async function hearFiles(
  connection: Connection,
  heard: (files: readonly ListedFile[], last: boolean) => void,
): Promise<void> {
  const max = limits.listingsPerClientMax;
  let count = 0;
  for (;;) {
    const { files, last } = expectMessage(await connection.receiveOne(), "files");
    count += files.length;
    if (count > max) throw new PeerFault("flooding", `Cannot hear files: more than ${max} came`);
    if (files.length === 0 && !last) {
      throw new PeerFault("flooding", "Cannot hear files: a frame has none and is not the last");
    }
    heard(files, last);
    if (last) return;
  }
}

/** Asks whether the client would fetch a file, to hold a copy of it. Never rejects. */
export async function requestUpload(
  dialler: DialBackServer,
  client: DialledClient,
  file: ListedFile,
): Promise<UploadAnswer | "unreachable"> {
  let answer: UploadAnswer | "unreachable" = "unreachable";
  await dialProved(dialler, client, async (connection) => {
    connection.setGate(onlyKinds("Cannot request upload", ["upload-answer"]));
    connection.send({ kind: "upload-request", file, serves: false });
    const reply = await withDeadline(
      connection,
      "Cannot request upload",
      async () => expectMessage(await connection.receiveOne(), "upload-answer"),
    );
    answer = reply.answer;
  });
  return answer;
}

/**
 * Dials, and goes on with `proved` once both sides have shown that they know the session. Only a
 * node that shakes hands and then fails the proof is another one: a port without a node of this
 * network may be a router's, and says nothing about the client.
 */
async function dialProved(
  dialler: DialBackServer,
  client: DialledClient,
  proved: (connection: Connection) => Promise<void>,
): Promise<CheckOutcome> {
  let connection: Connection | undefined;
  try {
    connection = await dialler.connections.dial(client.address);
    const load = await proveBoth(dialler, connection, client.session);
    if (load === null) return { kind: "wrong" };
    await proved(connection);
    return { kind: "proved", load };
  } catch (error) {
    const isBusy = error instanceof RefusedError && error.refusal === "busy";
    return { kind: isBusy ? "unknown" : "unreachable", error: error as Error };
  } finally {
    connection?.close();
  }
}

/** The load of the client, or null when the node that answers does not know the session. */
async function proveBoth(
  { identity }: DialBackServer,
  connection: Connection,
  session: SessionId,
): Promise<Load | null> {
  const remote = await shakeHands(connection, identity, session);
  if (remote === null) return null;
  connection.setGate(onlyKinds("Cannot check client", ["load-report"]));
  const report = await withDeadline(
    connection,
    "Cannot check client",
    async () => expectMessage(await connection.receiveOne(), "load-report"),
  );
  const expected = sessionMac("client", session, remote);
  return macEquals(report.mac, expected) ? report.load : null;
}

/** The nonces of the connection; null when the other side is this directory itself. */
async function shakeHands(
  connection: Connection,
  identity: LocalIdentity,
  session: SessionId,
): Promise<Uint8Array | null> {
  try {
    const { nonces } = await initiate(connection, {
      identity,
      purpose: "directory",
      first: ({ nonces }) => [
        { kind: "load-query", mac: sessionMac("directory", session, nonces) },
      ],
    });
    return nonces;
  } catch (error) {
    if (error instanceof RefusedError && error.refusal === "self") return null;
    throw error;
  }
}
