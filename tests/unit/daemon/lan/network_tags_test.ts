import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { utf8 } from "../../../../src/base/bytes.ts";
import { networkTags } from "../../../../src/daemon/lan/network_tags.ts";

Deno.test("networkTags() are the same for one network and key, and for no other", async () => {
  const key = utf8("a key of 16 bytes");
  const open = await networkTags({ network: "office", networkKey: undefined });
  const keyed = await networkTags({ network: "office", networkKey: key });
  const other = await networkTags({ network: "lab", networkKey: key });
  assertMatch(open.dialled, /^[0-9a-f]{8}$/);
  assertEquals(open.accepted, [open.dialled]);
  assertEquals(new Set([open.dialled, keyed.dialled, other.dialled]).size, 3);
  // As scrypt of Python's hashlib gives it, so that another program can find these nodes.
  assertEquals(keyed.dialled, "fe1392b6");
  const changing = await networkTags({
    network: "office",
    networkKey: utf8("a newer key of 20 b."),
    otherKeys: [key],
  });
  assertNotEquals(changing.dialled, keyed.dialled);
  assertEquals(changing.accepted, [changing.dialled, keyed.dialled]);
});
