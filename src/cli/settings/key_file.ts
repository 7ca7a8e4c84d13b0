/** The file with a network's secret. Its content never appears in a message. */

import { UsageError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { readBounded } from "./bounded_file.ts";
import { warn } from "../terminal.ts";

/**
 * The secret: all bytes of the file, but for one newline at its end, which editors put there.
 *
 * @throws {UsageError} when it is too short to be a secret, or too long to be one.
 * @throws {EnvironmentError} when it cannot be read.
 */
export async function readKeyFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const what = "network key file";
  const bytesMax = limits.networkKeyBytesMax;
  // Two more, so that a newline does not count against a key of the greatest length.
  const bytes = await readBounded(path, { what, bytesMax: bytesMax + 2 });
  let length = bytes.length;
  if (bytes[length - 1] === 0x0a) length--;
  if (bytes[length - 1] === 0x0d && length < bytes.length) length--;
  if (length < limits.networkKeyBytesMin || length > bytesMax) {
    throw new UsageError(
      `Cannot use ${what} ${path}: it has ${length} bytes, not ${limits.networkKeyBytesMin} to ` +
        `${bytesMax}`,
      { hint: `Make one with: head -c 32 /dev/urandom | base64 > ${path}; chmod 600 ${path}` },
    );
  }
  const { mode } = await Deno.stat(path);
  if (mode !== null && (mode & 0o004) !== 0 && Deno.build.os !== "windows") {
    warn(`every user of this machine can read the ${what} ${path}: chmod 600 ${path}`);
  }
  return bytes.slice(0, length);
}
