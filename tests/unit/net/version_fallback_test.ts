/** Dials in a version that the other node may not know; an old node is one that accepts only that. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { EnvironmentError, PeerFault } from "../../../src/base/errors.ts";
import { fromHex } from "../../../src/base/bytes.ts";
import type { NodeId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { Connection } from "../../../src/net/connection.ts";
import { Connections } from "../../../src/net/connections.ts";
import { accept, type LocalIdentity, RefusedError } from "../../../src/net/handshake.ts";
import { tcpTransport } from "../../../src/net/tcp_transport.ts";
import type { Duplex, Listener, Transport } from "../../../src/net/transport.ts";
import { dialNode, OldVersions } from "../../../src/net/version_fallback.ts";
import {
  type Message,
  NODE_VERSIONS,
  type NodeVersion,
  type Refusal,
} from "../../../src/wire/messages.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryTransport } from "../../support/memory_transport.ts";

const KEY = fromHex("00".repeat(31) + "01");

function identity(nodeId: string, networkKey: Uint8Array | undefined): LocalIdentity {
  const random = systemRandom;
  return { nodeId: nodeId as NodeId, listenPort: 1, network: "fleet", networkKey, random };
}

/** A node that only shakes hands; and one that dials it, with what that one remembers. */
class Pair implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly oldVersions = new OldVersions();
  /** Connections that came in. */
  dials = 0;
  /** What `first` was asked for. */
  readonly versionsTold: NodeVersion[] = [];
  readonly listener: Listener;
  readonly #connections: Connections;
  readonly #networkKey: Uint8Array | undefined;
  readonly #accepted: Connection[] = [];
  readonly #accepting: Promise<void>;

  constructor(
    options: {
      readonly versions?: readonly NodeVersion[];
      readonly networkKey?: Uint8Array | undefined;
      readonly transport?: Transport;
      readonly refusal?: Refusal;
      /** What it does with a connection in place of a handshake. */
      readonly instead?: (duplex: Duplex) => void | Promise<void>;
    } = {},
  ) {
    const { versions = [1], networkKey, transport = new MemoryTransport() } = options;
    this.#networkKey = networkKey;
    this.#connections = new Connections(transport, { clock: this.clock });
    const listener = transport.listen({ host: "127.0.0.1", port: 0 });
    this.listener = listener;
    const shake = async (duplex: Duplex) => {
      const connection = new Connection(duplex);
      this.#accepted.push(connection);
      const admit = () => options.refusal;
      await accept(connection, { identity: identity("b0".repeat(16), networkKey), admit, versions })
        .catch(() => connection.close());
    };
    this.#accepting = (async () => {
      for await (const duplex of listener) {
        this.dials++;
        await (options.instead ?? shake)(duplex);
      }
    })();
  }

  dial(
    options: {
      readonly fallback?: boolean;
      readonly signal?: AbortSignal;
      readonly version?: NodeVersion;
      readonly below?: NodeVersion;
    } = {},
  ) {
    return dialNode(this.#connections, this.listener.address, {
      identity: identity("a1".repeat(16), this.#networkKey),
      purpose: "callback",
      version: 2,
      fallback: true,
      oldVersions: this.oldVersions,
      nowMs: this.clock.nowMs(),
      first: ({ version }): Message[] => {
        this.versionsTold.push(version);
        return [];
      },
      ...options,
    });
  }

  get isKnownAsOld(): boolean {
    return this.oldVersions.newest(this.listener.address, this.clock.nowMs()) < 2;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listener.close();
    this.#connections.closeAll();
    for (const connection of this.#accepted) connection.close();
    await this.#accepting;
  }
}

const networks = [["an open network", undefined], ["a network with a key", KEY]] as const;

for (const [about, networkKey] of networks) {
  Deno.test(`dialNode() speaks the version that both know in ${about}`, async () => {
    await using pair = new Pair({ versions: NODE_VERSIONS, networkKey });
    const { remote } = await pair.dial();
    assertEquals([remote.version, pair.dials], [2, 1]);
    assertEquals([pair.versionsTold, pair.isKnownAsOld], [[2], false]);
  });

  for (const [over, transport] of [["memory", undefined], ["TCP", tcpTransport]] as const) {
    Deno.test(`dialNode() dials an old node again, and later at once, in ${about} over ${over}`, async () => {
      await using pair = new Pair({
        networkKey,
        ...(transport === undefined ? {} : { transport }),
      });
      const { remote, connection } = await pair.dial();
      assertEquals([remote.version, remote.nodeId, pair.dials], [1, "b0".repeat(16), 2]);
      assertEquals([connection.isClosed, pair.isKnownAsOld], [false, true]);
      assertEquals((await pair.dial()).remote.version, 1);
      assertEquals(pair.dials, 3);
      assertEquals(pair.versionsTold, [1, 1], "nothing is said before the version is agreed");
    });
  }

  Deno.test(`dialNode() goes back no further than it has to in ${about}`, async () => {
    await using pair = new Pair({ versions: [1, 2], networkKey });
    assertEquals((await pair.dial({ version: 3 })).remote.version, 2);
    assertEquals([pair.dials, pair.isKnownAsOld], [2, false]);
    assertEquals((await pair.dial({ version: 3 })).remote.version, 2);
    assertEquals((await pair.dial({ version: 2, fallback: false })).remote.version, 2);
    assertEquals((await pair.dial({ version: 1 })).remote.version, 1);
    assertEquals(pair.dials, 5);
    await assertRejects(() => pair.dial({ version: 3, fallback: false }), RefusedError);
    assertEquals(pair.dials, 5, "it is known");
  });

  Deno.test(`dialNode() does not dial again without anything to say to an old node in ${about}`, async () => {
    await using pair = new Pair({ networkKey });
    const error = await assertRejects(() => pair.dial({ fallback: false }), Error);
    const isNamed = networkKey === undefined;
    assert(isNamed ? error instanceof RefusedError : error instanceof EnvironmentError);
    // A close without a byte can have other reasons: it is no proof.
    assertEquals([pair.dials, pair.isKnownAsOld], [1, isNamed]);
  });
}

Deno.test("dialNode() goes back at once to the version in which there is as much to say", async () => {
  for (const fallback of [true, false]) {
    await using pair = new Pair({ versions: [1, 2, 3] });
    const options = { version: 5, below: 2, fallback } as const;
    assertEquals((await pair.dial(options)).remote.version, 2);
    assertEquals(pair.dials, 2);
    assertEquals((await pair.dial(options)).remote.version, 2);
    assertEquals(pair.dials, 3);
  }
});

Deno.test("dialNode() goes back below that only if there is something to say there", async () => {
  await using pair = new Pair({ versions: [1] });
  const options = { version: 5, below: 2 } as const;
  const error = await assertRejects(() => pair.dial({ ...options, fallback: false }), RefusedError);
  assertEquals([error.refusal, pair.dials], ["wrong-version", 2]);
  assertEquals((await pair.dial({ ...options, fallback: true })).remote.version, 1);
});

Deno.test("dialNode() dials nobody when an old node is known and there is nothing to say to it", async () => {
  await using pair = new Pair();
  await pair.dial();
  const error = await assertRejects(() => pair.dial({ fallback: false }), RefusedError);
  assertEquals([error.refusal, pair.dials], ["wrong-version", 2]);
});

Deno.test("dialNode() tries a newer version again after a time: the node may be upgraded", async () => {
  await using pair = new Pair();
  await pair.dial();
  await pair.clock.advance(limits.oldVersionMs - 1);
  await pair.dial();
  assertEquals([pair.dials, pair.isKnownAsOld], [3, true]);
  await pair.clock.advance(1);
  await pair.dial();
  assertEquals([pair.dials, pair.isKnownAsOld], [5, true]);
});

Deno.test("dialNode() throws what a node refuses it for, and does not dial again", async () => {
  await using pair = new Pair({ versions: NODE_VERSIONS, refusal: "busy" });
  const error = await assertRejects(() => pair.dial(), RefusedError);
  assertEquals([error.refusal, pair.dials, pair.isKnownAsOld], ["busy", 1, false]);
});

Deno.test("dialNode() does not dial again who says something else, or nothing", async () => {
  await using talking = new Pair({
    async instead(duplex) {
      await duplex.write(new TextEncoder().encode("HTTP/1.1 400"));
      duplex.close();
    },
  });
  await assertRejects(() => talking.dial(), PeerFault);
  assertEquals([talking.dials, talking.isKnownAsOld], [1, false]);

  const silent: Duplex[] = [];
  await using pair = new Pair({ instead: (duplex) => void silent.push(duplex) });
  const dialling = assertRejects(() => pair.dial(), PeerFault, "no answer");
  while (silent.length === 0) await pair.clock.advance(0);
  await pair.clock.advance(limits.handshakeMs);
  await dialling;
  assertEquals([pair.dials, pair.isKnownAsOld], [1, false]);
  for (const duplex of silent) duplex.close();
});

Deno.test("dialNode() does not take a node that goes away for an old one", async () => {
  await using pair: Pair = new Pair({
    instead(duplex) {
      pair.listener.close();
      duplex.close();
    },
  });
  const error = await assertRejects(() => pair.dial(), EnvironmentError);
  assertEquals([error.code, pair.dials, pair.isKnownAsOld], ["unreachable", 1, false]);
});

Deno.test("dialNode() ends when it is told to, before the connection is there and after", async () => {
  const silent: Duplex[] = [];
  const abort = new AbortController();
  await using pair = new Pair({
    instead(duplex) {
      silent.push(duplex);
      abort.abort();
    },
  });
  await assertRejects(() => pair.dial({ signal: abort.signal }), EnvironmentError);
  await assertRejects(() => pair.dial({ signal: abort.signal }), EnvironmentError);
  assertEquals([pair.dials, pair.isKnownAsOld], [1, false]);
  for (const duplex of silent) duplex.close();
});

Deno.test("OldVersions remembers so many addresses and no more", () => {
  const oldVersions = new OldVersions();
  const addressOf = (port: number) => ({ host: "192.0.2.1", port });
  for (let port = 0; port <= limits.oldVersionsMax; port++) oldVersions.add(addressOf(port), 1, 0);
  assertEquals(oldVersions.newest(addressOf(0), 0), NODE_VERSIONS.at(-1));
  assertEquals(oldVersions.newest(addressOf(1), 0), 1);
  assertEquals(oldVersions.newest(addressOf(limits.oldVersionsMax), 0), 1);
});
