/** Which leaf layers were compared with their roots in this run, and what their files were like. */

import { BoundedMap } from "../../base/bounded_map.ts";
import { limits } from "../../base/limits.ts";
import { type Fingerprint, isSameState } from "../files/stored_file.ts";

/** The layers of one store that are known to make their roots, by the paths of their sidecars. */
export class ProvenLayers {
  readonly #prints = new BoundedMap<string, Fingerprint>(limits.provenLayersMax);

  /** Whether the sidecar at `path` was proved when it was as it is `now`. */
  has(path: string, now: Fingerprint): boolean {
    const print = this.#prints.get(path);
    return print !== undefined && isSameState(print, now);
  }

  /** The sidecar makes its root; it was like `before` before it was read. */
  add(path: string, before: Fingerprint): void {
    this.#prints.set(path, before);
  }

  /** Whatever was known of it counts no more. */
  forget(path: string): void {
    this.#prints.delete(path);
  }
}
