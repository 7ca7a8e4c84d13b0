// What the figures were measured on, in a few lines: a figure without it says nothing.

import { VERSION } from "../../src/base/version.ts";
import type { BenchOptions } from "./bench.ts";

/** The machine, the runtime and the size of the measurements. */
export function describeMachine(options: BenchOptions): string[] {
  const processors = Deno.readTextFileSync("/proc/cpuinfo");
  const model = /^model name\s*:\s*(.+)$/m.exec(processors)?.[1] ?? Deno.build.arch;
  // On ARM the flag is called sha2.
  const hasSha = /^(flags|Features)\s*:.*\b(sha_ni|sha2)\b/m.test(processors);
  const memoryGib = Deno.systemMemoryInfo().total / 2 ** 30;
  return [
    `pacsrv ${VERSION}, ${new Date().toISOString().slice(0, 10)}`,
    `${navigator.hardwareConcurrency} x ${model}, ` +
    `${hasSha ? "with" : "without"} instructions for SHA-256, ${memoryGib.toFixed(0)} GiB`,
    `Linux ${Deno.osRelease()}, Deno ${Deno.version.deno}`,
    `${options.rounds} rounds of ${options.sizeBytes} bytes over loopback`,
  ];
}
