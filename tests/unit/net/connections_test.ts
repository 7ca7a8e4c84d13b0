/** How many connections a node has at most, those that are only being dialled included. */

import { assertEquals, assertRejects } from "@std/assert";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import { Connections } from "../../../src/net/connections.ts";
import type { Connection } from "../../../src/net/connection.ts";
import type { Duplex } from "../../../src/net/transport.ts";
import { memoryPair } from "../../support/memory_transport.ts";

const SOMEWHERE = { host: "192.0.2.1", port: 1 };

Deno.test("Connections.dial() counts dials that are in progress", async () => {
  const answered = Promise.withResolvers<Duplex>();
  const connections = new Connections({
    dial: () => answered.promise,
    listen: () => {
      throw new Error("Cannot listen: not needed here");
    },
  });
  const dials: Promise<Connection>[] = [];
  for (let i = 0; i < limits.connectionsMax; i++) dials.push(connections.dial(SOMEWHERE));
  const error = await assertRejects(() => connections.dial(SOMEWHERE), EnvironmentError);
  assertEquals(error.code, "unreachable");
  const [refused] = memoryPair();
  assertEquals(connections.admit(refused), null);
  answered.reject(new EnvironmentError("unreachable", "nobody there"));
  const results = await Promise.allSettled(dials);
  assertEquals(results.filter(({ status }) => status === "rejected").length, dials.length);
  const [near] = memoryPair();
  assertEquals(connections.admit(near)?.isClosed, false, "failed dials give their places back");
  assertEquals(connections.size, 1);
  connections.closeAll();
});

Deno.test("Connections.admit() closes the longest idle of the host that has most when crowded", () => {
  const idleSinceMs = new Map<Connection, number>();
  const closed: string[] = [];
  const connections = new Connections({
    dial: () => Promise.reject(new Error("Cannot dial: not needed here")),
    listen: () => {
      throw new Error("Cannot listen: not needed here");
    },
  }, {
    crowding: {
      idleSinceMs: (connection) => idleSinceMs.get(connection),
      crowdedOut: ({ remote }) => void closed.push(remote.host),
    },
  });
  const admit = (host: string) => {
    const [near] = memoryPair({ bufferBytes: 16, nearRemote: { host, port: 1 } });
    return connections.admit(near);
  };
  const few = admit("192.0.2.9")!;
  const most = limits.connectionsPerHostMax;
  const many = Array.from({ length: most }, () => admit("192.0.2.1")!);
  const others = Array.from(
    { length: limits.connectionsMax - most - 1 },
    () => admit("192.0.2.2")!,
  );
  assertEquals(connections.size, limits.connectionsMax);
  assertEquals(admit("192.0.2.3"), null, "nobody is known to be idle");
  idleSinceMs.set(few, 0);
  many.forEach((connection, i) => idleSinceMs.set(connection, i === 5 ? 1 : 10));
  others.forEach((connection) => idleSinceMs.set(connection, 2));
  assertEquals(admit("192.0.2.1"), null, "who has the most gets no other one's place");
  assertEquals(admit("192.0.2.3")?.isClosed, false);
  assertEquals(many.map(({ isClosed }) => isClosed).indexOf(true), 5);
  assertEquals(closed, ["192.0.2.1"]);
  // Two hosts have as many now: the longest idle of both goes, not that of the host with few.
  assertEquals(admit("192.0.2.3")?.isClosed, false);
  assertEquals(closed, ["192.0.2.1", "192.0.2.2"]);
  assertEquals([few.isClosed, connections.size], [false, limits.connectionsMax]);
  // A place that came free by itself needs no other one's.
  others.at(-1)!.close();
  assertEquals(admit("192.0.2.3")?.isClosed, false);
  assertEquals(closed.length, 2);
  connections.closeAll();
});
