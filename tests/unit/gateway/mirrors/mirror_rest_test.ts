import { assertEquals, assertRejects } from "@std/assert";
import { silentLogger } from "../../../../src/base/log.ts";
import { MirrorRest } from "../../../../src/gateway/mirrors/mirror_rest.ts";
import { Mirrors } from "../../../../src/http/mirrors.ts";
import { content } from "../../store/store_fixture.ts";
import { CountingMirror } from "../counting_mirror.ts";

const BYTES = content(300_000, 1);
const OFFSET = 100_001;

/** Opens the rest of a file at a mirror that has `there`. */
async function rest(
  there: Uint8Array<ArrayBuffer>,
  before: Uint8Array = BYTES.slice(OFFSET - 16_384, OFFSET),
): Promise<Uint8Array> {
  await using mirror = new CountingMirror();
  mirror.files.set("/a.zst", { bytes: there });
  using mirrors = new Mirrors({ log: silentLogger });
  const file = mirrors.file([`${mirror.url}/a.zst`], { sizeBytes: BYTES.length });
  const abort = new AbortController();
  const range = { offset: OFFSET, end: BYTES.length, before };
  try {
    const opened = await MirrorRest.open(file, range, abort.signal);
    const got = new Uint8Array(BYTES.length - OFFSET);
    for (let at = 0; at < got.length;) {
      const bytes = await opened.read();
      got.set(bytes, at);
      at += bytes.length;
    }
    return got;
  } finally {
    abort.abort();
  }
}

Deno.test("MirrorRest gives the rest of the same file, and of no other", async () => {
  assertEquals(await rest(BYTES), BYTES.slice(OFFSET));
  assertEquals(await rest(BYTES, new Uint8Array(0)), BYTES.slice(OFFSET));
  const other = BYTES.slice();
  other[OFFSET - 1]! ^= 1;
  await assertRejects(() => rest(other), Error, "is another one");
  await assertRejects(() => rest(BYTES.slice(1)), Error, "bytes");
});
