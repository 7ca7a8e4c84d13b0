/**
 * Whom a directory dials next. Clients of one host that do not answer must not keep those of other
 * hosts waiting, so hosts take turns, each with a few dials at once; a client is dialled for one
 * thing at a time. What is done on a connection is not known here.
 */

import type { ClientKey } from "../core/directory/directory_events.ts";

/** One thing to do at one client. It must not reject. */
interface DialTask {
  readonly client: ClientKey;
  readonly host: string;
  readonly run: () => Promise<void>;
}

/** The clients of one host that wait for a dial. */
interface HostQueue {
  /** In the order in which they came; a client that is being dialled is not among them. */
  readonly clients: Map<ClientKey, DialTask[]>;
  active: number;
  /** Tasks that wait, those of clients that are being dialled included. */
  waiting: number;
}

/** How many tasks may run and wait, in all and of one host. */
interface DialBounds {
  readonly activeMax: number;
  readonly activePerHostMax: number;
  readonly waitingMax: number;
  readonly waitingPerHostMax: number;
}

/** Tasks that wait, and those that run, both bounded. */
export class DialQueue {
  readonly #bounds: DialBounds;
  readonly #queues = new Map<string, HostQueue>();
  /** Hosts that have a client to dial and may dial one more, in turn. */
  readonly #turns = new Set<string>();
  /** Clients that are being dialled, with what is to be done at them afterwards. */
  readonly #busy = new Map<ClientKey, DialTask[]>();
  #waiting = 0;
  #isClosed = false;

  constructor(bounds: DialBounds) {
    this.#bounds = bounds;
  }

  /** Tasks that run now. */
  get active(): number {
    return this.#busy.size;
  }

  /** Tasks that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes a task in; false when there are too many, in all or of its host, or it is closed. */
  add(task: DialTask): boolean {
    if (this.#isClosed || this.#waiting >= this.#bounds.waitingMax) return false;
    const queue = this.#queueOf(task.host);
    if (queue.waiting >= this.#bounds.waitingPerHostMax) return false;
    this.#countWaiting(queue, 1);
    const later = this.#busy.get(task.client);
    if (later !== undefined) later.push(task);
    else {
      const tasks = queue.clients.get(task.client);
      if (tasks === undefined) queue.clients.set(task.client, [task]);
      else tasks.push(task);
      this.#giveTurn(task.host, queue);
    }
    this.#pump();
    return true;
  }

  /** Drops what waits, and takes nothing more; what runs ends by itself. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = 0;
    this.#turns.clear();
    for (const queue of this.#queues.values()) {
      queue.clients.clear();
      queue.waiting = 0;
    }
    for (const later of this.#busy.values()) later.length = 0;
  }

  #pump(): void {
    while (this.#busy.size < this.#bounds.activeMax) {
      const [host] = this.#turns;
      if (host === undefined) return;
      this.#turns.delete(host);
      const queue = this.#queueOf(host);
      const [next] = queue.clients;
      if (next === undefined) continue;
      const [client, [task, ...later]] = next;
      queue.clients.delete(client);
      queue.active++;
      this.#busy.set(client, later);
      this.#countWaiting(queue, -1);
      this.#giveTurn(host, queue);
      task!.run().finally(() => this.#ended(client, host));
    }
  }

  #ended(client: ClientKey, host: string): void {
    const queue = this.#queueOf(host);
    queue.active--;
    const later = this.#busy.get(client) ?? [];
    this.#busy.delete(client);
    if (later.length > 0) queue.clients.set(client, later);
    if (queue.active === 0 && queue.clients.size === 0) this.#queues.delete(host);
    else this.#giveTurn(host, queue);
    this.#pump();
  }

  #countWaiting(queue: HostQueue, by: 1 | -1): void {
    this.#waiting += by;
    queue.waiting += by;
  }

  #giveTurn(host: string, queue: HostQueue): void {
    if (queue.clients.size > 0 && queue.active < this.#bounds.activePerHostMax) {
      this.#turns.add(host);
    }
  }

  #queueOf(host: string): HostQueue {
    const queue = this.#queues.get(host) ?? { clients: new Map(), active: 0, waiting: 0 };
    this.#queues.set(host, queue);
    return queue;
  }
}
