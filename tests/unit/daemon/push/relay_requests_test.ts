/** Whom a node asks to pass a file on, and what it remembers of that. */

import { assertEquals } from "@std/assert";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { RelayRequests } from "../../../../src/daemon/push/relay_requests.ts";
import { asking, fileOf } from "../../../support/asked_node.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import { testContext } from "../../../support/test_node.ts";
import { addDownloaded, content, openStore, TempDir } from "../../store/store_fixture.ts";

Deno.test("RelayRequests.ask() asks those that it dialled first, until one has the file or takes it", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("asker"));
  await using _ = store;
  const clock = new ManualClock();
  const transport = new MemoryTransport({ bufferBytes: 64 * 1024 });
  await asking({ transport, clock }, async ({ node }) => {
    const link = (digit: string, listenPort: number, inbound: boolean) => {
      return {
        nodeId: digit.repeat(32) as NodeId,
        host: "127.0.0.1",
        listenPort,
        inbound,
        sinceMs: 0,
      };
    };
    const { port } = node.address;
    const links = [link("1", 9, true), link("2", 0, false), link("3", port, false)];
    const relays = new RelayRequests(testContext({ store, clock, transport }), () => links);
    const { file } = fileOf(content(100), "f");
    const ask = async () => {
      const answers: string[] = [];
      const { signal } = new AbortController();
      await relays.ask(file, {
        signal,
        answered: ({ nodeId, answer, agoMs }) =>
          void answers.push(`${nodeId[0]} ${answer}${agoMs === null ? "" : ` ${agoMs} ms ago`}`),
      });
      return answers;
    };
    assertEquals(await ask(), ["3 unwilling", "1 failed"]);
    await addDownloaded(node.store, "f", content(100));
    await clock.advance(limits.relayUnwillingMs - 1);
    const agoMs = limits.relayUnwillingMs - 1;
    assertEquals(
      await ask(),
      [`3 unwilling ${agoMs} ms ago`, "1 failed"],
      "that is remembered for a while, as what was said before",
    );
    const [, , before] = links;
    links[2] = { ...before!, sinceMs: agoMs };
    assertEquals(await ask(), ["3 have"], "a node that has another link is asked again");
    links[2] = before!;
    await clock.advance(1);
    assertEquals(await ask(), ["3 have"], "and then nobody else is asked");
  });
});
