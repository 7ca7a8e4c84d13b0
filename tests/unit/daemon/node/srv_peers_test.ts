// Names that stand for peers: when they are looked up, and what counts while nobody answers.

import { assert, assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { SrvPeers } from "../../../../src/daemon/node/srv_peers.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const PLAIN = { host: "10.0.0.9", port: 8048 };

Deno.test("SrvPeers looks names up again, and keeps the last answer while there is none", async () => {
  const clock = new ManualClock();
  const asked: string[] = [], told: string[] = [];
  let hosts: readonly string[] | Error = ["a", "b"];
  const warnings: unknown[] = [];
  const peers = new SrvPeers({
    clock,
    log: { ...silentLogger, warn: (_, fields) => void warnings.push(fields) },
    random: seededRandom(1),
    changed: (all) => void told.push(all.map(({ host }) => host).sort().join()),
    lookUp(name) {
      asked.push(name);
      if (hosts instanceof Error) return Promise.reject(hosts);
      const rest = { port: 8048, priority: 0, weight: 0 };
      return Promise.resolve(hosts.map((host) => ({ host, ...rest })));
    },
  });
  peers.set({ peers: [PLAIN], srvNames: ["_x"] });
  await clock.advance(0);
  assertEquals(told, ["10.0.0.9", "10.0.0.9,a,b"]);
  hosts = ["b", "c"];
  await clock.advance(limits.srvRenewMs);
  assertEquals([asked.length, told.at(-1)], [2, "10.0.0.9,b,c"], "within a minute");
  hosts = new Error("no such name");
  for (let i = 0; i < 5; i++) {
    await clock.advance(limits.srvRenewMs);
  }
  assertEquals(told.at(-1), "10.0.0.9,b,c");
  assertEquals(warnings, [{ name: "_x", reason: "no such name" }], "said once");
  hosts = ["c"];
  await clock.advance(limits.srvRenewMs);
  assertEquals(told.at(-1), "10.0.0.9,c");
  const before = asked.length;
  peers.set({ peers: [PLAIN], srvNames: [] });
  assertEquals(told.at(-1), "10.0.0.9");
  await clock.advance(10 * limits.srvRenewMs);
  assertEquals(asked.length, before);
  peers.set({ peers: [], srvNames: ["_y"] });
  await clock.advance(0);
  peers.stop();
  await clock.advance(10 * limits.srvRenewMs);
  assert(asked.length === before + 1);
});

/** Looks up `_x` as often as there are answers; gives what is told and logged. */
async function lookedUp(
  ...answers: readonly (Error | readonly { host: string; port: number }[])[]
) {
  const clock = new ManualClock();
  const warnings: string[] = [], empty: string[] = [];
  let at = 0;
  const peers = new SrvPeers({
    clock,
    log: {
      ...silentLogger,
      warn: (text, fields) => warnings.push(`${text} ${fields?.["records"] ?? ""}`),
    },
    random: seededRandom(1),
    changed: (all, names) => {
      const texts = names.map(({ peer, problem }) => `${peer} ${problem?.code ?? "new"}`);
      empty.push(texts.join() || all.map(({ host }) => host).join());
    },
    lookUp() {
      const answer = answers[Math.min(at++, answers.length - 1)]!;
      if (answer instanceof Error) return Promise.reject(answer);
      return Promise.resolve(answer.map((one) => ({ ...one, priority: 0, weight: 0 })));
    },
  });
  peers.set({ peers: [], srvNames: ["_x"] });
  for (let i = 0; i <= answers.length; i++) await clock.advance(limits.srvRenewMs);
  peers.stop();
  return { warnings, empty };
}

Deno.test("SrvPeers warns once of records that are no node, and says which name stands for none", async () => {
  const none = [{ host: "", port: 0 }];
  const mixed = [{ host: "a", port: 8048 }, { host: "b", port: 0 }];
  const { warnings, empty } = await lookedUp(none, none, mixed, mixed);
  assertEquals(warnings, [
    "DNS lists what is no node . port 0",
    "DNS lists what is no node b port 0",
  ]);
  assertEquals(empty, ["srv:_x new", "srv:_x no-service", "a"]);
});

Deno.test("SrvPeers says in words why DNS gives nothing", async () => {
  const { empty } = await lookedUp(
    new Deno.errors.NotFound("proto error: no records found for Query"),
    new Deno.errors.TimedOut("proto error: request timed out"),
  );
  assertEquals(
    new Set(empty),
    new Set(["srv:_x new", "srv:_x name-not-found", "srv:_x no-name-server"]),
  );
});
