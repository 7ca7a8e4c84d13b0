import { assert, assertEquals } from "@std/assert";
import { mirrorUrls } from "../../../src/gateway/mirror_urls.ts";
import { readPath } from "../../../src/gateway/request_path.ts";

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

Deno.test("mirrorUrls() appends the path as it came to a mirror without variables", () => {
  assertEquals(
    urls(["http://a/base/", "http://b:81"], "/core/os/x86_64/gtk%2B.pkg.tar.zst"),
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
