/**
 * A node of a simulation, as the client of its directories: the very advertisers of the daemon,
 * and a set of files in place of a store. It holds files and tells of them; it moves no data.
 */

import { newNodeId, newSessionId, type NodeId, type SessionId } from "../../src/base/ids.ts";
import { randomBelow } from "../../src/base/random.ts";
import {
  Advertiser,
  type AdvertiserEffect,
  type AdvertiserEvent,
} from "../../src/core/directory/advertiser.ts";
import type { ListedFile, Load } from "../../src/wire/structures.ts";
import type { DirectoryNetwork } from "./directory_network.ts";
import type { SimDirectory } from "./directory_server.ts";

/** Where nodes listen. */
export const CLIENT_PORT = 8_048;

/** How a node is gone: it said goodbye, its process was killed, or its machine is off. */
export type Gone = "leave" | "process" | "machine";

/** A client at one directory. */
export interface Seat {
  readonly directory: SimDirectory;
  readonly advertiser: Advertiser;
  readonly session: SessionId;
  /** When it is stepped next; Infinity: when something happens. */
  wakeAtMs: number;
}

/** One run of a node. */
export class SimClient {
  readonly host: string;
  readonly port = CLIENT_PORT;
  readonly nodeId: NodeId;
  /** Whether it can be dialled. */
  readonly isReachable: boolean;
  /** One way to others. */
  readonly delayMs: number;
  readonly load: Load;
  readonly seats: readonly Seat[];
  /** By name. */
  readonly files = new Map<string, ListedFile>();
  #gone: Gone | undefined;
  #goneAtMs = Infinity;
  readonly #network: DirectoryNetwork;

  /** With `former`, the same node started again. */
  constructor(network: DirectoryNetwork, host: string, former?: SimClient) {
    const { random } = network;
    this.#network = network;
    this.host = host;
    this.nodeId = former?.nodeId ?? newNodeId(random);
    this.isReachable = former?.isReachable ?? random.unit() < network.options.reachableShare;
    this.delayMs = former?.delayMs ?? 2 + randomBelow(random, 30);
    this.load = {
      uploads: randomBelow(random, 8),
      uploadsMax: 32,
      bytesPerSecond: 0,
      acceptBytes: 0,
    };
    this.seats = network.directories.map((directory) => ({
      directory,
      advertiser: new Advertiser({ random }),
      session: newSessionId(random),
      wakeAtMs: Infinity,
    }));
  }

  get gone(): Gone | undefined {
    return this.#gone;
  }

  get isAlive(): boolean {
    return this.#gone === undefined;
  }

  /** Whether it went away at that time or later. */
  isGoneSince(atMs: number): boolean {
    return !this.isAlive && this.#goneAtMs >= atMs;
  }

  /** Begins to speak to its directories. */
  start(): void {
    for (const seat of this.seats) this.#step(seat, { kind: "tick" });
  }

  /** Holds a file, or more of it, from now on. */
  hold(file: ListedFile): void {
    this.files.set(file.file.name, file);
    for (const seat of this.seats) this.#step(seat, { kind: "changed", file });
  }

  drop(name: string): void {
    const file = this.files.get(name);
    if (file === undefined) return;
    this.files.delete(name);
    const { root } = file.file;
    for (const seat of this.seats) this.#step(seat, { kind: "removed", root, name });
  }

  /** Some answer of a directory came that is not to a batch. */
  sawInstance(index: number, instance: NodeId): void {
    this.#step(this.seats[index]!, { kind: "instance-seen", instance });
  }

  end(how: Gone): void {
    if (how === "leave") {
      for (const { directory, advertiser } of this.seats) {
        if (!advertiser.standing.answers) continue;
        this.#network.leave(this, directory, advertiser.sequence + 1);
      }
    }
    this.#gone = how;
    this.#goneAtMs = this.#network.nowMs;
  }

  #step(seat: Seat, event: AdvertiserEvent): void {
    if (!this.isAlive) return;
    for (const effect of seat.advertiser.step(event, this.#network.nowMs)) this.#send(seat, effect);
    this.#plan(seat);
  }

  #send(seat: Seat, batch: AdvertiserEffect): void {
    const files = batch.whole ? [...this.files.values()] : batch.changed;
    this.#network.batch(this, seat.directory, { batch, files }, (event) => this.#step(seat, event));
  }

  /** Time passes for it when its advertiser has something to say, not before. */
  #plan(seat: Seat): void {
    const { dueAtMs } = seat.advertiser;
    if (dueAtMs === seat.wakeAtMs || dueAtMs === Infinity) return;
    seat.wakeAtMs = dueAtMs;
    this.#network.time.at(Math.max(dueAtMs, this.#network.nowMs), () => {
      if (seat.wakeAtMs !== dueAtMs) return;
      seat.wakeAtMs = Infinity;
      this.#step(seat, { kind: "tick" });
    });
  }
}
