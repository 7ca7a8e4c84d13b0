// The network of the demo: which nodes there are, who knows whom, who holds what, and how that
// looks drawn as text. It starts nothing.

/** A daemon of the demo. */
export type NodeName = "n1" | "n2" | "n3" | "n4" | "n5" | "n6" | "n7" | "n8";

/** All daemons, in the order of their start. */
export const NODES: readonly NodeName[] = ["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"];

/** Who is linked with whom. The later one of each pair is told of the earlier one, and dials it. */
export const LINKS: readonly (readonly [NodeName, NodeName])[] = [
  ["n1", "n2"],
  ["n2", "n3"],
  ["n3", "n4"],
  ["n4", "n5"],
  ["n5", "n6"],
  ["n3", "n7"],
  ["n7", "n8"],
  ["n5", "n8"],
];

/** The node that is asked for the file. */
export const REQUESTER: NodeName = "n1";
/** The node that has the whole file, and is killed. */
export const WHOLE_HOLDER: NodeName = "n4";
/** The nodes that have a part each; together, all of it. */
export const PART_HOLDERS = ["n6", "n8"] as const satisfies readonly NodeName[];

/** The nodes that a node has a link with. */
export function neighbours(name: NodeName): NodeName[] {
  return LINKS.flatMap(([a, b]) => a === name ? [b] : b === name ? [a] : []);
}

/** The neighbours that a node is told of at its start: those that are there already. */
export function toldOf(name: NodeName): NodeName[] {
  const started = NODES.slice(0, NODES.indexOf(name));
  return neighbours(name).filter((other) => started.includes(other));
}

/** How many links a query travels from one node to another at least. */
export function hopsBetween(from: NodeName, to: NodeName): number {
  const hops = new Map<NodeName, number>([[from, 0]]);
  // A Map gives what is added while it is gone through, too.
  for (const [name, count] of hops) {
    for (const next of neighbours(name)) {
      if (!hops.has(next)) hops.set(next, count + 1);
    }
  }
  return hops.get(to) ?? Infinity;
}

/** The network with what each holder has, for a file of `chunks` chunks cut at chunk `cutAt`. */
export function picture(chunks: number, cutAt: number): string {
  const [first, second] = [`chunks 0-${cutAt - 1}`, `chunks ${cutAt}-${chunks - 1}`];
  return [
    "  n1 ------- n2 ------- n3 ------- n4 ------- n5 ------- n6",
    `  asks                  |          whole      |          ${first}`,
    "                        |                     |",
    "                        n7 ------- n8 --------+",
    `                                   ${second}`,
  ].join("\n");
}
