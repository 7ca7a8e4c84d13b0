// How long a daemon that is asked for a file takes until it knows who has it.

import type { DaemonProcess } from "./product.ts";

const LIMIT_MS = 60_000;

/** Asks the daemon for a file by name; the time until it says that it is found. */
export async function foundAfterMs(daemon: DaemonProcess, name: string): Promise<number> {
  await using client = await daemon.connect();
  const startMs = performance.now();
  let foundMs: number | undefined;
  for await (
    const event of client.get({
      name,
      root: null,
      sha256: null,
      sizeBytes: null,
      chunks: { first: 0, count: 1 },
      deliver: false,
      timeoutMs: LIMIT_MS,
      searchMs: 0,
      mirrors: [],
      mirrorDelayMs: null,
      background: false,
    })
  ) {
    if (event.kind === "found") foundMs ??= performance.now() - startMs;
  }
  if (foundMs === undefined) throw new Error(`The daemon did not say that it found ${name}`);
  return foundMs;
}
