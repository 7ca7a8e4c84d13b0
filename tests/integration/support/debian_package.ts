// Has the task `deb` make a package for a test.

import { assertEquals, assertMatch } from "@std/assert";
import { rootPath } from "../../../scripts/std_source.ts";
import type { TempDir } from "./files.ts";
import { tool } from "./tool.ts";

const BUILD_MS = 120_000;

/**
 * Makes one of the program that the arguments name.
 *
 * @param compressor What dpkg-deb packs with: `none` is quick, lintian wants another.
 * @returns Its path.
 */
export async function makePackage(
  dir: TempDir,
  args: readonly string[],
  compressor: "gzip" | "none",
): Promise<string> {
  const out = `${dir.path}/out`;
  const run = ["run", "-A", "--no-config", "--no-lock", rootPath("scripts/run.ts"), "deb"];
  await tool(Deno.execPath(), [...run, "--out", out, ...args], {
    env: { DPKG_DEB_COMPRESSOR_TYPE: compressor },
    timeoutMs: BUILD_MS,
  });
  const names = [...Deno.readDirSync(out)].map(({ name }) => name);
  assertEquals(names.length, 1, names.join());
  assertMatch(names[0]!, /^pacsrv_[\d.]+-1_(amd64|arm64)\.deb$/);
  return `${out}/${names[0]}`;
}
