// Ids cost nothing: however many one host has, it does not outvote two others.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";
import { randomBytes, TempDir } from "./support/files.ts";
import { holdFile, RawHolder } from "./support/raw_holder.ts";

const LIARS = 20;
/** An address of this machine that others could have. */
const OUTER = Deno.networkInterfaces()
  .find(({ address, family }) => family === "IPv4" && !address.startsWith("127."))?.address;

Deno.test({
  name: "pacsrv fetch of a bare name counts all nodes of one host as one, and names the choice",
  ignore: OUTER === undefined,
  async fn() {
    await using dir = await TempDir.make();
    await using daemon = await startDaemon({ node: "0.0.0.0:0" });
    const port = daemon.node.slice(daemon.node.lastIndexOf(":") + 1);
    const truth = holdFile("wanted.bin", randomBytes(50_000, 1));
    const lie = holdFile("wanted.bin", randomBytes(50_000, 2));
    await using holders = new AsyncDisposableStack();
    for (let i = 0; i < LIARS; i++) {
      holders.use(await RawHolder.start(`${OUTER}:${port}`, lie));
    }

    for (let i = 0; i < 2; i++) {
      holders.use(await RawHolder.start(`127.0.0.1:${port}`, truth));
    }
    await daemon.linked(LIARS + 2);
    const output = await dir.sub("got.bin");
    await using fetch = daemon.fetch(["wanted.bin", "-o", output]);
    await fetch.done();
    assertEquals(await Deno.readFile(output), truth.data);
    assertStringIncludes(fetch.process.stdout.text(), `"choice"`);
  },
});
