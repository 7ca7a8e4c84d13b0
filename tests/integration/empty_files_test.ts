// What PROTOCOL.md says of a file of no bytes: there is nothing to transfer, and none has another root.

import { assertEquals } from "@std/assert";
import type { Root } from "../../src/base/ids.ts";
import { EMPTY_ROOT } from "../../src/store/hashing/merkle.ts";
import { startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { RawNode } from "./support/raw_node.ts";

const NAME = "nothing.bin";

Deno.test("pacsrv daemon makes an empty file itself, and takes none with another root", async () => {
  await using dir = await TempDir.make();
  await using daemon = await startDaemon();
  await using node = new RawNode();
  const link = await node.dial(daemon.node, "link");
  await daemon.linked(1);
  const output = await dir.sub("got.bin");
  await using fetch = daemon.fetch([NAME, "-o", output]);
  const { id } = await link.next("query");
  for (
    const [root, answer] of [["ab".repeat(32) as Root, "more"], [EMPTY_ROOT, "enough"]] as const
  ) {
    await using holder = new RawNode();
    const peer = await holder.callBack(daemon.node, id);
    const file = { root, name: NAME, type: "bin", sizeBytes: 0, chunksHave: 0, whole: true };
    peer.send({ kind: "offer", file, bitfield: new Uint8Array() });
    peer.send({ kind: "offers-end" });
    assertEquals((await peer.receive()).kind, answer);
  }
  await fetch.done();
  assertEquals((await Deno.stat(output)).size, 0);
});
