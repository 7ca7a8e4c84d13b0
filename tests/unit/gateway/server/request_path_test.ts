import { assert, assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { type FileKind, kindOf, readPath } from "../../../../src/gateway/server/request_path.ts";

const HOST = "http://127.0.0.1:8050";

function good(path: string) {
  const read = readPath(HOST + path);
  assert(read !== "root" && !("problem" in read), JSON.stringify(read));
  return read;
}

Deno.test("kindOf() tells packages, signatures and databases from all else", () => {
  const kinds: Readonly<Record<string, FileKind>> = {
    "zlib-1:1.3-1-x86_64.pkg.tar.zst": "package",
    "old-1-1-any.pkg.tar.xz": "package",
    "plain-1-1-any.pkg.tar": "package",
    "zlib-1:1.3-1-x86_64.pkg.tar.zst.sig": "signature",
    "plain-1-1-any.pkg.tar.sig": "signature",
    "core.db": "database",
    "core.files": "database",
    "core.db.sig": "database",
    "core.db.tar.gz": "database",
    "core.files.tar.zst.sig": "database",
    "core.db.tar": "database",
    "lastupdate": "other",
    "archlinux.iso": "other",
    "a.pkg.tar.zst.part": "other",
    ".db": "other",
    "zlib.pkg.tar.zst.torrent": "other",
  };
  for (const [name, kind] of Object.entries(kinds)) assertEquals(kindOf(name), kind, name);
});

Deno.test("readPath() finds repository and architecture in the layouts of mirrors", () => {
  for (
    const [path, repository, architecture] of [
      ["/core/os/x86_64/core.db", "core", "x86_64"],
      ["/core/x86_64/core.db", "core", "x86_64"],
      ["/archlinux/core/os/x86_64/core.db", "core", "x86_64"],
      ["/core.db", null, null],
      ["/a/core.db", null, null],
      ["/a/b/c/d/core.db", null, null],
    ] as const
  ) {
    const read = good(path);
    assertEquals([read.repository, read.architecture], [repository, architecture], path);
    assertEquals([read.name, read.kind, read.path], ["core.db", "database", path]);
  }
});

Deno.test("readPath() decodes the name and keeps the path as it was sent", () => {
  const read = good("/extra/os/x86_64/gtk2%2B-1%3A2-1-any.pkg.tar.zst");
  assertEquals(read.name, "gtk2+-1:2-1-any.pkg.tar.zst");
  assertEquals(read.path, "/extra/os/x86_64/gtk2%2B-1%3A2-1-any.pkg.tar.zst");
  assertEquals(good("/x/y/a.pkg.tar.zst#part").path, "/x/y/a.pkg.tar.zst");
});

Deno.test("readPath() takes several slashes for one, and no notice of a query", () => {
  const path = "/core/os/x86_64/core.db";
  const same = [
    "//core/os/x86_64/core.db",
    "/core///os//x86_64/core.db",
    `${path}?`,
    `${path}?arch=x86_64&at=/../etc//passwd?#there`,
    `/${path}?a=%00`,
  ];
  for (const sent of same) assertEquals(good(sent), good(path), sent);
  for (const sent of ["/", "//", "/?a=b", "/#a"]) assertEquals(readPath(HOST + sent), "root", sent);
});

Deno.test("readPath() refuses what could mean another place than it says", () => {
  for (
    const path of [
      "/core/../x.pkg.tar.zst",
      "/core/%2e%2E/x.pkg.tar.zst",
      "/./x.pkg.tar.zst",
      "/core/os/",
      "/x\\..\\..\\private\\secret.txt",
      "/x%5c..%5csecret.txt",
      "/core/%252e%252E/x.pkg.tar.zst",
      "/core/.%252e/x.pkg.tar.zst",
      "/core/a%252fb.pkg.tar.zst",
      "/core/a\tb.pkg.tar.zst",
      "/core/a%09b.pkg.tar.zst",
      "/core%2Fos/x.pkg.tar.zst",
      "/core/%00.pkg.tar.zst",
      "/core/%0d%0a.pkg.tar.zst",
      "/core/%ff.pkg.tar.zst",
      "/core/%.pkg.tar.zst",
      "/core//../x.pkg.tar.zst",
      "/core/..?/x.pkg.tar.zst",
      `/${"a".repeat(256)}`,
      `/${"a/".repeat(limits.urlBytesMax / 2)}x`,
    ]
  ) {
    const read = readPath(HOST + path);
    assert(read !== "root" && "problem" in read, path);
    assert(read.problem.length < 200 && !read.problem.includes("\n"), read.problem);
  }
});

Deno.test("readPath() knows the root", () => {
  assertEquals(readPath(`${HOST}/`), "root");
  assertEquals(readPath(HOST), "root");
});
