/** A directory server that names the nodes which have a file in flight, over streams in memory. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../../src/base/clock.ts";
import type { FlightId, SessionId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { DirectoryServer } from "../../../src/directory/server.ts";
import { Connection } from "../../../src/net/connection.ts";
import { DirectoryConnection } from "../../../src/net/directory_connection.ts";
import { initiate, type LocalIdentity } from "../../../src/net/handshake.ts";
import type { NodeVersion } from "../../../src/wire/messages.ts";
import { DoorTransport } from "../../support/door_transport.ts";
import { identityOf, LOAD, NETWORK } from "./fixture.ts";

const FILE = { flight: "f1".repeat(32) as FlightId, sizeBytes: 300_000 };
const LEASE_MS = limits.flightLeaseMs;

/** A directory to whose door anybody may come. */
class Running implements AsyncDisposable {
  readonly door = new DoorTransport();
  readonly server: DirectoryServer;

  constructor(options: { readonly queriesPerSecond?: number } = {}) {
    this.server = new DirectoryServer({
      listen: { host: "127.0.0.1", port: 0 },
      network: NETWORK,
      networkKey: undefined,
      replicas: 3,
      refreshMs: 30_000,
      queriesPerSecond: options.queriesPerSecond ?? 1_000,
      log: silentLogger,
    }, { transport: this.door, random: systemRandom, clock: systemClock });
    this.server.start();
  }

  async open(
    host: string,
    identity: LocalIdentity,
    version: NodeVersion = 2,
  ): Promise<DirectoryConnection> {
    const connection: Connection = this.door.connect(host);
    const remote = await initiate(connection, { identity, purpose: "directory", version });
    assertEquals(remote.version, version);
    return new DirectoryConnection(connection, remote);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
  }
}

Deno.test("DirectoryServer names who has a file in flight, at once and where it sees them", async () => {
  await using running = new Running();
  const [ann, bob] = [identityOf(8_001), identityOf(8_002)];
  const { instance } = running.server.run;
  using ofAnn = await running.open("192.0.2.1", ann);
  using ofBob = await running.open("192.0.2.2", bob);
  assertEquals(await ofAnn.fellows(FILE, LEASE_MS), {
    kind: "flight-fellows",
    instance,
    count: 0,
    fellows: [],
  });
  assertEquals(await ofBob.fellows(FILE, LEASE_MS), {
    kind: "flight-fellows",
    instance,
    count: 1,
    fellows: [{ nodeId: ann.nodeId, host: "192.0.2.1", port: 8_001 }],
  });
  // A connection that ends takes nothing with it; a lease that is ended does.
  ofBob.close();
  const again = await ofAnn.fellows(FILE, LEASE_MS);
  assert(again.kind === "flight-fellows");
  assertEquals(again.fellows, [{ nodeId: bob.nodeId, host: "192.0.2.2", port: 8_002 }]);
  await ofAnn.fellows(FILE, 0);
  using ofCid = await running.open("192.0.2.3", identityOf(0));
  const answer = await ofCid.fellows(FILE, LEASE_MS);
  assertEquals("count" in answer && [answer.count, answer.fellows.length], [1, 1]);
});

Deno.test("DirectoryServer does not name a client that it could not dial", async () => {
  await using running = new Running();
  const session = "5e".repeat(16) as SessionId;
  const ann = identityOf(8_001);
  using ofAnn = await running.open("192.0.2.1", ann);
  // Nobody listens there.
  const refresh = { session, sequence: 1, load: LOAD, whole: true, filesListed: 0 };
  await ofAnn.batch(refresh, { files: [], removed: [] });
  for (let sequence = 2, reach = ""; reach !== "unreachable"; sequence++) {
    assert(sequence < 2_000, "the client counts as reachable");
    const listed = await ofAnn.batch({ ...refresh, sequence }, { files: [], removed: [] });
    assert(listed.kind === "listed");
    reach = listed.reach;
  }
  await ofAnn.fellows(FILE, LEASE_MS);
  using ofBob = await running.open("192.0.2.2", identityOf(8_002));
  const answer = await ofBob.fellows(FILE, LEASE_MS);
  assertEquals("count" in answer && [answer.count, answer.fellows], [1, []]);
});

Deno.test("DirectoryServer takes leases in version 2 only, and serves version 1 as before", async () => {
  await using running = new Running();
  using old = await running.open("192.0.2.1", identityOf(8_001), 1);
  assertEquals((await old.status()).kind, "directory-status");
  await assertRejects(() => old.fellows(FILE, LEASE_MS));
  assertEquals(running.server.run.index.leases, 0);
  using young = await running.open("192.0.2.1", identityOf(8_001));
  assertEquals((await young.status()).kind, "directory-status");
  assertEquals(await young.metadata({ by: "name", value: "a" }), []);
});

Deno.test("DirectoryServer refuses a lease of a file that is too big, and too many questions", async () => {
  await using running = new Running({ queriesPerSecond: 1 });
  using big = await running.open("192.0.2.1", identityOf(8_001));
  const sizeBytes = limits.fetchBytesMax + 1;
  await assertRejects(() => big.fellows({ ...FILE, sizeBytes }, LEASE_MS));
  using often = await running.open("192.0.2.2", identityOf(8_002));
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => often.fellows(FILE, LEASE_MS)),
  );
  const denied = answers.filter((answer) => answer.kind === "denied");
  assert(denied.length > 0 && denied.every(({ limit }) => limit === "queries-per-second"));
});
