// Where the standard library comes from: from its own registry, or, where that cannot be reached,
// from npm by way of npm_imports.json. It finds out and names the flags of deno that follow from
// it. It imports nothing, so that it runs before anything can be resolved.

/** The source of the standard library. */
export type StdSource = "jsr" | "npm";

/** The variable that hands the flags to child processes, as a JSON array of strings. */
export const DENO_ARGS_VARIABLE = "PACSRV_DENO_ARGS";

/** The variable by which a person chooses the source instead of having it found out. */
export const STD_SOURCE_VARIABLE = "PACSRV_STD";

/** The root of the project. */
export const ROOT_URL = new URL("../", import.meta.url);

/** How long the registry may take to answer before it counts as out of reach. */
const REACH_TIMEOUT_MS = 3_000;

const REGISTRY_DEFAULT = "https://jsr.io/";

/** The path of a file of the project as the system writes it. */
export function rootPath(relative: string): string {
  const path = decodeURIComponent(new URL(relative, ROOT_URL).pathname);
  return Deno.build.os === "windows" ? path.slice(1).replaceAll("/", "\\") : path;
}

/** The flags for `deno run`, `test`, `check`, `install` and `compile`; all paths are absolute. */
export function denoFlags(source: StdSource): string[] {
  const config = `--config=${rootPath("deno.json")}`;
  if (source === "jsr") return [config, `--lock=${rootPath("deno.lock")}`];
  // Frozen: what this lock file does not name must not come in silently.
  return [
    config,
    `--import-map=${rootPath("scripts/npm_imports.json")}`,
    `--lock=${rootPath("scripts/npm_deno.lock")}`,
    "--frozen",
  ];
}

/** What `findStdSource` looks at, instead of what deno itself would. */
export interface SourceOptions {
  /** The address of the registry. */
  registry?: string;
  /** Deno's cache folder. */
  cacheDir?: string;
  /** How long the registry may take to answer before it counts as out of reach. */
  timeoutMs?: number;
}

/**
 * The source to use: the one that a person names in `PACSRV_STD`, else the one found out.
 *
 * @throws {Error} when `PACSRV_STD` is set to anything but `jsr` or `npm`.
 */
export async function chooseStdSource(): Promise<StdSource> {
  const chosen = Deno.env.get(STD_SOURCE_VARIABLE);
  if (!chosen) return await findStdSource();
  if (chosen === "jsr" || chosen === "npm") return chosen;
  throw new Error(`Cannot use ${STD_SOURCE_VARIABLE}=${chosen}: it is either "jsr" or "npm"`);
}

/**
 * Finds out which source can be used: the registry if all pinned packages are in the cache already,
 * or if it answers within a short bound and knows the pinned versions; npm otherwise.
 */
export async function findStdSource(options: SourceOptions = {}): Promise<StdSource> {
  const registry = options.registry ?? Deno.env.get("JSR_URL") ?? REGISTRY_DEFAULT;
  const pins = await pinnedPackages();
  if (await isCached(pins, { JSR_URL: registry, ...dirVariable(options.cacheDir) })) return "jsr";
  const signal = AbortSignal.timeout(options.timeoutMs ?? REACH_TIMEOUT_MS);
  const answers = await Promise.all(pins.map((pin) => isOffered(pin, { registry, signal })));
  return answers.every(Boolean) ? "jsr" : "npm";
}

function dirVariable(cacheDir: string | undefined): Record<string, string> {
  return cacheDir === undefined ? {} : { DENO_DIR: cacheDir };
}

/** The packages that deno.json takes from the registry, as `jsr:@scope/name@version`. */
async function pinnedPackages(): Promise<string[]> {
  const config = JSON.parse(await Deno.readTextFile(rootPath("deno.json")));
  const targets: string[] = Object.values(config.imports);
  return targets.filter((target) => target.startsWith("jsr:"));
}

/** Whether all that is imported of the pinned packages lies in deno's cache. */
async function isCached(pins: string[], env: Record<string, string>): Promise<boolean> {
  const entries = await importedEntries(pins);
  const code = entries.map((entry) => `import ${JSON.stringify(entry)};`).join("\n");
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "--no-config", "--no-lock", "--cached-only", code],
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

/** What is imported of the pinned packages, such as `jsr:@std/fs@1.0.24`. */
async function importedEntries(pins: string[]): Promise<string[]> {
  const map = JSON.parse(await Deno.readTextFile(rootPath("scripts/npm_imports.json")));
  return pins.flatMap((pin) => {
    const name = pin.slice("jsr:".length, pin.lastIndexOf("@"));
    return Object.keys(map.imports)
      .filter((key) => key === name || key.startsWith(`${name}/`))
      .map((key) => pin + key.slice(name.length));
  });
}

/** Whether the registry itself answers for a pin, and not, say, a proxy with a page in its stead. */
async function isOffered(
  pin: string,
  { registry, signal }: { registry: string; signal: AbortSignal },
): Promise<boolean> {
  const [, name, version = ""] = /^jsr:(@[^@]+)@(.+)$/.exec(pin) ?? [];
  try {
    const response = await fetch(new URL(`${name}/meta.json`, registry), { signal });
    if (!response.ok) {
      await response.body?.cancel();
      return false;
    }
    return (await response.json()).versions[version] !== undefined;
  } catch {
    // No name, no route, refused, too late, not JSON: whatever the reason, it is out of reach.
    return false;
  }
}
