/** What every transport must do: one suite, run over each of them. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { HostPort } from "../../../src/base/address.ts";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { type Duplex, type Transport, writeAll } from "../../../src/net/transport.ts";

/** A transport under test. */
export interface TransportCase {
  readonly name: string;
  make(): Transport;
  /** An address of that transport at which a dial is never answered, for as long as it is kept. */
  silent(transport: Transport): Promise<AsyncDisposable & { readonly address: HostPort }>;
}

const ANY: HostPort = { host: "127.0.0.1", port: 0 };
const TIMEOUT = { timeoutMs: 10_000 };
const MIB = 1024 * 1024;

/** Two ends of one stream, closed at the end of their scope. */
class Pair implements Disposable {
  readonly dialled: Duplex;
  readonly accepted: Duplex;
  readonly listening: HostPort;

  private constructor(dialled: Duplex, accepted: Duplex, listening: HostPort) {
    this.dialled = dialled;
    this.accepted = accepted;
    this.listening = listening;
  }

  static async make(transport: Transport): Promise<Pair> {
    const listener = transport.listen(ANY);
    const accepting = firstOf(listener);
    const dialled = await transport.dial(listener.address, TIMEOUT);
    const accepted = await accepting;
    listener.close();
    return new Pair(dialled, accepted, listener.address);
  }

  [Symbol.dispose](): void {
    this.dialled.close();
    this.accepted.close();
  }
}

/** Adds the tests for one transport. */
export function testTransport({ name, make, silent }: TransportCase): void {
  const on = (what: string, test: (transport: Transport) => Promise<void>) =>
    Deno.test(`${name}: ${what}`, () => test(make()));

  on("both ends see each other's address", async (transport) => {
    using pair = await Pair.make(transport);
    assert(pair.listening.port > 0);
    assertEquals(pair.dialled.remote, pair.listening);
    assertEquals(pair.accepted.remote.host, "127.0.0.1");
    assert(pair.accepted.remote.port > 0 && pair.accepted.remote.port !== pair.listening.port);
  });

  on(
    "bytes arrive whole and in order, both ways at once, in reads of any size",
    async (transport) => {
      using pair = await Pair.make(transport);
      const there = seededRandom(1).bytes(2 * MIB), back = seededRandom(2).bytes(MIB);
      const [first, second] = await Promise.all([
        readAll(pair.accepted, there.length, 7_919),
        readAll(pair.dialled, back.length, 1_024 * 100),
        writeAll(pair.dialled, there),
        writeAll(pair.accepted, back),
      ]);
      assertEquals(first.every((byte, i) => byte === there[i]), true);
      assertEquals(second.every((byte, i) => byte === back[i]), true);
    },
  );

  on("read() gives what was written before the other end closed, then null", async (transport) => {
    using pair = await Pair.make(transport);
    await writeAll(pair.dialled, Uint8Array.of(1, 2, 3));
    pair.dialled.close();
    assertEquals(await readAll(pair.accepted, 3, 2), Uint8Array.of(1, 2, 3));
    assertEquals(await pair.accepted.read(new Uint8Array(1)), null);
    assertEquals(await pair.accepted.read(new Uint8Array(1)), null);
  });

  on("a stream with nothing in it ends as well", async (transport) => {
    using pair = await Pair.make(transport);
    const reading = pair.dialled.read(new Uint8Array(8));
    pair.accepted.close();
    assertEquals(await reading, null);
  });

  on("a pending read rejects when this end closes", async (transport) => {
    using pair = await Pair.make(transport);
    const reading = assertRejects(() => pair.dialled.read(new Uint8Array(8)), EnvironmentError);
    pair.dialled.close();
    assertEquals((await reading).code, "unreachable");
  });

  on("a pending write rejects when this end closes", async (transport) => {
    using pair = await Pair.make(transport);
    const writing = new StalledWrite(pair.dialled);
    await writing.stalled();
    pair.dialled.close();
    assertEquals((await assertRejects(() => writing.ended, EnvironmentError)).code, "unreachable");
  });

  on("a pending write rejects when the other end goes away", async (transport) => {
    using pair = await Pair.make(transport);
    const writing = new StalledWrite(pair.dialled);
    await writing.stalled();
    pair.accepted.close();
    assertEquals((await assertRejects(() => writing.ended, EnvironmentError)).code, "unreachable");
  });

  on("a write goes on once the other end reads", async (transport) => {
    using pair = await Pair.make(transport);
    const writing = new StalledWrite(pair.dialled);
    await writing.stalled();
    const before = writing.bytes;
    const target = new Uint8Array(64 * 1024);
    while (writing.bytes === before) assert(await pair.accepted.read(target) !== null);
    pair.dialled.close();
    await assertRejects(() => writing.ended, EnvironmentError);
  });

  on("reads and writes reject after close(), which may be called again", async (transport) => {
    using pair = await Pair.make(transport);
    pair.dialled.close();
    pair.dialled.close();
    for (
      const use of [
        () => pair.dialled.read(new Uint8Array(1)),
        () => pair.dialled.write(new Uint8Array(1)),
      ]
    ) assertEquals((await assertRejects(use, EnvironmentError)).code, "unreachable");
  });

  on("dial() rejects and names the address when nobody listens there", async (transport) => {
    const listener = transport.listen(ANY);
    listener.close();
    const { address } = listener;
    const error = await assertRejects(() => transport.dial(address, TIMEOUT), EnvironmentError);
    assertEquals(error.code, "unreachable");
    assert(error.message.includes(`127.0.0.1:${address.port}`), error.message);
  });

  on("dial() gives up when its time is over", async (transport) => {
    await using nobody = await silent(transport);
    const dial = () => transport.dial(nobody.address, { timeoutMs: 50 });
    const error = await assertRejects(dial, EnvironmentError, "no answer within 50 ms");
    assertEquals(error.code, "unreachable");
  });

  on("dial() gives up when its signal says so, before and meanwhile", async (transport) => {
    await using nobody = await silent(transport);
    const { address } = nobody;
    const early = () => transport.dial(address, { ...TIMEOUT, signal: AbortSignal.abort() });
    assertEquals((await assertRejects(early, EnvironmentError)).code, "unreachable");
    const abort = new AbortController();
    const dialling = transport.dial(address, { ...TIMEOUT, signal: abort.signal });
    const rejected = assertRejects(() => dialling, EnvironmentError);
    abort.abort();
    assertEquals((await rejected).code, "unreachable");
  });

  on("listen() says that a port is in use, and has it when it is free again", async (transport) => {
    const first = transport.listen(ANY);
    const { address } = first;
    const error = assertThrows(() => transport.listen(address), EnvironmentError, "in use");
    assertEquals(error.code, "in-use");
    first.close();
    const second = transport.listen(address);
    const accepting = firstOf(second);
    const dialled = await transport.dial(address, TIMEOUT);
    (await accepting).close();
    dialled.close();
    second.close();
  });

  on(
    "a listener ends its iteration when it is closed, and may be closed again",
    async (transport) => {
      const listener = transport.listen(ANY);
      const ending = (async () => {
        for await (const duplex of listener) duplex.close();
      })();
      listener.close();
      listener.close();
      await ending;
    },
  );

  on("streams opened at the same time do not mix", async (transport) => {
    const listener = transport.listen(ANY);
    const echoing = (async () => {
      const echoes: Promise<void>[] = [];
      for await (const duplex of listener) {
        echoes.push(echo(duplex));
        if (echoes.length === 20) break;
      }
      await Promise.all(echoes);
    })();
    const ask = async (byte: number) => {
      const duplex = await transport.dial(listener.address, TIMEOUT);
      const [answer] = await Promise.all([
        readAll(duplex, 5_000, 999),
        writeAll(duplex, new Uint8Array(5_000).fill(byte)),
      ]);
      duplex.close();
      return answer.every((one) => one === byte);
    };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(i)));
    assertEquals(answers.every((isOwn) => isOwn), true);
    await echoing;
    listener.close();
  });
}

/** Writes until nobody reads any more, and goes on when somebody does. */
class StalledWrite {
  readonly ended: Promise<never>;
  bytes = 0;

  constructor(duplex: Duplex) {
    this.ended = this.#pump(duplex);
    this.ended.catch(() => {});
  }

  /** Resolves when the write has not moved for a while: every buffer on the way is full. */
  async stalled(): Promise<void> {
    for (let before = -1; before !== this.bytes;) {
      before = this.bytes;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async #pump(duplex: Duplex): Promise<never> {
    const block = new Uint8Array(MIB);
    for (;;) this.bytes += await duplex.write(block);
  }
}

async function firstOf(listener: AsyncIterable<Duplex>): Promise<Duplex> {
  for await (const duplex of listener) return duplex;
  throw new Error("the listener ended without a stream");
}

async function echo(duplex: Duplex): Promise<void> {
  const buffer = new Uint8Array(700);
  for (;;) {
    const count = await duplex.read(buffer);
    if (count === null) break;
    await writeAll(duplex, buffer.subarray(0, count));
  }
  duplex.close();
}

/** Reads `length` bytes, at most `pieceBytes` at a time. */
async function readAll(duplex: Duplex, length: number, pieceBytes: number): Promise<Uint8Array> {
  const whole = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await duplex.read(whole.subarray(at, at + pieceBytes));
    if (count === null) throw new Error(`the stream ended after ${at} of ${length} bytes`);
    assert(count > 0 && count <= pieceBytes);
    at += count;
  }
  return whole;
}
