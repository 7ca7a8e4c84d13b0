// A LAN on this machine: network namespaces on one bridge, a wire with a host at each end of it.

import { hostsProblem } from "./hosts.ts";
import { Lines } from "./process.ts";
import { tool, ToolProcess } from "./tool.ts";
import { uniqueId } from "./unique.ts";

let made = 0;

/** A host on the wire. */
export interface LanHost {
  readonly namespace: string;
  /** Its addresses; one of them may not be there. */
  readonly v4: string;
  readonly v6: string;
}

/** Hosts on one wire, until they are disposed of. */
export class TestLan implements AsyncDisposable {
  /** Each wire has networks of its own: 10.78.WIRE.0/24, and fd78:0:0:WIRE::/64. */
  readonly #wire = made++;
  readonly #prefix = `pacsrv-lan-${uniqueId()}`;
  #ports = 0;
  readonly #namespaces: string[] = [];

  static async make(): Promise<TestLan> {
    const lan = new TestLan();
    const bridge = await lan.#namespace();
    // Who listens to what is not found out: it would take a while.
    const options = ["type", "bridge", "mcast_snooping", "0", "forward_delay", "0"];
    await ip("-n", bridge, "link", "add", "br0", ...options);
    await ip("-n", bridge, "link", "set", "br0", "up");
    return lan;
  }

  /** One more host, with an address in each of the families. */
  async add(families: readonly (4 | 6)[] = [4, 6]): Promise<LanHost> {
    return await this.attach(await this.addAlone(), { families });
  }

  /** Puts a host on this wire too. */
  async attach(
    { namespace }: { readonly namespace: string },
    { device = "eth0", families = [4, 6] }: {
      readonly device?: string;
      readonly families?: readonly (4 | 6)[];
    } = {},
  ): Promise<LanHost> {
    const bridge = this.#namespaces[0]!;
    const number = ++this.#ports;
    const v4 = `10.78.${this.#wire}.${number}`;
    const v6 = this.#wire === 0 ? `fd78::${number}` : `fd78:0:0:${this.#wire}::${number}`;
    const port = `p${number}`;
    const peer = ["peer", "name", device, "netns", namespace];
    await ip("-n", bridge, "link", "add", port, "type", "veth", ...peer);
    await ip("-n", bridge, "link", "set", port, "master", "br0", "up");
    if (families.includes(4)) await ip("-n", namespace, "addr", "add", `${v4}/24`, "dev", device);
    // Its address of the link is to count at once, too.
    const dad = `echo 0 > /proc/sys/net/ipv6/conf/${device}/accept_dad`;
    await ip("netns", "exec", namespace, "sh", "-c", dad);
    if (families.includes(6)) await ip("-n", namespace, "addr", "add", `${v6}/64`, "dev", device);
    await ip("-n", namespace, "link", "set", device, "up");
    return { namespace, v4, v6 };
  }

  /** A host on no wire at all. */
  async addAlone(): Promise<{ readonly namespace: string }> {
    return { namespace: await this.#namespace() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of this.#namespaces.toReversed()) await ip("netns", "del", namespace);
  }

  async #namespace(): Promise<string> {
    const name = `${this.#prefix}-${this.#namespaces.length}`;
    // Several may be made at once.
    this.#namespaces.push(name);
    await ip("netns", "add", name);
    await ip("-n", name, "link", "set", "lo", "up");
    return name;
  }
}

/** A test that needs a {@linkcode TestLan}; ignored, with the reason printed, where there can be none. */
export function lanTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, fn, ignore: hostsProblem !== undefined });
}

/** What a browser of services prints, a line for each change; disposing ends it and its daemon. */
export class AvahiBrowser implements AsyncDisposable {
  readonly lines: Lines;
  readonly #process: ToolProcess;

  /** Starts a real avahi-daemon on a host, which shares port 5353 there, and browses with it. */
  constructor({ namespace }: LanHost) {
    // With a bus of its own, which nobody else on this machine sees.
    const script = `
      set -e
      mount -t tmpfs none /run
      mkdir -p /run/dbus /run/avahi-daemon
      dbus-daemon --system --nofork --nopidfile >&2 &
      until [ -S /run/dbus/system_bus_socket ]; do sleep 0.02; done
      avahi-daemon --no-drop-root --no-chroot --no-rlimits >&2 &
      until avahi-browse -t _pacsrv._tcp >/dev/null 2>&1; do sleep 0.05; done
      echo ready
      exec avahi-browse --parsable --resolve _pacsrv._tcp`;
    const command = ["netns", "exec", namespace, "unshare", "--mount", "bash", "-c", script];
    this.#process = new ToolProcess("ip", command);
    this.lines = this.#process.stdout;
  }

  /** Waits until it resolved a node at one of these addresses: it shows one of each. */
  async sees(...addresses: readonly string[]): Promise<string> {
    const any = addresses.map((one) => one.replaceAll(".", "\\.")).join("|");
    return await this.lines.matching(new RegExp(`^=;.*;(?:${any});`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** A real DNS server on a host of its own; disposing ends it. */
export class DnsServer implements AsyncDisposable {
  readonly #process: ToolProcess;

  private constructor(process: ToolProcess) {
    this.#process = process;
  }

  /** Starts it with these options. */
  static async start({ namespace, v4 }: LanHost, options: readonly string[]): Promise<DnsServer> {
    const args = ["--keep-in-foreground", "--log-facility=-", "--no-resolv", "--no-hosts"];
    const all = [
      ...args,
      "--conf-file=/dev/null",
      "--pid-file=",
      `--listen-address=${v4}`,
      ...options,
    ];
    const process = new ToolProcess("ip", ["netns", "exec", namespace, "dnsmasq", ...all]);
    await process.stderr.matching(/started/);
    return new DnsServer(process);
  }

  /** Has all that is started on a host from now on ask it. */
  static async use({ namespace }: LanHost, server: LanHost): Promise<AsyncDisposable> {
    // `ip netns exec` puts it into the place of /etc/resolv.conf.
    const folder = `/etc/netns/${namespace}`;
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(`${folder}/resolv.conf`, `nameserver ${server.v4}\n`);
    return { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** The address that an interface of a host gave itself. */
export async function linkAddressOf({ namespace }: LanHost): Promise<string> {
  const show = ["-n", namespace, "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link"];
  return /fe80:[0-9a-f:]+/.exec(await tool("ip", show))![0];
}

/** Counts the packets that leave a host for port 5353; gives how many so far. */
export async function countMulticast(
  { namespace }: { readonly namespace: string },
  device: string,
): Promise<() => Promise<number>> {
  const nft = (...words: string[]) => tool("ip", ["netns", "exec", namespace, "nft", ...words]);
  await nft("add", "table", "inet", device);
  await nft("add", "counter", "inet", device, "sent");
  await nft("add", "chain", "inet", device, "out", "{ type filter hook output priority 0 ; }");
  const rule = ["oifname", device, "udp", "dport", "5353", "counter", "name", "sent"];
  await nft("add", "rule", "inet", device, "out", ...rule);
  return async () => {
    const text = await nft("list", "counter", "inet", device, "sent");
    return Number(/packets (\d+)/.exec(text)?.[1] ?? NaN);
  };
}

/** Has a firewall on a host forbid whatever it would send to port 5353. */
export async function forbidMulticast(
  { namespace }: { readonly namespace: string },
): Promise<void> {
  const nft = (...words: string[]) => tool("ip", ["netns", "exec", namespace, "nft", ...words]);
  await nft("add", "table", "inet", "wall");
  await nft("add", "chain", "inet", "wall", "out", "{ type filter hook output priority 0 ; }");
  await nft("add", "rule", "inet", "wall", "out", "udp", "dport", "5353", "drop");
}

/** Runs code of a test on a host; gives what it printed. */
export async function runOn({ namespace }: LanHost, code: string): Promise<string> {
  const args = ["netns", "exec", namespace, Deno.execPath(), "eval", "--no-config", "--no-lock"];
  return await tool("ip", [...args, code]);
}

async function ip(...args: string[]): Promise<void> {
  await tool("ip", args);
}
