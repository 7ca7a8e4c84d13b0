/** An effect of a fetch's policy as a line of a simulation's log. */

import type { FetchEffect } from "../../src/core/fetch/fetch_events.ts";

/** What an effect is, for a person who reads a run. */
export function textOf(effect: FetchEffect): string {
  switch (effect.kind) {
    case "note":
      return `note: ${effect.what}`;
    case "tell":
    case "release":
    case "release-proved":
    case "confirm":
      return `${effect.kind} ${effect.range.first}+${effect.range.count}`;
    case "read-mirror":
      return `read-mirror ${effect.bytes}`;
    case "follow":
      return `follow ${effect.candidate.root.slice(-5)}`;
    case "leave":
      return `leave: ${effect.how}`;
    case "mirror-ranges":
      return `mirror-ranges ${effect.isOn ? "on" : "off"}`;
    case "finish":
      return `finish: ${effect.result.kind}`;
    case "fail":
      return `fail: ${effect.error.message}`;
    default:
      return effect.kind;
  }
}
