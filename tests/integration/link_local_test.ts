// Nodes that have no address but the one that every IPv6 interface gives itself (fe80::/10): two
// machines with a cable between them, a wire without a router.

import { assertEquals, assertMatch } from "@std/assert";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { lanTest, TestLan } from "./support/lan.ts";
import { waitUntil } from "./support/wait.ts";

function linked(daemon: DaemonProcess, other: DaemonProcess): Promise<string> {
  return daemon.logged(new RegExp(` linked .*nodeId=${other.id}`));
}

lanTest(
  "nodes with addresses of an IPv6 link alone find each other on every interface, and fetch",
  async () => {
    await using first = await TestLan.make();
    await using second = await TestLan.make();
    await using dir = await TempDir.make();
    const [here, between, there] = [
      await first.add([]),
      await first.add([]),
      await second.add([]),
    ];
    // On both wires: an address does not say on which of them it is.
    await second.attach(between, { device: "eth1", families: [] });
    // Nothing here is known by IPv4, and it has an address of the link all the same.
    const old = await first.add([4]);
    const start = async ({ namespace }: { namespace: string }, name?: string) => {
      const shares = name === undefined ? [] : [await dir.sub(name)];
      for (const path of shares) await randomFile(path, 300_000, namespace.length);
      const args = ["--discover", "all"];
      return await startDaemon({ namespace, node: "[::]:8048", linksMin: 5, shares, args });
    };
    await using ends = new AsyncDisposableStack();
    const [a, b, c, d] = await Promise.all([
      start(here, "a.bin").then((daemon) => ends.use(daemon)),
      start(between, "b.bin").then((daemon) => ends.use(daemon)),
      start(there, "c.bin").then((daemon) => ends.use(daemon)),
      start(old).then((daemon) => ends.use(daemon)),
    ]);
    const pairs: [DaemonProcess, DaemonProcess][] = [[a, b], [b, c], [a, d], [b, d]];
    for (const [one, other] of pairs) await Promise.all([linked(one, other), linked(other, one)]);
    for (const daemon of [a, b, c]) {
      for (const { host } of await daemon.peers()) assertMatch(host, /^fe80::/);
    }
    // One may be linked by another before it hears it.
    await waitUntil(async () => (await c.status()).lan?.nodes === 1, { what: "c to hear b" });
    const doctor = await c.run(["doctor", "--pacman-conf", "/none"]);
    assertMatch(
      doctor.stdout,
      /lan +hears 1 node of its network: \[fe80::[0-9a-f:]+\]:8048; on eth0 IPv6\n/,
    );

    for (const [to, name] of [[b, "a.bin"], [b, "c.bin"], [a, "b.bin"]] as const) {
      const output = await dir.sub(to.id, name);
      const fetched = await to.run(["fetch", name, "-o", output]);
      assertEquals(fetched.code, 0, fetched.stderr);
      await assertSameFile(output, await dir.sub(name));
    }
    // A person may say on which link, and need not.
    const zone = `[${(await c.peers())[0]!.host}%eth0]:8048`;
    await Promise.all([zone, zone.replace("%eth0", "")].map(async (peer) => {
      const { namespace } = await second.add([]);
      const e = ends.use(await startDaemon({ namespace, node: "[::]:8048", peers: [peer] }));
      await linked(e, b);
    }));
  },
);
