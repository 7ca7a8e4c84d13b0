// How long it takes until the first holder offers: ten real daemons on loopback, and a thousand
// simulated nodes with links of 10 ms.

import { newQueryId } from "../../src/base/ids.ts";
import { seededRandom, shuffled, systemRandom } from "../../src/base/random.ts";
import { SimNetwork } from "../../tests/sim/network.ts";
import { build, randomGraph } from "../../tests/sim/topology.ts";
import type { Bench, BenchCase } from "./bench.ts";
import { foundAfterMs } from "./found.ts";
import { DaemonProcess } from "./product.ts";
import { Requester } from "./requester.ts";
import type { Row, Table } from "./report.ts";
import { makeFile } from "./workspace.ts";

const DAEMONS = 10;
/** The holder is the one opposite to the requester's daemon on the ring. */
const HOLDER = DAEMONS / 2;
const SEARCHES = 20;
const FILE_BYTES = 100;

const NODES = 1_000;
const DEGREE = 3;
const HOLDERS = 3;
const FIRST_SEED = 1_000;

export const searchCase: BenchCase = {
  name: "search",
  about: "first offer: ten daemons on loopback, 1,000 simulated nodes",
  tools: ["python"],
  async run(bench) {
    return [await searchLoopback(bench), simulate(bench)];
  },
};

async function searchLoopback(bench: Bench): Promise<Table> {
  await using cleanup = new AsyncDisposableStack();
  const workspace = cleanup.use(await bench.openWorkspace());
  const searches = Math.max(SEARCHES, bench.options.rounds);
  const shared = await workspace.folder("disk", "shared");
  for (let i = 0; i < 2 * searches; i++) makeFile(`${shared}/${i}.bin`, FILE_BYTES);
  const daemons: DaemonProcess[] = [];
  for (let i = 0; i < DAEMONS; i++) {
    bench.note(`starting daemon ${i + 1} of ${DAEMONS}`);
    const dataDir = await workspace.folder("disk", `data-${i}`);
    // A line, closed to a ring by the last one.
    const peers = [daemons[i - 1], i === DAEMONS - 1 ? daemons[0] : undefined]
      .flatMap((daemon) => daemon === undefined ? [] : [daemon.node]);
    const shares = i === HOLDER ? [shared] : [];
    daemons.push(
      cleanup.use(await DaemonProcess.start(bench.product, { dataDir, peers, shares })),
    );
  }
  await daemons[HOLDER]!.untilShared(2 * searches, { limitMs: bench.limitMs });
  const links = await untilConnected(daemons);

  bench.note("searching");
  const rawMs: number[] = [];
  await using requester = await Requester.link(daemons[0]!.node);
  for (let i = 0; i < searches; i++) {
    const id = newQueryId(systemRandom);
    rawMs.push(await requester.firstOfferMs(id, { by: "name", value: `${i}.bin` }));
  }
  const foundMs: number[] = [];
  for (let i = searches; i < 2 * searches; i++) {
    foundMs.push(await foundAfterMs(daemons[0]!, `${i}.bin`));
  }
  const hops = distance(links, daemons[0]!.id, daemons[HOLDER]!.id);
  return {
    title: `First offer, ${DAEMONS} daemons on loopback`,
    rows: [
      {
        what: "from QUERY sent by a node beside the first daemon to OFFER received",
        unit: "ms",
        values: rawMs,
        bar: { kind: "below", value: 30 },
      },
      {
        what: `from GET on the first daemon's client port to "found"`,
        unit: "ms",
        values: foundMs,
        bar: { kind: "below", value: 30 },
      },
    ],
    notes: [
      `A ring at first; with the links that the daemons made by themselves since, ${hops} links ` +
      "from the first daemon to the holder. Each search is for another file.",
    ],
  };
}

/** Who is linked with whom, once every daemon has the links that it was told to make. */
async function untilConnected(daemons: readonly DaemonProcess[]): Promise<Map<string, string[]>> {
  const links = new Map<string, string[]>();
  for (const daemon of daemons) {
    await daemon.untilLinked(2);
    await using client = await daemon.connect();
    const nodeIds: string[] = [];
    for await (const { direction, nodeId } of client.ask("peers", {})) {
      if (direction === "in" || direction === "out") nodeIds.push(nodeId);
    }
    links.set(daemon.id, nodeIds);
  }
  return links;
}

/** Links on the shortest way. */
function distance(links: ReadonlyMap<string, readonly string[]>, from: string, to: string): number {
  const hops = new Map([[from, 0]]);
  for (const [node, count] of hops) {
    if (node === to) return count;
    for (const next of links.get(node) ?? []) if (!hops.has(next)) hops.set(next, count + 1);
  }
  return Infinity;
}

/** One simulated search for each round, each in another random network. */
function simulate(bench: Bench): Table {
  const runs = Array.from({ length: bench.options.rounds }, (_, i) => {
    bench.note(`simulating network ${i + 1} of ${bench.options.rounds}`);
    return simulateOne(FIRST_SEED + i);
  });
  const row = (what: string, unit: Row["unit"], key: keyof (typeof runs)[number]): Row => ({
    what,
    unit,
    values: runs.map((run) => run[key]),
  });
  return {
    title: `First offer, ${NODES} simulated nodes with links of 10 ms`,
    rows: [
      row("first offer after, in the network's own time", "ms", "firstMs"),
      row("links to the holder that offered first", "count", "hops"),
      row("messages of the query, over all links", "count", "messages"),
      row("nodes that the query reached", "count", "reached"),
      row("links in the network", "count", "edges"),
      row("time to simulate the search", "ms", "computedMs"),
    ],
    notes: [
      `Each of ${runs.length} networks is random, with at least ${DEGREE} links a node, ` +
      `${HOLDERS} holders and the default TTL. An offer takes a connection and two messages of ` +
      "10 ms each after the query has come.",
    ],
  };
}

function simulateOne(seed: number) {
  const name = "linux.pkg.tar.zst";
  const network = new SimNetwork({ seed, topics: [] });
  const random = seededRandom(seed);
  const edges = randomGraph(NODES, DEGREE, random);
  const holders = shuffled(random, [...Array(NODES - 1).keys()]).slice(0, HOLDERS)
    .map((index) => index + 1);
  const nodes = build(network, NODES, edges, (index) => ({
    holds: holders.includes(index) ? [name] : [],
  }));
  const startMs = performance.now();
  const search = network.search(nodes[0]!, name, { wants: HOLDERS });
  network.run(2_000);
  const computedMs = performance.now() - startMs;
  const first = search.offers[0];
  if (first === undefined) throw new Error(`No offer in the network of seed ${seed}`);
  const holder = nodes.find((node) => node.name === first.from)!;
  return {
    firstMs: first.afterMs,
    hops: holder.hopsOf.get(search.id) ?? NaN,
    messages: network.arrived.get("query") ?? 0,
    reached: nodes.filter((node) => node.hopsOf.has(search.id)).length,
    edges: edges.length,
    computedMs,
  };
}
