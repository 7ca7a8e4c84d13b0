/** What the reader of archives takes, however it comes, and what it refuses. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { TarReader } from "../../../src/pacman/tar_reader.ts";
import { joined, tar, type TarEntry, tarEntry } from "./database_fixture.ts";

/** What an archive holds, given in pieces of so many bytes. */
function read(bytes: Uint8Array, pieceBytes = bytes.length): Record<string, string> {
  const found: Record<string, string> = {};
  const reader = new TarReader({
    wants: (name) => !name.startsWith("skip"),
    content: (name, data) => {
      found[name] = new TextDecoder().decode(data);
    },
  });
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    reader.push(bytes.subarray(at, at + pieceBytes));
  }
  reader.end();
  return found;
}

function pax(records: Record<string, string>): TarEntry {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length;
    while (String(length).length + rest.length !== length) length++;
    return `${length}${rest}`;
  });
  return { name: "PaxHeader", data: lines.join(""), type: "x" };
}

Deno.test("TarReader takes files and passes over all else, whatever pieces they come in", () => {
  const bytes = tar([
    { name: "dir/", data: "", type: "5" },
    { name: "dir/a", data: "first" },
    { name: "skip-me", data: "x".repeat(2_000) },
    { name: "link", data: "", type: "2", sizeBytes: 700 },
    { name: "empty", data: "" },
    { name: "big", data: "y".repeat(1_537) },
  ]);
  const expected = { "dir/a": "first", "empty": "", "big": "y".repeat(1_537) };
  for (const pieceBytes of [1, 7, 511, 512, 513, bytes.length]) {
    assertEquals(read(bytes, pieceBytes), expected);
  }
});

Deno.test("TarReader takes names and sizes from pax and GNU headers, for one entry only", () => {
  const long = "long/".repeat(40) + "name";
  assertEquals(
    read(tar([
      pax({ path: long, mtime: "1.5", size: "3" }),
      { name: "short", data: "abc", sizeBytes: 0 },
      { name: "next", data: "def" },
      { name: "././@LongLink", data: `${long}2\0`, type: "L" },
      { name: "cut", data: "ghi" },
      { name: "last", data: "jkl" },
      { name: "global", data: pax({ path: "nobody" }).data, type: "g" },
      { name: "plain", data: "mno" },
    ])),
    { [long]: "abc", "next": "def", [`${long}2`]: "ghi", "last": "jkl", "plain": "mno" },
  );
});

Deno.test("TarReader reads what bsdtar writes", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const name = `${"ünïcode-".repeat(12)}/desc`;
    await Deno.mkdir(`${dir}/${name.split("/")[0]}`);
    await Deno.writeTextFile(`${dir}/${name}`, "hello");
    for (const format of ["ustar", "pax", "gnutar"]) {
      const { stdout, success } = await new Deno.Command("bsdtar", {
        args: ["-cf", "-", "--format", format, "-C", dir, name],
        env: { LC_ALL: "C.UTF-8" },
      }).output();
      assert(success, format);
      assertEquals(read(stdout), { [name]: "hello" }, format);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("TarReader says when an archive is cut off, wherever", () => {
  const bytes = tar([{ name: "a", data: "first" }, { name: "b", data: "x".repeat(600) }]);
  for (let length = 0; length < bytes.length - 1_024 + 512; length += 100) {
    assertThrows(() => read(bytes.subarray(0, length), 100), Error, "cut off");
  }
  assertEquals(Object.keys(read(bytes.subarray(0, bytes.length - 512))), ["a", "b"]);
});

Deno.test("TarReader refuses what is no archive", () => {
  assertThrows(() => read(new TextEncoder().encode("<html>".repeat(200))), Error, "no tar archive");
  const bytes = tar([{ name: "a", data: "first" }]);
  bytes[0] = 0x62;
  assertThrows(() => read(bytes), Error, "checksum");
});

Deno.test("TarReader refuses a header that is too long before it takes any of it", () => {
  const sizeBytes = limits.syncHeaderBytesMax + 1;
  for (const type of ["x", "L"]) {
    const bytes = tarEntry({ name: "h", data: "", type, sizeBytes });
    assertThrows(() => read(bytes), Error, `at most ${limits.syncHeaderBytesMax}`);
  }
  const atMost = { name: "h", data: "n".repeat(limits.syncHeaderBytesMax), type: "L" };
  assertEquals(Object.keys(read(tar([atMost, { name: "f", data: "" }]))).length, 1);
});

Deno.test("TarReader refuses numbers and records that are none", () => {
  for (const record of ["5 a=b\n", "999 path=x\n", "x path=x\n", "0 path=x\n", "12 path=xyz"]) {
    const bytes = tar([{ name: "h", data: record, type: "x" }, { name: "f", data: "" }]);
    assertThrows(() => read(bytes), Error, "damaged", record);
  }
  const sizes = tar([pax({ size: "-1" }), { name: "f", data: "" }]);
  assertThrows(() => read(sizes), Error, "a number is none");
  const header = tarEntry({ name: "f", data: "" });
  header.set([0x80, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], 124);
  header.set(new TextEncoder().encode(" ".repeat(8)), 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  assertThrows(() => read(joined([header, new Uint8Array(1_024)])), Error, "too big");
});
