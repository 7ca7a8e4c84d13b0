import { assert, assertEquals } from "@std/assert";
import { denoArgs } from "../../../scripts/deno_args.ts";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { content, openStore, readAll, rootOf, TempDir } from "./store_fixture.ts";

const CHUNKS = 400;

/** Runs the child and kills it after so many lines; gives the last checkpoint that it printed. */
async function runAndKill(dataDir: string, options: { seed: number; lines: number }) {
  const script = new URL("./crash_child.ts", import.meta.url).pathname;
  const args = ["run", "--quiet", "-A", ...denoArgs(), script, dataDir, `${CHUNKS}`];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, `${options.seed}`],
    stdout: "piped",
  }).spawn();
  let checkpointed = 0, begunWith = 0, isFinished = false, lines = 0, rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const context = (rest + text).split("\n");
    rest = context.pop()!;
    for (const line of context) {
      const [word, count] = line.split(" ");
      if (word === "ready") begunWith = Number(count);
      if (word === "checkpoint") checkpointed = Number(count);
      if (word === "finished") isFinished = true;
      if (++lines === options.lines) child.kill("SIGKILL");
    }
  }
  await child.status;
  return { checkpointed, begunWith, isFinished };
}

Deno.test("a download goes on from its last checkpoint whenever it was killed", async () => {
  using dir = new TempDir();
  const dataDir = dir.join("data");
  const bytes = content(CHUNKS * CHUNK_BYTES);
  const root = rootOf(bytes);
  const random = seededRandom(8);
  let had = 0;
  for (let seed = 1; seed <= 5; seed++) {
    const lines = 2 + Math.floor(random.unit() * 12);
    const { checkpointed, begunWith, isFinished } = await runAndKill(dataDir, { seed, lines });
    assertEquals(begunWith, had, `run ${seed} began with what was left`);
    assert(!isFinished, `run ${seed} was killed in time`);
    const { store, warnings } = await openStore(dataDir);
    await using _ = store;
    // What was written since it was put away last counts once it was checked.
    await store.recover();
    const have = store.availableChunks(root)!;
    assert(have.count >= checkpointed, `run ${seed}: ${have.count} of ${checkpointed} kept`);
    for (const { first, count } of have.ranges()) {
      const read = new Uint8Array(count * CHUNK_BYTES);
      store.readRun(root, { first, count }, read);
      const start = first * CHUNK_BYTES;
      assertEquals(read.toHex(), bytes.subarray(start, start + read.length).toHex());
    }
    assertEquals(warnings, []);
    had = have.count;
  }
  const { isFinished, begunWith } = await runAndKill(dataDir, { seed: 99, lines: Infinity });
  assertEquals([isFinished, begunWith], [true, had]);
  const { store } = await openStore(dataDir);
  await using _ = store;
  assertEquals(readAll(store, root), bytes);
});
