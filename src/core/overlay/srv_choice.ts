/**
 * Which of the nodes that a name stands for in DNS (SRV records, RFC 2782) a node keeps links with. A data
 * center may list hundreds; each node takes a few. The rules:
 *
 *  1. Whom it chose before and is still listed stays.
 *  2. Of the others those with the lowest priority come first, and among these each by chance as its
 *     weight says: so the nodes of a fleet spread over all that are listed.
 *  3. A target of "." says that there is no such service; it, and port 0, is no node.
 */

import { limits } from "../../base/limits.ts";
import type { HostPort } from "../../base/address.ts";
import { type Random } from "../../base/random.ts";

/** One SRV record. */
interface SrvTarget extends HostPort {
  readonly priority: number;
  readonly weight: number;
}

/** Chooses up to `limits.srvPeersMax` of what is listed. */
export function chooseSrv(
  listed: readonly SrvTarget[],
  { before, random }: { readonly before: readonly HostPort[]; readonly random: Random },
): HostPort[] {
  const left = new Map(
    listed.filter(isNode).slice(0, limits.srvRecordsMax).map((one) => [keyOf(one), one]),
  );
  const chosen: HostPort[] = [];
  const take = ({ host, port }: HostPort) => {
    if (chosen.length >= limits.srvPeersMax || !left.delete(keyOf({ host, port }))) return;
    chosen.push({ host, port });
  };
  before.forEach(take);
  while (chosen.length < limits.srvPeersMax && left.size > 0) {
    take(nextOf([...left.values()], random));
  }
  return chosen;
}

/** Rule 3. */
export function isNode({ host, port }: HostPort): boolean {
  return host !== "" && port !== 0;
}

/** Rule 2. */
function nextOf(targets: readonly SrvTarget[], random: Random): SrvTarget {
  const lowest = Math.min(...targets.map(({ priority }) => priority));
  const best = targets.filter(({ priority }) => priority === lowest);
  // One more than it says, so that weight 0 has a chance too.
  let at = random.unit() * best.reduce((sum, { weight }) => sum + weight + 1, 0);
  return best.find(({ weight }) => (at -= weight + 1) < 0) ?? best[0]!;
}

function keyOf({ host, port }: HostPort): string {
  return `${host} ${port}`;
}
