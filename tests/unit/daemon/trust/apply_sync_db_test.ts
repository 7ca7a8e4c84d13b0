/** What a request takes from the repositories' databases. */

import { assertEquals } from "@std/assert";
import type { PackageFile, PackageIndex } from "../../../../src/base/package_index.ts";
import { applySyncDb } from "../../../../src/daemon/trust/apply_sync_db.ts";
import type { FetchRequest } from "../../../../src/wire/fetching.ts";
import { requestFor } from "../../../support/fetch_request.ts";

const NAME = "dup-1-1-any.pkg.tar.zst";
const FILES: PackageFile[] = [
  { name: NAME, repository: "core", sizeBytes: 1, sha256: "a".repeat(64) },
  { name: NAME, repository: "custom", sizeBytes: 2, sha256: "b".repeat(64) },
];

function book(files: readonly PackageFile[]): PackageIndex {
  const all = (name: string) => files.filter((file) => file.name === name);
  return {
    find: (name, repository) =>
      all(name).find((file) => file.repository === repository) ?? all(name)[0],
    all,
    onChange: () => () => {},
  };
}

function request(fields: Partial<FetchRequest>): FetchRequest {
  return requestFor(NAME, fields);
}

/** Size of what a fetch from these mirrors has to be. */
function sizeFrom(...mirrors: string[]): number | null {
  return applySyncDb(request({ mirrors }), book(FILES)).request.sizeBytes;
}

Deno.test("applySyncDb() takes the file of the repository that a mirror's URL names", () => {
  assertEquals(sizeFrom(`https://m.test/a/custom/os/x86_64/${NAME}`), 2);
  assertEquals(sizeFrom(`https://m.test/core/os/x86_64/${NAME}`), 1);
  assertEquals(sizeFrom("https://m.test/x", `https://n.test/cus%74om/os/any/${NAME}`), 2);
});

Deno.test("applySyncDb() takes the first file where no repository is named that has it", () => {
  assertEquals(sizeFrom(), 1);
  assertEquals(sizeFrom(`https://m.test/custom/${NAME}`), 1);
  assertEquals(sizeFrom(`https://m.test/extra/os/x86_64/${NAME}`), 1);
});

Deno.test("applySyncDb() leaves what a person said as it is", () => {
  const asked = request({ sizeBytes: 7 });
  assertEquals(applySyncDb(asked, book(FILES)), { request: asked, isOfDatabase: false });
  const checked = request({ sha256: "b".repeat(64) });
  assertEquals(applySyncDb(checked, book(FILES)), { request: checked, isOfDatabase: true });
  assertEquals(applySyncDb(request({}), undefined).isOfDatabase, false);
  assertEquals(applySyncDb(request({ name: "other" }), book(FILES)).isOfDatabase, false);
});
