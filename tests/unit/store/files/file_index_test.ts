import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Root } from "../../../../src/base/ids.ts";
import { FileIndex } from "../../../../src/store/files/file_index.ts";
import { StoredFile } from "../../../../src/store/files/stored_file.ts";

Deno.test("FileIndex finds files by root, name, path and directory after any changes", () => {
  const event = fc.record({
    isAdded: fc.boolean(),
    directory: fc.constantFrom("", "/a", "/a/b"),
    file: fc.constantFrom("x", "y", "z"),
    root: fc.constantFrom("1", "2"),
  });
  fc.assert(fc.property(fc.array(event, { maxLength: 40 }), (events) => {
    const index = new FileIndex();
    const model = new Map<string, StoredFile>();
    for (const { isAdded, directory, file, root } of events) {
      const path = `${directory}/${file}`;
      const known = model.get(path);
      if (isAdded) {
        const content = { root: root as Root, sizeBytes: 1, mtimeMs: 1, ino: 1, ctimeMs: 0 };
        const storedFile = new StoredFile("shared", { directory, file }, content);
        index.add(storedFile);
        model.set(path, storedFile);
      } else if (known !== undefined) {
        assertEquals(index.remove(known), true);
        assertEquals(index.remove(known), false);
        model.delete(path);
      }
    }
    const all = [...model.values()];
    const paths = (storedFiles: Iterable<StoredFile>) =>
      [...storedFiles].map(({ path }) => path).sort();
    assertEquals(index.size, all.length);
    assertEquals(paths(index), paths(all));
    for (const root of ["1", "2"] as Root[]) {
      const storedFiles = all.filter((storedFile) => storedFile.root === root);
      assertEquals(paths(index.ofRoot(root)), paths(storedFiles));
      assertEquals(index.first(root) !== undefined, storedFiles.length > 0);
      for (const name of ["x", "y", "z"]) {
        const named = index.named(root, name);
        assertEquals(
          named === undefined,
          !storedFiles.some((storedFile) => storedFile.name === name),
        );
        if (named !== undefined) assertEquals([named.root, named.name], [root, name]);
      }
    }
    for (const name of ["x", "y", "z"]) {
      const storedFiles = all.filter((storedFile) => storedFile.name === name);
      assertEquals(paths(index.ofName(name)), paths(storedFiles));
      assertEquals(paths(index.matching(name)), paths(storedFiles));
    }
    assertEquals(paths(index.matching("*")), paths(all));
    assertEquals([...index.directories()].sort(), [...new Set(all.map((p) => p.directory))].sort());
    for (const storedFile of all) assertEquals(index.at(storedFile.path), storedFile);
  }));
});
