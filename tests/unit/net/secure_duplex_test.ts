/** Streams under a network key: what goes in comes out, and nothing else can be read or written. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { concatBytes, fromHex, utf8 } from "../../../src/base/bytes.ts";
import { EnvironmentError, PeerFault } from "../../../src/base/errors.ts";
import { seededRandom, systemRandom } from "../../../src/base/random.ts";
import { secureAsInitiator, secureAsResponder } from "../../../src/net/secure_duplex.ts";
import { type Duplex, writeAll } from "../../../src/net/transport.ts";
import { type MemoryDuplex, memoryPair } from "../../support/memory_transport.ts";

const KEY = fromHex("11".repeat(32));
const OTHER_KEY = fromHex("22".repeat(20));
const BUFFER_BYTES = 100_000;

Deno.test("secured streams carry bytes in both directions, in parts of any size", async () => {
  const parts = fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      parts,
      fc.integer({ min: 1, max: 70_000 }),
      async (sizes, readBytes) => {
        const { near, far, ends } = await secured();
        using _ = ends;
        const random = seededRandom(sizes.length);
        const sent = sizes.map((size) => random.bytes(size));
        const expected = concatBytes(sent);
        for (const [from, to] of [[near, far], [far, near]] as const) {
          const [got] = await Promise.all([
            readAll(to, expected.length, readBytes),
            (async () => {
              for (const part of sent) await writeAll(from, part);
            })(),
          ]);
          assertEquals(got, expected);
        }
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("secureAsResponder() takes either of two keys, and says which it was", async () => {
  for (const key of [KEY, OTHER_KEY]) {
    const [near, far] = memoryPair();
    const [, secured] = await Promise.all([
      secureAsInitiator(near, [key], systemRandom),
      secureAsResponder(far, [KEY, OTHER_KEY], systemRandom),
    ]);
    assertEquals(secured.key, key);
    near.close();
    far.close();
  }
});

Deno.test("secureAsResponder() sends no byte to who has none of its keys", async () => {
  const [near, far] = memoryPair();
  const asking = secureAsInitiator(near, [OTHER_KEY], systemRandom);
  const fault = await assertRejects(
    () => secureAsResponder(far, [KEY], systemRandom),
    PeerFault,
    "another network key",
  );
  assertEquals([fault.code, far.bytesWritten], ["wrong-key", 0]);
  far.close();
  await assertRejects(() => asking, EnvironmentError, "closed the connection");
});

Deno.test("secured streams have records of one size for names of all lengths", async () => {
  const sizes = new Set<number>();
  for (const length of [1, 17, 100, 255]) {
    const { near, far, ends } = await secured();
    using _ = ends;
    const before = ends.near.bytesWritten;
    await writeAll(near, utf8("n".repeat(length)));
    await readAll(far, length, 4_096);
    sizes.add(ends.near.bytesWritten - before);
  }
  assertEquals([...sizes], [2 + 512 + 16]);
});

Deno.test("secured streams end at a bit that is another, wherever it is", async () => {
  for (const at of [2, 3, 40, 300, 514, 529]) {
    const { near, far, ends } = await secured();
    using _ = ends;
    const record = await recordOf(near, ends.near);
    record[at]! ^= 1 << (at % 8);
    await ends.near.write(record);
    const error = await assertRejects(() => far.read(new Uint8Array(100)), PeerFault);
    assertEquals(error.code, "tampered", `byte ${at}`);
  }
});

Deno.test("secured streams take no length that no record has", async () => {
  for (const length of [0, 1, 16, 527, 529, 65_535]) {
    const { far, ends } = await secured();
    using _ = ends;
    await ends.near.write(Uint8Array.of(length >> 8, length & 0xff, 0));
    const error = await assertRejects(() => far.read(new Uint8Array(100)), PeerFault);
    assertEquals(error.code, "malformed", `length ${length}`);
  }
});

Deno.test("secured streams take a record once, and in its turn", async () => {
  const { near, far, ends } = await secured();
  using _ = ends;
  const record = await recordOf(near, ends.near);
  await ends.near.write(record);
  assertEquals(await readAll(far, 5, 100), utf8("hello"));
  await ends.near.write(record);
  await assertRejects(() => far.read(new Uint8Array(100)), PeerFault);
});

Deno.test("secured streams tell an end in mid-record from one in order", async () => {
  const { near, far, ends } = await secured();
  using _ = ends;
  await writeAll(near, utf8("all"));
  assertEquals(await readAll(far, 3, 100), utf8("all"));
  near.close();
  assertEquals(await far.read(new Uint8Array(100)), null);

  const cut = await secured();
  using _cut = cut.ends;
  const record = await recordOf(cut.near, cut.ends.near);
  await cut.ends.near.write(record.subarray(0, 100));
  cut.ends.near.close();
  await assertRejects(() => cut.far.read(new Uint8Array(100)), EnvironmentError, "in a record");
});

Deno.test("secured streams leave none of their records to the collector", async () => {
  const { near, far, ends } = await secured();
  using _ = ends;
  const sent = seededRandom(1).bytes(BUFFER_BYTES), target = new Uint8Array(sent.length);
  const carry = async () => {
    const written = writeAll(near, sent);
    for (let at = 0; at < target.length;) at += (await far.read(target.subarray(at)))!;
    await written;
  };
  await carry();
  const before = Deno.memoryUsage().external;
  for (let i = 0; i < 50; i++) await carry();
  const kept = Deno.memoryUsage().external - before;
  assert(kept < 10 * sent.length, `${kept} bytes are kept`);
  assertEquals(target, sent);
});

/** Both ends of a stream under one key, and the ends of what lies below. */
async function secured() {
  const [near, far] = memoryPair({ bufferBytes: BUFFER_BYTES });
  const [initiator, responder] = await Promise.all([
    secureAsInitiator(near, [KEY], systemRandom),
    secureAsResponder(far, [KEY], systemRandom),
  ]);
  const close = () => {
    near.close();
    far.close();
  };
  return {
    near: initiator.duplex,
    far: responder.duplex,
    ends: { near, far, [Symbol.dispose]: close },
  };
}

/** The record in which a stream sends "hello", which does not get to the other side. */
async function recordOf(secure: Duplex, inner: MemoryDuplex): Promise<Uint8Array> {
  const write = inner.write.bind(inner);
  const parts: Uint8Array[] = [];
  inner.write = (source) => {
    parts.push(source.slice());
    return Promise.resolve(source.length);
  };
  await writeAll(secure, utf8("hello"));
  inner.write = write;
  const record = concatBytes(parts);
  assert(record.length > 5);
  return record;
}

async function readAll(duplex: Duplex, bytes: number, readBytes: number): Promise<Uint8Array> {
  const got = new Uint8Array(bytes);
  for (let at = 0; at < bytes;) {
    const buffer = new Uint8Array(Math.min(readBytes, bytes - at));
    const count = await duplex.read(buffer);
    assert(count !== null && count > 0);
    got.set(buffer.subarray(0, count), at);
    at += count;
  }
  return got;
}
