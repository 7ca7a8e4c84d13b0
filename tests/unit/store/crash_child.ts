/**
 * Downloads a file into a store until it is killed: started by `crash_test.ts`. After each
 * checkpoint it prints how many chunks had been written before it began.
 */

import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import { seededRandom, shuffled } from "../../../src/base/random.ts";
import { ChunkStore } from "../../../src/store/chunk_store.ts";
import { content, giveChunks, giveLeaves, rootOf } from "./store_fixture.ts";

const [dataDir, chunksText, seedText] = Deno.args as [string, string, string];
const chunks = Number(chunksText);
const bytes = content(chunks * CHUNK_BYTES);
const store = await ChunkStore.open({ dataDir, onWarning: (message) => console.error(message) });
const download = store.beginDownload({ root: rootOf(bytes), name: "f", sizeBytes: bytes.length });
giveLeaves(download, bytes);
await download.sortOut();
console.log(`ready ${download.have.count}`);
let checkpoint: Promise<void> | undefined;
for (const first of shuffled(seededRandom(Number(seedText)), [...Array(chunks).keys()])) {
  if (download.have.has(first)) continue;
  giveChunks(download, bytes, { first, count: 1 });
  if (checkpoint === undefined) {
    const count = download.have.count;
    checkpoint = download.checkpoint().then(() => {
      console.log(`checkpoint ${count}`);
      checkpoint = undefined;
    });
  }
  if (first % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}
await checkpoint;
await download.finish();
console.log("finished");
await store.close();
