/** Who gave which bytes. */

import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { MirrorGivers } from "../../../../src/daemon/fetch/mirror_providers.ts";

Deno.test("MirrorGivers.of() names the one that gave all of a chunk", () => {
  const givers = new MirrorGivers();
  givers.gave(null, 2 * CHUNK_BYTES);
  givers.gave("a", 3 * CHUNK_BYTES);
  givers.gave("a", 3 * CHUNK_BYTES + 5);
  givers.gave("b", 4 * CHUNK_BYTES + 7);
  const sizeBytes = 4 * CHUNK_BYTES + 7;
  const named = [0, 1, 2, 3, 4, 5].map((index) => givers.of(index, sizeBytes));
  assertEquals(named, [null, null, "a", null, "b", null]);
  assertEquals([givers.has("a"), givers.has("c")], [true, false]);
});

Deno.test("MirrorGivers.culprits are all who gave, unless an earlier fetch brought some of it", () => {
  const givers = new MirrorGivers();
  assertEquals(givers.culprits, []);
  givers.gave("a", 5);
  givers.gave("b", 6);
  givers.gave("a", 7);
  assertEquals(givers.culprits, ["a", "b"]);
  givers.clear();
  givers.gave(null, 5);
  givers.gave("a", 7);
  assertEquals(givers.culprits, []);
});
