/** Who gave how much of a file, and who gave what is wrong: kept when a source is gone. */

import type { NodeId } from "../../base/ids.ts";
import type { Provider } from "./provider.ts";

/** What one node did for a file. */
export interface Contribution {
  readonly nodeId: NodeId;
  /** Its address, for people. */
  readonly peer: string;
  /** Checked bytes that it was the first to give. */
  readonly bytes: number;
  readonly strikes: number;
}

/** What one mirror did for a file. */
export interface MirrorContribution {
  /** HOST or HOST:PORT. */
  readonly mirror: string;
  /** Checked bytes that it was the first to give. */
  readonly bytes: number;
}

/** The contributions of all to one file. */
export class Contributions {
  /** By node, and by label where there is none. */
  readonly #given = new Map<string, { provider: Provider; bytes: number; strikes: number }>();

  /** Adds to what `provider` has done so far. */
  add(
    provider: Provider,
    { bytes = 0, strikes = 0 }: { readonly bytes?: number; readonly strikes?: number },
  ): void {
    const key = provider.nodeId ?? provider.label;
    let given = this.#given.get(key);
    if (given === undefined) {
      given = { provider, bytes: 0, strikes: 0 };
      this.#given.set(key, given);
    }
    given.bytes += bytes;
    given.strikes += strikes;
  }

  /** Nodes that gave something, right or wrong; most bytes first. */
  list(): Contribution[] {
    return [...this.#given.values()].flatMap(({ provider: { nodeId, label }, bytes, strikes }) =>
      nodeId === null ? [] : [{ nodeId, peer: label, bytes, strikes }]
    ).sort((a, b) => b.bytes - a.bytes);
  }

  /** Mirrors that gave something; most bytes first. */
  mirrors(): MirrorContribution[] {
    return [...this.#given.values()].flatMap(({ provider: { kind, label }, bytes }) =>
      kind === "mirror" && bytes > 0 ? [{ mirror: label, bytes }] : []
    ).sort((a, b) => b.bytes - a.bytes);
  }
}
