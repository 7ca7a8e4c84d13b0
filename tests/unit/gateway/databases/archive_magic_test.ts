/** What can be a database, by its first bytes. */

import { assertEquals } from "@std/assert";
import { hasArchiveMagic } from "../../../../src/gateway/databases/archive_magic.ts";

Deno.test("hasArchiveMagic() knows archives, packed or not, and nothing else", () => {
  const tar = new Uint8Array(512);
  tar.set(new TextEncoder().encode("core/desc"));
  const isTar = tar.slice();
  isTar.set(new TextEncoder().encode("ustar"), 257);
  const cases: readonly (readonly [Uint8Array, boolean])[] = [
    [Uint8Array.of(0x1f, 0x8b, 8), true],
    [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), true],
    [Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), true],
    [new TextEncoder().encode("BZh9"), true],
    [Uint8Array.of(0x04, 0x22, 0x4d, 0x18), true],
    [isTar, true],
    [new Uint8Array(512), true],
    [tar, false],
    [new Uint8Array(511), false],
    [new Uint8Array(0), false],
    [Uint8Array.of(0x1f), false],
    [new TextEncoder().encode("<html>not found</html>"), false],
  ];
  for (const [bytes, expected] of cases) assertEquals(hasArchiveMagic(bytes), expected);
});
