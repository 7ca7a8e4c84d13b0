/** Which dials of addresses that others named are made. */

import { assertEquals, assertThrows } from "@std/assert";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import { DialGuard } from "../../../src/net/dial_guard.ts";
import type { LanNaming } from "../../../src/wire/host.ts";

/** Dials `count` ports of a host that all fail at once; gives how many were dialled. */
function scan(
  guard: DialGuard,
  host: string,
  { count = 1_000, nowMs = 0, ...naming }: {
    readonly count?: number;
    readonly nowMs?: number;
    readonly namedOnLan?: LanNaming;
  } = {},
): number {
  let dialled = 0;
  for (let port = 1; port <= count; port++) {
    if (begin(guard, { host, port, ...naming }, nowMs)) dialled++;
  }
  return dialled;
}

function begin(
  guard: DialGuard,
  { namedOnLan, ...at }: { host: string; port: number; namedOnLan?: LanNaming },
  nowMs: number,
): boolean {
  try {
    guard.begin(at, nowMs, namedOnLan).failed(nowMs);
    return true;
  } catch (error) {
    if (error instanceof EnvironmentError && error.code === "unreachable") return false;
    throw error;
  }
}

Deno.test("DialGuard.begin() bounds the dials of one host over all its ports", () => {
  const told: string[] = [];
  const guard = new DialGuard((host) => told.push(host));
  assertEquals(scan(guard, "10.0.0.1"), limits.hostDialsMax);
  assertEquals(scan(guard, "10.0.0.2"), limits.hostDialsMax, "each host has its own");
  assertEquals(new Set(told), new Set(["10.0.0.1", "10.0.0.2"]));
  assertEquals(scan(guard, "10.0.0.1", { nowMs: 3 * limits.hostDialRestMs }), 3);
});

Deno.test("DialGuard.begin() bounds apart what is named on the LAN alone, by each host and of each", () => {
  const told: string[] = [];
  const guard = new DialGuard((host) => told.push(host));
  const { lanDialsPerHostMax: most, lanDialRestMs } = limits;
  for (const host of ["10.0.0.1", "fd77::1", "fd77::2"]) {
    assertEquals(scan(guard, host, { namedOnLan: "other" }), most);
    assertEquals(scan(guard, host, { namedOnLan: "itself" }), most);
  }
  assertEquals(scan(guard, "fd77::1", { namedOnLan: "itself", nowMs: 3 * lanDialRestMs }), 3);
  assertEquals(told, [], "no host is left alone");
  assertEquals(scan(guard, "10.0.0.1"), limits.hostDialsMax);
});

Deno.test("DialGuard.begin() counts an IPv6 network as one host", () => {
  const guard = new DialGuard();
  assertEquals(scan(guard, "fd77::1"), limits.hostDialsMax);
  assertEquals(scan(guard, "fd77::2"), 0);
});

Deno.test("DialGuard.begin() bounds the dials of all hosts together", () => {
  const guard = new DialGuard();
  let dialled = 0;
  for (let i = 0; i < 1_000; i++) dialled += scan(guard, `10.1.${i >> 8}.${i & 255}`, { count: 1 });
  assertEquals(dialled, limits.dialsUnmetMax);
});

Deno.test("DialGuard.begin() lets any number of nodes behind one address be met", () => {
  const guard = new DialGuard();
  for (let port = 1; port <= 5_000; port++) guard.begin({ host: "10.0.0.1", port }, 0).met(0);
  for (let port = 1; port <= 300; port++) guard.begin({ host: "10.0.0.1", port }, 0).givenUp();
});

Deno.test("DialGuard.begin() leaves an address alone for longer after each failure", () => {
  const guard = new DialGuard();
  const at = { host: "127.0.0.1", port: 1 };
  let dialled = 0;
  for (let nowMs = 0; nowMs < 1_800_000; nowMs += 100) if (begin(guard, at, nowMs)) dialled++;
  // Some at first, then after 1 s, 2 s, 4 s, ... and at last every five minutes.
  assertEquals(dialled, limits.dialFailuresFree + 13);
  guard.met(at, 1_800_000);
  assertEquals(begin(guard, at, 1_800_000), true, "it has come by itself");
});

Deno.test("DialGuard.begin() dials a node that was met soon again", () => {
  const guard = new DialGuard();
  const at = { host: "10.0.0.1", port: 1 };
  guard.begin(at, 0).met(0);
  for (let nowMs = 0; nowMs < 600_000; nowMs += 100) begin(guard, at, nowMs);
  assertEquals(begin(guard, at, 600_000 + limits.redialMsMax), true);
});

Deno.test("DialGuard.wasted() bounds calls of a node that knows nothing of them", () => {
  const guard = new DialGuard();
  const at = { host: "10.0.0.1", port: 1 };
  let calls = 0;
  for (let i = 0; i < 1_000; i++) {
    try {
      guard.begin(at, 0).met(0);
    } catch {
      break;
    }
    guard.wasted(at, 0);
    calls++;
  }
  assertEquals(calls, limits.callsWastedMax);
});

Deno.test("DialGuard.startOver() forgets failures", () => {
  const guard = new DialGuard();
  scan(guard, "10.0.0.1");
  guard.startOver();
  assertEquals(scan(guard, "10.0.0.1"), limits.hostDialsMax);
  assertThrows(() => guard.begin({ host: "10.0.0.1", port: 5_000 }, 0), EnvironmentError);
});
