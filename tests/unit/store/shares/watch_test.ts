import { assert, assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { PathWatch } from "../../../../src/store/shares/watch.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { TempDir } from "../store_fixture.ts";

/** A watch of paths of `dir`, which has seen them, `now` or at a time long after they changed. */
function watch(dir: TempDir, paths: readonly string[] = [], { now = Date.now() + 60_000 } = {}) {
  const clock = new ManualClock({ startUnixMs: now });
  const watch = new PathWatch({ clock, isShared: () => true });
  const saw = (name: string, isRoot = false) =>
    watch.saw(dir.join(name), Deno.statSync(dir.join(name)), { isRoot });
  for (const path of paths) saw(path);
  const changed = async () => {
    const found = await watch.findChanged(new AbortController().signal);
    return found === "everything" ? found : [...found].map((path) => path.slice(dir.path.length));
  };
  return { watch, clock, saw, changed };
}

/** Makes a directory whose times are those of its making. */
function makeDirectory(dir: TempDir, name: string): void {
  Deno.mkdirSync(dir.join(name), { recursive: true });
}

/** Lets so much time pass that a change shows in a time. */
async function nextTime(path: string): Promise<void> {
  const before = Deno.statSync(path).mtime!.getTime();
  while (Date.now() - before <= 20) await new Promise((resolve) => setTimeout(resolve, 5));
}

Deno.test("PathWatch finds directories in which something came, went or was renamed, and no others", async () => {
  using dir = new TempDir();
  for (const name of ["a", "b", "c"]) makeDirectory(dir, name);
  dir.write("b/f", new Uint8Array(1));
  dir.write("c/f", new Uint8Array(1));
  const { changed, saw } = watch(dir, ["a", "b", "c"]);
  assertEquals(await changed(), []);
  await nextTime(dir.join("c"));
  dir.write("a/f", new Uint8Array(1));
  Deno.removeSync(dir.join("b/f"));
  assertEquals(await changed(), ["/a", "/b"]);
  for (const name of ["a", "b"]) saw(name);
  assertEquals(await changed(), []);
  Deno.renameSync(dir.join("c/f"), dir.join("c/g"));
  assertEquals(await changed(), ["/c"]);
});

Deno.test("PathWatch finds a directory that another one, a link or a pipe took the place of, or nothing", async () => {
  using dir = new TempDir();
  for (const name of ["other", "link", "pipe", "gone", "same"]) makeDirectory(dir, name);
  const { changed, watch: w } = watch(dir, ["other", "link", "pipe", "gone", "same"]);
  for (const name of ["other", "link", "pipe", "gone"]) {
    Deno.renameSync(dir.join(name), dir.join(`${name}-before`));
  }
  makeDirectory(dir, "other");
  Deno.symlinkSync(dir.join("link-before"), dir.join("link"));
  assert(new Deno.Command("mkfifo", { args: [dir.join("pipe")] }).outputSync().success);
  assertEquals(await changed(), ["/other", "/link", "/pipe", "/gone"]);
  // The others are no directories any more: told once.
  assertEquals(await changed(), ["/other"]);
  assert(w.knows(dir.join("other")) && !w.knows(dir.join("link")));
});

Deno.test("PathWatch follows what is shared itself: through a link, and while nothing is there", async () => {
  using dir = new TempDir();
  for (const name of ["a", "b"]) makeDirectory(dir, name);
  Deno.symlinkSync(dir.join("a"), dir.join("link"));
  const { changed, saw, watch: w } = watch(dir);
  saw("link", true);
  w.saw(dir.join("late"), undefined, { isRoot: true });
  assertEquals(await changed(), []);
  Deno.removeSync(dir.join("link"));
  Deno.symlinkSync(dir.join("b"), dir.join("link"));
  makeDirectory(dir, "late");
  assertEquals(await changed(), ["/link", "/late"]);
});

Deno.test("PathWatch has a directory looked into once more when its times can no longer stay as they are", async () => {
  using dir = new TempDir();
  makeDirectory(dir, "a");
  const now = Deno.statSync(dir.join("a")).mtime!.getTime() + 5;
  const { changed, clock, saw } = watch(dir, ["a"], { now });
  assertEquals(await changed(), []);
  await clock.advance(limits.changeTimeRestMs);
  assertEquals(await changed(), ["/a"]);
  saw("a");
  await clock.advance(limits.changeTimeRestMs);
  assertEquals(await changed(), []);
});

Deno.test("PathWatch follows the files that changed last, whatever becomes of them", async () => {
  using dir = new TempDir();
  const { changed, watch: w } = watch(dir);
  const paths = ["old", "same", "changed", "gone"].map((name) =>
    dir.write(name, new Uint8Array(1))
  );
  for (const path of paths) w.follow(path, Deno.lstatSync(path));
  assertEquals(await changed(), []);
  for (const name of ["old", "changed"]) {
    Deno.utimeSync(dir.join(name), 1_600_000_000, 1_600_000_000);
  }
  Deno.removeSync(dir.join("gone"));
  // So many more that the first is forgotten.
  const more = Array.from({ length: limits.followedFilesMax - 3 }, (_, i) => `/nowhere/${i}`);
  for (const path of more) w.follow(path, Deno.lstatSync(paths[1]!));
  assertEquals(w.size, limits.followedFilesMax);
  assertEquals((await changed()).slice(0, 2), ["/changed", "/gone"]);
  assertEquals(await changed(), []);
  assertEquals(w.size, 2);
});

Deno.test("PathWatch says everything when too many paths changed, and forgets what is not shared", async () => {
  using dir = new TempDir();
  let isShared = true;
  const w = new PathWatch({ clock: new ManualClock(), isShared: () => isShared });
  const info = Deno.statSync(dir.path), { signal } = new AbortController();
  for (let i = 0; i <= limits.changedPathsMax; i++) w.saw(`/nowhere/${i}`, info, { isRoot: true });
  assertEquals(await w.findChanged(signal), "everything");
  isShared = false;
  await w.findChanged(signal);
  assertEquals(w.size, 0);
});

Deno.test("PathWatch has a bound, and says that it is reached", () => {
  using dir = new TempDir();
  const { watch: w } = watch(dir);
  const info = Deno.statSync(dir.path);
  for (let i = 0; i < limits.watchedDirectoriesMax; i++) w.saw(`/${i}`, info, { isRoot: false });
  assertEquals(w.isFull, false);
  w.saw("/more", info, { isRoot: false });
  assert(w.isFull && !w.knows("/more"));
  w.retain((path) => path === "/1");
  assertEquals([w.isFull, w.size], [false, 1]);
});
