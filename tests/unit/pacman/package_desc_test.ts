/** Which files a `desc` says something of. */

import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { limits } from "../../../src/base/limits.ts";
import { parseDesc } from "../../../src/pacman/package_desc.ts";
import { desc, type PackageEntry } from "./database_fixture.ts";

const SHA256 = "0123456789abcdef".repeat(4);
const GOOD: PackageEntry = { fileName: "a-1-1-any.pkg.tar.zst", sizeBytes: 12, sha256: SHA256 };

function parse(entry: PackageEntry) {
  return parseDesc(new TextEncoder().encode(desc(entry)));
}

Deno.test("parseDesc() takes name, size and SHA-256", () => {
  const found = parse(GOOD);
  assertEquals([found?.name, found?.sizeBytes, found?.sha256.toHex(), found?.signature], [
    GOOD.fileName,
    12,
    SHA256,
    undefined,
  ]);
  assertEquals(parse({ ...GOOD, sha256: SHA256.toUpperCase() })?.sha256.toHex(), SHA256);
});

Deno.test("parseDesc() takes size and SHA-256 of a signature that is in it", () => {
  const signature = crypto.getRandomValues(new Uint8Array(310));
  const found = parse({ ...GOOD, signature: signature.toBase64() })?.signature;
  assertEquals(found?.sizeBytes, 310);
  assertEquals(found?.sha256.toHex(), createHash("sha256").update(signature).digest("hex"));
  assertEquals(found?.bytes, signature);
  for (const bad of ["not base64!", "", new Uint8Array(limits.signatureBytesMax + 1).toBase64()]) {
    const other = parse({ ...GOOD, signature: bad });
    assertEquals([other?.name, other?.signature], [GOOD.fileName, undefined]);
  }
});

Deno.test("parseDesc() trusts nothing without a proper name, size and SHA-256", () => {
  const { fileName, sizeBytes } = GOOD;
  for (
    const bad of [
      { fileName, sizeBytes },
      { ...GOOD, sha256: SHA256.slice(1) },
      { ...GOOD, sha256: `${SHA256}0` },
      { ...GOOD, fileName: "../../etc/passwd" },
      { ...GOOD, fileName: ".." },
      { ...GOOD, fileName: "a\u0007b" },
      { ...GOOD, fileName: "" },
      { ...GOOD, fileName: "x".repeat(256) },
      { ...GOOD, sizeBytes: -1 },
      { ...GOOD, sizeBytes: 1.5 },
      { ...GOOD, sizeBytes: limits.fetchBytesMax + 1 },
    ]
  ) assertEquals(parse(bad), undefined, JSON.stringify(bad));
});

Deno.test("parseDesc() takes whatever bytes there are", () => {
  for (const text of ["", "%", "%FILENAME%", "%FILENAME%\n", "\n\n%CSIZE%\n%SHA256SUM%\n"]) {
    assertEquals(parseDesc(new TextEncoder().encode(text)), undefined);
  }
  assertEquals(parseDesc(new Uint8Array(5_000).fill(0xff)), undefined);
});
