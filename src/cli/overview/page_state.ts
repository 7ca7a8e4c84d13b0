/** What the page of the port for monitoring shows of a daemon: its first view, harmless to look at. */

import type { RunningDaemon } from "../../daemon/daemon.ts";
import { escapeText } from "../terminal/terminal.ts";
import { type Overview, overviewOf } from "./overview.ts";

/** The sections of the page. */
export function pageState(
  daemon: Pick<RunningDaemon, "status" | "peers">,
  unixMs: number,
): Pick<Overview, keyof Overview> {
  const view = overviewOf({ status: daemon.status(), peers: daemon.peers(), unixMs });
  return escaped(view) as Overview;
}

/** The same with what hides or turns text around in its texts made visible. */
function escaped(value: unknown): unknown {
  if (typeof value === "string") return escapeText(value);
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, escaped(one)]));
}
