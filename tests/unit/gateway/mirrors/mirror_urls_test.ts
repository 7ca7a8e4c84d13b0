import { assert, assertEquals } from "@std/assert";
import { mirrorUrls } from "../../../../src/gateway/mirrors/mirror_urls.ts";
import { readPath } from "../../../../src/gateway/server/request_path.ts";

function urls(mirrors: readonly string[], path: string): string[] {
  const read = readPath(`http://gateway${path}`);
  assert(read !== "root" && !("problem" in read));
  return mirrorUrls(mirrors, read);
}

Deno.test("mirrorUrls() fills repository and architecture in, as a mirrorlist has them", () => {
  assertEquals(
    urls(
      ["http://a/arch/$repo/os/$arch", "http://b/$arch/$repo/"],
      "/core/x86_64/b-1-any.pkg.tar.zst",
    ),
    [
      "http://a/arch/core/os/x86_64/b-1-any.pkg.tar.zst",
      "http://b/x86_64/core/b-1-any.pkg.tar.zst",
    ],
  );
});

Deno.test("mirrorUrls() appends the path, encoded again, to a mirror without variables", () => {
  assertEquals(
    urls(["http://a/base/", "http://b:81"], "/core/os/x86_64/gtk+.pkg.tar.zst"),
    [
      "http://a/base/core/os/x86_64/gtk%2B.pkg.tar.zst",
      "http://b:81/core/os/x86_64/gtk%2B.pkg.tar.zst",
    ],
  );
});

Deno.test("mirrorUrls() leaves out mirrors that need what the path does not have", () => {
  assertEquals(urls(["http://a/$repo/os/$arch", "http://b"], "/lastupdate"), [
    "http://b/lastupdate",
  ]);
});

Deno.test("mirrorUrls() encodes what it puts in, and takes no pattern of a replacement from it", () => {
  assertEquals(
    urls(["http://a/$repo/os/$arch"], "/re%24%26po/os/x86%2064/a%23b.pkg.tar.zst"),
    ["http://a/re%24%26po/os/x86%2064/a%23b.pkg.tar.zst"],
  );
});

Deno.test("mirrorUrls() never leaves what the mirror names, whatever a path holds", () => {
  const path = {
    kind: "other",
    name: "secret.txt",
    repository: "..",
    architecture: "evil.example#",
    path: "/x\\..\\..\\secret.txt",
  } as const;
  const asked = (mirror: string, segments: readonly string[]) =>
    mirrorUrls([mirror], { ...path, segments });
  assertEquals(asked("http://user:pw@a/core", ["x\\..\\..", "secret.txt"]), [
    "http://user:pw@a/core/x%5C..%5C../secret.txt",
  ]);
  assertEquals(asked("http://a/core", ["..", "secret.txt"]), []);
  assertEquals(asked("http://a/core", ["%2e%2e", "secret.txt"]), [
    "http://a/core/%252e%252e/secret.txt",
  ]);
  assertEquals(asked("http://a/core/$repo", []), []);
  assertEquals(asked("http://$arch/core", []), []);
  assertEquals(asked("http://a$arch.example/core", []), []);
});
