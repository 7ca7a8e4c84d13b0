import { assertEquals } from "@std/assert";
import { systemClock } from "../../../../src/base/clock.ts";
import type { Root } from "../../../../src/base/ids.ts";
import { StoreContext } from "../../../../src/store/catalogue/store_context.ts";
import { DataDirectory } from "../../../../src/store/files/data_directory.ts";
import {
  fingerprintOf,
  splitPath,
  StoredFile,
  type StoredFileOrigin,
} from "../../../../src/store/files/stored_file.ts";
import { TempDir } from "../store_fixture.ts";

const ROOT = "5".repeat(64) as Root;

function storedFile(origin: StoredFileOrigin, path: string): StoredFile {
  return new StoredFile(origin, splitPath(path), {
    root: ROOT,
    ...fingerprintOf(Deno.statSync(path)),
  });
}

Deno.test("dropDuplicate() leaves a downloaded file while it is being read", () => {
  using dir = new TempDir();
  using directory = DataDirectory.open(dir.join("data"));
  const warn = (message: string) => {
    throw new Error(message);
  };
  const context = new StoreContext({ directory, catalogue: undefined, clock: systemClock, warn });
  using handles = context.handles;
  const path = `${directory.newFileDirectory(ROOT)}/d`;
  Deno.writeTextFileSync(path, "bytes");
  context.addStoredFiles([storedFile("downloaded", path)]);
  const handle = handles.pin(path);
  context.addStoredFiles([storedFile("shared", dir.write("s", new Uint8Array(5)))]);
  const origins = () => context.index.ofRoot(ROOT).map(({ origin }) => origin);
  assertEquals(origins(), ["downloaded", "shared"]);
  assertEquals(Deno.readTextFileSync(path), "bytes");
  handles.unpin(handle);
  context.dropDuplicate(ROOT);
  assertEquals(origins(), ["shared"]);
  assertEquals([...Deno.readDirSync(directory.filesPath)], []);
});
