import { assert, assertEquals } from "@std/assert";
import { ShareSet } from "../../../../src/store/shares/share_set.ts";

Deno.test("covers() holds for a share and all below it, and for nothing beside it", () => {
  const set = new ShareSet();
  set.add("/srv/pkg", { isKept: true });
  for (const path of ["/srv/pkg", "/srv/pkg/a", "/srv/pkg/a/b"]) assert(set.covers(path), path);
  for (const path of ["/srv", "/srv/pkg2", "/srv/pk", "/", ""]) assert(!set.covers(path), path);
});

Deno.test("covers() holds for everything when the root of the file system is shared", () => {
  const set = new ShareSet();
  set.add("", { isKept: false });
  assert(set.covers("/a/b"));
  assert(set.remove("/a"));
  assert(!set.covers("/a/b"));
  assert(set.covers("/b"));
});

Deno.test("remove() takes a path out of a share above it, until it is shared again", () => {
  const set = new ShareSet();
  set.add("/srv", { isKept: true });
  assert(set.remove("/srv/a"));
  assert(!set.covers("/srv/a/x"));
  assert(set.covers("/srv/b"));
  assert(!set.remove("/srv/a"));
  assert(set.hasEntryIn("/srv"));
  set.add("/srv/a/x", { isKept: true });
  assert(set.covers("/srv/a/x/y"));
  assert(!set.covers("/srv/a/z"));
  set.add("/srv", { isKept: true });
  assert(set.covers("/srv/a/z"));
});

Deno.test("remove() takes shares below with it", () => {
  const set = new ShareSet();
  set.add("/srv/a", { isKept: true });
  set.add("/srv/b", { isKept: true });
  assert(set.remove("/srv"));
  assertEquals(set.paths(), []);
  assertEquals(set.keptRows(), []);
  assert(!set.remove("/srv"));
});

Deno.test("forget() takes back what is shared for one run, and nothing that is kept", () => {
  const set = new ShareSet();
  set.add("/once", { isKept: false });
  set.add("/both", { isKept: false });
  set.add("/both", { isKept: true });
  set.add("/all", { isKept: true });
  set.add("/all/below", { isKept: false });
  assertEquals(["/once", "/both", "/all/below", "/none"].map((path) => set.forget(path)), [
    true,
    false,
    true,
    false,
  ]);
  const covers = ["/once", "/both", "/all/below"].map((path) => set.covers(path));
  assertEquals(covers, [false, true, true]);
});

Deno.test("keptRows() leaves out what is shared for one run only", () => {
  const set = new ShareSet([{ path: "/kept", isExcluded: false }]);
  set.add("/once", { isKept: false });
  set.add("/kept", { isKept: false });
  assertEquals(set.paths(), ["/kept", "/once"]);
  assertEquals(set.keptRows(), [{ path: "/kept", isExcluded: false }]);
  const again = new ShareSet(set.keptRows());
  assert(again.covers("/kept/x"));
  assert(!again.covers("/once"));
});
