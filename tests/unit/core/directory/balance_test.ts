import { assert, assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import {
  Balance,
  clampLoad,
  type Loaded,
  permilleOf,
} from "../../../../src/core/directory/balance.ts";
import { IDLE } from "../directory_fixture.ts";

const REFRESH_MS = 30_000;

interface Node extends Loaded {
  readonly id: number;
}

function newBalance(isOn = true): Balance {
  return new Balance({ random: seededRandom(9), isOn, refreshMs: REFRESH_MS });
}

function nodes(balance: Balance, uploads: readonly number[]): Node[] {
  return uploads.map((count, id) => {
    const load = { ...IDLE, uploads: count };
    balance.reported(undefined, load);
    return { id, load, isReachable: true, named: balance.newCount() };
  });
}

/** Who is named first, over and over. */
function firsts(balance: Balance, all: readonly Node[], times: number): number[] {
  const counts = new Array<number>(all.length).fill(0);
  for (let i = 0; i < times; i++) {
    const [first] = balance.order(all.map((client) => ({ client, share: 1 })), i);
    balance.named(first!.client, i);
    counts[first!.client.id]!++;
  }
  return counts;
}

Deno.test("Balance.order() puts the less loaded first, and who cannot be dialled last", () => {
  const balance = newBalance();
  const [idle, half, full] = nodes(balance, [0, 16, 32]) as [Node, Node, Node];
  const hidden = { ...idle, id: 3, isReachable: false };
  const order = balance.order(
    [full, hidden, half, idle].map((client) => ({ client, share: 1 })),
    0,
  );
  assertEquals(order.map(({ client }) => client.id), [0, 1, 2, 3]);
});

Deno.test("Balance.order() names equals equally often", () => {
  const balance = newBalance();
  const counts = firsts(balance, nodes(balance, new Array(10).fill(4)), 1_000);
  assert(counts.every((count) => count >= 80 && count <= 120), `${counts}`);
});

Deno.test("Balance.order() names who lies about its load no more often than others", () => {
  const balance = newBalance();
  // The first says that it is idle, whatever it is given to do.
  const all = nodes(balance, [0, ...new Array<number>(9).fill(20)]);
  const counts = firsts(balance, all, 2_000);
  assert(counts[0]! <= 2.5 * 200, `a tenth would be 200: ${counts}`);
  assert(counts.slice(1).every((count) => count > 100), `${counts}`);
});

Deno.test("Balance.order() prefers who has more of the file only among about equals", () => {
  const balance = newBalance();
  const [idle, other, busy] = nodes(balance, [0, 0, 16]) as [Node, Node, Node];
  const order = balance.order([
    { client: busy, share: 1 },
    { client: idle, share: 0.1 },
    { client: other, share: 1 },
  ], 0);
  assertEquals(order.map(({ client }) => client.id), [other.id, idle.id, busy.id]);
});

Deno.test("Balance.order() is random, whatever the load, when balancing is off", () => {
  const balance = newBalance(false);
  const counts = firsts(balance, nodes(balance, [0, 16, 32]), 900);
  assert(counts.every((count) => count >= 240 && count <= 360), `${counts}`);
});

Deno.test("Balance.forgotten() takes namings and uploads of a client back", () => {
  const balance = newBalance();
  const [liar, honest] = nodes(balance, [32, 0]) as [Node, Node];
  for (let i = 0; i < 10; i++) balance.named(honest, 0);
  assert(balance.loadOf(honest, 0) > 0.3, "32 uploads for 10 namings: each counts as one");
  balance.forgotten(liar, 0);
  assertEquals(balance.loadOf(honest, 0), 0, "nobody reports uploads any more");
});

Deno.test("clampLoad() cuts what cannot be true", () => {
  const huge = { uploads: 65_535, uploadsMax: 65_535, bytesPerSecond: 1, acceptBytes: 2 ** 53 - 1 };
  assertEquals(clampLoad(huge), {
    uploads: limits.uploadsMax,
    uploadsMax: limits.uploadsMax,
    bytesPerSecond: 1,
    acceptBytes: limits.fetchBytesMax,
  });
  const none = clampLoad({ ...IDLE, uploads: 3, uploadsMax: 0 });
  assertEquals([none.uploads, none.uploadsMax, permilleOf(none)], [1, 1, 1_000]);
});
