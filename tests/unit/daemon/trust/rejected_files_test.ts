import { assertEquals } from "@std/assert";
import { newNodeId, type Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import { RejectedFiles } from "../../../../src/daemon/trust/rejected_files.ts";

const NODE = newNodeId(systemRandom);

Deno.test("RejectedFiles.of() knows what was noted for this SHA-256, and for no other", () => {
  const wrong = new RejectedFiles();
  wrong.note("aa", { key: "root:1", nodes: [NODE] }, 0);
  assertEquals([...wrong.of("aa", 1).keys], ["root:1"]);
  assertEquals([...wrong.of("aa", 1).nodes], [NODE]);
  assertEquals([wrong.of("bb", 1).keys.size, wrong.of("bb", 1).nodes.size], [0, 0]);
});

Deno.test("RejectedFiles.of() forgets after a while, counted from the last note", () => {
  const wrong = new RejectedFiles();
  wrong.note("aa", { key: "root:1", nodes: [] }, 0);
  wrong.note("aa", { key: "root:2", nodes: [] }, limits.wrongMs);
  assertEquals([...wrong.of("aa", 2 * limits.wrongMs).keys], ["root:1", "root:2"]);
  assertEquals(wrong.of("aa", 2 * limits.wrongMs + 1).keys.size, 0);
});

Deno.test("RejectedFiles.note() keeps a bounded number of files, roots and nodes", () => {
  const wrong = new RejectedFiles();
  for (let i = 0; i <= limits.rejectedFilesMax; i++) {
    wrong.note(`sha${i}`, { key: "root:1", nodes: [] }, 0);
  }
  assertEquals([wrong.of("sha0", 0).keys.size, wrong.of("sha1", 0).keys.size], [0, 1]);
  for (let i = 0; i <= limits.wrongPerFileMax; i++) {
    wrong.note("many", { key: `root:${i}`, nodes: [newNodeId(systemRandom)] }, 0);
  }
  const { keys, nodes } = wrong.of("many", 0);
  assertEquals([keys.size, nodes.size], [limits.wrongPerFileMax, limits.wrongPerFileMax]);
});

Deno.test("RejectedFiles.forget() clears what a root was rejected for, with those who offered it", () => {
  const wrong = new RejectedFiles();
  const root = "ab".repeat(32) as Root;
  wrong.note("aa", { key: `${root}:5`, nodes: [NODE] }, 0);
  wrong.note("bb", { key: "other:5", nodes: [NODE] }, 0);
  wrong.forget(root);
  assertEquals([wrong.of("aa", 1).keys.size, wrong.of("aa", 1).nodes.size], [0, 0]);
  assertEquals(wrong.of("bb", 1).keys.size, 1);
});
