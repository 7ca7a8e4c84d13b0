/**
 * Which client of a node speaks to which instance of a directory. One directory may go by two names:
 * two sessions of one node would push each other out there, so only one of them speaks. What the
 * other does meanwhile is not known here.
 */

import type { NodeId } from "../../base/ids.ts";

/** The instances that clients of type `T` have for themselves, one each. */
export class Duplicates<T> {
  readonly #claims = new Map<T, NodeId>();

  /**
   * `client` meets an instance: from now on it has that one, and no other. If another client has it
   * already, `client` has none, and that other one is returned.
   */
  claim(instance: NodeId, client: T): T | undefined {
    this.#claims.delete(client);
    const holder = this.holder(instance);
    if (holder === undefined) this.#claims.set(client, instance);
    return holder;
  }

  /** What `client` has is free: it does not get through to it. */
  release(client: T): void {
    this.#claims.delete(client);
  }

  /** Who has that instance. */
  holder(instance: NodeId): T | undefined {
    for (const [client, claimed] of this.#claims) if (claimed === instance) return client;
    return undefined;
  }
}
