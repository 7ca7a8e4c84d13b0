/** A read that goes on after breaks: from which byte, how often, and when it gives up. */

import { assertEquals, assertRejects } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { MirrorError, type MirrorErrorCode } from "../../../src/http/mirror_error.ts";
import {
  type ByteRange,
  type RangeBody,
  type RangeSource,
  ResumableRead,
} from "../../../src/http/resumable_read.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { noAbort } from "../net/mirror_fixture.ts";

const BYTES = Uint8Array.from({ length: 100 }, (_, at) => at);
const signal = noAbort();

function fault(code: MirrorErrorCode): MirrorError {
  return new MirrorError(code, `It is ${code}`, { mirror: "m" });
}

/** Says how many bytes an answer gives before it breaks off; a fault is no answer at all. */
type Answer = number | MirrorErrorCode;

/** Gives bytes of a file by a script, one answer after the other; the last one for ever. */
class Script implements RangeSource {
  readonly asked: ByteRange[] = [];
  /** Answers that were neither read to their end nor given up. */
  unended = 0;
  readonly #answers: Answer[];

  constructor(...answers: Answer[]) {
    this.#answers = answers;
  }

  open(range: ByteRange): Promise<RangeBody> {
    this.asked.push(range);
    const answer = this.#answers.length > 1 ? this.#answers.shift()! : this.#answers[0]!;
    if (typeof answer === "string") return Promise.reject(fault(answer));
    return Promise.resolve(this.#body(range, answer));
  }

  #body({ offset, end = BYTES.length }: ByteRange, length: number): RangeBody {
    this.unended++;
    let at = offset;
    return {
      mirror: "m",
      offset,
      sizeBytes: BYTES.length,
      read: () => {
        if (at >= end) return Promise.resolve(null);
        if (at >= offset + length) return Promise.reject(fault("broken"));
        const from = at;
        at = Math.min(end, offset + length, from + 10);
        return Promise.resolve(BYTES.subarray(from, at));
      },
      [Symbol.dispose]: () => void this.unended--,
    };
  }
}

/** Reads all from `from` on; `at` is where the next answer begins. */
class Reader {
  at: number;
  readonly breaks: string[] = [];
  readonly got: number[] = [];
  readonly read: ResumableRead;

  constructor(
    source: RangeSource,
    from = 0,
    options: Partial<ConstructorParameters<typeof ResumableRead>[1]> = {},
  ) {
    this.at = from;
    this.read = new ResumableRead(source, {
      next: () => this.at < BYTES.length ? { offset: this.at } : null,
      brokeOff: ({ code }) => this.breaks.push(code),
      signal,
      ...options,
    });
  }

  async all(): Promise<number[]> {
    for (;;) {
      const piece = await this.read.read();
      if (piece === null) return this.got;
      assertEquals(piece.offset, this.at);
      this.at += piece.bytes.length;
      this.got.push(...piece.bytes);
    }
  }
}

Deno.test("ResumableRead goes on behind the last byte that came", async () => {
  const source = new Script(25, 30, 100);
  const reader = new Reader(source, 5);
  assertEquals(await reader.all(), [...BYTES.subarray(5)]);
  assertEquals(source.asked.map(({ offset }) => offset), [5, 30, 60]);
  assertEquals([reader.breaks, source.unended], [["broken", "broken"], 0]);
});

Deno.test("ResumableRead gives up after answers in a row that brought nothing", async () => {
  const source = new Script(0, 10, 0);
  const reader = new Reader(source);
  await assertRejects(() => reader.all(), MirrorError, "It is broken");
  assertEquals(reader.got.length, 10);
  // One before there was something, that one, and those after it.
  assertEquals(source.asked.length, 2 + limits.mirrorRetriesMax);
  assertEquals(source.unended, 0);
  const once = new Script(10);
  await assertRejects(() => new Reader(once, 0, { retriesMax: 0 }).all(), MirrorError);
  assertEquals(once.asked.length, 1);
});

Deno.test("ResumableRead fails at once with what asking fails with", async () => {
  for (const code of ["refused", "changed", "no-range"] as const) {
    const source = new Script(10, code);
    await assertRejects(() => new Reader(source).all(), MirrorError, `It is ${code}`);
    assertEquals(source.asked.length, 2);
  }
});

Deno.test("ResumableRead reads again from the first byte where it may, and gives no byte twice", async () => {
  const source = new Script(35, "no-range", 50, "no-range", 100);
  const reader = new Reader(source, 0, { mayReread: true });
  assertEquals(await reader.all(), [...BYTES]);
  assertEquals(source.asked.map(({ offset }) => offset), [0, 35, 0, 50, 0]);
  // What only passes by once more is nothing to show for it.
  const stuck = new Script(...Array(9).fill(["no-range", 40]).flat());
  const other = new Reader(stuck, 50, { mayReread: true });
  await assertRejects(() => other.all(), MirrorError, "It is broken");
  assertEquals(other.got, []);
});

Deno.test("ResumableRead asks again where an answer is of no use", async () => {
  const source = new Script(100);
  const reader = new Reader(source, 30, {
    opened: () => {
      if (reader.at === 20) return true;
      reader.at = 20;
      return false;
    },
  });
  assertEquals(await reader.all(), [...BYTES.subarray(20)]);
  assertEquals([source.asked.length, source.unended], [2, 0]);
});

Deno.test("ResumableRead begins with an answer that is there already", async () => {
  const source = new Script(20, 100);
  const body = await source.open({ offset: 40 });
  const reader = new Reader(source, 40, { body });
  assertEquals(await reader.all(), [...BYTES.subarray(40)]);
  assertEquals(source.asked.map(({ offset }) => offset), [40, 60]);
});

Deno.test("ResumableRead waits longer each time before it asks again", async () => {
  const clock = new ManualClock();
  const source = new Script(0, 0, 100);
  const reading = new Reader(source, 0, { retryMs: 100, clock }).all();
  for (const [waitMs, asked] of [[99, 1], [1, 2], [199, 2], [1, 3]] as const) {
    await clock.advance(waitMs);
    assertEquals(source.asked.length, asked);
  }
  assertEquals((await reading).length, BYTES.length);
});

Deno.test("ResumableRead ends with the reason of its signal while it waits", async () => {
  const abort = new AbortController();
  const reader = new Reader(new Script(10), 0, {
    retryMs: 100,
    clock: new ManualClock(),
    signal: abort.signal,
    brokeOff: () => queueMicrotask(() => abort.abort(new Error("Enough"))),
  });
  await assertRejects(() => reader.all(), Error, "Enough");
});
