/** What a requester takes as the offers of one holder. */

import { assertEquals, assertRejects } from "@std/assert";
import { PeerFault } from "../../../src/base/errors.ts";
import type { Root } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { receiveOffers } from "../../../src/daemon/callbacks.ts";
import { Connection } from "../../../src/net/connection.ts";
import type { FileOffer, Message } from "../../../src/wire/messages.ts";
import { memoryPair } from "../../support/memory_transport.ts";

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
