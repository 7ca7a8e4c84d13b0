/**
 * A node for the time of one fetch: no daemon, nothing kept, the file written where it is wanted.
 * While it lasts it offers what it has to others, like any node.
 */

import { dirname } from "node:path";
import type { HostPort } from "../../base/address.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { newNodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import { tcpTransport } from "../../net/tcp_transport.ts";
import { ChunkStore } from "../../store/chunk_store.ts";
import type { FetchEvent } from "../../wire/fetch_event.ts";
import type { FetchObserver } from "../../wire/fetch_observer.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import { Node } from "./node.ts";

/** How a fetch runs its own node. */
export interface AloneOptions {
  /** Where the file's bytes are written; what lies there is checked and used. Absolute. */
  readonly outputPath: string;
  readonly peers: readonly HostPort[];
  readonly directories: readonly HostPort[];
  /** Where the node listens, so that holders can call back. */
  readonly node: HostPort;
  readonly network: string;
  readonly networkKey: Uint8Array | undefined;
  readonly ttl: number;
  /** False: nobody can dial this node. */
  readonly isReachable: boolean;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Fetches a file with a node of its own; gives the events of the fetch, the last one "done".
 *
 * @throws {FetchFailure} with the reason, as the exit codes name them.
 * @throws {EnvironmentError} when the disk or a port cannot be had.
 */
export async function* fetchAlone(
  request: FetchRequest,
  options: AloneOptions,
): AsyncGenerator<FetchEvent> {
  await using cleanup = new AsyncDisposableStack();
  const dataDir = await makeDataDir(dirname(options.outputPath));
  cleanup.defer(() => Deno.remove(dataDir, { recursive: true }));
  const store = cleanup.use(
    await ChunkStore.open({
      dataDir,
      ephemeral: true,
      onWarning: (message, fields) => options.log.warn(message, fields),
    }),
  );
  const node = new Node({
    nodeId: newNodeId(systemRandom),
    listen: options.node,
    network: options.network,
    networkKey: options.networkKey,
    ttl: options.ttl,
    isReachable: options.isReachable,
    linksMin: limits.linksMin,
    linksMax: limits.linksMax,
    peers: options.peers,
    directories: options.directories,
    isAlone: true,
    store,
    transport: tcpTransport,
    log: options.log,
  });
  cleanup.defer(() => node.stop());
  node.start();
  const events = new EventQueue();
  const fetching = node.fetch(request, {
    observer: events,
    signal: options.signal,
    path: options.outputPath,
  });
  fetching.then(() => events.end(), () => events.end());
  yield* events.drain();
  yield await fetching;
}

/**
 * A directory for what only this fetch needs: where the system has such things, else beside the
 * output, for whoever may write nowhere else.
 *
 * @throws {EnvironmentError} when neither can be had.
 */
async function makeDataDir(beside: string): Promise<string> {
  try {
    return await Deno.makeTempDir({ prefix: "pacsrv-" });
  } catch {
    // Not writable, full, or not there: TMPDIR may say anything.
  }
  try {
    return await Deno.makeTempDir({ dir: beside, prefix: ".pacsrv-" });
  } catch (cause) {
    throw new EnvironmentError(
      "no-permission",
      `Cannot make a directory for the time of the fetch, nor in ${beside}: ${messageOf(cause)}`,
      { hint: "Set TMPDIR to a directory that can be written to.", cause },
    );
  }
}

/** Turns what a fetch tells into a sequence that is read at leisure. */
class EventQueue implements FetchObserver {
  #events: FetchEvent[] = [];
  #ended = false;
  #wake: () => void = () => {};

  event(event: FetchEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  // The bytes are written in place by the store: nobody has to be told of them.
  readable(): void {}
  gained(): void {}

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *drain(): AsyncGenerator<FetchEvent> {
    for (;;) {
      const events = this.#events;
      this.#events = [];
      yield* events;
      if (this.#events.length > 0) continue;
      if (this.#ended) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}
