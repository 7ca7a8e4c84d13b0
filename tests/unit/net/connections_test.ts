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
