/** Which URLs count as files of the mirrors that a configuration names. */

import { assertEquals } from "@std/assert";
import { mirrorAddress } from "../../../src/http/mirror_request.ts";
import { NamedMirrors } from "../../../src/http/named_mirrors.ts";

const MIRRORS = new NamedMirrors([
  "http://10.0.0.5/$repo/os/$arch",
  "http://10.0.0.5:8080/arch/",
  "https://cache.lan/pkg",
  "http://me:secret@closed.lan/pkg",
  "http://flat.lan",
  "http://cachy.lan/$arch_v3/$repo",
  "http://$repo.lan/pkg",
  "file:///srv/mirror",
  "http://query.lan/get?file=",
  "not a URL",
]);

function isFile(text: string): boolean {
  return MIRRORS.has(mirrorAddress(text));
}

Deno.test("NamedMirrors.has() takes files of the mirrors, however a URL of them is written", () => {
  const files = [
    "http://10.0.0.5/core/os/x86_64/zlib-1:1.3-1-x86_64.pkg.tar.zst",
    "http://10.0.0.5/core/os/x86_64/zlib-1%3A1.3-1-x86_64.pkg.tar.zst",
    "http://10.0.0.5:80/core-testing/os/x86_64/a",
    "HTTP://0x0a.0.0.5/core/os/x86_64/a",
    "http://10.0.0.5:8080/arch/a",
    "http://10.0.0.5:8080/arch/pool/deep/a",
    "https://CACHE.lan:443/pkg/a",
    "https://cache.lan/%70kg/a",
    "https://cache.lan/other/../pkg/a",
    "http://me:secret@closed.lan/pkg/a",
    "http://flat.lan/a",
    "http://cachy.lan/x86_64_v3/core/a",
  ];
  for (const text of files) assertEquals(isFile(text), true, text);
});

Deno.test("NamedMirrors.has() takes nothing else, whatever tricks a URL plays", () => {
  const others = [
    // Another scheme, host or port.
    "https://10.0.0.5/core/os/x86_64/a",
    "http://10.0.0.5:81/core/os/x86_64/a",
    "http://10.0.0.50/core/os/x86_64/a",
    "http://10.0.0.5.evil.example/core/os/x86_64/a",
    "http://cache.lan/pkg/a",
    "https://cache.lan./pkg/a",
    "https://xcache.lan/pkg/a",
    "http://core.lan/pkg/a",
    // User and password.
    "http://10.0.0.5@evil.example/core/os/x86_64/a",
    "http://10.0.0.5:80@127.0.0.1/core/os/x86_64/a",
    "http://me@10.0.0.5/core/os/x86_64/a",
    "http://closed.lan/pkg/a",
    "http://me:guess@closed.lan/pkg/a",
    "https://cache.lan\\@evil.example/pkg/a",
    "http://evil.example/https://cache.lan/pkg/a",
    // Another path.
    "https://cache.lan/",
    "https://cache.lan/pkg",
    "https://cache.lan/pkg/",
    "https://cache.lan/pkgs/a",
    "https://cache.lan/PKG/a",
    "https://cache.lan/pkg/../admin",
    "https://cache.lan/pkg/..",
    "https://cache.lan/pkg/%2e%2e/admin",
    "https://cache.lan/pkg/.%2E/admin",
    "https://cache.lan/pkg\\..\\admin",
    "http://10.0.0.5/core/os/x86_64",
    "http://10.0.0.5/admin/a",
    "http://10.0.0.5/core/os/../../admin/status",
    "http://10.0.0.5/.git/os/x86_64/a",
    "http://10.0.0.5/core%2f..%2f..%2fadmin/os/x86_64/a",
    "http://cachy.lan/x86_64/core/a",
    // What servers read differently.
    "https://cache.lan/pkg/..%2fadmin",
    "https://cache.lan/pkg/..%5cadmin",
    "https://cache.lan/pkg%2fa/a",
    "https://cache.lan/pkg/%252e%252e/admin",
    "https://cache.lan/pkg/..;/admin",
    "https://cache.lan/pkg/..;x=1/admin",
    "https://cache.lan/pkg//a",
    "https://cache.lan//pkg/a",
    "https://cache.lan/pkg/a%00.zst",
    "https://cache.lan/pkg/a%0d%0aX:y",
    "https://cache.lan/pkg/%ff",
    "https://cache.lan/pkg/a?x=1",
    "https://cache.lan/pkg/a?",
    // Configured, and no mirror over HTTP that a path can follow.
    "http://query.lan/get?file=a",
    "http://query.lan/get/a",
  ];
  for (const text of others) assertEquals(isFile(text), false, text);
});

Deno.test("NamedMirrors.has() takes nothing where no mirror is named", () => {
  assertEquals(new NamedMirrors([]).has(mirrorAddress("http://10.0.0.5/a")), false);
});
