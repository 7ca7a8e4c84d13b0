// Hosts of their own, with firewalls and translated addresses between them.

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Finding } from "../../src/cli/doctor/doctor_report.ts";
import { type DaemonOptions, type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { bytesByNode } from "./support/fetch_process.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { type Host, Hosts, hostsTest, NODE_PORT } from "./support/hosts.ts";

const FILE_BYTES = 1_500_007;

/** A daemon on this host that has a link with the one between. */
function at({ namespace, address, between }: Host): DaemonOptions {
  const host = (one: string) => one.includes(":") ? `[${one}]` : one;
  const any = address.includes(":") ? "[::]" : "0.0.0.0";
  return { namespace, peers: [`${host(between)}:${NODE_PORT}`], node: `${any}:${NODE_PORT}` };
}

/** What `doctor` says of one check. */
async function findings(daemon: DaemonProcess, ...checks: string[]): Promise<Finding[]> {
  const { stdout } = await daemon.run(["doctor", "--json", "--pacman-conf", "/none"]);
  const all: Finding[] = stdout.trim().split("\n").map((line) => JSON.parse(line));
  return all.filter(({ check }) => checks.includes(check));
}

/** What `doctor` says of a host whose firewall is closed. */
async function assertTold(shut: DaemonProcess, { between }: Host): Promise<void> {
  const [barred, ...open] = await findings(shut, "node port", "client port", "gateway port");
  assertEquals([barred!.level, barred!.text], [
    "problem",
    `other nodes cannot connect to port ${NODE_PORT}: ${between}:${NODE_PORT} ` +
    "(no answer: a firewall or router drops it)",
  ]);
  assertStringIncludes(barred!.fix[0]!, `Open TCP port ${NODE_PORT}`);
  assertEquals(open, []);
}

/** The same of one that is open, and whose client and gateway ports are. */
async function assertOpen(daemon: DaemonProcess, { address }: Host): Promise<void> {
  const [node, client, gateway] = await findings(
    daemon,
    ...["node port", "client port", "gateway port"],
  );
  assertEquals([node!.level, client!.level, gateway!.level], ["ok", "warning", "warning"]);
  assertStringIncludes(client!.text, `every machine that reaches ${address} can`);
  assertEquals(client!.fix[0], `client = "127.0.0.1:${daemon.client.split(":")[1]}"`);
  assertStringIncludes(gateway!.text, daemon.gateway);
}

hostsTest(
  "doctor tells closed firewalls, and a node that both reach passes files on between them and from IPv4 to IPv6",
  async () => {
    await using hosts = await Hosts.make();
    await using dir = await TempDir.make();
    await using ends = new AsyncDisposableStack();
    const start = async (options: DaemonOptions) => ends.use(await startDaemon(options));
    const relay = await start({
      namespace: hosts.between,
      node: `[::]:${NODE_PORT}`,
      args: ["--accept-uploads", "100M", "--relay-files"],
    });
    const shut = await hosts.add({ isClosed: true }), open = await hosts.add({ family: 4 });
    const ports = { client: "0.0.0.0:0", args: ["--gateway", "0.0.0.0:0"] };
    const pairs = await Promise.all(
      [
        { from: await hosts.add({ isClosed: true }), to: shut, ports: {} },
        { from: open, to: await hosts.add({ family: 6 }), ports },
      ].map(async ({ from, to, ports }, i) => {
        const name = `file-${i}`;
        const path = await dir.sub("shared", name);
        await randomFile(path, FILE_BYTES, i + 1);
        const holder = await start({ ...at(from), ...ports, shares: [path] });
        await holder.holds(name);
        return { name, path, holder, requester: await start(at(to)) };
      }),
    );
    await relay.linked(4);
    const fetched = pairs.map(async ({ name, path, requester }) => {
      const output = await dir.sub(`got-${name}`);
      await using fetch = requester.fetch([name, "-o", output]);
      assertEquals(bytesByNode(await fetch.done()), new Map([[relay.id, FILE_BYTES]]));
      await assertSameFile(output, path);
    });
    await Promise.all([
      ...fetched,
      assertTold(pairs[0]!.requester, shut),
      assertOpen(pairs[1]!.holder, open),
    ]);
    const explained = await pairs[1]!.requester.run(["explain", "file-1"]);
    assertStringIncludes(explained.stdout, "which has it: there is no way to it from here");
  },
);

hostsTest(
  "two nodes behind NATs hear why nothing comes, and get a file from a node that both reach",
  async () => {
    await using hosts = await Hosts.make();
    await using dir = await TempDir.make();
    await using ends = new AsyncDisposableStack();
    const start = async (options: DaemonOptions) => ends.use(await startDaemon(options));
    const between = { namespace: hosts.between, node: `[::]:${NODE_PORT}` };
    const path = await dir.sub("shared", "far.bin"), output = await dir.sub("got", "far.bin");
    await randomFile(path, FILE_BYTES, 9);
    const [one, other] = [await hosts.addBehindNat(), await hosts.addBehindNat()];
    const relay = await start(between);
    const holder = await start({ ...at(one), shares: [path] });
    await holder.holds("far.bin");
    const requester = await start(at(other));
    await relay.linked(2);
    const vain = await requester.run(["fetch", "far.bin", "-o", output]);
    assertEquals(vain.code, 3, vain.stderr);
    assertStringIncludes(vain.stderr, "1 node has it, but no connection to it comes about");
    assertStringIncludes(vain.stderr, "passes no files on");
    await relay.stop();
    const again = await start({
      ...between,
      args: ["--accept-uploads", "100M", "--relay-files"],
    });
    await again.linked(2);
    await using fetch = requester.fetch(["far.bin", "-o", output]);
    assertEquals(bytesByNode(await fetch.done()), new Map([[again.id, FILE_BYTES]]));
    await assertSameFile(output, path);
  },
);
