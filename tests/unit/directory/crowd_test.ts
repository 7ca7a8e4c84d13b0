/** A directory whose places for connections are all taken. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../../src/base/clock.ts";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { DirectoryServer } from "../../../src/directory/server.ts";
import { DirectoryConnection } from "../../../src/net/directory_connection.ts";
import { DoorTransport } from "../../support/door_transport.ts";
import { identityOf, NETWORK } from "./fixture.ts";

Deno.test("DirectoryServer serves another host when two hold all connections", async () => {
  const warned: string[] = [];
  const door = new DoorTransport();
  const server = new DirectoryServer({
    listen: { host: "127.0.0.1", port: 0 },
    network: NETWORK,
    networkKey: undefined,
    replicas: 3,
    refreshMs: 30_000,
    queriesPerSecond: 1_000,
    log: { ...silentLogger, warn: (message) => void warned.push(message) },
  }, { transport: door, random: systemRandom, clock: systemClock });
  server.start();
  try {
    const open = (host: string) => DirectoryConnection.open(door.connect(host), identityOf(1));
    const connections: DirectoryConnection[] = [];
    for (let left = limits.connectionsMax; left > 0; left -= 64) {
      const hosts = Array.from({ length: 64 }, (_, i) => `192.0.2.${1 + i % 2}`);
      connections.push(...await Promise.all(hosts.map(open)));
    }
    const newcomer = await open("192.0.2.3");
    const status = await newcomer.status();
    assert("clients" in status);
    assertEquals(warned, ["all places for connections are taken"]);
    // The one that was silent longest had to go; the next was not touched.
    await assertRejects(() => connections[0]!.status(), EnvironmentError);
    assert("clients" in await connections[1]!.status());
    for (const connection of [newcomer, ...connections]) connection.close();
  } finally {
    await server.stop();
  }
});
