/** One mirror as a source of ranges, and who is to blame for what is wrong in one. */

import { assertEquals } from "@std/assert";
import { concatBytes } from "../../../../src/base/bytes.ts";
import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../../../src/base/geometry.ts";
import { leafDigits } from "../../../../src/daemon/swarm/leaf_digits.ts";
import {
  MirrorSource,
  type MirrorSourceObserver,
} from "../../../../src/daemon/swarm/mirror_source.ts";
import type { MirrorError } from "../../../../src/http/mirror_error.ts";
import { FileServer, RawServer, withMirrors } from "../../net/mirror_fixture.ts";
import { content } from "../../store/store_fixture.ts";

const BYTES = content(40 * CHUNK_BYTES);
const RANGE = { first: 4, count: 16 };

/** Hears how it ends, whatever that is. */
class Observer implements MirrorSourceObserver {
  readonly #outcome = Promise.withResolvers<string>();

  get outcome(): Promise<string> {
    return this.#outcome.promise;
  }

  leafDigits(range: ChunkRange): string {
    const { offset, length } = rangeBytes(BYTES.length, range);
    return leafDigits(BYTES.subarray(offset, offset + length));
  }

  arriving(): void {}

  mirrored({ provider }: MirrorSource, { first, count }: ChunkRange): void {
    this.#outcome.resolve(`${provider.label} gave ${first}+${count}`);
  }

  passed(): void {
    this.#outcome.resolve("passed");
  }

  mirrorWrong({ provider }: MirrorSource, index: number): void {
    this.#outcome.resolve(`${provider.label} gave a wrong ${index}`);
  }

  mirrorFailed(_source: MirrorSource, error: MirrorError): void {
    this.#outcome.resolve(error.message);
  }
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
      const observer = new Observer();
      const source = new MirrorSource(observer, mirrors.file([lying.url(), honest.url()]), {
        id: 1,
        sizeBytes: BYTES.length,
        hasher: {
          hasRoom: isElsewhere,
          take: (data, done) => queueMicrotask(() => done(leafDigits(data), data)),
        },
      });
      source.request(RANGE);
      // The first break is forgiven; it is asked for the rest, and breaks off there as well.
      assertEquals(await observer.outcome, `${lying.host} gave a wrong 6`);
      source.leave();
    }));

  Deno.test(`MirrorSource takes a range from two mirrors, hashed on ${where}`, () =>
    withMirrors(async (mirrors) => {
      await using weak = new RawServer((head) => half(BYTES, head));
      await using strong = new FileServer(BYTES);
      const observer = new Observer();
      const source = new MirrorSource(observer, mirrors.file([weak.url(), strong.url()]), {
        id: 1,
        sizeBytes: BYTES.length,
        hasher: {
          hasRoom: isElsewhere,
          take: (data, done) => queueMicrotask(() => done(leafDigits(data), data)),
        },
      });
      source.request(RANGE);
      assertEquals(await observer.outcome, `${strong.host} gave 4+16`);
      source.leave();
    }));
}
