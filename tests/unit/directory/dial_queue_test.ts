/** The queue of dials: bounds, turns of hosts, one dial a client. */

import { assert, assertEquals } from "@std/assert";
import { randomBelow, seededRandom } from "../../../src/base/random.ts";
import type { SessionId } from "../../../src/base/ids.ts";
import { clientKey } from "../../../src/core/directory/directory_events.ts";
import { DialQueue } from "../../../src/directory/dial_queue.ts";

const BOUNDS = { activeMax: 4, activePerHostMax: 2, waitingMax: 100, waitingPerHostMax: 50 };

/** A queue whose dials the test ends by hand. */
class Dials {
  readonly queue: DialQueue;
  /** What was started, in order, and what of it has not ended. */
  readonly started: string[] = [];
  readonly #ends = new Map<string, () => void>();

  constructor(bounds: ConstructorParameters<typeof DialQueue>[0] = BOUNDS) {
    this.queue = new DialQueue(bounds);
  }

  /** Adds a task named `name` for a client of a host. */
  add(host: string, client: string, name: string): boolean {
    return this.queue.add({
      client: clientKey(host, client as SessionId),
      host,
      run: () => {
        this.started.push(name);
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#ends.set(name, resolve);
        return promise;
      },
    });
  }

  get running(): string[] {
    return [...this.#ends.keys()];
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)!();
    this.#ends.delete(name);
    // The queue hears of it within the microtasks of this turn.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

Deno.test("DialQueue runs no more at once than its bounds say, in all and at one host", () => {
  const dials = new Dials();
  for (const client of ["1", "2", "3"]) dials.add("a", client, `a${client}`);
  assertEquals(dials.running, ["a1", "a2"]);
  for (const client of ["1", "2", "3"]) dials.add("b", client, `b${client}`);
  assertEquals(dials.running, ["a1", "a2", "b1", "b2"]);
  dials.add("c", "1", "c1");
  assertEquals(dials.queue.active, 4);
  assertEquals(dials.queue.waiting, 3);
});

Deno.test("DialQueue gives the slot that comes free to the host whose turn it is", async () => {
  const dials = new Dials();
  for (const host of ["a", "b"]) {
    for (const client of ["1", "2", "3"]) dials.add(host, client, host + client);
  }
  dials.add("c", "1", "c1");
  // c is the only one with a place of its own, although a and b came earlier.
  await dials.end("a1");
  assertEquals(dials.running, ["a2", "b1", "b2", "c1"]);
  await dials.end("b1");
  assert(dials.running.includes("a3"), dials.running.join());
  await dials.end("a2");
  assertEquals(dials.running.toSorted(), ["a3", "b2", "b3", "c1"]);
  assertEquals(dials.queue.waiting, 0);
});

Deno.test("DialQueue dials a client for one thing at a time, in order", async () => {
  const dials = new Dials();
  for (const name of ["first", "second", "third"]) dials.add("a", "1", name);
  dials.add("a", "2", "other");
  assertEquals(dials.running, ["first", "other"]);
  await dials.end("other");
  assertEquals(dials.running, ["first"]);
  await dials.end("first");
  assertEquals(dials.running, ["second"]);
  await dials.end("second");
  assertEquals(dials.running, ["third"]);
  await dials.end("third");
  assertEquals([dials.queue.active, dials.queue.waiting], [0, 0]);
});

Deno.test("DialQueue takes no more than waitingMax, and nothing after close", async () => {
  const dials = new Dials({ ...BOUNDS, activeMax: 1, activePerHostMax: 1, waitingMax: 2 });
  assert(dials.add("a", "1", "1"));
  assert(dials.add("a", "2", "2"));
  assert(dials.add("a", "1", "3"));
  assert(!dials.add("b", "4", "4"));
  dials.queue.close();
  assert(!dials.add("b", "5", "5"));
  await dials.end("1");
  assertEquals(dials.started, ["1"]);
  assertEquals([dials.queue.active, dials.queue.waiting], [0, 0]);
});

Deno.test("DialQueue takes no more than waitingPerHostMax of one host, and leaves room for others", async () => {
  const dials = new Dials({ ...BOUNDS, activePerHostMax: 1, waitingPerHostMax: 2 });
  for (const name of ["1", "2", "3"]) assert(dials.add("a", "same", name));
  assert(!dials.add("a", "same", "4"));
  assert(!dials.add("a", "other", "5"));
  assert(dials.add("b", "same", "6"));
  await dials.end("1");
  assert(dials.add("a", "other", "7"), "what runs does not wait");
  for (const name of ["2", "7", "3", "6"]) await dials.end(name);
  assertEquals([dials.queue.active, dials.queue.waiting], [0, 0]);
});

Deno.test("DialQueue runs every task once within its bounds, whatever the order", async () => {
  const random = seededRandom(7);
  const dials = new Dials({
    activeMax: 5,
    activePerHostMax: 3,
    waitingMax: 1_000,
    waitingPerHostMax: 1_000,
  });
  const clientOf = new Map<string, string>();
  const wanted: string[] = [];
  for (let i = 0; i < 300; i++) {
    const host = `h${randomBelow(random, 6)}`;
    const client = String(randomBelow(random, 5));
    const name = `t${i}`;
    clientOf.set(name, `${host} ${client}`);
    assert(dials.add(host, client, name));
    wanted.push(name);
    if (random.unit() < 0.5) await dials.end(anyOf(dials.running));
    check();
  }
  while (dials.running.length > 0) {
    await dials.end(anyOf(dials.running));
    check();
  }
  assertEquals(dials.started.toSorted(), wanted.toSorted());
  // What is to be done at one client is done in the order in which it came.
  for (const client of new Set(clientOf.values())) {
    const ofClient = (name: string) => clientOf.get(name) === client;
    assertEquals(dials.started.filter(ofClient), wanted.filter(ofClient));
  }

  function anyOf(names: readonly string[]): string {
    return names[randomBelow(random, names.length)]!;
  }

  function check(): void {
    const running = dials.running.map((name) => clientOf.get(name)!);
    assertEquals(new Set(running).size, running.length);
    const hosts = running.map((client) => client.split(" ")[0]!);
    for (const host of hosts) assert(hosts.filter((other) => other === host).length <= 3);
    assert(running.length <= 5);
  }
});
