/** One question to a directory, without a node: how it is doing. */

import type { HostPort } from "../base/address.ts";
import { EnvironmentError, FetchFailure, messageOf } from "../base/errors.ts";
import { newNodeId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { systemRandom } from "../base/random.ts";
import { Connection } from "../net/connection.ts";
import { DirectoryConnection } from "../net/directory_connection.ts";
import { type LocalIdentity, RefusedError } from "../net/handshake.ts";
import { tcpTransport } from "../net/tcp_transport.ts";
import { formatAddress } from "../wire/host.ts";
import type { MessageOf } from "../wire/messages.ts";

/** What a directory says of itself. */
export interface DirectoryStatus extends Omit<MessageOf<"directory-status">, "kind"> {
  /** Its address as HOST:PORT. */
  readonly directory: string;
}

/** Where it is, and as whom to ask. */
interface DirectoryAccess {
  readonly address: HostPort;
  readonly network: string;
  readonly networkKey: Uint8Array | undefined;
}

/**
 * Asks a directory how it is doing.
 *
 * @throws {FetchFailure} "noDaemon" when none answers there, or does not let this program in;
 * "failed" when it refuses the question.
 */
export async function askDirectoryStatus(access: DirectoryAccess): Promise<DirectoryStatus> {
  const directory = formatAddress(access.address.host, access.address.port);
  const answer = await ask(access, directory);
  if (answer.kind === "denied") {
    throw new FetchFailure("failed", `The directory ${directory} refuses: ${answer.message}`);
  }
  const { kind: _, ...numbers } = answer;
  return { directory, ...numbers };
}

async function ask(
  { address, network, networkKey }: DirectoryAccess,
  directory: string,
): Promise<MessageOf<"directory-status"> | MessageOf<"denied">> {
  const identity: LocalIdentity = {
    nodeId: newNodeId(systemRandom),
    // Nobody is to dial a program that only asks.
    listenPort: 0,
    network,
    networkKey,
    random: systemRandom,
  };
  let connection: Connection | undefined;
  let talk: DirectoryConnection | undefined;
  try {
    connection = new Connection(await tcpTransport.dial(address, { timeoutMs: limits.dialMs }));
    talk = await DirectoryConnection.open(connection, identity);
    return await talk.status();
  } catch (cause) {
    const message = `Cannot ask the directory at ${directory}: ${messageOf(cause)}`;
    const hint = hintFor(cause, {
      isConnected: connection !== undefined,
      isKnown: talk !== undefined,
    });
    throw new FetchFailure("noDaemon", message, { hint, cause });
  } finally {
    connection?.close();
  }
}

/** What to do: `isConnected` when somebody is there, `isKnown` when it speaks the protocol. */
function hintFor(
  error: unknown,
  { isConnected, isKnown }: { readonly isConnected: boolean; readonly isKnown: boolean },
): string {
  if (!isConnected) return "Start one with `pacsrv directory`.";
  if (isKnown || (error instanceof RefusedError && error.refusal === "busy")) {
    return "It may be a node's port, or the directory has all the connections that it takes.";
  }
  const network =
    "For a network other than the default one, give --network and --network-key-file here too.";
  return error instanceof EnvironmentError
    ? `${network} Otherwise it may not be a directory, or it has all the connections that it takes.`
    : network;
}
