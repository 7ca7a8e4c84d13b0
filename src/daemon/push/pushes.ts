/**
 * Giving files to other nodes that did not ask for them. A node says whether it takes a file; if so,
 * it fetches it over the connection that the push opened. A person names the node, or the
 * directories do.
 */

import type { HostPort } from "../../base/address.ts";
import { Changes } from "../../base/changes.ts";
import { sleep } from "../../base/clock.ts";
import {
  EnvironmentError,
  FetchFailure,
  messageOf,
  PeerFault,
  UsageError,
} from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { withDeadline } from "../../net/deadline.ts";
import { RefusedError } from "../../net/handshake.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import { onlyKinds } from "../../wire/framer.ts";
import { formatAddress } from "../../wire/host.ts";
import type { PushReport } from "../../wire/reports.ts";
import type { Holder, ListedFile } from "../../wire/structures.ts";
import type { Directories } from "../directories/directories.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { listedFile, offerMessage } from "../discovery/offers.ts";
import type { Uploads } from "../upload/uploads.ts";
import { type AskedPeer, askUpload } from "./peer_questions.ts";

interface PushesOptions {
  readonly uploads: Uploads;
  readonly directories: Pick<Directories, "size" | "findTakers">;
}

/** The pushes of one node. */
export class Pushes {
  readonly #context: NodeContext;
  readonly #options: PushesOptions;

  constructor(context: NodeContext, options: PushesOptions) {
    this.#context = context;
    this.#options = options;
  }

  /**
   * Gives each of `files` to `peer`, or to the first node that takes it among those that directories
   * name.
   *
   * @throws {UsageError} when a file is not here whole, or must not be given away.
   * @throws {FetchFailure} at the end, when no directory named a node that takes one of them.
   */
  async *pushAll(
    files: readonly FileDefinition[],
    options: { readonly peer: HostPort | undefined; readonly signal: AbortSignal },
  ): AsyncGenerator<PushReport> {
    const { peer, signal } = options;
    this.#check(files);
    let untaken: FileDefinition | undefined;
    for (const file of files) {
      if (peer !== undefined) yield* this.push(file, { address: peer, signal });
      else if (!(yield* this.#pushToTaker(file, signal))) untaken = file;
    }
    if (untaken === undefined || signal.aborted) return;
    const { name, root } = untaken;
    throw new FetchFailure(
      "failed",
      `Cannot push ${JSON.stringify(name)}, root ${root}: no directory names a peer for it`,
      { hint: "Name a peer: pacsrv push NAME HOST:PORT" },
    );
  }

  /**
   * Gives `file` to the node at `address`. Yields what it answers, and if it takes the file, how
   * that ended: "done" when it says that it has it whole. Never throws for what the other side does.
   */
  async *push(
    file: FileDefinition,
    to: { readonly address: HostPort; readonly signal: AbortSignal },
  ): AsyncGenerator<PushReport> {
    const { address, signal } = to;
    const { name, root } = file;
    const { log, store } = this.#context;
    const peer = formatAddress(address.host, address.port);
    const listed = listedFile(store, file);
    const report = (nodeId: NodeId | null, result: string, bytes: number): PushReport => {
      log.info("push", { name, root, peer, result, bytes });
      return { peer, nodeId, name, root, result, bytes };
    };
    let asked: Awaited<ReturnType<typeof askUpload>>;
    try {
      asked = await askUpload(this.#context, address, { file: listed, serves: true, signal });
    } catch (error) {
      log.info("cannot ask a node to take a file", { name, peer, error: messageOf(error) });
      yield report(null, resultOf(error), 0);
      return;
    }
    using peerAsked = asked;
    const { nodeId } = peerAsked.remote;
    yield report(nodeId, peerAsked.answer, 0);
    if (peerAsked.answer !== "accepted") return;
    let bytes = 0;
    try {
      bytes = await this.#send(file, peerAsked);
    } catch (error) {
      log.info("cannot give a file", { name, peer, error: messageOf(error) });
    }
    const isThere = await this.#isWholeAt(address, listed, signal);
    const { clock, holders } = this.#context;
    holders.heard(root, nodeId, { isWhole: isThere, nowMs: clock.nowMs() });
    yield report(nodeId, isThere ? "done" : "failed", bytes);
  }

  #check(files: readonly FileDefinition[]): void {
    const part = files.find(({ chunks, chunksHave }) => chunksHave < chunks);
    if (part !== undefined) {
      const { name, chunks, chunksHave } = part;
      throw new UsageError(`Cannot push ${name}: ${chunksHave} of ${chunks} chunks are here`, {
        hint: "Fetch the rest of it first.",
      });
    }
    const withheld = files.find((file) => !this.#context.offerPolicy.isOfferable(file));
    if (withheld !== undefined) {
      throw new UsageError(`Cannot push ${withheld.name}: it is not what the databases say`, {
        hint: "Or its SHA-256 is not known yet: `pacsrv list` says which.",
      });
    }
  }

  /** Offers the file, and serves it if it is wanted; returns how many bytes of it were sent. */
  async #send(file: FileDefinition, { connection, remote }: AskedPeer): Promise<number> {
    connection.setGate(onlyKinds("Cannot give a file", ["want", "enough"]));
    const answer = await withDeadline(connection, "Cannot give a file", async () => {
      connection.send(offerMessage(this.#context.store, file, { listing: false }));
      return await connection.receiveOne();
    });
    const { root } = file;
    if (answer.kind !== "want" || answer.root !== root) return 0;
    return await this.#options.uploads.serve(connection, remote, { root, isPushed: true });
  }

  /**
   * Whether the other side has the file whole, once it knows: while the file is on its way to it, or
   * too many ask it something, it says that it is busy.
   */
  async #isWholeAt(address: HostPort, file: ListedFile, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#context;
    const endMs = clock.nowMs() + limits.pushSettleMs;
    let pauseMs: number = limits.pushAskAgainMsMin;
    for (;;) {
      try {
        using peer = await askUpload(this.#context, address, { file, serves: false, signal });
        if (peer.answer === "have") return true;
        if (peer.answer !== "busy") return false;
      } catch (error) {
        // Else it has gone, or this node stops: nobody says that the file is there.
        if (!(error instanceof RefusedError && error.refusal === "busy")) return false;
      }
      if (clock.nowMs() > endMs) return false;
      await sleep(clock, pauseMs, { signal }).catch(() => {});
      pauseMs = Math.min(limits.pushAskAgainMsMax, 2 * pauseMs);
    }
  }

  /**
   * Asks the nodes that directories name one after the other until one takes the file; returns
   * whether there was any.
   */
  async *#pushToTaker(
    file: FileDefinition,
    signal: AbortSignal,
  ): AsyncGenerator<PushReport, boolean> {
    let result = "";
    for await (const address of this.#takers(file, signal)) {
      for await (const report of this.push(file, { address, signal })) {
        yield report;
        result = report.result;
      }
      if (result === "done" || result === "failed") break;
    }
    return result !== "";
  }

  /** Addresses of nodes that would take the file, as directories name them; each once. */
  async *#takers(file: FileDefinition, signal: AbortSignal): AsyncGenerator<HostPort> {
    const { clock, identity } = this.#context;
    const { directories } = this.#options;
    if (directories.size === 0) return;
    const waiting: Holder[] = [];
    const named = new Set<string>();
    const changes = new Changes();
    const untilMs = clock.nowMs() + limits.pushTakersMs;
    let answers = 0;
    const end = directories.findTakers(file, ({ holders }) => {
      answers++;
      waiting.push(...holders.slice(0, limits.pushTakersMax));
      changes.tell();
    });
    try {
      while (named.size < limits.pushTakersMax && !signal.aborted) {
        const taker = waiting.shift();
        if (taker !== undefined) {
          const { nodeId, host, port } = taker;
          const key = formatAddress(host, port);
          if (port === 0 || nodeId === identity.nodeId || named.has(key)) continue;
          named.add(key);
          yield { host, port };
          continue;
        }
        const waitMs = untilMs - clock.nowMs();
        if (waitMs <= 0 || answers >= directories.size) return;
        await changes.next(clock, { waitMs, signal });
      }
    } finally {
      end();
    }
  }
}

/** What came of a node that could not be asked. */
function resultOf(error: unknown): string {
  if (error instanceof RefusedError && error.refusal === "self") return "self";
  const isThere = error instanceof RefusedError || error instanceof PeerFault ||
    error instanceof EnvironmentError && error.code !== "unreachable";
  return isThere ? "refused" : "unreachable";
}
