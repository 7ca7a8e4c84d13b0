/** A long list from a holder to a requester, over a connection in memory. */

import { assertEquals, assertRejects } from "@std/assert";
import { PeerFault } from "../../../../src/base/errors.ts";
import type { Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { countListed, hearListing, tellListing } from "../../../../src/daemon/discovery/listing.ts";
import type { OfferSource } from "../../../../src/daemon/discovery/offers.ts";
import { Connection } from "../../../../src/net/connection.ts";
import type { FileDefinition } from "../../../../src/store/files/stored_file.ts";
import type { Message } from "../../../../src/wire/messages.ts";
import { memoryPair } from "../../../support/memory_transport.ts";

const ROOT = "ab".repeat(32) as Root;

/** A holder of so many files. */
function sourceOf(count: number): OfferSource {
  const fileOf = (name: string): FileDefinition => ({
    root: ROOT,
    name,
    type: "",
    sizeBytes: 1,
    chunks: 1,
    chunksHave: 1,
    path: `/${name}`,
    origin: "shared",
  } as FileDefinition);
  const store = {
    *eachMatching() {
      for (let i = 0; i < count; i++) yield fileOf(`${i}`);
    },
    definitionNamed: (_: Root, name: string) => fileOf(name),
  };
  return { store, offerPolicy: { isOfferable: () => true } } as unknown as OfferSource;
}

interface Heard {
  readonly names: string[];
  /** What was said to be left, each time. */
  readonly left: (number | null)[];
  readonly answer: Message | undefined;
}

/** Has a list told and heard; `names` are wanted until there are so many. */
async function exchange(
  count: number,
  { version, wanted = Infinity }: { readonly version: number; readonly wanted?: number },
): Promise<Heard> {
  const [near, far] = memoryPair();
  const [requester, holder] = [new Connection(near), new Connection(far)];
  const source = sourceOf(count);
  const names: string[] = [];
  const left: (number | null)[] = [];
  const tell = async () => {
    const total = await countListed(source, "*");
    const answer = await tellListing(holder, { source, glob: "*", total, version });
    if (answer === undefined) holder.send({ kind: "offers-end" });
    return answer;
  };
  try {
    const [answer] = await Promise.all([
      tell(),
      hearListing(requester, {
        version,
        offer: ({ file }) => void names.push(file.name),
        flying: () => {},
        left(more) {
          left.push(more);
          return names.length < wanted;
        },
      }).then(() => requester.send({ kind: "more" })),
    ]);
    return { names, left, answer };
  } finally {
    requester.close();
    holder.close();
  }
}

Deno.test("tellListing() and hearListing() pass all on in pages, and say how much is left", async () => {
  const page = limits.offersPerPage;
  const { names, left, answer } = await exchange(2 * page + 7, { version: 3 });
  assertEquals([names.length, new Set(names).size], [2 * page + 7, 2 * page + 7]);
  assertEquals([left, answer], [[page + 7, 7, 0], undefined]);
  assertEquals((await exchange(page, { version: 3 })).left, [0], "one page needs no second one");
  assertEquals((await exchange(0, { version: 3 })).left, [0]);
});

Deno.test("hearListing() takes no further page when it has enough, and knows what it lacks", async () => {
  const page = limits.offersPerPage;
  const { names, left, answer } = await exchange(5_000, { version: 3, wanted: page + 1 });
  assertEquals(names.length, 2 * page);
  assertEquals([left.at(-1), answer], [5_000 - 2 * page, { kind: "more" }]);
});

Deno.test("hearListing() does not know what is left where an old list is full", async () => {
  const full = await exchange(limits.listingMax + 5, { version: 2 });
  assertEquals([full.names.length, full.left], [limits.listingMax, [null]]);
  const whole = await exchange(limits.listingMax - 5, { version: 1 });
  assertEquals([whole.names.length, whole.left], [limits.listingMax - 5, [0]]);
});

Deno.test("hearListing() takes no pages of who does not know them, and no endless list", async () => {
  const hearing = { offer: () => {}, flying: () => {}, left: () => true };
  const heard = async (version: number, messages: readonly Message[]) => {
    const [near, far] = memoryPair();
    const [requester, holder] = [new Connection(near), new Connection(far)];
    for (const message of messages) holder.send(message);
    try {
      await hearListing(requester, { version, ...hearing });
    } finally {
      requester.close();
      holder.close();
    }
  };
  const more: Message = { kind: "offers-more", left: 1 };
  assertEquals(
    (await assertRejects(() => heard(2, [more]), PeerFault)).code,
    "unexpected",
  );
  const file = { root: ROOT, name: "x", type: "", sizeBytes: 1, chunksHave: 1, whole: true };
  const offer: Message = { kind: "offer", file, bitfield: new Uint8Array() };
  const tooMany = Array.from({ length: limits.listingMax + 1 }, () => offer);
  assertEquals((await assertRejects(() => heard(1, tooMany), PeerFault)).code, "flooding");
});
