// curl as the client of a gateway or a mirror, with its own clock: the start of the process is not
// counted. It checks nothing but that the transfer ended well.

import { runProcess } from "./processes.ts";

/** What curl says of one transfer. */
export interface CurlRun {
  /** From the request until the first byte of the answer was there, connecting included. */
  readonly firstByteS: number;
  /** Until the last one was. */
  readonly totalS: number;
  readonly bytes: number;
}

/** What curl is to do with what it gets. */
export interface CurlOptions {
  readonly output: string;
  readonly limitMs: number;
  /** The address that it connects from; without it, the system chooses. */
  readonly from?: string;
}

/**
 * Fetches a URL into a file.
 *
 * @throws {Error} when curl fails, the status is an error, or it takes too long.
 */
export async function curl(
  url: string,
  options: CurlOptions,
): Promise<CurlRun> {
  const told = "%{time_starttransfer} %{time_total} %{size_download}";
  const text = await runProcess("curl", [
    ...["--disable", "--noproxy", "*", "--fail", "--silent", "--show-error"],
    ...options.from === undefined ? [] : ["--interface", options.from],
    ...["--write-out", told, "--output", options.output, url],
  ], options);
  const [firstByteS, totalS, bytes] = text.trim().split(" ").map(Number);
  return { firstByteS: firstByteS!, totalS: totalS!, bytes: bytes! };
}

/** The same, and the file is gone afterwards. */
export async function curlAndRemove(url: string, options: CurlOptions): Promise<CurlRun> {
  const run = await curl(url, options);
  await Deno.remove(options.output);
  return run;
}

/** How long each took. */
export function seconds(runs: readonly CurlRun[]): number[] {
  return runs.map(({ totalS }) => totalS);
}
