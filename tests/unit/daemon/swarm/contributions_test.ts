import { assertEquals } from "@std/assert";
import { newNodeId } from "../../../../src/base/ids.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import { Contributions } from "../../../../src/daemon/swarm/contributions.ts";
import { HERE, mirrorProvider, type Provider } from "../../../../src/daemon/swarm/provider.ts";

function peer(label: string): Provider & { readonly nodeId: string } {
  return { kind: "peer", label, nodeId: newNodeId(systemRandom) } as const;
}

Deno.test("Contributions tells peers and mirrors apart, most bytes first", () => {
  const contributions = new Contributions();
  const [a, b] = [peer("192.0.2.1:1"), peer("192.0.2.2:2")];
  contributions.add(a, { bytes: 10 });
  contributions.add(b, { bytes: 15, strikes: 1 });
  // The same node, by another connection.
  contributions.add({ ...a, label: "192.0.2.1:999" }, { bytes: 10 });
  contributions.add(mirrorProvider("few"), { bytes: 5 });
  contributions.add(mirrorProvider("many"), { bytes: 3 });
  contributions.add(mirrorProvider("many"), { bytes: 3 });
  contributions.add(mirrorProvider("none"), { bytes: 0 });
  contributions.add(HERE, { bytes: 100 });
  assertEquals(contributions.list(), [
    { nodeId: a.nodeId, peer: "192.0.2.1:1", bytes: 20, strikes: 0 },
    { nodeId: b.nodeId, peer: "192.0.2.2:2", bytes: 15, strikes: 1 },
  ]);
  assertEquals(contributions.mirrors(), [{ mirror: "many", bytes: 6 }, {
    mirror: "few",
    bytes: 5,
  }]);
});
