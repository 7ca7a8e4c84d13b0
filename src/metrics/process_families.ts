/** The figures of every service: which program it is, whether it is ready, what it costs. */

import process from "node:process";
import { Histogram, type Registry } from "prom-client";
import { systemClock } from "../base/clock.ts";
import { VERSION } from "../base/version.ts";
import { EventLoopWatch } from "./event_loop.ts";
import { type Family, register } from "./families.ts";
import type { Health } from "./health.ts";

/** What the process knows of itself at one moment. */
interface ProcessFigures {
  readonly isReady: boolean;
  readonly startedSeconds: number;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

const PROCESS_FAMILIES: readonly Family<ProcessFigures>[] = [
  {
    kind: "gauge",
    name: "pacsrv_build_info",
    help: "Always 1; the label says which version runs.",
    label: "version",
    read: () => ({ [VERSION]: 1 }),
  },
  {
    kind: "gauge",
    name: "pacsrv_ready",
    help: "Whether it can do its work: 1 where /readyz answers 200, else 0.",
    read: ({ isReady }) => isReady ? 1 : 0,
  },
  {
    kind: "gauge",
    name: "pacsrv_start_time_seconds",
    help: "When it was started, in seconds since 1970.",
    read: ({ startedSeconds }) => startedSeconds,
  },
  {
    kind: "counter",
    name: "pacsrv_cpu_seconds_total",
    help: "Processor time that it took, in user and system mode.",
    read: ({ cpuSeconds }) => cpuSeconds,
  },
  {
    kind: "gauge",
    name: "pacsrv_resident_memory_bytes",
    help: "Memory that it has in RAM.",
    read: ({ residentBytes }) => residentBytes,
  },
];

/** Upper ends of the buckets: from what nobody notices to what breaks links. */
const DELAY_BUCKETS_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Has `registry` write these figures, and watches the event loop until the end of the process. */
export function registerProcess(
  registry: Registry,
  { health }: { readonly health: Health },
): EventLoopWatch {
  const startedSeconds = systemClock.unixMs() / 1000;
  register(registry, PROCESS_FAMILIES, () => {
    const { user, system } = process.cpuUsage();
    return {
      isReady: health.problem === undefined,
      startedSeconds,
      cpuSeconds: (user + system) / 1e6,
      residentBytes: Deno.memoryUsage().rss,
    };
  });
  const delay = new Histogram({
    name: "pacsrv_event_loop_delay_seconds",
    help: "How late it came to what was due; while it is late it serves nobody.",
    buckets: DELAY_BUCKETS_SECONDS,
    registers: [registry],
  });
  return new EventLoopWatch((seconds) => delay.observe(seconds));
}
