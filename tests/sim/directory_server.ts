/**
 * A directory server of a simulation: the very index of the real one. It carries the index's
 * effects out over the simulated network, and forgets everything when it restarts.
 */

import type { NodeId } from "../../src/base/ids.ts";
import { newNodeId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { AdvertiserEffect } from "../../src/core/directory/advertiser.ts";
import { Directory } from "../../src/core/directory/directory.ts";
import {
  clientKey,
  type Denial,
  type DirectoryEffect,
  type DirectoryEvent,
  type Listed,
  sessionOf,
} from "../../src/core/directory/directory_events.ts";
import type { Holder, ListedFile, Sought } from "../../src/wire/structures.ts";
import type { SimClient } from "./directory_client.ts";
import type { DirectoryNetwork } from "./directory_network.ts";

/** A batch on its way: what the advertiser said, with the files of that moment. */
export interface SimBatch {
  readonly batch: AdvertiserEffect;
  readonly files: readonly ListedFile[];
}

/** One directory, up or down. */
export class SimDirectory {
  readonly index: number;
  instance: NodeId;
  isUp = true;
  readonly #network: DirectoryNetwork;
  #directory: Directory;
  /** Dials that wait for one of those under way to end. */
  readonly #queue: (() => void)[] = [];
  #dials = 0;

  constructor(network: DirectoryNetwork, index: number) {
    this.#network = network;
    this.index = index;
    this.instance = newNodeId(network.random);
    this.#directory = this.#empty();
    this.#tick();
  }

  get directory(): Directory {
    return this.#directory;
  }

  kill(): void {
    this.isUp = false;
  }

  /** Comes back as another instance that knows nothing. */
  restart(): void {
    this.isUp = true;
    this.instance = newNodeId(this.#network.random);
    this.#directory = this.#empty();
    this.#queue.length = 0;
    this.#dials = 0;
  }

  /** Takes a batch, and answers it; with `isBroken` the connection ends before its end. */
  take(client: SimClient, { batch, files }: SimBatch, isBroken = false): Listed | Denial {
    const { host, port, nodeId } = client;
    const { sequence, whole, filesListed, removed } = batch;
    const key = clientKey(host, client.seats[this.index]!.session);
    let answer = this.#step({
      kind: "refresh",
      client: key,
      host,
      port,
      nodeId,
      sequence,
      load: client.load,
      whole,
      filesListed,
    });
    if (answer !== undefined) return answer;
    for (let i = 0; i < files.length; i += limits.advertisedPerMessageMax) {
      const part = files.slice(i, i + limits.advertisedPerMessageMax);
      answer ??= this.#step({ kind: "advertise", client: key, files: part });
    }
    if (removed.length > 0) answer ??= this.#step({ kind: "remove", client: key, files: removed });
    const end = isBroken ? "batch-broken" : "batch-end";
    answer ??= this.#step({ kind: end, client: key });
    if (answer !== undefined || isBroken) return answer ?? BROKEN;
    throw new Error("The index gave no answer to a batch");
  }

  leave(client: SimClient, sequence: number): void {
    const key = clientKey(client.host, client.seats[this.index]!.session);
    this.#step({ kind: "leave", client: key, sequence });
  }

  /** The nodes that it names for a file. */
  holders(client: SimClient, sought: Sought): Holder[] {
    const question = { sought, max: 16, asker: client.host, askerNode: client.nodeId };
    const answer = this.#directory.holders(question, this.#network.nowMs);
    if (!("kind" in answer)) return answer;
    throw new Error(`A question was denied: ${answer.message}`);
  }

  #empty(): Directory {
    return new Directory({
      random: this.#network.random,
      replicas: limits.replicasDefault,
      refreshMs: limits.directoryRefreshMs,
      queriesPerSecond: limits.directoryQueriesPerSecond,
    });
  }

  #tick(): void {
    if (this.isUp) this.#step({ kind: "tick" });
    this.#network.time.later(limits.overlayTickMs, () => this.#tick());
  }

  /** One step; its effects are carried out, and the answer among them is returned. */
  #step(event: DirectoryEvent): Listed | Denial | undefined {
    let answer: Listed | Denial | undefined;
    for (const effect of this.#directory.step(event, this.#network.nowMs)) {
      if (effect.kind === "answer") answer = effect.answer;
      else this.#carryOut(effect);
    }
    return answer;
  }

  #carryOut(effect: Exclude<DirectoryEffect, { kind: "answer" }>): void {
    if (effect.kind === "warn") {
      this.#network.warnings.push(effect.message);
      return;
    }
    const { client: key, host, port } = effect;
    this.#dial(host, port, (client) => {
      const isProved = client?.seats[this.index]?.session === sessionOf(key);
      switch (effect.kind) {
        case "check": {
          if (client === undefined) return { ...effect, kind: "checked", outcome: "unreachable" };
          if (!isProved) return { ...effect, kind: "checked", outcome: "wrong" };
          return { ...effect, kind: "checked", outcome: "proved", load: client.load };
        }
        case "ask-files":
          if (!isProved) return undefined;
          return {
            kind: "files-heard",
            client: key,
            files: [...client!.files.values()],
            last: true,
          };
        case "request-upload": {
          const answer = isProved ? "unwilling" : "unreachable";
          return { kind: "upload-answered", client: key, root: effect.file.file.root, answer };
        }
      }
    });
  }

  /** Dials a client, so many at once, and says what came of it, unless it was restarted since. */
  #dial(
    host: string,
    port: number,
    outcome: (client: SimClient | undefined) => DirectoryEvent | undefined,
  ): void {
    const directory = this.#directory;
    const begin = () => {
      this.#dials++;
      this.#network.dialClient(host, port, (client) => {
        if (directory !== this.#directory || !this.isUp) return;
        this.#dials--;
        const event = outcome(client);
        if (event !== undefined) this.#step(event);
        this.#queue.shift()?.();
      });
    };
    if (this.#dials < limits.directoryDialsMax) begin();
    else this.#queue.push(begin);
  }
}

/** What nobody hears: the connection is gone. */
const BROKEN: Listed = {
  kind: "listed",
  known: false,
  reach: "checking",
  filesListed: 0,
  refreshMs: limits.directoryRefreshMs,
};
