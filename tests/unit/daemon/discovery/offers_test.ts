/** What a holder offers, and what a requester takes as the offers of one holder. */

import { assertEquals, assertRejects } from "@std/assert";
import { PeerFault } from "../../../../src/base/errors.ts";
import type { Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { receiveOffers } from "../../../../src/daemon/discovery/offer_exchange.ts";
import {
  filesSought,
  holdsAny,
  type OfferSource,
} from "../../../../src/daemon/discovery/offers.ts";
import { Connection } from "../../../../src/net/connection.ts";
import type { ChunkStore } from "../../../../src/store/chunk_store.ts";
import type { Message } from "../../../../src/wire/messages.ts";
import type { FileOffer, Sought } from "../../../../src/wire/structures.ts";
import { memoryPair } from "../../../support/memory_transport.ts";
import { testContext } from "../../../support/test_node.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  openStore,
  rootOf,
  TempDir,
} from "../../store/store_fixture.ts";

const CHUNK = 16_384;
const END: Message = { kind: "offers-end" };

function offer(values: Partial<FileOffer>, ...bitfield: number[]): Message {
  return {
    kind: "offer",
    file: {
      root: "ab".repeat(32) as Root,
      name: "f",
      type: "",
      sizeBytes: 20 * CHUNK,
      chunksHave: 20,
      whole: true,
      ...values,
    },
    bitfield: Uint8Array.from(bitfield),
  };
}

async function heard(
  messages: readonly Message[],
  options: { readonly countMax: number; readonly listing: boolean },
): Promise<number> {
  const [near, far] = memoryPair();
  using connection = closing(new Connection(near));
  using holder = closing(new Connection(far));
  for (const message of messages) holder.it.send(message);
  return (await receiveOffers(connection.it, options)).length;
}

function sourceOf(store: ChunkStore): OfferSource {
  return testContext({ store });
}

function closing(it: Connection): { readonly it: Connection } & Disposable {
  return { it, [Symbol.dispose]: () => it.close() };
}

Deno.test("receiveOffers() takes whole and partial files up to the end", async () => {
  const part = offer({ chunksHave: 9, whole: false }, 0xff, 0x80);
  const empty = offer({ sizeBytes: 0, chunksHave: 0 });
  const options = { countMax: 3, listing: false };
  assertEquals(await heard([offer({}), part, empty, END], options), 3);
  assertEquals(await heard([END], options), 0);
});

Deno.test("receiveOffers() refuses more offers than there may be", async () => {
  const three = [offer({}), offer({}), offer({}), END];
  const fault = await assertRejects(() => heard(three, { countMax: 2, listing: false }), PeerFault);
  assertEquals(fault.code, "flooding");
});

Deno.test("receiveOffers() refuses offers that contradict themselves", async () => {
  const wrong = [
    offer({ sizeBytes: limits.fetchBytesMax + 1 }),
    offer({ chunksHave: 21 }),
    offer({ chunksHave: 19 }),
    offer({ whole: false }),
    offer({}, 0xff),
    offer({ chunksHave: 1, whole: false }, 0x80, 0, 0, 0),
  ];
  for (const one of wrong) {
    const options = { countMax: 1, listing: false };
    const fault = await assertRejects(() => heard([one, END], options), PeerFault);
    assertEquals(fault.code, "malformed");
  }
});

Deno.test("receiveOffers() takes no bitfields in a listing, of which there are thousands", async () => {
  const options = { countMax: 1, listing: true };
  assertEquals(await heard([offer({ chunksHave: 1, whole: false }), END], options), 1);
  const heavy = offer({ chunksHave: 1, whole: false }, 0x80);
  const fault = await assertRejects(() => heard([heavy, END], options), PeerFault);
  assertEquals(fault.code, "malformed");
});

Deno.test("receiveOffers() refuses any other message", async () => {
  const options = { countMax: 1, listing: false };
  const fault = await assertRejects(() => heard([{ kind: "more" }], options), PeerFault);
  assertEquals(fault.code, "unexpected");
});

Deno.test("holdsAny() and filesSought() look at no more names of a glob than they need", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const source = sourceOf(store);
  for (let i = 0; i < 9; i++) await addDownloaded(store, `f${i}`, content(10, i + 1));
  const each = store.eachMatching.bind(store);
  let looked = 0;
  store.eachMatching = function* (glob) {
    for (const file of each(glob)) {
      looked++;
      yield file;
    }
  };
  const sought = { by: "glob", value: "f*" } as const;
  assertEquals([holdsAny(source, sought), looked], [true, 1]);
  looked = 0;
  assertEquals([filesSought(source, sought, { max: 4 }).length, looked], [4, 4]);
  assertEquals(filesSought(source, sought).length, 9);
  assertEquals(holdsAny(source, { by: "glob", value: "g*" }), false);
});

Deno.test("holdsAny() and filesSought() pass over files of which no chunk is here", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(3 * CHUNK);
  const root = rootOf(bytes);
  const download = store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  const source = sourceOf(store);
  const all = [{ by: "glob", value: "*" }, { by: "name", value: "f" }, { by: "root", value: root }];
  const found = () =>
    all.map((sought) => {
      const typed = sought as Sought;
      return [holdsAny(source, typed), filesSought(source, typed, { max: 1 }).length];
    });
  assertEquals(found(), all.map(() => [false, 0]));
  giveChunks(download, bytes, { first: 1, count: 1 });
  assertEquals(found(), all.map(() => [true, 1]));
});
