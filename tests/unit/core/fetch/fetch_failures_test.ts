/** What a person reads when a fetch ended without its file. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  nobodyLeft,
  outOfTime,
  type Surroundings,
} from "../../../../src/core/fetch/fetch_failures.ts";
import type { Root } from "../../../../src/base/ids.ts";
import { requestFor } from "../../../support/fetch_request.ts";

const REQUEST = requestFor("a.bin", { deliver: true, timeoutMs: 700 });
const NOTHING = {
  asksNodes: true,
  anyFalse: false,
  isMirrorFalse: false,
  hasWrongCopy: false,
  unfit: 0,
  here: undefined,
  isWithdrawn: false,
  refusal: null,
  unreached: { count: 0, holders: [], cannotCall: false, relays: [] },
};
const HIDDEN = { holder: "node 3f2a9c41", reason: "it accepts no connections" };
const FAR = { holder: "[2001:db8::7]:8048", reason: "there is no way to it from here" };
const DEAD = { directory: "d:8047", reason: "Connection refused", isFailed: true };
const STRANGE = { directory: "e:8047", reason: "it is of another network", isFailed: true };

function alone(seen: Partial<Surroundings> = {}): Surroundings {
  return {
    isAlone: true,
    linkCount: 0,
    linksDialling: 0,
    addressCount: 0,
    peerFaults: [],
    directories: { size: 2, faults: [DEAD, STRANGE] },
    withheldPath: null,
    ...seen,
  };
}

Deno.test("nobodyLeft() names each directory with its error when none answers", () => {
  const { message, exit } = nobodyLeft(REQUEST, { ...NOTHING, ...alone() });
  assertEquals(exit, "notFound");
  assertEquals(
    message,
    "Cannot fetch a.bin: there is no link to any other node, and no directory answers: " +
      "d:8047 (Connection refused), e:8047 (it is of another network)",
  );
});

Deno.test("nobodyLeft() says why there is no link to the nodes that it was told of", () => {
  const peerFaults = [
    { peer: "p:8048", reason: "nothing listens there" },
    { peer: "q:8048", reason: "nobody knows that name" },
  ];
  const messageOf = (seen: Partial<Surroundings>) =>
    nobodyLeft(REQUEST, { ...NOTHING, ...alone({ peerFaults, ...seen }) }).message;
  const none = { size: 0, faults: [] };
  const peers = "p:8048: nothing listens there; q:8048: nobody knows that name";
  assertEquals(
    messageOf({ directories: none }),
    `Cannot fetch a.bin: there is no link to any other node (${peers})`,
  );
  assertMatch(messageOf({}), /other node \(p:8048.*name\), and no directory answers/);
  assertEquals(
    messageOf({ directories: none, linkCount: 1 }),
    `Cannot fetch a.bin: nobody has it; without a link to ${peers}`,
  );
});

Deno.test("nobodyLeft() speaks of a daemon or its log only when there is one", () => {
  const cases = [
    NOTHING,
    { ...NOTHING, anyFalse: true },
    { ...NOTHING, isMirrorFalse: true },
    { ...NOTHING, here: { bytesDone: 1, bytesTotal: 2 } },
  ];
  for (const seen of cases) {
    for (const directories of [alone().directories, { size: 0, faults: [] }]) {
      const { hint = "" } = nobodyLeft(REQUEST, { ...seen, ...alone({ directories }) });
      assert(hint !== "" && !/daemon|log|status/.test(hint), hint);
      const daemons = alone({ directories, isAlone: false });
      assertMatch(nobodyLeft(REQUEST, { ...seen, ...daemons }).hint!, /daemon|log/);
    }
  }
});

Deno.test("nobodyLeft() names the directories that did not answer when another did", () => {
  const directories = { size: 2, faults: [DEAD] };
  const { message } = nobodyLeft(REQUEST, { ...NOTHING, ...alone({ directories }) });
  assertEquals(
    message,
    "Cannot fetch a.bin: nobody has it; without an answer of d:8047 (Connection refused)",
  );
});

Deno.test("nobodyLeft() says who has it, and why no connection comes about", () => {
  const seen = { ...NOTHING, ...alone({ linkCount: 1, directories: { size: 0, faults: [] } }) };
  const one = { count: 1, holders: [HIDDEN], cannotCall: true, relays: [] };
  const { message, exit, hint } = nobodyLeft(REQUEST, { ...seen, unreached: one });
  assertEquals(exit, "notFound");
  assertEquals(
    message,
    "Cannot fetch a.bin: 1 node has it, but no connection to it comes about, and it cannot connect " +
      "to this node (node 3f2a9c41: it accepts no connections)",
  );
  assertStringIncludes(hint!, "node that both sides can connect to");
  const many = { count: 5, holders: [HIDDEN, FAR], cannotCall: false, relays: [] };
  const two = nobodyLeft(REQUEST, { ...seen, unreached: many });
  assertEquals(
    two.message,
    "Cannot fetch a.bin: 5 nodes have it, but no connection to any of them comes about (node " +
      "3f2a9c41: it accepts no connections; [2001:db8::7]:8048: there is no way to it from here; " +
      "and 3 more)",
  );
  const relays = [
    { peer: "192.0.2.7:8048", answer: "unwilling", agoMs: null },
    { peer: "192.0.2.8:8048", answer: "unwilling", agoMs: 39_001 },
  ] as const;
  assertMatch(
    nobodyLeft(REQUEST, { ...seen, unreached: { ...one, relays } }).message,
    /; 192\.0\.2\.7:8048 passes no files on; 192\.0\.2\.8:8048 passes no files on, as it said 40 s ago$/,
  );
  const here = { bytesDone: 1, bytesTotal: 2 };
  const rest = nobodyLeft(REQUEST, { ...seen, here, unreached: one }).message;
  assertMatch(rest, /1 node has it, but no connection.*; 1 of 2 bytes are here$/);
  assertMatch(
    outOfTime(REQUEST, undefined, { ...seen, unreached: one }).message,
    /; 1 node has it/,
  );
});

Deno.test("nobodyLeft() does not say that nobody has it where holders are not reached", () => {
  const unreached = { count: 1, holders: [FAR], cannotCall: false, relays: [] };
  for (const [status, message] of [[404, ""], [503, "Cannot read: 503"]] as const) {
    const refusal = { status, retryAfter: null, message };
    const failure = nobodyLeft(REQUEST, { ...NOTHING, ...alone(), refusal, unreached });
    assertMatch(failure.message, /1 node has it, but no connection/);
    assert(!failure.message.includes("nobody"), failure.message);
  }
});

Deno.test("outOfTime() names the directories that did not answer", () => {
  assertEquals(
    outOfTime(REQUEST, undefined, { ...NOTHING, ...alone() }).message,
    "Cannot fetch a.bin: out of time after 700 ms; nobody had offered it yet; without an answer " +
      "of d:8047 (Connection refused), e:8047 (it is of another network)",
  );
  const none = alone({ directories: { size: 0, faults: [] } });
  assertStringIncludes(
    outOfTime(REQUEST, undefined, { ...NOTHING, ...none }).message,
    "nobody had offered it yet",
  );
});

Deno.test("nobodyLeft() blames those whose bytes failed the check", () => {
  const cases: readonly [boolean, boolean, string][] = [
    [true, false, "what peers offer failed its check"],
    [false, true, "what the mirror gives failed its check"],
    [true, true, "what peers offer and what the mirror gives failed its check"],
  ];
  for (const [anyFalse, isMirrorFalse, words] of cases) {
    const failure = nobodyLeft(REQUEST, { ...NOTHING, ...alone(), anyFalse, isMirrorFalse });
    assertEquals([failure.exit, failure.message], ["checkFailed", `Cannot fetch a.bin: ${words}`]);
    assertEquals(failure.hint?.includes("peers"), anyFalse, failure.hint);
  }
});

Deno.test("nobodyLeft() tells of a file that its holders withdrew, and how to get what they have now", () => {
  const seen = {
    ...NOTHING,
    ...alone({ linkCount: 1 }),
    here: { bytesDone: 5, bytesTotal: 80 },
    isWithdrawn: true,
  };
  const byName = nobodyLeft(REQUEST, seen);
  assertEquals(byName.exit, "notFound");
  const words = /offer it no more, and nobody has the rest of it; 5 of 80 bytes are here$/;
  assertMatch(byName.message, words);
  assertMatch(byName.hint!, /: fetch it again to get/);
  for (const held of [{ root: "ab".repeat(32) as Root }, { sha256: "cd".repeat(32) }]) {
    assertMatch(nobodyLeft({ ...REQUEST, ...held }, seen).hint!, /: fetch it by its name alone to/);
  }
});

Deno.test("nobodyLeft() tells of a damaged copy that is here, and what can be done about it", () => {
  const around = alone({ isAlone: false, withheldPath: "/srv/a.bin" });
  const told = "; a damaged copy is here, and withheld: /srv/a.bin changed though its time did not";
  const mirror = { status: 404, retryAfter: null, message: "Not Found" };
  for (const refusal of [null, mirror]) {
    const failure = nobodyLeft(REQUEST, { ...NOTHING, ...around, refusal });
    assert(failure.message.endsWith(told), failure.message);
    assertEquals([failure.exit, failure.upstream?.status], ["notFound", refusal?.status]);
    assertMatch(failure.hint!, /pacsrv share --again \/srv\/a\.bin`\.$/);
  }
  // The gateway gives it to clients of other machines.
  const forbidden = { status: 403, retryAfter: null, message: "Forbidden" };
  const { message } = nobodyLeft(REQUEST, { ...NOTHING, ...around, refusal: forbidden });
  assert(!message.includes("/srv/"), message);
});

Deno.test("nobodyLeft() says nothing of nodes that were not asked", () => {
  const refusal = { status: 404, retryAfter: null, message: "Cannot ask mirror m" };
  const seen = { ...NOTHING, ...alone(), asksNodes: false };
  const missing = nobodyLeft(REQUEST, { ...seen, refusal });
  assertEquals([missing.exit, /: no mirror has it$/.test(missing.message)], ["notFound", true]);
  const { exit, message } = nobodyLeft(REQUEST, { ...seen, refusal: { ...refusal, status: 504 } });
  assertEquals([exit, message], ["failed", "Cannot ask mirror m"]);
});
