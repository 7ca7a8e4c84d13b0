/** Shapes of networks, as lists of edges between node numbers, and how to build them. */

import { type Random, randomBelow } from "../../src/base/random.ts";
import type { SimNetwork } from "./network.ts";
import type { SimNode, SimNodeOptions } from "./sim_node.ts";

/** An edge: the first node dials the second. */
export type Edge = readonly [from: number, to: number];

export function line(nodes: number): Edge[] {
  return Array.from({ length: nodes - 1 }, (_, i) => [i, i + 1] as const);
}

export function ring(nodes: number): Edge[] {
  return [...line(nodes), [nodes - 1, 0]];
}

export function mesh(nodes: number): Edge[] {
  const edges: Edge[] = [];
  for (let i = 0; i < nodes; i++) {
    for (let j = i + 1; j < nodes; j++) edges.push([i, j]);
  }
  return edges;
}

/** A random connected graph in which every node has at least `degreeMin` edges, none twice. */
export function randomGraph(nodes: number, degreeMin: number, random: Random): Edge[] {
  const edges: Edge[] = [];
  const known = new Set<number>();
  const degrees = new Array<number>(nodes).fill(0);
  function join(a: number, b: number): void {
    const key = Math.min(a, b) * nodes + Math.max(a, b);
    if (a === b || known.has(key)) return;
    known.add(key);
    edges.push([a, b]);
    degrees[a]!++;
    degrees[b]!++;
  }
  for (let i = 1; i < nodes; i++) join(i, randomBelow(random, i));
  for (let i = 0; i < nodes; i++) {
    while (degrees[i]! < Math.min(degreeMin, nodes - 1)) join(i, randomBelow(random, nodes));
  }
  return edges;
}

/** Links between any two nodes at most, over the shortest path; Infinity when there is none. */
export function diameter(nodes: number, edges: readonly Edge[]): number {
  let longest = 0;
  for (let start = 0; start < nodes; start++) {
    longest = Math.max(longest, ...distances(nodes, edges, start));
  }
  return longest;
}

/** Links from `start` to each node over the shortest path. */
export function distances(nodes: number, edges: readonly Edge[], start: number): number[] {
  const near: number[][] = Array.from({ length: nodes }, () => []);
  for (const [a, b] of edges) {
    near[a]!.push(b);
    near[b]!.push(a);
  }
  const links = new Array<number>(nodes).fill(Infinity);
  links[start] = 0;
  const queue = [start];
  for (const node of queue) {
    for (const next of near[node]!) {
      if (links[next] !== Infinity) continue;
      links[next] = links[node]! + 1;
      queue.push(next);
    }
  }
  return links;
}

/**
 * Adds nodes with exactly these links, and lets them come up. The nodes want no others, so gossip
 * changes nothing. Where one of two cannot be dialled, it is the one that dials.
 */
export function build(
  network: SimNetwork,
  nodes: number,
  edges: readonly Edge[],
  options: (index: number) => SimNodeOptions = () => ({}),
): SimNode[] {
  const built = Array.from(
    { length: nodes },
    (_, i) => network.addNode({ linksMax: Math.max(30, nodes), ...options(i) }),
  );
  for (const [from, to] of edges) {
    const [a, b] = [built[from]!, built[to]!];
    if (b.isReachable) network.pin(a, b);
    else network.pin(b, a);
  }
  const isUp = () => built.reduce((sum, node) => sum + node.links.size, 0) === 2 * edges.length;
  if (!network.runUntil(isUp, 10_000)) {
    throw new Error(`Not all links came up (seed ${network.seed})`);
  }
  return built;
}
