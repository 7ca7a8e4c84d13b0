/**
 * The clients of a directory: by key and by host, and who may not come back.
 * What they list is in `listing_table.ts`; when they are asked or forgotten is decided in
 * `directory.ts`.
 *
 * With all places taken, the network (an IPv4 /24, an IPv6 /48) with the most clients gives one to a
 * newcomer whose network would still have fewer; within one network, the address with the most. The
 * youngest goes: who has been here the longest is the most likely to stay.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import { Counts, groupToGive } from "../../base/counts.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Random, randomBelow, shuffled } from "../../base/random.ts";
import { widerNetworkOf } from "../../base/rate_limit.ts";
import type { Reach } from "../../wire/directory_messages.ts";
import type { Load } from "../../wire/structures.ts";
import { type Balance, clampLoad, type Loaded } from "./balance.ts";
import type { ClientKey, Denial } from "./directory_events.ts";
import type { Lister } from "./listing_table.ts";
import { NONE } from "./rows.ts";

/** Clients at one address. */
export interface Host {
  readonly host: string;
  /** With which others it shares what is short. */
  readonly network: string;
  readonly clients: Set<Client>;
  listings: number;
  /** Bytes of names and types that they list. */
  textBytes: number;
}

/** One client, for as long as it is known. */
export interface Client extends Lister, Loaded {
  readonly key: ClientKey;
  readonly host: Host;
  /** When it came, in the order of all clients. */
  readonly order: number;
  nodeId: NodeId;
  port: number;
  sequence: number;
  /** When it reported its load. */
  loadMs: number;
  reach: Reach;
  isReachable: boolean;
  /**
   * The batch under way; `refused` is what will be answered already: the whole list is wanted, or
   * why it is refused.
   */
  batch: { readonly whole: boolean; refused: "unknown" | Denial | null } | null;
  /** What its listings are marked with that were named since its last whole list began. */
  mark: number;
  /** Whether it was asked for its files, which may be coming in. */
  isAskedForFiles: boolean;
  /** When it was heard last. */
  heardMs: number;
  /** When it was dialled last to prove itself; at which port, while the outcome is open. */
  checkedMs: number;
  checkingPort: number | null;
  /** When it was asked because it had been silent. */
  silentAskedMs: number | null;
  /** Where it stands among those who take files. */
  takerAt: number;
}

/** What a client comes with. */
type NewClient = Pick<Client, "key" | "nodeId" | "port" | "heardMs"> & { readonly host: string };

/** Of a client that has not said any yet. */
const NO_LOAD: Load = { uploads: 0, uploadsMax: 1, bytesPerSecond: 0, acceptBytes: 0 };

/** All clients of one directory. */
export class Clients {
  /** Who was one. */
  readonly past = new PastSessions();
  readonly #balance: Balance;
  readonly #byKey = new Map<ClientKey, Client>();
  readonly #hosts = new Map<string, Host>();
  readonly #byId: (Client | undefined)[] = [];
  readonly #freeIds: number[] = [];
  /** Reachable clients with room for files, for choosing at random. */
  readonly #takers: Client[] = [];
  #order = 0;
  #reachable = 0;

  constructor(balance: Balance) {
    this.#balance = balance;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get reachable(): number {
    return this.#reachable;
  }

  /** Reachable clients with room for files, in no order. */
  get takers(): readonly Client[] {
    return this.#takers;
  }

  [Symbol.iterator](): IterableIterator<Client> {
    return this.#byKey.values();
  }

  get(key: ClientKey): Client | undefined {
    return this.#byKey.get(key);
  }

  /** The client of an id that is taken. */
  byId(id: number): Client {
    return this.#byId[id]!;
  }

  /** All addresses that have clients. */
  get hosts(): Iterable<Host> {
    return this.#hosts.values();
  }

  /** The clients at an address. */
  at(host: string): ReadonlySet<Client> {
    return this.#hosts.get(host)?.clients ?? new Set();
  }

  /** Who gives its place to a newcomer at `host`, as the head of this file says. */
  giverFor(host: string): Client | undefined {
    const own = widerNetworkOf(host);
    // All of them in the order in which they came.
    const all = [...this.#byKey.values()];
    const network = groupToGive(all.map((one) => one.host.network), own);
    const rivals = all.filter((one) => one.host.network === (network ?? own));
    const address = groupToGive(rivals.map((one) => one.host.host), host);
    if (address !== undefined) return rivals.findLast((one) => one.host.host === address);
    return network === undefined ? undefined : rivals.at(-1);
  }

  /** Up to `count` clients that fit, at random; where there are many, not all are looked at. */
  some(count: number, random: Random, fits: (client: Client) => boolean): Client[] {
    const { neighboursComparedMax } = limits;
    const looked = this.size <= neighboursComparedMax
      ? shuffled(random, [...this.#byKey.values()])
      : Array.from(
        { length: neighboursComparedMax },
        () => this.#byId[randomBelow(random, this.#byId.length)],
      );
    const some = new Set<Client>();
    for (const client of looked) {
      if (some.size === count) break;
      if (client !== undefined && fits(client)) some.add(client);
    }
    return [...some];
  }

  /** Takes a client in that is not known. */
  add({ host, ...options }: NewClient): Client {
    const at = this.#hosts.get(host) ?? newHost(host);
    this.#hosts.set(host, at);
    const id = this.#freeIds.pop() ?? this.#byId.length;
    const client: Client = {
      ...options,
      id,
      load: NO_LOAD,
      named: this.#balance.newCount(),
      host: at,
      order: this.#order++,
      firstListing: NONE,
      listings: 0,
      sequence: -1,
      loadMs: -Infinity,
      reach: "unreachable",
      isReachable: false,
      batch: null,
      mark: 0,
      isAskedForFiles: false,
      checkedMs: -Infinity,
      checkingPort: null,
      silentAskedMs: null,
      takerAt: NONE,
    };
    this.#byId[id] = client;
    this.#byKey.set(client.key, client);
    at.clients.add(client);
    return client;
  }

  /** Forgets a client that lists nothing any more; it is a past session from now on. */
  remove(client: Client, nowMs: number): void {
    this.#balance.forgotten(client, nowMs);
    this.setReach(client, "unreachable");
    this.#byKey.delete(client.key);
    this.#byId[client.id] = undefined;
    this.#freeIds.push(client.id);
    client.host.clients.delete(client);
    if (client.host.clients.size === 0) this.#hosts.delete(client.host.host);
    this.past.gone(client.key, client.sequence);
  }

  setReach(client: Client, reach: Reach): void {
    if (client.isReachable) this.#reachable--;
    client.reach = reach;
    client.isReachable = reach === "reachable";
    if (client.isReachable) this.#reachable++;
    this.#updateTaker(client);
  }

  /** Takes what a client says of its load, as far as that can be true. */
  setLoad(client: Client, load: Load, nowMs: number): void {
    const after = clampLoad(load);
    this.#balance.reported(client.load, after);
    client.load = after;
    client.loadMs = nowMs;
    this.#updateTaker(client);
  }

  #updateTaker(client: Client): void {
    const isTaker = client.isReachable && client.load.acceptBytes > 0;
    if (isTaker === (client.takerAt !== NONE)) return;
    if (isTaker) client.takerAt = this.#takers.push(client) - 1;
    else this.#removeTaker(client);
  }

  #removeTaker(client: Client): void {
    const last = this.#takers.pop()!;
    if (last !== client) {
      this.#takers[client.takerAt] = last;
      last.takerAt = client.takerAt;
    }
    client.takerAt = NONE;
  }
}

function newHost(host: string): Host {
  return {
    host,
    network: widerNetworkOf(host),
    clients: new Set(),
    listings: 0,
    textBytes: 0,
  };
}

/**
 * Sessions that are not clients any more: the last sequence of each, against replays, and those
 * whose address was somebody else's. Bounded; the oldest go.
 */
class PastSessions {
  readonly #sequences = new BoundedMap<ClientKey, number>(limits.directoryGoneMax);
  /** The wrong ones, in the order in which they are forgotten. */
  readonly #wrong = new BoundedMap<ClientKey, { readonly host: string; readonly untilMs: number }>(
    limits.directoryWrongMax,
    { onEvict: (_key, { host }) => this.#wrongAt.add(host, -1) },
  );
  /** How many of the wrong ones were at each host. */
  readonly #wrongAt = new Counts<string>();

  /** The last sequence of a session; below all others when nothing is remembered. */
  sequenceOf(key: ClientKey): number {
    return this.#sequences.get(key) ?? -1;
  }

  /** A session is not a client any more. */
  gone(key: ClientKey, sequence: number): void {
    this.#sequences.set(key, sequence);
  }

  /** Somebody else answered at the address of a session. */
  wrong(key: ClientKey, host: string, nowMs: number): void {
    if (this.#wrong.has(key)) return;
    this.#wrongAt.add(host, 1);
    this.#wrong.set(key, { host, untilMs: nowMs + limits.directoryWrongMs });
  }

  isWrong(key: ClientKey, nowMs: number): boolean {
    return (this.#wrong.get(key)?.untilMs ?? -Infinity) > nowMs;
  }

  /** Wrong sessions remembered of a host: each had somebody dialled in vain. */
  wrongAt(host: string): number {
    return this.#wrongAt.of(host);
  }

  /** Forgets what is over. */
  expire(nowMs: number): void {
    for (const [key, { host, untilMs }] of this.#wrong) {
      if (untilMs > nowMs) return;
      this.#wrong.delete(key);
      this.#wrongAt.add(host, -1);
    }
  }
}
