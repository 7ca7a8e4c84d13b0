// Hosts of their own on this machine: network namespaces, each linked with one that stands between
// them and passes their packets on. A closed firewall drops what comes to a port.

import { uniqueId } from "./unique.ts";

/** The port of the nodes that run in these hosts. */
export const NODE_PORT = 8_048;

/** How a host is set up. */
interface HostOptions {
  /** Which addresses it has; both by default. */
  readonly family?: 4 | 6;
  /** Whether nothing that comes to `NODE_PORT` gets in. */
  readonly isClosed?: boolean;
}

/** One of the hosts. */
export interface Host {
  readonly namespace: string;
  /** Its own address, and that of the one between on the same wire. */
  readonly address: string;
  readonly between: string;
}

/** Hosts that are there until they are disposed of. */
export class Hosts implements AsyncDisposable {
  /** The namespace of the one between. */
  readonly between: string;
  readonly #prefix = `pacsrv-${uniqueId()}`;
  readonly #namespaces: string[] = [];

  private constructor() {
    this.between = `${this.#prefix}-0`;
  }

  /** Why there can be none here, or undefined when there can. */
  static async problem(): Promise<string | undefined> {
    if (Deno.build.os !== "linux") return "they need Linux";
    if (Deno.uid() !== 0) return "only root can make them";
    try {
      await using hosts = await Hosts.make();
      await hosts.add({ isClosed: true });
      await hosts.addBehindNat();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  static async make(): Promise<Hosts> {
    const hosts = new Hosts();
    await hosts.#namespace(hosts.between);
    // What comes from one host for another goes through.
    for (const path of ["ipv4/ip_forward", "ipv6/conf/all/forwarding"]) {
      await run("ip", "netns", "exec", hosts.between, "sh", "-c", `echo 1 > /proc/sys/net/${path}`);
    }
    return hosts;
  }

  /** One more host, on a wire of its own. */
  async add({ family, isClosed = false }: HostOptions = {}): Promise<Host> {
    const index = this.#namespaces.length;
    const namespace = `${this.#prefix}-${index}`;
    const wire = `h${index}`;
    await this.#namespace(namespace);
    const peer = ["peer", "name", wire, "netns", this.between];
    await run("ip", "-n", namespace, "link", "add", "up0", "type", "veth", ...peer);
    const families = [4, 6].filter((one) => family === undefined || family === one) as (4 | 6)[];
    for (const one of families) {
      const [own, other, bits] = addressesOf(one, index);
      // An IPv6 address counts only once nobody else was heard to have it, unless it is told not to wait.
      const at = one === 6 ? ["nodad"] : [];
      await run("ip", "-n", namespace, "addr", "add", `${own}/${bits}`, "dev", "up0", ...at);
      await run("ip", "-n", this.between, "addr", "add", `${other}/${bits}`, "dev", wire, ...at);
    }
    await run("ip", "-n", namespace, "link", "set", "up0", "up");
    await run("ip", "-n", this.between, "link", "set", wire, "up");
    for (const one of families) {
      const [, other] = addressesOf(one, index);
      await run("ip", "-n", namespace, `-${one}`, "route", "add", "default", "via", other);
      if (isClosed) await close(namespace, one);
    }
    const [address, between] = addressesOf(families[0]!, index);
    return { namespace, address, between };
  }

  /**
   * One more host behind a router that translates its address (NAT), as at home: every such host has
   * the same private address, and nothing from outside gets in that it did not ask for.
   */
  async addBehindNat(): Promise<Host> {
    const router = await this.add({ family: 4 });
    const namespace = `${this.#prefix}-${this.#namespaces.length}`;
    await this.#namespace(namespace);
    const [own, inside] = ["192.168.1.2", "192.168.1.1"];
    const peer = ["peer", "name", "lan0", "netns", router.namespace];
    await run("ip", "-n", namespace, "link", "add", "up0", "type", "veth", ...peer);
    await run("ip", "-n", namespace, "addr", "add", `${own}/24`, "dev", "up0");
    await run("ip", "-n", router.namespace, "addr", "add", `${inside}/24`, "dev", "lan0");
    await run("ip", "-n", namespace, "link", "set", "up0", "up");
    await run("ip", "-n", router.namespace, "link", "set", "lan0", "up");
    await run("ip", "-n", namespace, "route", "add", "default", "via", inside);
    const inRouter = ["netns", "exec", router.namespace];
    await run("ip", ...inRouter, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    const chain = "{ type nat hook postrouting priority 100 ; }";
    await run("ip", ...inRouter, "nft", "add table ip nat");
    await run("ip", ...inRouter, "nft", `add chain ip nat out ${chain}`);
    await run("ip", ...inRouter, "nft", 'add rule ip nat out oifname "up0" masquerade');
    return { namespace, address: own, between: router.between };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of this.#namespaces) await run("ip", "netns", "del", namespace);
  }

  async #namespace(name: string): Promise<void> {
    await run("ip", "netns", "add", name);
    this.#namespaces.push(name);
    await run("ip", "-n", name, "link", "set", "lo", "up");
  }
}

/** Why there can be no hosts here; undefined where there can. */
export const hostsProblem = await Hosts.problem();
if (hostsProblem !== undefined) {
  console.log(`Skipped are tests that need hosts of their own: ${hostsProblem}`);
}

/** A test that needs {@linkcode Hosts}; ignored, with the reason printed, where there can be none. */
export function hostsTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, fn, ignore: hostsProblem !== undefined });
}

function addressesOf(family: 4 | 6, index: number): [own: string, between: string, bits: number] {
  return family === 4
    ? [`10.77.${index}.1`, `10.77.${index}.254`, 24]
    : [`fd77:${index}::1`, `fd77:${index}::fe`, 64];
}

/** Drops what comes to the port: the rule stands before the one that finds own addresses. */
async function close(namespace: string, family: 4 | 6): Promise<void> {
  const rule = (...words: string[]) => run("ip", "-n", namespace, `-${family}`, "rule", ...words);
  await rule(
    ...["add", "pref", "10", "iif", "up0", "ipproto", "tcp", "dport", String(NODE_PORT)],
    "blackhole",
  );
  await rule("add", "pref", "20", "lookup", "local");
  await rule("del", "pref", "0");
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  if (success) return;
  throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}
