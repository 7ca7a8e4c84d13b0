// URLs of mirrors, as people write them and as strangers might.

import { assert, assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import {
  authorizationOf,
  hostOfUrl,
  isDatabaseName,
  isUrl,
  nameOfUrl,
  parseUrl,
  withoutSecrets,
} from "../../../src/base/mirror_url.ts";

const ALL = { what: "URL", schemes: ["http", "https", "file"] } as const;
const HTTP = { what: "--mirror", schemes: ["http", "https"] } as const;

function refusal(text: string, options: typeof ALL | typeof HTTP = HTTP): string {
  return assertThrows(() => parseUrl(text, options), UsageError).message;
}

Deno.test("isUrl() tells URLs from names in whatever case", () => {
  for (const text of ["http://a/b", "HTTPS://a", "File:///x", "ftp://a/b"]) assert(isUrl(text));
  for (const text of ["linux.iso", "http:", "a:b", "1:2.3-4.pkg", "://x"]) assertFalse(isUrl(text));
});

Deno.test("parseUrl() keeps user and query, and drops the fragment", () => {
  const url = parseUrl("http://u:p@h:81/a%20b?c=d#e", HTTP);
  assertEquals(url.href, "http://u:p@h:81/a%20b?c=d");
  assertEquals(hostOfUrl(url), "h:81");
  assertEquals(hostOfUrl(parseUrl("HTTP://H.example/", HTTP)), "h.example");
  assertEquals(hostOfUrl(parseUrl("file:///etc/x", ALL)), "file");
  assertStringIncludes(parseUrl("https://h/$repo/os/$arch", HTTP).href, "/$repo/os/$arch");
});

Deno.test("parseUrl() refuses what cannot be asked, without telling the password", () => {
  assertStringIncludes(refusal("ftp://h/x"), "its scheme is not one of http, https");
  assertStringIncludes(refusal("file:///x"), "its scheme is not one of http, https");
  assertStringIncludes(refusal("h/x"), "not a URL with a scheme");
  assertStringIncludes(refusal("http://"), "it is not a URL");
  assertStringIncludes(refusal("http://h:0/x"), "port 0");
  assertStringIncludes(refusal("http://h/a b"), "blank or control character");
  assertStringIncludes(refusal("http://h/a\u0000b"), "blank or control character");
  assertStringIncludes(refusal("file://other/x", ALL), "names no host");
  const long = `http://h/${"x".repeat(limits.urlBytesMax)}`;
  assertStringIncludes(refusal(long), `at most ${limits.urlBytesMax}`);
  assertStringIncludes(refusal(`http://h/${"é".repeat(limits.urlBytesMax / 3)}`), "once it is esc");
  const message = refusal("http://user:secret@h/a b?token=secret");
  assertFalse(message.includes("secret"), message);
  assertStringIncludes(message, "http://h/a b");
});

Deno.test("nameOfUrl() gives the last part of the path, unescaped, if it is a name", () => {
  const name = (text: string) => nameOfUrl(parseUrl(text, ALL));
  assertEquals(name("http://h/core/os/x86_64/a%3A1%2B2.pkg?x=/y#z"), "a:1+2.pkg");
  assertEquals(name("file:///srv/caf%C3%A9"), "café");
  const refused = (text: string) => assertThrows(() => name(text), UsageError).message;
  assertStringIncludes(refused("http://h/"), "it names a directory");
  assertStringIncludes(refused("http://h/a/"), "it names a directory");
  assertStringIncludes(refused("http://h/a%2Fb"), "it contains a slash");
  assertStringIncludes(refused("http://h/%00"), "control character");
  assertStringIncludes(refused("http://h/%ff"), "not UTF-8");
  assertStringIncludes(refused("http://u:pw@h/a%2Fb"), "Cannot use http://h/a%2Fb");
});

Deno.test("withoutSecrets() leaves out user, password and query", () => {
  assertEquals(withoutSecrets("https://u:p@h/x?k=v"), "https://h/x");
  assertEquals(withoutSecrets("http://user:p/ssw0rd@host/$repo"), "http://host/$repo");
  assertEquals(withoutSecrets("https://u:p/@x@h/x"), "https://h/x");
  // A slash too few, or no scheme, is no reason to tell it.
  assertEquals(withoutSecrets("http:/u:secret@h/x"), "h/x");
  assertEquals(withoutSecrets("u:secret@h/x"), "h/x");
  // What of these is the password, and what the query?
  const unclear = ["http://u:p?x@h/a", "http://u:p#x@h/a", "http://h/a?mail=x@y&token=z"];
  for (const text of unclear) assertEquals(withoutSecrets(text), "http://...");
  assertEquals(withoutSecrets("https://h/x#y"), "https://h/x");
});

Deno.test("parseUrl() tells nothing of a password that makes it no URL", () => {
  for (const password of ["p/ssw0rd", "p#ssw0rd", "p?ssw0rd", "p ssw0rd"]) {
    const message = refusal(`http://user:${password}@host/$repo`);
    assertFalse(/user|ss|w0rd/.test(message), message);
  }
});

Deno.test("authorizationOf() takes whatever a URL can hold", () => {
  const of = (text: string) => authorizationOf(new URL(text))?.replace("Basic ", "");
  assertEquals(of("http://h/"), undefined);
  assertEquals(of("http://u:p%40@h/"), btoa("u:p@"));
  // Not escaped as it should be: taken as it stands.
  assertEquals(of("http://u%zz:%ff@h/"), btoa("u%zz:%ff"));
  assertEquals(of("http://\u0107:p@h/"), btoa("\u00c4\u0087:p"));
});

Deno.test("isDatabaseName() knows databases and their signatures", () => {
  const databases = ["core.db", "core.db.sig", "extra.files", "x.db.tar.gz", "x.files.tar.zst.sig"];
  for (const name of databases) assert(isDatabaseName(name), name);
  for (const name of ["a.pkg.tar.zst", "a.pkg.tar.zst.sig", "db", "core.db.old", "core.dbx"]) {
    assertFalse(isDatabaseName(name), name);
  }
});
