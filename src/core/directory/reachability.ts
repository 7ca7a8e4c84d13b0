/**
 * Where the clients of a directory can be reached, and whether they are still there: rules 2 and 6
 * of `directory.ts`. What they list it does not know.
 */

import type { HostPort } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import { unreachable } from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Client, Clients } from "./clients.ts";
import type { DirectoryEffect, DirectoryEventOf } from "./directory_events.ts";

/** What it needs of the directory. */
interface ReachabilityOptions {
  readonly clients: Clients;
  readonly refreshMs: number;
  forget(client: Client): void;
  /** Has something done. */
  effect(effect: DirectoryEffect): void;
}

/** Keeps how each client can be reached up to date. */
export class Reachability {
  readonly #options: ReachabilityOptions;
  readonly #conflicts = new AddressConflicts();
  #silenceCheckedMs = -Infinity;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
  }

  /** A client speaks, and says where it listens; 0: nowhere. */
  heard(
    client: Client,
    to: { readonly port: number; readonly isNew: boolean },
    nowMs: number,
  ): void {
    client.heardMs = nowMs;
    client.silentAskedMs = null;
    const isMoved = to.isNew || client.port !== to.port;
    client.port = to.port;
    if (isMoved) {
      this.#options.clients.setReach(client, to.port === 0 ? "unreachable" : "checking");
      if (to.port !== 0) this.check(client, nowMs);
    } else if (
      !client.isReachable && to.port !== 0 &&
      nowMs - client.checkedMs >= limits.directoryRecheckMs
    ) this.check(client, nowMs);
  }

  /** Has a client dialled, to prove itself. */
  check(client: Client, nowMs: number): void {
    client.checkedMs = nowMs;
    client.checkingPort = client.port;
    this.#options.effect({ kind: "check", client: client.key, ...addressOf(client) });
  }

  /** What came of a dial. */
  checked({ client: key, port, outcome }: DirectoryEventOf<"checked">, nowMs: number): void {
    const client = this.#options.clients.get(key);
    if (client === undefined || client.checkingPort !== port || client.port !== port) return;
    client.checkingPort = null;
    switch (outcome) {
      case "proved":
        return this.#proved(client, nowMs);
      case "wrong":
        this.#options.forget(client);
        this.#options.clients.past.wrong(key, client.host.host, nowMs);
        return this.#conflicts.add(client, nowMs);
      case "unknown":
        if (client.isReachable && client.silentAskedMs === null) return;
        return this.#notFound(client);
      case "unreachable":
        return this.#notFound(client);
      default:
        return unreachable(outcome);
    }
  }

  /** Lets time pass. */
  tick(nowMs: number): void {
    for (const { host, port, nodeId } of this.#conflicts.take(nowMs)) {
      this.#options.effect({
        kind: "warn",
        message: "Forgot a client: another node answers at the address that it gave",
        fields: { host, port, node: nodeId },
      });
    }
    const everyMs = Math.min(
      this.#options.refreshMs / limits.directorySilenceChecks,
      limits.directorySilenceCheckMsMax,
    );
    if (nowMs - this.#silenceCheckedMs < everyMs) return;
    this.#silenceCheckedMs = nowMs;
    for (const client of this.#options.clients) this.#checkSilence(client, nowMs);
  }

  #notFound(client: Client): void {
    if (client.silentAskedMs !== null) this.#options.forget(client);
    else this.#options.clients.setReach(client, "unreachable");
  }

  #proved(client: Client, nowMs: number): void {
    this.#options.clients.setReach(client, "reachable");
    this.#conflicts.proved(client);
    for (const other of [...client.host.clients]) {
      // That node was started again: two cannot listen on one port.
      if (other.port === client.port && other.order < client.order) this.#options.forget(other);
    }
    if (client.silentAskedMs === null) return;
    client.silentAskedMs = null;
    client.heardMs = nowMs;
    if (client.batch !== null) return;
    // Nobody knows what it failed to say meanwhile.
    client.isAskedForFiles = true;
    client.mark++;
    this.#options.effect({ kind: "ask-files", client: client.key, ...addressOf(client) });
  }

  #checkSilence(client: Client, nowMs: number): void {
    if (client.silentAskedMs !== null) {
      if (nowMs - client.silentAskedMs >= limits.directorySilentMs) this.#options.forget(client);
      return;
    }
    if (nowMs - client.heardMs < this.#options.refreshMs * limits.directoryMissedMax) return;
    if (!client.isReachable) {
      this.#options.forget(client);
      return;
    }
    client.silentAskedMs = nowMs;
    this.check(client, nowMs);
  }
}

function addressOf({ host: { host }, port }: Client): HostPort {
  return { host, port };
}

/** A client that was forgotten because another node answered at its address. */
interface AddressConflict {
  readonly host: string;
  readonly port: number;
  readonly nodeId: NodeId;
  readonly sinceMs: number;
}

/**
 * Such clients, until it is known what that was: a node that was started again on its port soon
 * proves itself there with its new session, and is nothing to be logged. Those of the last
 * `limits.directoryConflictMs`; bounded, the oldest go. How long they are refused is in `clients.ts`.
 */
class AddressConflicts {
  /** By the order of the client. */
  readonly #conflicts = new BoundedMap<number, AddressConflict>(limits.directoryWrongMax);

  add({ host: { host }, port, nodeId, order }: Client, nowMs: number): void {
    this.#conflicts.set(order, { host, port, nodeId, sinceMs: nowMs });
  }

  /** A client proved itself: those that came before it to its host and port were the same node. */
  proved({ host: { host }, port, order }: Client): void {
    for (const [before, conflict] of this.#conflicts) {
      const isSame = conflict.host === host && conflict.port === port && before < order;
      if (isSame) this.#conflicts.delete(before);
    }
  }

  /** Takes out those that were another node's. */
  take(nowMs: number): AddressConflict[] {
    const taken: AddressConflict[] = [];
    for (const [order, conflict] of this.#conflicts) {
      if (nowMs - conflict.sinceMs < limits.directoryConflictMs) break;
      this.#conflicts.delete(order);
      taken.push(conflict);
    }
    return taken;
  }
}
