/** Which files of a store the repositories' databases let be given away. */

import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { systemClock } from "../../../../src/base/clock.ts";
import type { Root } from "../../../../src/base/ids.ts";
import { type Logger, silentLogger } from "../../../../src/base/log.ts";
import type { PackageFile, PackageIndex } from "../../../../src/base/package_index.ts";
import {
  fileOfRoot,
  filesSought,
  holdsAny,
  listedFiles,
  type OfferSource,
} from "../../../../src/daemon/discovery/offers.ts";
import { OfferPolicy, type OfferPolicyChange } from "../../../../src/daemon/trust/offer_policy.ts";
import type { ChunkStore } from "../../../../src/store/chunk_store.ts";
import type { Sought } from "../../../../src/wire/structures.ts";
import { waitUntil, within } from "../../../integration/support/wait.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  openStore,
  rootOf,
  TempDir,
} from "../../store/store_fixture.ts";

const CHUNK = 16_384;

/** A book that a test writes. */
class Book implements PackageIndex {
  #files: PackageFile[] = [];
  readonly #listeners = new Set<() => void>();
  looked = 0;

  write(...files: PackageFile[]): void {
    this.#files = files;
    for (const listener of this.#listeners) listener();
  }

  find(name: string): PackageFile | undefined {
    return this.all(name)[0];
  }

  all(name: string): PackageFile[] {
    this.looked++;
    return this.#files.filter((file) => file.name === name);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function released(name: string, bytes: Uint8Array, repository = "core"): PackageFile {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { name, repository, sizeBytes: bytes.length, sha256 };
}

/** A store, a book and what holds the one against the other. */
class Shelf implements AsyncDisposable, OfferSource {
  readonly book = new Book();
  readonly changes: OfferPolicyChange[] = [];
  readonly warnings: unknown[] = [];
  readonly offerPolicy: OfferPolicy;
  readonly #dir: TempDir;

  private constructor(readonly store: ChunkStore, dir: TempDir) {
    this.#dir = dir;
    const log: Logger = { ...silentLogger, warn: (_message, fields) => this.warnings.push(fields) };
    this.offerPolicy = new OfferPolicy({ clock: systemClock, store, trust: this.book, log });
    this.offerPolicy.onChange((change) => this.changes.push(change));
  }

  static async open(): Promise<Shelf> {
    const dir = new TempDir();
    const { store } = await openStore(dir.join("data"));
    store.shares.start();
    return new Shelf(store, dir);
  }

  path(name: string): string {
    return this.#dir.join(name);
  }

  /** Shares a file of its own and waits until it is hashed. */
  async share(name: string, bytes: Uint8Array): Promise<Root> {
    const path = this.#dir.write(`shared/${name}`, bytes);
    this.store.shares.add(path);
    const root = rootOf(bytes);
    await waitUntil(() => this.store.definitionNamed(root, name), { what: `${name} to be here` });
    return root;
  }

  trustOf(root: Root, name: string): string {
    return this.offerPolicy.trustOf(this.store.definitionNamed(root, name)!);
  }

  async until(root: Root, name: string, trust: string): Promise<void> {
    await waitUntil(() => this.trustOf(root, name) === trust, { what: `${name} to be ${trust}` });
  }

  /** Whether the file is offered by its name, its root, a glob, and in a list of all. */
  offered(root: Root, name: string): boolean[] {
    const questions: Sought[] = [
      { by: "name", value: name },
      { by: "root", value: root },
      { by: "glob", value: `${name}*` },
    ];
    return [
      ...questions.map((sought) => holdsAny(this, sought)),
      ...questions.map((sought) => filesSought(this, sought).some((file) => file.root === root)),
      fileOfRoot(this, root) !== undefined,
      [...listedFiles(this)].some(({ file }) => file.root === root && file.name === name),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.offerPolicy[Symbol.asyncDispose]();
    await this.store.close();
    this.#dir[Symbol.dispose]();
  }
}

const NOWHERE = Array<boolean>(8).fill(false);
const EVERYWHERE = Array<boolean>(8).fill(true);

Deno.test("OfferPolicy withholds a file that a database names until its SHA-256 is known", async () => {
  await using shelf = await Shelf.open();
  const bytes = content(100_000);
  shelf.book.write(released("a.pkg", bytes));
  const told: boolean[][] = [];
  // Asked at the very moment at which it comes.
  const end = shelf.store.onChange(({ kind, root }) => {
    if (kind === "added") told.push(shelf.offered(root, "a.pkg"));
  });
  const root = await shelf.share("a.pkg", bytes);
  end();
  assertEquals(told, [NOWHERE]);
  await shelf.until(root, "a.pkg", "sync-db");
  assertEquals(shelf.offered(root, "a.pkg"), EVERYWHERE);
  assertEquals(shelf.changes.map(({ verdict }) => verdict), ["unchecked", "sync-db"]);
  assertEquals(shelf.warnings, []);
});

Deno.test("OfferPolicy never lets out a file of another size, or of another SHA-256", async () => {
  await using shelf = await Shelf.open();
  shelf.book.write(released("size", content(500)), released("hash", content(600, 1)));
  const size = await shelf.share("size", content(501));
  const hash = await shelf.share("hash", content(600, 2));
  await shelf.until(size, "size", "contradicted");
  await shelf.until(hash, "hash", "contradicted");
  assertEquals(shelf.offered(size, "size"), NOWHERE);
  assertEquals(shelf.offered(hash, "hash"), NOWHERE);
  assertEquals(shelf.store.sha256(size), undefined);
  assertEquals(shelf.warnings.length, 2);
  assertEquals(shelf.store.isComplete(hash), true);
});

Deno.test("OfferPolicy says once in the log that a file is contradicted", async () => {
  await using shelf = await Shelf.open();
  shelf.book.write(released("a", content(500)));
  const root = await shelf.share("a", content(501));
  await waitUntil(() => shelf.warnings.length === 1, { what: "the line" });
  for (let i = 0; i < 3; i++) {
    shelf.book.write(released("a", content(500)), released(`b${i}`, content(1)));
    shelf.offered(root, "a");
  }
  const other = await shelf.share("b2", content(1));
  await shelf.until(other, "b2", "sync-db");
  assertEquals(shelf.warnings.length, 1);
});

Deno.test("OfferPolicy takes a file that is as any repository says", async () => {
  await using shelf = await Shelf.open();
  const [one, two] = [content(500, 1), content(500, 2)];
  shelf.book.write(released("a", one, "core"), released("a", two, "testing"));
  const root = await shelf.share("a", two);
  await shelf.until(root, "a", "sync-db");
  assertEquals(shelf.offered(root, "a"), EVERYWHERE);
});

Deno.test("OfferPolicy withholds a file by the name that a database knows, not by another", async () => {
  await using shelf = await Shelf.open();
  const bytes = content(500);
  shelf.book.write(released("wrong", content(501)));
  const root = await shelf.share("wrong", bytes);
  assertEquals(shelf.offered(root, "wrong"), NOWHERE);
  await shelf.share("other", bytes);
  assertEquals([shelf.trustOf(root, "other"), shelf.trustOf(root, "wrong")], [
    "local",
    "contradicted",
  ]);
  assertEquals(fileOfRoot(shelf, root)?.name, "other");
  assertEquals(holdsAny(shelf, { by: "name", value: "wrong" }), false);
  assertEquals([...listedFiles(shelf)].map(({ file }) => file.name), ["other"]);
});

Deno.test("OfferPolicy looks at everything again when the databases change, and tells what did", async () => {
  await using shelf = await Shelf.open();
  const bytes = content(500);
  const root = await shelf.share("a", bytes);
  assertEquals([shelf.trustOf(root, "a"), shelf.changes.length], ["local", 0]);
  const next = async (change: () => void) => {
    const { promise, resolve } = Promise.withResolvers<OfferPolicyChange>();
    const end = shelf.offerPolicy.onChange((change) => {
      if (change.verdict !== "unchecked") resolve(change);
    });
    change();
    const { verdict } = await within(promise, { what: "a change" });
    end();
    return verdict;
  };
  assertEquals(await next(() => shelf.book.write(released("a", bytes))), "sync-db");
  assertEquals(await next(() => shelf.book.write(released("a", content(500, 2)))), "contradicted");
  assertEquals(shelf.offered(root, "a"), NOWHERE);
  assertEquals(await next(() => shelf.book.write()), null);
  assertEquals(shelf.offered(root, "a"), EVERYWHERE);
  assertEquals(shelf.trustOf(root, "a"), "local");
});

Deno.test("OfferPolicy forgets a file that has gone, and judges what comes in its place", async () => {
  await using shelf = await Shelf.open();
  shelf.book.write(released("a", content(500)));
  const wrong = await shelf.share("a", content(501));
  Deno.removeSync(shelf.path("shared/a"));
  await shelf.store.shares.rescan();
  await waitUntil(() => shelf.changes.at(-1)?.verdict === null, {
    what: "the file to be forgotten",
  });
  const right = await shelf.share("a", content(500));
  await shelf.until(right, "a", "sync-db");
  assertEquals(shelf.store.definition(wrong), undefined);
});

Deno.test("OfferPolicy lets a part out unless its size shows that it is wrong", async () => {
  await using shelf = await Shelf.open();
  const bytes = content(3 * CHUNK);
  shelf.book.write(released("right", bytes), released("wrong", content(5 * CHUNK)));
  for (const [name, seed] of [["right", 5], ["wrong", 6]] as const) {
    const part = content(bytes.length, seed);
    const root = rootOf(part);
    const download = shelf.store.beginDownload({ root, name, sizeBytes: part.length });
    giveLeaves(download, part);
    giveChunks(download, part, { first: 1, count: 1 });
    assertEquals(holdsAny(shelf, { by: "root", value: root }), name === "right");
    assertEquals(shelf.trustOf(root, name), name === "right" ? "peers" : "contradicted");
  }
});

Deno.test("OfferPolicy.trustOf() says by what a downloaded file is trusted", async () => {
  await using shelf = await Shelf.open();
  const root = await addDownloaded(shelf.store, "f", content(500));
  assertEquals(shelf.trustOf(root, "f"), "peers");
  shelf.store.noteSha256(root, released("f", content(500)).sha256);
  assertEquals(shelf.trustOf(root, "f"), "sha256");
  shelf.book.write(released("f", content(500)));
  assertEquals(shelf.trustOf(root, "f"), "sync-db");
  assertEquals(shelf.offered(root, "f"), EVERYWHERE);
});

Deno.test("OfferPolicy looks at no more files for a question than the question names", async () => {
  await using shelf = await Shelf.open();
  for (let i = 0; i < 20; i++) await addDownloaded(shelf.store, `f${i}`, content(10, i + 1));
  const root = rootOf(content(10, 3));
  await waitUntil(() => shelf.book.looked >= 20, { what: "the first look" });
  shelf.book.looked = 0;
  holdsAny(shelf, { by: "name", value: "f2" });
  holdsAny(shelf, { by: "root", value: root });
  assertEquals(shelf.book.looked, 2);
});

Deno.test("OfferPolicy without a book withholds nothing", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const root = await addDownloaded(store, "a", content(100));
  await using offerPolicy = new OfferPolicy({
    clock: systemClock,
    store,
    trust: undefined,
    log: silentLogger,
  });
  const source = { store, offerPolicy };
  assertEquals(fileOfRoot(source, root)?.name, "a");
  assertEquals(offerPolicy.trustOf(store.definition(root)!), "peers");
});

Deno.test("OfferPolicy goes on, and says so, when somebody who listens fails", async () => {
  await using shelf = await Shelf.open();
  const bytes = content(100_000);
  const root = rootOf(bytes);
  await addDownloaded(shelf.store, "a.pkg", bytes);
  const end = shelf.offerPolicy.onChange(() => {
    throw new Error("cannot hear it");
  });
  shelf.book.write(released("a.pkg", bytes));
  await waitUntil(() => shelf.warnings.length > 0, { what: "a warning" });
  end();
  shelf.book.write(released("a.pkg", bytes));
  await shelf.until(root, "a.pkg", "sync-db");
});
