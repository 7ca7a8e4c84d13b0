import { assert, assertEquals, assertFalse } from "@std/assert";
import { flightOfMirror, flightOfSha256 } from "../../../../src/core/crowd/flight_id.ts";
import { FlightsElsewhere } from "../../../../src/core/crowd/flights_elsewhere.ts";
import { limits } from "../../../../src/base/limits.ts";

const SHA256 = "ab".repeat(32);
const FILE = { name: "a.pkg.tar.zst", sizeBytes: 16_000_000, sha256: SHA256 };
const NOW = {
  mirror: "mirror.example",
  etag: '"2"',
  lastModified: "Mon, 30 Nov 2026 10:00:00 GMT",
};
const BEFORE = { ...NOW, etag: '"1"', lastModified: "Sun, 29 Nov 2026 10:00:00 GMT" };
const OTHER = {
  flight: flightOfMirror(FILE.name, FILE.sizeBytes, NOW)!,
  name: FILE.name,
  sha256: SHA256,
};

/** A flight that all fellows left. */
function left(file: ConstructorParameters<typeof FlightsElsewhere>[0] = FILE): FlightsElsewhere {
  const elsewhere = new FlightsElsewhere(file);
  elsewhere.fellows(1);
  assert(elsewhere.fellows(0));
  return elsewhere;
}

Deno.test("FlightsElsewhere follows those whose file the own mirror has now", () => {
  const elsewhere = left();
  assertFalse(elsewhere.isFollowing(NOW));
  elsewhere.heard([OTHER]);
  assertFalse(elsewhere.isFollowing(BEFORE), "its own mirror has the file that was begun with");
  assertFalse(elsewhere.isFollowing({ ...NOW, etag: null, lastModified: null }));
  assert(elsewhere.isFollowing(NOW));
});

Deno.test("FlightsElsewhere believes nothing before half of the fellows left", () => {
  const elsewhere = new FlightsElsewhere(FILE);
  for (const count of [0, 1, 2, 3, 4, 3]) assertFalse(elsewhere.fellows(count), `${count}`);
  elsewhere.heard([OTHER]);
  assertFalse(elsewhere.isFollowing(NOW));
  assert(elsewhere.fellows(2));
  assertFalse(elsewhere.isFollowing(NOW), "what was heard before does not count");
  elsewhere.heard([OTHER]);
  assert(elsewhere.isFollowing(NOW));
});

Deno.test("FlightsElsewhere looks again each time that half are gone, and not in between", () => {
  const elsewhere = new FlightsElsewhere(FILE);
  const looked = [8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 1, 0].map((count) => elsewhere.fellows(count));
  assertEquals(looked.map(Number), [0, 0, 0, 0, 1, 0, 1, 1, 1, 0, 0, 1]);
});

Deno.test("FlightsElsewhere hears only of its own name and SHA-256", () => {
  const elsewhere = left();
  elsewhere.heard([
    { ...OTHER, name: "b.pkg.tar.zst" },
    { ...OTHER, sha256: "cd".repeat(32) },
    { ...OTHER, sha256: null },
    { ...OTHER, flight: flightOfSha256(SHA256, FILE.sizeBytes) },
  ]);
  assertFalse(elsewhere.isFollowing(NOW));
  const unknown = left({ ...FILE, sha256: null });
  unknown.heard([{ ...OTHER, sha256: null }]);
  assertFalse(unknown.isFollowing(NOW));
});

Deno.test("FlightsElsewhere keeps a bounded number of flights", () => {
  const elsewhere = left();
  for (let i = 0; i < limits.flightsOfferedMax; i++) {
    elsewhere.heard([{ ...OTHER, flight: flightOfSha256(SHA256, i + 1) }]);
  }
  elsewhere.heard([OTHER]);
  assertFalse(elsewhere.isFollowing(NOW));
});
