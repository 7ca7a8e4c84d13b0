/** What fellows announced, and what may be asked of whom. */

import { assertEquals } from "@std/assert";
import { Bitfield } from "../../../../src/base/bitfield.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Announcements } from "../../../../src/core/crowd/announcements.ts";
import { Stripes } from "../../../../src/core/nearness/stripes.ts";
import { nodeOf, stripes } from "./crowd_fixture.ts";

const [A, B, C] = [nodeOf(1), nodeOf(2), nodeOf(3)];
const ALL_ASKED = () => true;

function announcements(...fellows: ReturnType<typeof nodeOf>[]) {
  const cut = new Stripes(4 * limits.stripeChunks * CHUNK_BYTES);
  const have = new Bitfield(cut.chunks);
  const all = new Announcements(cut, have);
  for (const fellow of fellows) all.joined(fellow);
  return { all, have };
}

Deno.test("Announcements tell which stripes are at somebody, in part or whole", () => {
  const { all } = announcements(A);
  all.announced(A, A, [{ first: 0, count: limits.stripeChunks + 1 }]);
  assertEquals([0, 1, 2].map((stripe) => all.isServed(stripe)), [true, false, false]);
  assertEquals([0, 1, 2].map((stripe) => all.isMissing(stripe)), [false, false, true]);
  assertEquals(all.unserved(1), [{
    first: limits.stripeChunks + 1,
    count: limits.stripeChunks - 1,
  }]);
});

Deno.test("Announcements.announced() counts as news what nobody else had told of", () => {
  const { all } = announcements(A, B);
  assertEquals([...all.announced(A, A, [stripes(0)])], [[0, limits.stripeChunks]]);
  assertEquals([...all.announced(B, A, [stripes(0, 2)])], [[1, limits.stripeChunks]]);
});

Deno.test("Announcements of one that left, or is silent, do not count", () => {
  const { all } = announcements(A, B);
  all.announced(A, A, [stripes(0)]);
  all.setCounted(A, false);
  assertEquals(all.isServed(0), false);
  all.setCounted(A, true);
  assertEquals(all.isServed(0), true);
  all.left(A);
  assertEquals(all.isServed(0), false);
});

Deno.test("Announcements.askable() sends to the origin while it is asked and has told of it", () => {
  const { all } = announcements(A, B);
  all.announced(A, A, [stripes(0)]);
  all.announced(B, A, [stripes(0)]);
  assertEquals(all.askable(B, ALL_ASKED), []);
  assertEquals(all.askable(A, ALL_ASKED), [stripes(0)]);
  assertEquals(all.askable(B, () => false), [stripes(0)]);
});

Deno.test("Announcements.askable() does not wait for an origin that never told of it", () => {
  const { all } = announcements(A, B);
  all.announced(B, A, [stripes(0)]);
  assertEquals(all.askable(B, ALL_ASKED), [stripes(0)]);
});

Deno.test("Announcements.askable() knows no origin of a stripe that two read", () => {
  const { all } = announcements(A, B, C);
  all.announced(A, A, [stripes(0)]);
  all.announced(C, A, [{ first: 0, count: 1 }]);
  all.announced(C, B, [{ first: 1, count: 1 }]);
  assertEquals(all.askable(C, ALL_ASKED), [{ first: 0, count: 2 }]);
});

Deno.test("Announcements.forget() forgets what one read, at all who told of it", () => {
  const { all } = announcements(A, B);
  all.announced(A, A, [stripes(0)]);
  all.announced(B, A, [stripes(0)]);
  all.announced(B, B, [stripes(1)]);
  all.forget(A);
  assertEquals([0, 1].map((stripe) => all.isServed(stripe)), [false, true]);
  assertEquals(all.askable(B, ALL_ASKED), [stripes(1)]);
});

Deno.test("Announcements.lackedBy() leaves out what a fellow told of itself", () => {
  const { all } = announcements(A);
  all.announced(A, A, [{ first: 2, count: 3 }]);
  assertEquals(all.lackedBy(A, [{ first: 0, count: 6 }]), [
    { first: 0, count: 2 },
    { first: 5, count: 1 },
  ]);
  assertEquals(all.lackedBy(B, [{ first: 0, count: 6 }]), [{ first: 0, count: 6 }]);
});
