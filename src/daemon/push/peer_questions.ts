/** The questions that a node asks another one: what it offers, and whether it takes a file. */

import type { HostPort } from "../../base/address.ts";
import { EnvironmentError, FetchFailure, messageOf, PeerFault } from "../../base/errors.ts";
import { chunkCount } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { Connection } from "../../net/connection.ts";
import { closeOnAbort, withDeadline } from "../../net/deadline.ts";
import { expectMessage, initiate, RefusedError, type RemoteIdentity } from "../../net/handshake.ts";
import { linkProblemOf } from "../../net/link_problem.ts";
import type { UploadAnswer } from "../../wire/directory_messages.ts";
import { onlyKinds } from "../../wire/framer.ts";
import { formatAddress } from "../../wire/host.ts";
import type { Message } from "../../wire/messages.ts";
import type { PeerFileReport } from "../../wire/reports.ts";
import type { ListedFile } from "../../wire/structures.ts";
import type { NodeContext } from "../discovery/node_context.ts";

const ENDED_HINT = "What listens there may be no node that can be asked, but a directory, or " +
  "have another network key.";

/** Another node that can be asked; disposing closes the connection. */
export interface AskedPeer extends Disposable {
  readonly connection: Connection;
  readonly remote: RemoteIdentity;
}

/**
 * Dials a node to ask it something. `question` travels with the handshake.
 *
 * @throws {EnvironmentError | PeerFault | RefusedError} when it cannot be asked; the first is
 * "unreachable" only when nobody answers.
 */
async function askPeer(
  context: NodeContext,
  address: HostPort,
  { question, signal }: { readonly question: Message; readonly signal: AbortSignal },
): Promise<AskedPeer> {
  signal.throwIfAborted();
  // A person named it, or asked a directory for a few.
  const connection = await context.connections.dial(address, { isGiven: true });
  using cleanup = new DisposableStack();
  cleanup.defer(() => connection.close());
  cleanup.use(closeOnAbort(connection, signal));
  const remote = await hearing(() =>
    initiate(connection, {
      identity: context.identity,
      purpose: "directory",
      first: () => [question],
    })
  );
  const kept = cleanup.move();
  return { connection, remote, [Symbol.dispose]: () => kept.dispose() };
}

/** Hears the node that was dialled; one that closes may be none that can be asked. */
async function hearing<T>(hear: () => Promise<T>): Promise<T> {
  try {
    return await hear();
  } catch (cause) {
    if (!(cause instanceof EnvironmentError)) throw cause;
    throw new EnvironmentError("other", cause.message, { hint: ENDED_HINT, cause });
  }
}

/**
 * Asks a node to take `file`. When it accepts, and `serves` said that this node provides it, the
 * connection goes on with an offer; the caller disposes of it.
 *
 * @throws {EnvironmentError | PeerFault | RefusedError} when there is no answer; the first is
 * "unreachable" only when nobody is there.
 */
export async function askUpload(
  context: NodeContext,
  address: HostPort,
  options: {
    readonly file: ListedFile;
    readonly serves: boolean;
    readonly signal: AbortSignal;
  },
): Promise<AskedPeer & { readonly answer: UploadAnswer }> {
  const { file, serves, signal } = options;
  const question = { kind: "upload-request", file, serves } as const;
  using cleanup = new DisposableStack();
  const { connection, remote } = cleanup.use(await askPeer(context, address, { question, signal }));
  connection.setGate(onlyKinds("Cannot ask to take a file", ["upload-answer"]));
  const { answer } = await hearing(() =>
    withDeadline(
      connection,
      "Cannot ask to take a file",
      async () => expectMessage(await connection.receiveOne(), "upload-answer"),
    )
  );
  const kept = cleanup.move();
  return { connection, remote, answer, [Symbol.dispose]: () => kept.dispose() };
}

/**
 * The files that the node at `peer` offers, as they come; at most `limits.listingsPerClientMax`.
 *
 * @throws {FetchFailure} when it does not tell them.
 */
export async function* peerFiles(
  context: NodeContext,
  options: { readonly peer: HostPort; readonly signal: AbortSignal },
): AsyncGenerator<PeerFileReport> {
  const { peer, signal } = options;
  try {
    const question = { kind: "files-query" } as const;
    using asked = await askPeer(context, peer, { question, signal });
    for await (const { file, sha256 } of hearFiles(asked.connection)) {
      const { root, name, type, sizeBytes, chunksHave } = file;
      yield { name, root, sizeBytes, type, chunks: chunkCount(sizeBytes), chunksHave, sha256 };
    }
  } catch (cause) {
    const where = formatAddress(peer.host, peer.port);
    const hint = cause instanceof EnvironmentError
      ? cause.hint
      : cause instanceof RefusedError && cause.refusal === "self" && !cause.isClone
      ? "`pacsrv list` names the files of this node."
      : undefined;
    const why = cause instanceof RefusedError
      ? linkProblemOf(cause, { ...context.identity, what: "node" }).text
      : messageOf(cause);
    throw new FetchFailure("failed", `Cannot list the files of ${where}: ${why}`, {
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

async function* hearFiles(connection: Connection): AsyncGenerator<ListedFile> {
  connection.setGate(onlyKinds("Cannot hear the files", ["files", "bye"]));
  // Each frame has its own bound, but a node could tell its files one by one for days.
  const late = new PeerFault("silent", "Cannot hear the files: the list takes too long");
  using _ = connection.clock.after(limits.directoryConnectionMs, () => connection.close(late));
  let count = 0;
  for (;;) {
    const message = await hearing(() =>
      withDeadline(connection, "Cannot hear the files", () => connection.receiveOne())
    );
    if (message.kind === "bye") {
      throw new EnvironmentError("other", "The node tells no more lists of files for now", {
        hint: "Try again in a minute.",
      });
    }
    const { files, last } = expectMessage(message, "files");
    count += files.length;
    if (count > limits.listingsPerClientMax || files.length === 0 && !last) {
      throw new PeerFault(
        "flooding",
        `Cannot hear the files: ${count}, at most ${limits.listingsPerClientMax}`,
      );
    }
    yield* files;
    if (last) return;
  }
}
