// Interfaces on which no node can be found, or none is to be looked for: what a person is told, and
// that all else goes on.

import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { type DaemonOptions, type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { randomFile, TempDir } from "./support/files.ts";
import { countMulticast, forbidMulticast, lanTest, TestLan } from "./support/lan.ts";
import { tool } from "./support/tool.ts";
import { waitUntil } from "./support/wait.ts";

const NODE_PORT = 8_048;

function on(namespace: string, discover: string, options: DaemonOptions = {}): DaemonOptions {
  const args = ["--discover", discover, ...options.args ?? []];
  return { namespace, node: `[::]:${NODE_PORT}`, linksMin: 3, ...options, args };
}

function linesOfLan({ log }: DaemonProcess): string[] {
  return log.filter((line) => line.includes("LAN") || / (WARN|ERROR) /.test(line));
}

lanTest(
  "where multicast is not possible one line says so, and named nodes are linked",
  async () => {
    await using lan = await TestLan.make();
    await using dir = await TempDir.make();
    const path = await dir.sub("there.bin");
    await randomFile(path, 100_000, 1);
    const [there, walled, plain] = [await lan.add(), await lan.add(), await lan.add()];
    await using holder = await startDaemon(on(there.namespace, "none", { shares: [path] }));
    const peers = [`${there.v4}:${NODE_PORT}`];
    await forbidMulticast(walled);
    // Linux sends by such an interface all the same.
    await tool("ip", ["-n", plain.namespace, "link", "set", "eth0", "multicast", "off"]);
    for (const { namespace } of [walled, plain]) {
      await using daemon = await startDaemon(on(namespace, "all", { peers }));
      await daemon.logged(new RegExp(` linked .*nodeId=${holder.id}`));
      const out = await dir.sub(namespace, "out.bin");
      const fetched = await daemon.run(["fetch", "there.bin", "-o", out]);
      assertEquals(fetched.code, 0, fetched.stderr);
      if (namespace !== walled.namespace) continue;
      await daemon.logged(
        /INFO +cannot look for nodes on the LAN; all else goes on reason="eth0 IPv4: cannot send to 224\.0\.0\.251: does a firewall forbid it\?; eth0 IPv6: cannot send to ff02::fb.*: does a firewall forbid it, or is the address here tentative .*"/,
      );
      assertEquals(linesOfLan(daemon).length, 1, daemon.log.join("\n"));
      const { stdout } = await daemon.run(["doctor", "--pacman-conf", "/none"]);
      assertMatch(
        stdout,
        /lan +cannot look for nodes on the LAN: eth0 IPv4 \(cannot send to .*\), eth0 IPv6 \(/,
      );
    }
  },
);

lanTest(
  "nothing is sent on an interface that was not named, and an unknown one is told",
  async () => {
    await using lan = await TestLan.make();
    await using second = await TestLan.make();
    const { namespace } = await lan.add();
    await second.attach({ namespace }, { device: "eth1" });
    const other = await second.add();
    const used = await countMulticast({ namespace }, "eth0");
    const unused = await countMulticast({ namespace }, "eth1");
    await using dir = await TempDir.make();
    const config = await dir.sub("pacsrv.toml");
    await Deno.writeTextFile(config, 'discover = "eth0,nosuch0"\nlog-level = "debug"\n');
    await using daemon = await startDaemon(
      { namespace, node: `[::]:${NODE_PORT}`, linksMin: 3, config },
    );
    // It asks and announces itself here on the other wire.
    await using stranger = await startDaemon(on(other.namespace, "all"));
    await stranger.logged(/looks for nodes of its network on the LAN/);
    await daemon.logged(
      /WARN +an interface to look for nodes on is not there, or has no address for others interface=nosuch0 there="eth0, eth1"/,
    );
    await daemon.logged(
      /looks for nodes of its network on the LAN \(multicast DNS\) on="eth0 IPv4, eth0 IPv6"/,
    );
    const doctor = await daemon.run(["doctor", "--pacman-conf", "/none"]);
    assertMatch(
      doctor.stdout,
      /lan .*on eth0 IPv4, eth0 IPv6; not on nosuch0 \(not there, or without an address; there: eth0, eth1\)/,
    );
    // The first announcement, a question and the second, in each family.
    await waitUntil(async () => await used() >= 6, {
      what: "packets on the interface that is used",
    });
    assertEquals(await unused(), 0);
    assertEquals((await daemon.status()).lan?.nodes, 0);

    // Named instead, it is used, and the other one has its goodbye and no more.
    await Deno.writeTextFile(config, 'discover = "eth1"\nlog-level = "debug"\n');
    daemon.kill("SIGHUP");
    await daemon.logged(/on="eth1 IPv4, eth1 IPv6"/);
    const before = await used();
    await daemon.logged(new RegExp(` linked .*nodeId=${stranger.id}`));
    await waitUntil(async () => await unused() >= 6, { what: "packets on the other" });
    assertGreater(await unused(), 0);
    assertEquals(await used(), before);
    await daemon.stop();
  },
);
