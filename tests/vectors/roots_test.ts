import { assertEquals } from "@std/assert";
import { systemClock } from "../../src/base/clock.ts";
import { Hasher } from "../../src/store/hashing/hasher.ts";
import { EMPTY_ROOT } from "../../src/store/hashing/merkle.ts";
import { makeRootFile, ROOT_VECTORS } from "./root_files.ts";

const PYTHON = "/usr/bin/python3";
const whyNot = await reasonAgainstLibtorrent();
if (whyNot !== undefined) console.log(`Comparing with the kept roots only: ${whyNot}`);

async function reasonAgainstLibtorrent(): Promise<string | undefined> {
  try {
    const { success } = await new Deno.Command(PYTHON, { args: ["-c", "import libtorrent"] })
      .output();
    return success ? undefined : "libtorrent for Python (python3-libtorrent) is not installed";
  } catch {
    return `there is no ${PYTHON}`;
  }
}

/** The roots that libtorrent computes now; undefined where it is not installed. */
async function libtorrentRoots(paths: string[]): Promise<(string | null)[] | undefined> {
  if (whyNot !== undefined) return undefined;
  const script = new URL("./libtorrent_roots.py", import.meta.url).pathname;
  const { stdout, success } = await new Deno.Command(PYTHON, {
    args: [script, ...paths],
    stderr: "inherit",
  }).output();
  assertEquals(success, true, "libtorrent_roots.py ended well");
  return new TextDecoder().decode(stdout).trim().split("\n")
    .map((line) => line === "-" ? null : line);
}

Deno.test("hash() gives the pieces root of libtorrent for sizes around a chunk and above 4 GiB", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "pacsrv-roots-" });
  try {
    const paths = ROOT_VECTORS.map(({ sizeBytes }) => `${directory}/${sizeBytes}`);
    for (const [i, { sizeBytes }] of ROOT_VECTORS.entries()) makeRootFile(paths[i]!, sizeBytes);
    Deno.mkdirSync(`${directory}/leaves`);
    using hasher = new Hasher(systemClock);
    // Side by side, for each takes seconds for the big file.
    const [ours, theirs] = await Promise.all([
      Promise.all(
        paths.map((path) => hasher.hash({ path, leavesPath: `${directory}/leaves` })),
      ),
      libtorrentRoots(paths),
    ]);
    const kept = ROOT_VECTORS.map(({ root }) => root);
    assertEquals(theirs ?? kept, kept, "libtorrent still gives the kept roots");
    assertEquals(ours.map(({ root }) => root), kept.map((root) => root ?? EMPTY_ROOT));
    assertEquals(
      ours.map(({ sizeBytes }) => sizeBytes),
      ROOT_VECTORS.map(({ sizeBytes }) => sizeBytes),
    );
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
