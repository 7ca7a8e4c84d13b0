/** Where a node is, while its addresses and its name change. */

import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { OwnPlace } from "../../../../src/daemon/discovery/own_place.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

Deno.test("OwnPlace remembers the site of a host, and takes another one that is named later", () => {
  const place = new OwnPlace({ site: "main", clock: new ManualClock(), subnets: () => [] });
  const near = (site: string) => place.nearnessOf({ host: "192.0.2.7", site });
  assertEquals([near(""), near("main"), near("")], ["far", "site", "site"]);
  assertEquals([near("other"), near("")], ["far", "far"]);
  place.site = "other";
  assertEquals(near(""), "site");
});

Deno.test("OwnPlace looks at the subnets of this machine again after a while", async () => {
  const clock = new ManualClock();
  let bits = 24;
  const subnets = () => [{ host: "192.0.2.1", bits }];
  const place = new OwnPlace({ site: "", clock, subnets });
  const near = () => place.nearnessOf({ host: "192.0.2.7", site: "" });
  assertEquals(near(), "subnet");
  bits = 32;
  assertEquals(near(), "subnet");
  await clock.advance(limits.ownSubnetsMs);
  assertEquals(near(), "far");
});
