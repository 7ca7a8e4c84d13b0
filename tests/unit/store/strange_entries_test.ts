// What is no file where the store looks for files of its own: a pipe, a socket, a directory, a link
// to a device. It waits for none of them, says what it found, and goes on with the rest.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { closeSync } from "node:fs";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import type { Root } from "../../../src/base/ids.ts";
import { openToRead, openToWrite } from "../../../src/store/files/io.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  openStore,
  readAll,
  rootOf,
  TempDir,
} from "./store_fixture.ts";

const FULL = "a directory with something in it";

/** Ways to put something in the place of a file. */
const KINDS: Readonly<Record<string, (path: string) => void>> = {
  "a pipe": (path) => {
    assert(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
  },
  "a socket": (path) => {
    // It is bound by a short name only, and may be moved to any; the name that was bound goes.
    const short = Deno.makeTempDirSync();
    using _ = Deno.listen({ transport: "unix", path: `${short}/x` });
    Deno.renameSync(`${short}/x`, path);
    Deno.removeSync(short);
  },
  "a directory": (path) => Deno.mkdirSync(path),
  [FULL]: (path) => Deno.mkdirSync(`${path}/below`, { recursive: true }),
  "a link to a device": (path) => Deno.symlinkSync("/dev/null", path),
};

const ignore = Deno.build.os === "windows";

for (const [kind, put] of Object.entries(KINDS)) {
  const replace = (path: string) => {
    Deno.removeSync(path);
    put(path);
  };

  Deno.test({
    name: `openToRead() and openToWrite() refuse ${kind}, at once`,
    ignore,
    fn: () => {
      using dir = new TempDir();
      put(dir.join("x"));
      for (const open of [openToRead, openToWrite]) {
        assertThrows(() => open(dir.join("x")), EnvironmentError, "not a regular file");
      }
      closeSync(openToWrite(dir.join("new")));
      closeSync(openToRead(dir.join("new")));
    },
  });

  Deno.test({
    name: `a store whose files became ${kind} goes on with the others, and gets them again`,
    ignore,
    fn: async () => {
      using dir = new TempDir();
      const whole = content(3 * CHUNK_BYTES, 1), kept = content(3 * CHUNK_BYTES, 2);
      const part = content(3 * CHUNK_BYTES, 3), healed = content(3 * CHUNK_BYTES, 4);
      {
        const { store } = await openStore(dir.join("data"));
        await using _ = store;
        await addDownloaded(store, "whole", whole);
        await addDownloaded(store, "kept", kept);
        await addDownloaded(store, "healed", healed);
        const download = store.beginDownload({
          root: rootOf(part),
          name: "part",
          sizeBytes: part.length,
        });
        giveLeaves(download, part);
        giveChunks(download, part, { first: 0, count: 2 });
        await download.suspend();
      }
      const data = dir.join("data"), pathOf = (root: Root) => `${data}/files/${root}`;
      replace(`${pathOf(rootOf(whole))}/whole`);
      replace(`${data}/partial/${rootOf(part)}`);
      replace(leafPath(data, rootOf(healed)));
      // A sidecar that a hasher writes, and a download that nothing is known of.
      if (kind !== FULL) put(`${data}/leaves/hashing`);
      put(`${data}/partial/${rootOf(content(9))}`);
      const { store, warnings } = await openStore(dir.join("data"));
      await using _ = store;
      const names = () => store.fileDefinitions().map(({ name }) => name).sort();
      assertEquals(names(), ["healed", "kept"]);
      await store.recover();
      for (const bytes of [kept, healed]) {
        await store.ready(rootOf(bytes));
        // What stands in the way of its leaves cannot be removed, so it cannot be offered.
        if (kind === FULL && bytes === healed) assertEquals(names(), ["kept"]);
        else assertEquals(readAll(store, rootOf(bytes)), bytes);
      }
      const told = warnings.map(({ message }) => message).join("\n");
      assert(/A downloaded file is gone or changed/.test(told), told);
      assert(/Partial download lost its data/.test(told), told);
      assert(/holds what is no file/.test(told), told);

      // Hashing works, and what is lost comes again where it can.
      const shared = dir.write("shared/f", content(5 * CHUNK_BYTES, 6));
      store.shares.add(shared);
      store.shares.start();
      await store.shares.settled();
      assert(names().includes("f"), warnings.map(({ message }) => message).join("\n"));
      if (kind === FULL) {
        await assertRejects(() => addDownloaded(store, "part", part), EnvironmentError);
      } else {
        await addDownloaded(store, "part", part);
        assertEquals(readAll(store, rootOf(part)), part);
      }
    },
  });
}

function leafPath(data: string, root: Root): string {
  return `${data}/leaves/${root.slice(0, 2)}/${root}`;
}
