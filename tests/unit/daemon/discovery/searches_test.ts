import { assertEquals } from "@std/assert";
import { newQueryId, type NodeId, type QueryId, type Root } from "../../../../src/base/ids.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import {
  type Searcher,
  Searches,
  type Verdict,
} from "../../../../src/daemon/discovery/searches.ts";
import type { Hit, MessageOf } from "../../../../src/wire/messages.ts";
import { callbackMac } from "../../../../src/wire/proofs.ts";

const HOLDER = {
  nodeId: "22".repeat(16) as NodeId,
  address: { host: "192.0.2.1", port: 1 },
};
const NONCES = systemRandom.bytes(32);

/** Notes what it hears, and wants to hear more. */
class Listener implements Searcher {
  readonly heard: string[] = [];

  offered(_holder: unknown, offers: readonly MessageOf<"offer">[]): Verdict {
    this.heard.push(`${offers.length} offers`);
    return { kind: "more" };
  }

  hit(hit: Hit): void {
    this.heard.push(`hit ${hit.offers.length}`);
  }

  listed(): void {}
}

function begun(searches: Searches): { id: QueryId; listener: Listener } {
  const id = newQueryId(systemRandom);
  const listener = new Listener();
  searches.add(id, { by: "root", value: "ab".repeat(32) as Root }, listener);
  return { id, listener };
}

function hitOf(id: QueryId): Hit {
  const { nodeId } = HOLDER;
  return { kind: "hit", id, hops: 0, nodeId, holderHost: "", holderPort: 0, offers: [] };
}

Deno.test("Searches.byProof() finds the search whose id the holder knows, and no other", () => {
  const searches = new Searches();
  const [first, second] = [begun(searches), begun(searches)];
  for (const { id } of [first, second]) {
    assertEquals(searches.byProof(callbackMac("holder", id, NONCES), NONCES)?.id, id);
  }
  const strangers = [
    callbackMac("holder", newQueryId(systemRandom), NONCES),
    callbackMac("requester", first.id, NONCES),
    callbackMac("holder", first.id, systemRandom.bytes(32)),
    new Uint8Array(32),
    new Uint8Array(),
  ];
  for (const mac of strangers) assertEquals(searches.byProof(mac, NONCES), undefined);
});

Deno.test("Searches hands offers and hits to the search that they belong to", () => {
  const searches = new Searches();
  const [first, second] = [begun(searches), begun(searches)];
  assertEquals(searches.offered(first.id, HOLDER, []), { kind: "more" });
  searches.hit(hitOf(second.id));
  searches.hit(hitOf(newQueryId(systemRandom)));
  assertEquals([first.listener.heard, second.listener.heard], [["0 offers"], ["hit 0"]]);
});

Deno.test("Searches answers ENOUGH for a search that ended, for a minute", () => {
  const searches = new Searches();
  const { id, listener } = begun(searches);
  searches.end(id, 1_000);
  searches.end(id, 50_000);
  searches.tick(61_000);
  assertEquals(searches.byProof(callbackMac("holder", id, NONCES), NONCES)?.id, id);
  assertEquals(searches.offered(id, HOLDER, []), { kind: "enough" });
  searches.hit(hitOf(id));
  searches.tick(61_001);
  assertEquals(searches.byProof(callbackMac("holder", id, NONCES), NONCES), undefined);
  assertEquals(searches.offered(id, HOLDER, []), { kind: "enough" });
  assertEquals(listener.heard, []);
});

Deno.test("Searches.tick() keeps what goes on, however long", () => {
  const searches = new Searches();
  const { id } = begun(searches);
  searches.tick(1e12);
  assertEquals(searches.offered(id, HOLDER, []), { kind: "more" });
});

Deno.test("Searches counts what ended once, by whether anybody had it", () => {
  const searches = new Searches();
  const [offered, hit, listed, asked] = Array.from({ length: 4 }, () => begun(searches).id);
  const file = { name: "f", root: "ab".repeat(32) as Root, sizeBytes: 1, type: "" };
  const offer = { kind: "offer", file } as unknown as MessageOf<"offer">;
  searches.offered(offered!, HOLDER, [offer]);
  searches.hit(hitOf(hit!));
  searches.answered(listed!);
  searches.offered(asked!, HOLDER, []);
  assertEquals(searches.ended, { answered: 0, unanswered: 0 });
  for (const id of [offered!, hit!, listed!, asked!, asked!]) searches.end(id, 1);
  assertEquals(searches.ended, { answered: 3, unanswered: 1 });
});
