import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import type { PackageFile } from "../../../../src/base/package_index.ts";
import {
  Prefetch,
  type PrefetchedFile,
  type PrefetchKeeper,
  type UsedPackage,
} from "../../../../src/core/prefetch/prefetch.ts";

const DIRECTORY = "/core/os/x86_64/";
const NOW = 1_800_000_000_000;
const ROOM = { nowUnixMs: NOW, roomBytes: 1e9 };

function file(package_: string, version: number, sizeBytes = 1_000): PackageFile {
  const name = `${package_}-${version}-1-any.pkg.tar.zst`;
  return { name, repository: "core", sizeBytes, sha256: "00".repeat(32) };
}

/** Keeps what is kept, and gives it to the next one. */
class Kept implements PrefetchKeeper {
  readonly used = new Map<string, UsedPackage>();
  readonly files = new Map<string, PrefetchedFile>();
  readonly bytes = { saved: 0, wasted: 0 };

  putUsed(used: UsedPackage): void {
    this.used.delete(used.package);
    this.used.set(used.package, used);
  }

  removeUsed(used: UsedPackage): void {
    this.used.delete(used.package);
  }

  putFile(file: PrefetchedFile): void {
    this.files.set(file.fileName, file);
  }

  removeFile(fileName: string): void {
    this.files.delete(fileName);
  }

  count(what: "saved" | "wasted", bytes: number): void {
    this.bytes[what] += bytes;
  }

  open(): Prefetch {
    return new Prefetch({ used: [...this.used.values()], files: [...this.files.values()] }, this);
  }
}

/** One at which version 1 of each of these was taken, the last one last. */
function inUse(packages: readonly string[], kept = new Kept()): Prefetch {
  const prefetch = kept.open();
  for (const [i, name] of packages.entries()) take(prefetch, name, 1, NOW - 1_000 + i);
  return prefetch;
}

function take(prefetch: Prefetch, name: string, version: number, nowMs = NOW): void {
  const { name: fileName } = file(name, version);
  prefetch.taken({ directory: DIRECTORY, package: name, fileName }, nowMs);
}

/** A database with this version of everything. */
function all(version: number, sizeBytes?: number) {
  return (used: UsedPackage) => file(used.package, version, sizeBytes);
}

Deno.test("Prefetch wants the new version of what clients took, the last one first", () => {
  const prefetch = inUse(["a", "b"]);
  assertEquals(prefetch.next(all(1), ROOM), undefined, "nothing is newer");
  const wish = prefetch.next(all(2), ROOM)!;
  assertEquals(wish.path, "/core/os/x86_64/b-2-1-any.pkg.tar.zst");
  prefetch.fetched(wish.file, { nowUnixMs: NOW, isBought: true });
  const next = prefetch.next(all(2), ROOM)!;
  assertEquals(next.file.name, "a-2-1-any.pkg.tar.zst");
  prefetch.fetched(next.file, { nowUnixMs: NOW, isBought: true });
  assertEquals(prefetch.next(all(2), ROOM), undefined);
  assertEquals(prefetch.next(all(3), ROOM)?.file.name, "b-3-1-any.pkg.tar.zst");
});

Deno.test("Prefetch wants nothing that no database has, that has no room, or was not taken lately", () => {
  const prefetch = inUse(["a"]);
  assertEquals(prefetch.next(() => undefined, ROOM), undefined);
  assertEquals(prefetch.next(all(2, 2e9), ROOM), undefined);
  const late = NOW + limits.prefetchUsedMs;
  assertEquals(prefetch.next(all(2), { ...ROOM, nowUnixMs: late }), undefined);
  take(prefetch, "a", 1, late);
  assertEquals(prefetch.next(all(2), { ...ROOM, nowUnixMs: late })?.file.name.slice(0, 3), "a-2");
});

Deno.test("Prefetch leaves what cannot be had alone for a while, but not what is newer", () => {
  const prefetch = inUse(["a"]);
  prefetch.failed(file("a", 2).name, NOW);
  assertEquals(prefetch.next(all(2), ROOM), undefined);
  assertEquals(prefetch.next(all(3), ROOM)?.file.name, file("a", 3).name);
  const later = { ...ROOM, nowUnixMs: NOW + limits.prefetchAgainMs };
  assertEquals(prefetch.next(all(2), later)?.file.name, file("a", 2).name);
});

Deno.test("Prefetch counts what was taken as saved once, and drops and counts what nobody took", () => {
  const kept = new Kept();
  const prefetch = inUse(["a", "b", "c"], kept);
  prefetch.fetched(file("a", 2, 500), { nowUnixMs: NOW, isBought: true });
  prefetch.fetched(file("b", 2, 70), { nowUnixMs: NOW + 1, isBought: true });
  prefetch.fetched(file("c", 2, 9), { nowUnixMs: NOW, isBought: false });
  take(prefetch, "a", 2);
  take(prefetch, "a", 2);
  assertEquals(kept.bytes, { saved: 500, wasted: 0 });
  assertEquals(prefetch.drop(NOW + limits.prefetchKeptMs), [], "none of these is dropped yet");
  assertEquals(prefetch.drop(NOW + 1 + limits.prefetchKeptMs), [file("b", 2).name]);
  assertEquals(kept.bytes, { saved: 500, wasted: 70 });
  assertEquals(prefetch.drop(NOW + 1 + limits.prefetchKeptMs), [], "once");
});

Deno.test("Prefetch goes on after a restart where it was", () => {
  const kept = new Kept();
  const before = kept.open();
  take(before, "a", 1, NOW - 2);
  take(before, "b", 1, NOW - 1);
  before.fetched(file("b", 2, 70), { nowUnixMs: NOW, isBought: true });
  take(before, "b", 2);
  before.fetched(file("b", 3, 8), { nowUnixMs: NOW, isBought: true });
  const after = kept.open();
  assertEquals(kept.bytes, { saved: 70, wasted: 0 });
  assertEquals(after.next(all(3), ROOM)?.file.name, file("a", 3).name);
  assertEquals(after.drop(NOW + limits.prefetchKeptMs), [file("b", 3).name]);
  assertEquals(after.packages, 0);
  assertEquals([kept.used.size, kept.files.size, kept.bytes.wasted], [0, 0, 8]);
});

Deno.test("Prefetch remembers so many packages and no more", () => {
  const kept = new Kept();
  const prefetch = kept.open();
  for (let i = 0; i <= limits.prefetchPackagesMax; i++) take(prefetch, `p${i}`, 1);
  assertEquals([prefetch.packages, kept.used.size], Array(2).fill(limits.prefetchPackagesMax));
  for (let i = 0; i <= limits.prefetchPackagesMax; i++) {
    prefetch.fetched(file(`p${i}`, 2), { nowUnixMs: NOW, isBought: true });
  }
  assertEquals(prefetch.drop(NOW), [file("p0", 2).name], "it went to make room");
  assertEquals(kept.bytes.wasted, 1_000);
});
