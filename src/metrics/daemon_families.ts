/** The figures of a daemon. */

import type { RunningDaemon } from "../daemon/daemon.ts";
import type { MonitoredKind } from "./monitor.ts";

/** What monitors are told of a daemon. */
export const DAEMON: MonitoredKind<RunningDaemon> = { families: [] };
