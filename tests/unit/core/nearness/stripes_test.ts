/** How a file is cut into stripes, and who comes first for one. */

import { assert, assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { FlightId, NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { isBefore, weightOf, weightSeed } from "../../../../src/core/nearness/rendezvous.ts";
import { Stripes } from "../../../../src/core/nearness/stripes.ts";
import vectors from "../../../vectors/flights.json" with { type: "json" };
import { FLIGHT, nodeOf, ranked } from "../crowd/crowd_fixture.ts";

Deno.test("Stripes are as long as the examples of the protocol say", () => {
  for (const { sizeBytes, stripeChunks } of vectors.stripes) {
    assertEquals(new Stripes(sizeBytes).length, stripeChunks, `${sizeBytes} bytes`);
  }
});

Deno.test("Stripes are no more than their limit, however big the file is", () => {
  for (const stripeCount of [1, limits.stripesMax, limits.stripesMax + 1, 10 * limits.stripesMax]) {
    const stripes = new Stripes(stripeCount * limits.stripeChunks * CHUNK_BYTES);
    assert(stripes.count <= limits.stripesMax, `${stripes.count}`);
    assertEquals(stripes.of(stripes.chunks - 1), stripes.count - 1);
  }
});

Deno.test("Stripes.range() ends with the file", () => {
  const stripes = new Stripes((limits.stripeChunks + 3) * CHUNK_BYTES);
  assertEquals(stripes.range(1), { first: limits.stripeChunks, count: 3 });
  assertEquals(stripes.range(0, 2), { first: 0, count: limits.stripeChunks + 3 });
});

Deno.test("Stripes.split() cuts ranges where a stripe ends", () => {
  const stripes = new Stripes(4 * limits.stripeChunks * CHUNK_BYTES);
  const { stripeChunks } = limits;
  assertEquals([...stripes.split([{ first: stripeChunks - 1, count: 3 }])], [
    [0, { first: stripeChunks - 1, count: 1 }],
    [1, { first: stripeChunks, count: 2 }],
  ]);
  assertEquals([...stripes.split([{ first: 5, count: 0 }])], []);
});

Deno.test("weightOf() gives the weights of the examples of the protocol", () => {
  for (const { flight, nodeId, stripe, weight } of vectors.weights) {
    assertEquals(weightOf(weightSeed(flight as FlightId, nodeId as NodeId), stripe), weight);
  }
});

Deno.test("isBefore() gives each of eight nodes its share of the stripes, and orders them all", () => {
  const seeds = Array.from({ length: 8 }, (_, i) => weightSeed(FLIGHT, nodeOf(i + 1)));
  const counts = new Map(seeds.map((seed) => [seed, 0]));
  for (let stripe = 0; stripe < 4_000; stripe++) {
    const first = seeds.reduce((best, seed) => isBefore(seed, best, stripe) ? seed : best);
    counts.set(first, counts.get(first)! + 1);
  }
  for (const count of counts.values()) assert(count > 400 && count < 600, `${count} of 4000`);
});

Deno.test("isBefore() gives the stripes of a node that is gone to all of the others", () => {
  const seconds = new Set<NodeId>();
  for (let stripe = 0; stripe < 1_000; stripe++) {
    const [first, second] = ranked(stripe, 8);
    if (first === nodeOf(1)) seconds.add(second!);
  }
  assertEquals(seconds.size, 7);
});
