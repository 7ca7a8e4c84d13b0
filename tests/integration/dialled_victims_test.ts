// Who names an address that is no node's, to have others dial it, gets a few dials and no more.

import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { newQueryId } from "../../src/base/ids.ts";
import { systemRandom } from "../../src/base/random.ts";
import { limits } from "../../src/base/limits.ts";
import { startDaemon } from "./support/daemon.ts";
import { randomBytes, TempDir } from "./support/files.ts";
import { RawNode, rawQuery } from "./support/raw_node.ts";

const QUERIES = 300;

Deno.test("pacsrv daemon dials a victim that queries name a few times, whatever number of them", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.sub("shared");
  await Deno.writeFile(await dir.sub("shared", "bait.bin"), randomBytes(1_000, 1));
  await using daemon = await startDaemon({ shares: [shared] });
  await daemon.holds("bait.bin");
  using victim = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let dials = 0;
  const counting = (async () => {
    for await (const connection of victim) {
      dials++;
      connection.close();
    }
  })();
  await using attacker = new RawNode();
  await using helper = new RawNode();
  const links = [
    await attacker.dial(daemon.node, "link"),
    await helper.dial(daemon.node, "link"),
  ];
  const { port: callbackPort } = victim.addr as Deno.NetAddr;
  let hits = 0;
  for (let i = 0; i < QUERIES; i++) {
    const link = links[i % 2]!;
    const id = newQueryId(systemRandom);
    const sought = { by: "name", value: "bait.bin" } as const;
    link.send(rawQuery({ id, sought, hops: 1, ttl: 1, callbackHost: "127.0.0.1", callbackPort }));
    // Who cannot be called is answered over the link: so each query has been dealt with.
    await link.next("hit");
    hits++;
  }
  assertEquals(hits, QUERIES);
  assertLess(dials, 2 * limits.dialFailuresFree + 1);
  const line = await daemon.logged("leaves a host alone");
  assertStringIncludes(line, "127.0.0.1");
  assertEquals(daemon.process.stderr.text().split("leaves a host alone").length, 2);
  victim.close();
  await counting.catch(() => {});
});
