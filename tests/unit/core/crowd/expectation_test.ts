import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { Expectation } from "../../../../src/core/crowd/expectation.ts";

const WAIT_MS = limits.crowdExpectMs;

Deno.test("Expectation.isOn() for a while after somebody sought the file", () => {
  const expectation = new Expectation();
  assertEquals(expectation.isOn(0), false);
  expectation.sought(0);
  assertEquals([0, WAIT_MS - 1, WAIT_MS].map((ms) => expectation.isOn(ms)), [true, true, false]);
});

Deno.test("Expectation.isOn() ends though the file is sought again and again, until that rests", () => {
  const expectation = new Expectation();
  const isOn = [];
  for (let ms = 0; ms < 4 * WAIT_MS; ms += WAIT_MS / 2) {
    expectation.sought(ms);
    isOn.push(expectation.isOn(ms));
  }
  assertEquals(isOn, [true, true, true, true, false, false, false, false]);
  expectation.sought(5 * WAIT_MS);
  assertEquals(expectation.isOn(5 * WAIT_MS), true);
});

Deno.test("Expectation.left() begins it anew", () => {
  const expectation = new Expectation();
  for (let ms = 0; ms <= 3 * WAIT_MS; ms += WAIT_MS / 2) expectation.sought(ms);
  assertEquals(expectation.isOn(3 * WAIT_MS), false);
  expectation.left(3 * WAIT_MS);
  assertEquals(expectation.isOn(3 * WAIT_MS), true);
});
