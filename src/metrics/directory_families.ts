/** The figures of a directory (tracker). */

import type { RunningDirectory } from "../directory/server.ts";
import type { MonitoredKind } from "./monitor.ts";

/** What monitors are told of a directory (tracker). */
export const DIRECTORY: MonitoredKind<RunningDirectory> = { families: [] };
