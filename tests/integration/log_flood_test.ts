// Who breaks the protocol again and again cannot fill the log of a node; and is not even heard any
// more, where it is another machine.

import { assert, assertEquals, assertLess } from "@std/assert";
import { newQueryId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { startDaemon } from "./support/daemon.ts";
import { RawNode, rawQuery } from "./support/raw_node.ts";

const FAULTS = 300;
/** An address of this machine that others could have: no loopback host is ever banned. */
const OUTER = Deno.networkInterfaces()
  .find(({ address, family }) => family === "IPv4" && !address.startsWith("127."))?.address;

/** A node comes for each purpose in turn, and sends what has no place there, each time another way. */
async function fault(address: string, i: number): Promise<void> {
  await using node = new RawNode();
  const purpose = (["link", "transfer", "directory"] as const)[i % 3]!;
  const peer = await node.dial(address, purpose);
  const callbackHost = `10.0.${i >> 8}.${i & 255}`;
  if (purpose === "link") peer.send(rawQuery({ id: newQueryId(systemRandom), callbackHost }));
  else if (purpose === "transfer") peer.send({ kind: "ping", token: i });
  else peer.send({ kind: "proof", mac: systemRandom.bytes(32) });
  await peer.ended();
}

Deno.test("pacsrv daemon logs faults of one host now and then, however many there are", async () => {
  await using daemon = await startDaemon({ logLevel: "info" });
  for (let i = 0; i < FAULTS; i++) await fault(daemon.node, i);
  const lines = daemon.process.stderr.text().split("\n");
  assertLess(lines.length, FAULTS / 6);
  assert(lines.some((line) => line.includes("names the host 10.0.")), lines.join("\n"));
});

Deno.test({
  name: "pacsrv daemon does not hear a host any more that broke the protocol again and again",
  ignore: OUTER === undefined,
  async fn() {
    await using daemon = await startDaemon({ node: "0.0.0.0:0", logLevel: "info" });
    const port = daemon.node.slice(daemon.node.lastIndexOf(":") + 1);
    let heard = 0;
    for (;;) {
      try {
        await fault(`${OUTER}:${port}`, heard);
        heard++;
      } catch {
        break;
      }
    }
    // One in three of these connections counts; and some come in before what ended is looked at.
    assertLess(heard, 6 * limits.banFaultsBurst);
    await daemon.logged("banned every node at a host");
    await using node = new RawNode();
    const { connection } = await node.dialUnproved(`${OUTER}:${port}`);
    assertEquals(await connection.receiveOne().catch(() => "closed"), "closed");
    assertEquals(connection.bytesIn, 0);
    const [ban] = (await daemon.peers()).filter(({ direction }) => direction === "banned");
    assertEquals([ban?.host, ban?.ban?.reason], [OUTER, "faults"]);
    // Others are heard as ever.
    await using other = new RawNode();
    await other.dial(`127.0.0.1:${port}`, "link");
  },
});
