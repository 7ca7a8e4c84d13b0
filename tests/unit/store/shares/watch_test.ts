import { assert, assertEquals } from "@std/assert";
import { type Clock, systemClock } from "../../../../src/base/clock.ts";
import { limits } from "../../../../src/base/limits.ts";
import { type ChangedPaths, PathWatch } from "../../../../src/store/shares/watch.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { TempDir, type Warning } from "../store_fixture.ts";

function watch(watched: { trees: string[]; directories: string[] }, clock: Clock = systemClock) {
  const reported = Promise.withResolvers<ChangedPaths>();
  const warnings: Warning[] = [];
  const watch = new PathWatch({ ...watched, identities: new Map() }, {
    clock,
    onChanged: (paths) => reported.resolve(paths),
    onWarning: (message, fields) => warnings.push({ message, fields }),
  });
  return { watch, warnings, reported: reported.promise };
}

Deno.test("PathWatch reports changed paths below a tree together", async () => {
  using dir = new TempDir();
  Deno.mkdirSync(dir.join("sub/deep"), { recursive: true });
  const { watch: w, reported } = watch({ trees: [dir.path], directories: [] });
  using _ = w;
  assert(w.isWatching);
  dir.write("a", new Uint8Array(1));
  dir.write("sub/deep/b", new Uint8Array(1));
  const paths = await reported as ReadonlySet<string>;
  assert(paths.has(dir.join("a")) && paths.has(dir.join("sub/deep/b")), [...paths].join());
});

Deno.test("PathWatch warns and goes on when the system does not watch", () => {
  const { watch: w, warnings } = watch({ trees: ["/nowhere/at/all"], directories: [] });
  using _ = w;
  assertEquals(w.isWatching, false);
  assertEquals(warnings.length, 1);
});

Deno.test("PathWatch reports everything when too many paths changed to keep them", async () => {
  const clock = new ManualClock();
  const { watch: w, reported } = watch({ trees: [], directories: [] }, clock);
  using _ = w;
  for (let i = 0; i <= limits.changedPathsMax; i++) w.note(`/f${i}`);
  await clock.advance(limits.watchDebounceMs);
  assertEquals(await reported, "everything");
});

Deno.test("close() reports what was noted, so that nothing is lost when a watch is replaced", async () => {
  const { watch: w, reported } = watch({ trees: [], directories: [] });
  w.note("/f");
  w.close();
  assertEquals(await reported, new Set(["/f"]));
});
