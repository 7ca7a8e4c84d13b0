/**
 * Says in the log which links come up and go: each once. What comes and goes between two looks is no
 * news, and a node whose link flaps is named twice in `limits.logQuietMs`, with how it stands then.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { LogFields, Logger } from "../../base/log.ts";

interface LoggedNode {
  /** Links that it has now. */
  links: number;
  /** Whether the log says that it has one; when it last said anything, and when before that. */
  isLogged: boolean;
  loggedMs: number;
  loggedBeforeMs: number;
  /** How often links came and went since. */
  changes: number;
  /** What goes with the next line. */
  fields: LogFields;
}

/** The links of one node, as its log has them. */
export class LinkLog {
  readonly #log: Logger;
  readonly #nodes = new BoundedMap<NodeId, LoggedNode>(limits.logKeysMax);

  constructor(log: Logger) {
    this.#log = log;
  }

  up(nodeId: NodeId, fields: LogFields): void {
    this.#changed(nodeId, 1, fields);
  }

  down(nodeId: NodeId, fields: LogFields): void {
    this.#changed(nodeId, -1, fields);
  }

  /** Writes what has changed. */
  tick(nowMs: number): void {
    for (const [nodeId, one] of this.#nodes) {
      const isUp = one.links > 0;
      if (isUp === one.isLogged) {
        if (!isUp && nowMs - one.loggedMs >= limits.logQuietMs) this.#nodes.delete(nodeId);
        continue;
      }
      // That it came and that it went is told at once; what follows, once in a while.
      if (nowMs - one.loggedBeforeMs < limits.logQuietMs) continue;
      const often = one.changes > 1 ? { changes: one.changes } : {};
      this.#log.info(isUp ? "linked" : "link ended", { ...one.fields, nodeId, ...often });
      one.isLogged = isUp;
      one.loggedBeforeMs = one.loggedMs;
      one.loggedMs = nowMs;
      one.changes = 0;
    }
  }

  #changed(nodeId: NodeId, by: 1 | -1, fields: LogFields): void {
    const one = this.#nodes.get(nodeId) ?? {
      links: 0,
      isLogged: false,
      loggedMs: -Infinity,
      loggedBeforeMs: -Infinity,
      changes: 0,
      fields,
    };
    one.links = Math.max(0, one.links + by);
    one.changes++;
    one.fields = fields;
    this.#nodes.set(nodeId, one);
  }
}
