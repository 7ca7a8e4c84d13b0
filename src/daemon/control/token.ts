/** The secret that lets a client change the daemon's state: who can read the file may. */

import { join } from "@std/path";
import { fromHex, toHex } from "../../base/bytes.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { newNodeId, type NodeId } from "../../base/ids.ts";
import { systemRandom } from "../../base/random.ts";
import { isFileThere } from "../../store/files/io.ts";
import { TOKEN_BYTES, TOKEN_FILE } from "../../wire/proofs.ts";

/**
 * Reads the token of a data directory, or makes one that only its owner can read.
 *
 * @throws {EnvironmentError} when the file cannot be made.
 */
export async function openToken(dataDir: string): Promise<{ path: string; token: Uint8Array }> {
  const path = join(dataDir, TOKEN_FILE);
  const text = await keptText(path, () => toHex(systemRandom.bytes(TOKEN_BYTES)), {
    mode: 0o600,
    isValid: (text) => /^[0-9a-f]{64}$/.test(text),
  });
  return { path, token: fromHex(text) };
}

/**
 * The id of the node whose data directory this is; made at the first start.
 *
 * @throws {EnvironmentError} when the file cannot be made.
 */
export async function openNodeId(dataDir: string): Promise<NodeId> {
  const text = await keptText(join(dataDir, "node.id"), () => newNodeId(systemRandom), {
    mode: 0o644,
    isValid: (text) => /^[0-9a-f]{32}$/.test(text),
  });
  return text as NodeId;
}

/** A short text that is made once; a file that is not valid is replaced. */
async function keptText(
  path: string,
  make: () => string,
  { mode, isValid }: { readonly mode: number; readonly isValid: (text: string) => boolean },
): Promise<string> {
  try {
    const text = isFileThere(path) ? (await Deno.readTextFile(path)).trim() : "";
    if (isValid(text)) {
      if (Deno.build.os !== "windows") await Deno.chmod(path, mode);
      return text;
    }
  } catch (error) {
    throw cannot(path, error);
  }
  try {
    // Written beside and renamed: a crash leaves no half of it, and the mode is right from the
    // first byte on.
    const temporary = `${path}.new`;
    await Deno.remove(temporary).catch(() => {});
    const text = make();
    await Deno.writeTextFile(temporary, `${text}\n`, { mode, createNew: true });
    await Deno.rename(temporary, path);
    return text;
  } catch (error) {
    throw cannot(path, error);
  }
}

function cannot(path: string, cause: unknown): EnvironmentError {
  return new EnvironmentError("no-permission", `Cannot use ${path}: ${messageOf(cause)}`, {
    hint: "The data directory must be writable by the user that runs the daemon.",
    cause,
  });
}
