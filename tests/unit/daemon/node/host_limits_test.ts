import { assert } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { HostLimits } from "../../../../src/daemon/node/host_limits.ts";

Deno.test("HostLimits.take() bounds each host alone, and lets time make it up", () => {
  const hosts = new HostLimits({ perSecond: 2, burst: 3 });
  for (let i = 0; i < 3; i++) assert(hosts.take("a", 0));
  assert(!hosts.take("a", 0));
  assert(hosts.take("b", 0));
  assert(!hosts.take("a", 499));
  assert(hosts.take("a", 1_000));
});

Deno.test("HostLimits.take() forgets the host that was silent longest, and no other", () => {
  const hosts = new HostLimits({ perSecond: 1, burst: 1 });
  for (let i = 0; i < limits.questionHostsMax; i++) assert(hosts.take(`h${i}`, 0));
  assert(!hosts.take("h0", 0), "it is the one heard last now");
  assert(hosts.take("new", 0));
  assert(!hosts.take("h0", 0));
  assert(!hosts.take("h2", 0));
  assert(hosts.take("h1", 0), "it had to go");
});
