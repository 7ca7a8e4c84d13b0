// The names and labels of all figures, held to what Prometheus and this project ask of them.

import { assertEquals, assertMatch } from "@std/assert";
import { DAEMON } from "../../../src/metrics/daemon_families.ts";
import { DIRECTORY } from "../../../src/metrics/directory_families.ts";
import type { Family } from "../../../src/metrics/families.ts";

const FAMILIES: readonly Family<never>[] = [...DAEMON.families, ...DIRECTORY.families];

Deno.test("each family has a name as Prometheus wants it, and says what it is", () => {
  for (const { kind, name, help } of FAMILIES) {
    assertMatch(name, /^pacsrv(_[a-z]+)+$/, name);
    assertEquals(name.endsWith("_total"), kind === "counter", name);
    assertEquals(/^(All b|B)ytes /.test(help), /_bytes(_total)?$/.test(name), name);
    assertMatch(help, /^[A-Z].*\.$/, name);
  }
});

Deno.test("no label names what others choose: a file, a node, a host", () => {
  const labels = new Set(FAMILIES.flatMap(({ label }) => label ?? []));
  const known = [
    "direction",
    "message",
    "nearness",
    "outcome",
    "reason",
    "source",
    "state",
    "status",
  ];
  assertEquals([...labels].filter((label) => !known.includes(label)), []);
});

Deno.test("no two families of a service have one name", () => {
  for (const { families } of [DAEMON, DIRECTORY]) {
    const names = families.map(({ name }) => name);
    assertEquals(new Set(names).size, names.length);
  }
});
