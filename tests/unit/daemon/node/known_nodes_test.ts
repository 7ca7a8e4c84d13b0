import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { KnownNodes } from "../../../../src/daemon/node/known_nodes.ts";
import { TempDir } from "../../store/store_fixture.ts";

const NODES = [
  { host: "10.0.0.2", port: 8048 },
  { host: "127.0.0.1", port: 1 },
  { host: "2001:db8::7", port: 65_535 },
];

function knownNodes(dataDir: string, network = "home"): KnownNodes {
  return new KnownNodes({ dataDir, network, log: silentLogger });
}

Deno.test("KnownNodes gives at the next start what was saved last, to the same network", () => {
  using dir = new TempDir();
  const first = knownNodes(dir.path);
  assertEquals(first.atStart, []);
  first.save(NODES.slice(0, 1));
  first.save(NODES.toReversed());
  assertEquals(knownNodes(dir.path).atStart, NODES);
  assertEquals(knownNodes(dir.path, "work").atStart, []);
});

Deno.test("KnownNodes keeps what the run before met while this one has met nobody", () => {
  using dir = new TempDir();
  knownNodes(dir.path).save(NODES);
  knownNodes(dir.path).save([]);
  assertEquals(knownNodes(dir.path).atStart, NODES);
});

Deno.test("KnownNodes counts what it cannot read as empty, and takes no more than its bound", () => {
  using dir = new TempDir();
  const path = join(dir.path, "nodes.json");
  const text = (nodes: unknown) => JSON.stringify({ network: "home", nodes });
  const many = Array.from({ length: 2 * limits.knownNodesMax }, (_, i) => `10.0.1.${i}:1`);
  const cases: [string, number][] = [
    ["", 0],
    ["null", 0],
    ["[]", 0],
    [text({}), 0],
    [text([1, null, "x:1", "0.0.0.0:1", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1", "a.b:1"]), 0],
    [text(["[::1]:5", "10.0.0.1:5"]), 2],
    [text(many), limits.knownNodesMax],
    [text(Array(limits.knownNodesBytesMax).fill("10.0.0.1:5")), 0],
  ];
  for (const [content, count] of cases) {
    Deno.writeTextFileSync(path, content);
    assertEquals(knownNodes(dir.path).atStart.length, count, content.slice(0, 99));
  }
});
