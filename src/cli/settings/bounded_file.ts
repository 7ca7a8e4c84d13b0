/** Reading a small file that a person named, with its size bounded before it is read. */

import { UsageError } from "../../base/errors.ts";
import { systemError } from "../terminal/system_error.ts";

/** Where the pipes of shells are, as of `--config <(command)`: whoever writes to them is there already. */
const OPEN_PIPES = ["/dev/", "/proc/"];

/**
 * The bytes of a file of at most `bytesMax`.
 *
 * The bound holds also for what has no size of its own, such as a device or a pipe.
 *
 * @throws {UsageError} when it has more, or is a pipe with a name: to open one takes until somebody
 * writes to it, which may be never.
 * @throws {EnvironmentError} when it cannot be read.
 */
export async function readBounded(
  path: string,
  options: { readonly what: string; readonly bytesMax: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const { what, bytesMax } = options;
  const buffer = new Uint8Array(bytesMax + 1);
  let length = 0;
  try {
    const isOpenPipe = OPEN_PIPES.some((folder) => path.startsWith(folder));
    if (!isOpenPipe && (await Deno.stat(path)).isFifo) {
      throw new UsageError(`Cannot read ${what} ${path}: it is a pipe`);
    }
    using file = await Deno.open(path);
    if ((await file.stat()).isDirectory) {
      throw new UsageError(`Cannot read ${what} ${path}: it is a directory`);
    }
    while (length < buffer.length) {
      const read = await file.read(buffer.subarray(length));
      if (read === null) break;
      length += read;
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw systemError(error, `read ${what} ${path}`);
  }
  if (length > bytesMax) {
    throw new UsageError(`Cannot read ${what} ${path}: it has more than ${bytesMax} bytes`);
  }
  return buffer.slice(0, length);
}
