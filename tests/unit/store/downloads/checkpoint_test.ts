import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Bitfield } from "../../../../src/base/bitfield.ts";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import {
  DownloadProgress,
  type DownloadProgressEffects,
} from "../../../../src/store/downloads/checkpoint.ts";

const CHUNKS = 20;

/** A disk whose flushes end when the test says so; real ones cannot be made to fail. */
class TestDisk implements DownloadProgressEffects {
  saved: Uint8Array | undefined;
  flushes: PromiseWithResolvers<void>[] = [];
  readonly lostChunks: number[] = [];

  flush(): Promise<void> {
    const flush = Promise.withResolvers<void>();
    this.flushes.push(flush);
    return flush.promise;
  }

  save(have: Uint8Array): void {
    this.saved = have;
  }

  gained(): void {}

  lost({ first }: { first: number }): void {
    this.lostChunks.push(first);
  }

  savedChunks(): number[] {
    const field = Bitfield.fromBytes(CHUNKS, this.saved ?? new Uint8Array(3));
    return [...Array(CHUNKS).keys()].filter((index) => field.has(index));
  }
}

Deno.test("checkpoint() keeps only what the last good one had when the disk fails to flush", async () => {
  const disk = new TestDisk();
  const progress = new DownloadProgress(CHUNKS, disk);
  progress.add({ first: 0, count: 3 }, 3);
  const good = progress.checkpoint();
  disk.flushes[0]!.resolve();
  await good;
  progress.add({ first: 5, count: 2 }, 2);
  const bad = progress.checkpoint();
  progress.add({ first: 9, count: 1 }, 1);
  disk.flushes[1]!.reject(new EnvironmentError("other", "EIO"));
  await assertRejects(() => bad, EnvironmentError, "EIO");
  assertEquals([...progress.have.ranges()], [{ first: 0, count: 3 }]);
  assertEquals(disk.lostChunks, [5, 9]);
  assertEquals(disk.savedChunks(), [0, 1, 2]);
});

Deno.test("drop() tells of the loss even when it cannot be remembered", async () => {
  const disk = new TestDisk();
  const progress = new DownloadProgress(CHUNKS, disk);
  progress.add({ first: 0, count: 3 }, 3);
  const good = progress.checkpoint();
  disk.flushes[0]!.resolve();
  await good;
  disk.save = () => {
    throw new EnvironmentError("no-space", "ENOSPC");
  };
  assertThrows(() => progress.drop({ first: 1, count: 1 }), EnvironmentError, "ENOSPC");
  assertEquals(disk.lostChunks, [1]);
  assertEquals(progress.have.count, 2);
});

Deno.test("what is remembered was flushed, was had, and was not dropped, in any order of events", async () => {
  const chunk = fc.nat({ max: CHUNKS - 1 });
  const event = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), chunk }),
    fc.record({ kind: fc.constant("drop" as const), chunk }),
    fc.record({ kind: fc.constantFrom("checkpoint" as const, "flushed" as const), chunk }),
  );
  await fc.assert(fc.asyncProperty(fc.array(event, { maxLength: 60 }), async (events) => {
    const disk = new TestDisk();
    const progress = new DownloadProgress(CHUNKS, disk);
    /** The model: chunks that are had, and those of them that a flush, begun later, has ended on. */
    const had = new Set<number>(), flushed = new Set<number>();
    let flushing: Set<number> | undefined;
    for (const { kind, chunk } of events) {
      if (kind === "add") {
        progress.add({ first: chunk, count: 1 }, 1);
        had.add(chunk);
      } else if (kind === "drop") {
        progress.drop({ first: chunk, count: 1 });
        for (const set of [had, flushed, flushing]) set?.delete(chunk);
      } else if (kind === "checkpoint" && flushing === undefined) {
        void progress.checkpoint();
        flushing = new Set(had);
      } else if (kind === "flushed" && flushing !== undefined) {
        const running = progress.checkpoint();
        disk.flushes.at(-1)!.resolve();
        await running;
        for (const index of flushing) flushed.add(index);
        flushing = undefined;
      }
      const byNumber = (a: number, b: number) => a - b;
      assertEquals(disk.savedChunks(), [...flushed].sort(byNumber));
      assertEquals(progress.have.count, had.size);
    }
  }));
});
