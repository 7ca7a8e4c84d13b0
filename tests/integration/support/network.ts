// Networks of daemons in a given shape: a line, a ring, a full mesh.

import { type DaemonOptions, type DaemonProcess, startDaemon } from "./daemon.ts";

/** Who is linked with whom. */
export type Topology = "line" | "ring" | "mesh";

/** Daemons that are linked; disposing ends all of them. */
export interface Network extends AsyncDisposable {
  readonly daemons: readonly DaemonProcess[];
}

/**
 * Starts `count` daemons and waits until every link of the shape is up.
 *
 * @param options.each What daemon `index` is started with, besides its peers.
 */
export async function network(
  topology: Topology,
  count: number,
  options: { readonly each?: (index: number) => DaemonOptions } = {},
): Promise<Network> {
  await using cleanup = new AsyncDisposableStack();
  const daemons: DaemonProcess[] = [];
  for (let i = 0; i < count; i++) {
    const own = options.each?.(i) ?? {};
    const peers = earlierPeers(topology, i, count).map((index) => daemons[index]!.node);
    const daemon = await startDaemon({ ...own, peers: [...peers, ...own.peers ?? []] });
    daemons.push(cleanup.use(daemon));
  }
  await Promise.all(
    daemons.map((daemon, i) =>
      daemon.linked(linkCount(topology, i, count) + (options.each?.(i).peers?.length ?? 0))
    ),
  );
  const running = cleanup.move();
  return { daemons, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Which daemons, of those started before it, daemon `index` dials. */
function earlierPeers(topology: Topology, index: number, count: number): number[] {
  switch (topology) {
    case "line":
      return index === 0 ? [] : [index - 1];
    case "ring":
      return index === 0 ? [] : index === count - 1 ? [index - 1, 0] : [index - 1];
    case "mesh":
      return Array.from({ length: index }, (_, i) => i);
  }
}

function linkCount(topology: Topology, index: number, count: number): number {
  switch (topology) {
    case "line":
      return index === 0 || index === count - 1 ? 1 : 2;
    case "ring":
      return 2;
    case "mesh":
      return count - 1;
  }
}
