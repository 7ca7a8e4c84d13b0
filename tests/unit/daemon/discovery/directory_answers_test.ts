import { assertEquals } from "@std/assert";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import {
  plausibleFiles,
  plausibleHolders,
  plausibleNeighbours,
} from "../../../../src/daemon/discovery/directory_answers.ts";
import type { Holder } from "../../../../src/wire/structures.ts";

const ROOT = "ab".repeat(32) as Root;
const OWN = "11".repeat(16) as NodeId;
const OTHER = "22".repeat(16) as NodeId;

function holder(values: Partial<Holder> = {}): Holder {
  const place = { nodeId: OTHER, host: "192.0.2.1", port: 8048 };
  return { root: ROOT, sizeBytes: 20_000, ...place, chunksHave: 2, loadPermille: 0, ...values };
}

function hosts(holders: readonly Holder[], directoryHost = "192.0.2.9"): string[] {
  return plausibleHolders(holders, { directoryHost, ownId: OWN }).map(({ host }) => host);
}

Deno.test("plausibleHolders() takes loopback for the directory's own host, unless that is here", () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) {
    assertEquals(hosts([holder({ host })]), ["192.0.2.9"], host);
    assertEquals(hosts([holder({ host })], "127.0.0.1"), [host], host);
  }
  assertEquals(hosts([holder(), holder({ host: "", port: 0 })]), ["192.0.2.1", ""]);
});

Deno.test("plausibleHolders() takes an address of a link for none, unless the directory is on it", () => {
  const [elsewhere] = plausibleHolders([holder({ host: "fe80::1" })], {
    directoryHost: "192.0.2.9",
    ownId: OWN,
  });
  assertEquals([elsewhere?.host, elsewhere?.port], ["", 0]);
  assertEquals(hosts([holder({ host: "fe80::1" })], "fe80::9"), ["fe80::1"]);
});

Deno.test("plausibleHolders() leaves out this node, addresses of nobody, and what cannot be", () => {
  const wrong: Partial<Holder>[] = [
    { nodeId: OWN },
    { host: "0.0.0.0" },
    { host: "224.0.0.1" },
    { host: "::" },
    { host: "" },
    { port: 0 },
    { chunksHave: 3 },
    { sizeBytes: limits.fetchBytesMax + 1 },
  ];
  for (const values of wrong) assertEquals(hosts([holder(values)]), [], JSON.stringify(values));
});

Deno.test("plausibleHolders() calls nobody more than fully loaded", () => {
  const permilles = (...loads: number[]) =>
    plausibleHolders(loads.map((loadPermille) => holder({ loadPermille })), {
      directoryHost: "192.0.2.9",
      ownId: OWN,
    }).map(({ loadPermille }) => loadPermille);
  assertEquals(permilles(0, 999, 1_000, 1_001, 0xffff), [0, 999, 1_000, 1_000, 1_000]);
});

Deno.test("plausibleFiles() leaves out what is bigger than a fetch takes", () => {
  const file = { root: ROOT, name: "x", type: "", sha256: null, whole: 1, part: 0 };
  const sizes = [0, limits.fetchBytesMax, limits.fetchBytesMax + 1];
  const files = plausibleFiles(sizes.map((sizeBytes) => ({ ...file, sizeBytes })));
  assertEquals(files.map(({ sizeBytes }) => sizeBytes), [0, limits.fetchBytesMax]);
});

Deno.test("plausibleNeighbours() keeps what can be dialled, where it is from here", () => {
  const addresses = [
    { host: "10.0.0.1", port: 8048 },
    { host: "10.0.0.2", port: 0 },
    { host: "0.0.0.0", port: 8048 },
    { host: "127.0.0.1", port: 9 },
    { host: "fe80::1", port: 8048 },
  ];
  assertEquals(plausibleNeighbours(addresses, { directoryHost: "10.0.0.9" }), [
    { host: "10.0.0.1", port: 8048 },
    { host: "10.0.0.9", port: 9 },
  ]);
});
