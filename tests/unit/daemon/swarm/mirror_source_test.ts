/** One mirror as a source of ranges, and who is to blame for what is wrong in one. */

import { assertEquals } from "@std/assert";
import { concatBytes } from "../../../../src/base/bytes.ts";
import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../../../src/base/geometry.ts";
import { leafHex, wrongChunks } from "../../../../src/base/leaves.ts";
import { ChunkCheck } from "../../../../src/daemon/swarm/chunk_check.ts";
import type { HashWork } from "../../../../src/daemon/swarm/chunk_hasher.ts";
import { MirrorSource } from "../../../../src/daemon/swarm/mirror_source.ts";
import type { ChunkSink, MirrorLoss } from "../../../../src/daemon/swarm/swarm_events.ts";
import type { FrameClass } from "../../../../src/core/download/download.ts";
import { FileServer, RawServer, withMirrors } from "../../net/mirror_fixture.ts";
import { content } from "../../store/store_fixture.ts";

const BYTES = content(40 * CHUNK_BYTES);
const RANGE = { first: 4, count: 16 };

/** Hears how it ends, whatever that is. */
class Observer implements ChunkSink {
  readonly file = { sizeBytes: BYTES.length };
  readonly #isElsewhere: boolean;
  readonly #outcome = Promise.withResolvers<string>();

  constructor({ isElsewhere }: { readonly isElsewhere: boolean }) {
    this.#isElsewhere = isElsewhere;
  }

  get outcome(): Promise<string> {
    return this.#outcome.promise;
  }

  classify(): FrameClass {
    return "asked";
  }

  checkOf(range: ChunkRange): ChunkCheck {
    return new ChunkCheck(range, {
      leaves: this.#leafDigits(range),
      hasher: {
        hasRoom: this.#isElsewhere,
        take: (data, work) => queueMicrotask(() => hashed(data, work)),
      },
      ...this.file,
    });
  }

  #leafDigits({ first, count }: ChunkRange): string {
    const chunks = Array.from({ length: count }, (_, i) =>
      rangeBytes(BYTES.length, {
        first: first + i,
        count: 1,
      }));
    return chunks.map(({ offset, length }) => leafHex(BYTES.subarray(offset, offset + length)))
      .join("");
  }

  arriving(): void {}

  chunks({ provider }: MirrorSource, { first, count }: ChunkRange): void {
    this.#outcome.resolve(`${provider.label} gave ${first}+${count}`);
  }

  passed(): void {
    this.#outcome.resolve("passed");
  }

  mirrorLost({ provider }: MirrorSource, why: MirrorLoss): void {
    this.#outcome.resolve(
      why.kind === "mirror-wrong"
        ? `${provider.label} gave a wrong ${why.index}`
        : why.error?.message ?? "stalled",
    );
  }
}

function hashed(data: Uint8Array, { first, leaves, done }: HashWork): void {
  done(wrongChunks(data, leaves, first), data);
}

/** The first half of what is asked for, and then the end of the connection. */
function half(bytes: Uint8Array, head: string): { readonly send: Uint8Array } {
  const asked = /^range: bytes=(\d+)-(\d+)/im.exec(head)!;
  const first = Number(asked[1]), end = Number(asked[2]) + 1;
  const lines = [
    "HTTP/1.1 206 Partial Content",
    `Content-Range: bytes ${first}-${end - 1}/${bytes.length}`,
    `Content-Length: ${end - first}`,
  ];
  const begin = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  return { send: concatBytes([begin, bytes.subarray(first, (first + end) / 2)]) };
}

for (const isElsewhere of [false, true]) {
  const where = isElsewhere ? "another core" : "this one";
  Deno.test(`MirrorSource blames the mirror that gave a wrong chunk, hashed on ${where}`, () =>
    withMirrors(async (mirrors) => {
      const wrong = BYTES.slice();
      wrong[6 * CHUNK_BYTES + 9]! ^= 1;
      await using lying = new RawServer((head) => half(wrong, head));
      await using honest = new FileServer(BYTES);
      const observer = new Observer({ isElsewhere });
      const source = new MirrorSource(observer, mirrors.file([lying.url(), honest.url()]), {
        id: 1,
      });
      source.request(RANGE);
      // The first break is forgiven; it is asked for the rest, and breaks off there as well.
      assertEquals(await observer.outcome, `${lying.host} gave a wrong 6`);
      source.end();
    }));

  Deno.test(`MirrorSource takes a range from two mirrors, hashed on ${where}`, () =>
    withMirrors(async (mirrors) => {
      await using weak = new RawServer((head) => half(BYTES, head));
      await using strong = new FileServer(BYTES);
      const observer = new Observer({ isElsewhere });
      const source = new MirrorSource(observer, mirrors.file([weak.url(), strong.url()]), {
        id: 1,
      });
      source.request(RANGE);
      assertEquals(await observer.outcome, `${strong.host} gave 4+16`);
      source.end();
    }));
}
