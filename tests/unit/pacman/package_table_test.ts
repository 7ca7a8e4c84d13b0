/** The table of a repository's files. */

import { limits } from "../../../src/base/limits.ts";
import { assertEquals } from "@std/assert";
import * as fc from "fast-check";
import type { DescribedPackage } from "../../../src/pacman/package_desc.ts";
import { buffersOf, PackageTable, tableColumns } from "../../../src/pacman/package_table.ts";

function described(name: string, number: number, signatureBytes = 0): DescribedPackage {
  const signature = signatureBytes === 0 ? undefined : {
    sizeBytes: signatureBytes,
    sha256: new Uint8Array(32).fill(number + 1),
    bytes: new Uint8Array(signatureBytes).fill(number),
  };
  return { name, sizeBytes: number, sha256: new Uint8Array(32).fill(number), signature };
}

Deno.test("PackageTable.find() finds every name that is in it, and no other", () => {
  const names = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }), {
    maxLength: 60,
  });
  fc.assert(fc.property(names, fc.string({ maxLength: 20 }), (all, other) => {
    const wellFormed = all.filter((name) => name.isWellFormed());
    const table = new PackageTable(tableColumns(wellFormed.map((name, i) => described(name, i))));
    assertEquals(table.size, wellFormed.length);
    for (const [i, name] of wellFormed.entries()) assertEquals(table.find(name)?.sizeBytes, i);
    if (!wellFormed.includes(other)) assertEquals(table.find(other), undefined);
  }));
});

Deno.test("PackageTable.find() finds the signature of a package that has one", () => {
  const table = new PackageTable(
    tableColumns([described("a", 1, 310), described("b", 2), described("a.sig.sig", 3)]),
  );
  const signature = table.find("a.sig");
  assertEquals([signature?.sizeBytes, signature?.sha256.toHex()], [310, "02".repeat(32)]);
  assertEquals(signature?.bytes, new Uint8Array(310).fill(1));
  assertEquals(table.find("b.sig"), undefined);
  assertEquals(table.find("c.sig"), undefined);
  assertEquals(table.find(".sig"), undefined);
  assertEquals(table.find("a.sig.sig")?.sizeBytes, 3);
});

Deno.test("tableColumns() keeps no more bytes of signatures than it may, and what they have to be of all", () => {
  const bytesMax = limits.syncSignaturesBytesMax;
  const packages = [described("a", 1, bytesMax - 9), described("b", 2, 10), described("c", 3, 9)];
  const table = new PackageTable(tableColumns(packages));
  const kept = ["a.sig", "b.sig", "c.sig"].map((name) => table.find(name)?.bytes?.length);
  assertEquals(kept, [bytesMax - 9, undefined, 9]);
  assertEquals(table.find("b.sig")?.sizeBytes, 10);
});

Deno.test("PackageTable.find() finds nothing by a name that no file can have", () => {
  const table = new PackageTable(tableColumns([described("é".repeat(127), 1)]));
  assertEquals(table.find("é".repeat(127))?.sizeBytes, 1);
  for (const name of ["", "é".repeat(128), "x".repeat(100_000), "é".repeat(127) + "\ud800"]) {
    assertEquals(table.find(name), undefined);
  }
});

Deno.test("tableColumns() takes the last of packages with one name, and a few bytes for each", () => {
  const packages = Array.from(
    { length: 1_000 },
    (_, i) => described(`package-${i % 500}`, i % 256),
  );
  packages.push(described("package-7", 77));
  const columns = tableColumns(packages);
  const table = new PackageTable(columns);
  assertEquals([table.size, table.find("package-7")?.sizeBytes], [500, 77]);
  const bytes = buffersOf(columns).reduce((sum, { byteLength }) => sum + byteLength, 0);
  assertEquals(Math.ceil(bytes / table.size) <= 104, true);
});
