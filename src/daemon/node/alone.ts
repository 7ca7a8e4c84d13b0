/**
 * A node for the time of one fetch: no daemon, nothing kept, the file written where it is wanted.
 * While it lasts it offers what it has to others, like any node.
 */

import { dirname } from "node:path";
import type { HostPort } from "../../base/address.ts";
import { AwakeClock } from "../../base/clock.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { newNodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { systemRandom } from "../../base/random.ts";
import { ownSubnets } from "../../net/own_addresses.ts";
import { tcpTransport } from "../../net/tcp_transport.ts";
import { ChunkStore } from "../../store/chunk_store.ts";
import type { FetchEvent, FetchObserver, FetchRequest } from "../../wire/fetching.ts";
import { Node, type NodeOptions } from "./node.ts";

type AloneNodeOptions = Pick<
  NodeOptions,
  | "directories"
  | "isReachable"
  | "log"
  | "network"
  | "networkKey"
  | "otherKeys"
  | "peers"
  | "site"
  | "ttl"
>;

interface AloneOptions extends AloneNodeOptions {
  /** Where the file's bytes are written; what lies there is checked and used. Absolute. */
  readonly outputPath: string;
  /** Where the node listens, so that holders can call back. */
  readonly node: HostPort;
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
  const clock = cleanup.use(new AwakeClock());
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
    ...options,
    clock,
    nodeId: newNodeId(systemRandom),
    listen: options.node,
    linksMin: limits.linksMin,
    linksMax: limits.linksMax,
    isAlone: true,
    ownSubnets,
    store,
    transport: tcpTransport,
  });
  cleanup.defer(() => node.stop());
  node.start();
  const told = new ToldEvents();
  const fetching = node.fetch(request, {
    observer: told,
    signal: options.signal,
    path: options.outputPath,
  });
  fetching.then(() => told.end(), () => told.end());
  yield* told.events;
  yield await fetching;
}

/**
 * A directory for what only this fetch needs: where the system keeps temporary files, else beside
 * the output.
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

/** What a fetch tells, as a sequence that is read at leisure. */
class ToldEvents implements FetchObserver {
  readonly events: ReadableStream<FetchEvent>;
  #controller!: ReadableStreamDefaultController<FetchEvent>;
  #isEnded = false;

  constructor() {
    this.events = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#isEnded = true;
      },
    });
  }

  event(event: FetchEvent): void {
    if (!this.#isEnded) this.#controller.enqueue(event);
  }

  // The bytes are written in place by the store: nobody has to be told of them.
  readable(): void {}
  gained(): void {}

  end(): void {
    if (!this.#isEnded) this.#controller.close();
    this.#isEnded = true;
  }
}
