// Two sites of hosts of their own on this machine, and a line between them that is thin and long:
// network namespaces, and `line.py`. At the first, all hosts are in one subnet; at the second, each has
// a wire of its own, so that only the name of the site says that they are near.

import { uniqueId } from "./unique.ts";

const PYTHON = "/usr/bin/python3";
/** Packets are big, so that a busy machine has fewer to pass on. */
const MTU = "9000";

/** A site's hosts by name; "a" is the one of one subnet. */
export type SiteName = "a" | "b";

/** One host of a site. */
export interface SiteHost {
  readonly namespace: string;
  readonly address: string;
}

/** The sites, until they are disposed of. */
export class TwoSites implements AsyncDisposable {
  readonly #id = uniqueId();
  readonly #prefix = `pacsrv-s-${this.#id}`;
  readonly #namespaces: string[] = [];
  readonly #counts = { a: 0, b: 0 };
  #line: Deno.ChildProcess | null = null;
  #lineOutput: ReadableStreamDefaultReader<Uint8Array> | null = null;
  #lineInput: WritableStreamDefaultWriter<Uint8Array> | null = null;

  private constructor() {}

  /** Why there can be none here, or undefined when there can. */
  static async problem(): Promise<string | undefined> {
    if (Deno.build.os !== "linux") return "they need Linux";
    if (Deno.uid() !== 0) return "only root can make them";
    try {
      await using sites = await TwoSites.make({ bytesPerSecond: 1e6, delayMs: 1 });
      await sites.add("a");
      await sites.add("b");
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  static async make(
    line: { readonly bytesPerSecond: number; readonly delayMs: number },
  ): Promise<TwoSites> {
    const sites = new TwoSites();
    try {
      await sites.#lay(line);
    } catch (error) {
      await sites[Symbol.asyncDispose]();
      throw error;
    }
    return sites;
  }

  /** One more host. */
  async add(site: SiteName): Promise<SiteHost> {
    const index = ++this.#counts[site];
    const namespace = `${this.#prefix}-${site}${index}`;
    const router = this.#router(site);
    await this.#namespace(namespace);
    const wire = `h${index}`;
    const peer = ["peer", "name", wire, "netns", router];
    await run("ip", "-n", namespace, "link", "add", "up0", "type", "veth", ...peer);
    const [address, gateway, bits] = site === "a"
      ? [`10.78.0.${index}`, "10.78.0.254", 24]
      : [`10.79.${index}.1`, `10.79.${index}.254`, 24];
    await run("ip", "-n", namespace, "addr", "add", `${address}/${bits}`, "dev", "up0");
    if (site === "a") await run("ip", "-n", router, "link", "set", wire, "master", "hosts");
    else await run("ip", "-n", router, "addr", "add", `${gateway}/${bits}`, "dev", wire);
    await run("ip", "-n", namespace, "link", "set", "up0", "mtu", MTU, "up");
    await run("ip", "-n", router, "link", "set", wire, "mtu", MTU, "up");
    await run("ip", "-n", namespace, "route", "add", "default", "via", gateway);
    return { namespace, address };
  }

  /** Bytes of all packets that came to a site over the line so far. */
  async crossedBytes(to: SiteName): Promise<number> {
    const path = "/sys/class/net/line/statistics/rx_bytes";
    return Number(await run("ip", "netns", "exec", this.#router(to), "cat", path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lineInput?.close();
    while (await this.#lineOutput?.read().then(({ done }) => !done));
    await this.#line?.status;
    for (const namespace of this.#namespaces) await run("ip", "netns", "del", namespace);
  }

  async #lay(line: { readonly bytesPerSecond: number; readonly delayMs: number }): Promise<void> {
    const devices = (["a", "b"] as const).map((site) => `ps${this.#id}${site}`);
    const { bytesPerSecond, delayMs } = line;
    const script = new URL("./line.py", import.meta.url).pathname;
    const child = this.#line = new Deno.Command(PYTHON, {
      args: [script, ...devices, String(bytesPerSecond), String(delayMs)],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lineInput = child.stdin.getWriter();
    const output = this.#lineOutput = child.stdout.getReader();
    await output.read();
    for (const [i, site] of (["a", "b"] as const).entries()) {
      const router = this.#router(site);
      await this.#namespace(router);
      await run("ip", "link", "set", devices[i]!, "netns", router, "name", "line");
      await run("ip", "-n", router, "link", "set", "line", "mtu", MTU, "up");
      await run(
        "ip",
        "-n",
        router,
        "route",
        "add",
        site === "a" ? "10.79.0.0/16" : "10.78.0.0/24",
        "dev",
        "line",
      );
      const forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
      await run("ip", "netns", "exec", router, "sh", "-c", forward);
    }
    const router = this.#router("a");
    await run("ip", "-n", router, "link", "add", "hosts", "type", "bridge");
    await run("ip", "-n", router, "addr", "add", "10.78.0.254/24", "dev", "hosts");
    await run("ip", "-n", router, "link", "set", "hosts", "mtu", MTU, "up");
  }

  #router(site: SiteName): string {
    return `${this.#prefix}-${site}`;
  }

  async #namespace(name: string): Promise<void> {
    await run("ip", "netns", "add", name);
    this.#namespaces.push(name);
    await run("ip", "-n", name, "link", "set", "lo", "up");
  }
}

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new Error(`${command} ${args.join(" ")}: ${decoder.decode(stderr).trim()}`);
}
