import { assert, assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { chooseSrv } from "../../../../src/core/overlay/srv_choice.ts";

function target(host: string, priority = 0, weight = 0) {
  return { host, port: 8048, priority, weight };
}

const random = seededRandom(1);
const hostsOf = (listed: ReturnType<typeof target>[], before: string[] = []) =>
  chooseSrv(listed, { before: before.map((host) => target(host)), random }).map(({ host }) => host);

Deno.test("chooseSrv() takes the lowest priority first, no more than the bound, and each once", () => {
  const many = Array.from({ length: 300 }, (_, i) => target(`n${i}`, 1 + (i >> 2)));
  assertEquals(hostsOf(many).sort(), ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"]);
  assertEquals(hostsOf(many).length, limits.srvPeersMax);
  assertEquals(hostsOf([target("a"), target("a")]), ["a"]);
  assertEquals(hostsOf([target(""), { ...target("a"), port: 0 }]), []);
});

Deno.test("chooseSrv() keeps whom it chose while they are listed", () => {
  const listed = [target("a"), target("b"), target("far", 9)];
  assertEquals(hostsOf(listed, ["far", "gone"]).slice(0, 1), ["far"]);
  assertEquals(hostsOf(listed, ["far"]).sort(), ["a", "b", "far"]);
});

Deno.test("chooseSrv() chooses by weight", () => {
  const listed = Array.from({ length: 20 }, (_, i) => target(`n${i}`, 0, i === 7 ? 1_000 : 0));
  let first = 0;
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const hosts = hostsOf(listed);
    if (hosts[0] === "n7") first++;
    hosts.forEach((host) => seen.add(host));
  }
  assert(first > 180, `${first} of 200`);
  assertEquals(seen.size, 20);
});
