/** Who gave which bytes. */

import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { MirrorProviders } from "../../../../src/daemon/fetch/mirror_providers.ts";

Deno.test("MirrorProviders.of() names the one that gave all of a chunk", () => {
  const providers = new MirrorProviders();
  providers.gave(null, 2 * CHUNK_BYTES);
  providers.gave("a", 3 * CHUNK_BYTES);
  providers.gave("a", 3 * CHUNK_BYTES + 5);
  providers.gave("b", 4 * CHUNK_BYTES + 7);
  const sizeBytes = 4 * CHUNK_BYTES + 7;
  const named = [0, 1, 2, 3, 4, 5].map((index) => providers.of(index, sizeBytes));
  assertEquals(named, [null, null, "a", null, "b", null]);
  assertEquals([providers.has("a"), providers.has("c")], [true, false]);
});

Deno.test("MirrorProviders.culprits are all who gave, unless an earlier fetch brought some of it", () => {
  const providers = new MirrorProviders();
  assertEquals(providers.culprits, []);
  providers.gave("a", 5);
  providers.gave("b", 6);
  providers.gave("a", 7);
  assertEquals(providers.culprits, ["a", "b"]);
  providers.clear();
  providers.gave(null, 5);
  providers.gave("a", 7);
  assertEquals(providers.culprits, []);
});
