// A holder that was away, and is back, is found by a fetch though its next dial is not due for long.

import { assertEquals } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";
import { bytesByNode } from "./support/fetch_process.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";

const NAME = "late.bin";
const FILE_BYTES = 300_000;

/** Hangs up on whoever dials, until that was so many times; gives the address. */
function refuser(times: number): { readonly node: string; readonly done: Promise<void> } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const refuse = async () => {
    for (let i = 0; i < times; i++) (await listener.accept()).close();
    listener.close();
  };
  const { port } = listener.addr as Deno.NetAddr;
  return { node: `127.0.0.1:${port}`, done: refuse() };
}

Deno.test("a fetch finds a holder that is back, long before it would be dialled again", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", NAME);
  await randomFile(path, FILE_BYTES, 5);
  // After the fifth dial it is left alone for 12 s and more; a search gives up after 5 s.
  const { node, done } = refuser(5);
  await using requester = await startDaemon({ peers: [node] });
  await done;
  await using holder = await startDaemon({ shares: [path], node });
  await holder.holds(NAME);
  const output = await dir.sub("got");
  await using fetch = requester.fetch([NAME, "-o", output]);
  assertEquals(bytesByNode(await fetch.done()), new Map([[holder.id, FILE_BYTES]]));
  await assertSameFile(output, path);
});
