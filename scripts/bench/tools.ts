// The other programs that the product is measured against, and the installing of those that are
// missing. It measures nothing.

import { runProcess } from "./processes.ts";

/** Debian's own Python, for which its libtorrent is built. */
export const PYTHON = "/usr/bin/python3";

/** A program that a case needs. */
export type Tool = "python" | "libtorrent" | "aria2" | "nginx" | "curl" | "openssl" | "redis";

const PROBES: Readonly<Record<Tool, { probe: readonly string[]; debianPackage: string }>> = {
  python: { probe: [PYTHON, "--version"], debianPackage: "python3" },
  libtorrent: {
    probe: [PYTHON, "-c", "import libtorrent; print('libtorrent', libtorrent.__version__)"],
    debianPackage: "python3-libtorrent",
  },
  aria2: { probe: ["aria2c", "--version"], debianPackage: "aria2" },
  nginx: { probe: ["nginx", "-v"], debianPackage: "nginx-light" },
  curl: { probe: ["curl", "--version"], debianPackage: "curl" },
  openssl: { probe: ["openssl", "version"], debianPackage: "openssl" },
  redis: { probe: ["redis-server", "--version"], debianPackage: "redis-server" },
};

const INSTALL_MS = 600_000;

/**
 * Sees to it that the tools are there: those that are missing are installed from Debian's archive.
 *
 * @returns What each of them says of its version.
 * @throws {Error} when one cannot be had.
 */
export async function ensureTools(tools: readonly Tool[]): Promise<string[]> {
  // Where a person has no /usr/sbin on the path, nginx lies there all the same.
  Deno.env.set("PATH", `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin`);
  const missing: Tool[] = [];
  for (const tool of tools) if (await versionOf(tool) === undefined) missing.push(tool);
  if (missing.length > 0) await install(missing.map((tool) => PROBES[tool].debianPackage));
  const versions: string[] = [];
  for (const tool of tools) {
    const version = await versionOf(tool);
    if (version === undefined) {
      throw new Error(`Cannot run ${PROBES[tool].probe[0]}, even after it was installed`);
    }
    versions.push(version);
  }
  return versions;
}

async function versionOf(tool: Tool): Promise<string | undefined> {
  const [command, ...args] = PROBES[tool].probe;
  try {
    const output = await new Deno.Command(command!, { args, stdin: "null" }).output();
    if (!output.success) return undefined;
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return `${decode(output.stdout)}${decode(output.stderr)}`.split("\n")[0]!.trim();
  } catch {
    return undefined;
  }
}

async function install(packages: readonly string[]): Promise<void> {
  console.error(`Installing ${packages.join(", ")}`);
  const asRoot = Deno.uid() === 0 ? [] : ["sudo"];
  const apt = async (...args: string[]) => {
    const [command, ...rest] = [...asRoot, "apt-get", "-q", "-y", ...args];
    await runProcess(command!, rest, {
      limitMs: INSTALL_MS,
      env: { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    });
  };
  try {
    await apt("update");
    await apt("install", "--no-install-recommends", ...packages);
  } catch (cause) {
    throw new Error(`Cannot install ${packages.join(", ")}: install them by hand`, { cause });
  }
}
