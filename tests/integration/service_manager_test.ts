// What systemd is told: a socket of the test stands for the one of the system.

import { assertEquals, assertMatch } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { Lines } from "./support/process.ts";

/** Prints each datagram as a line of JSON. */
const RECEIVER = `
const path = Deno.args[0].replace(/^@/, "\\0");
const socket = Deno.listenDatagram({ transport: "unixpacket", path });
console.log("listening");
for await (const [bytes] of socket) console.log(JSON.stringify(new TextDecoder().decode(bytes)));
`;

/** A socket as systemd has it, in a process of its own: only there is the runtime asked for such. */
class Manager implements AsyncDisposable {
  readonly lines: Lines;
  readonly #child: Deno.ChildProcess;

  constructor(path: string) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-config", "--no-lock", "--unstable-net", RECEIVER, path],
      stdout: "piped",
    }).spawn();
    this.lines = new Lines(this.#child.stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await Promise.all([this.#child.status, this.lines.ended]);
  }
}

Deno.test({
  name: "a daemon tells systemd that it is ready, reads its settings again, lives and stops",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await TempDir.make();
    const [path, config] = [await dir.sub("notify"), await dir.sub("pacsrv.toml")];
    await Deno.writeTextFile(config, `log-level = "info"\n`);
    await using manager = new Manager(path);
    await manager.lines.matching("listening");
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "500000" };
    await using daemon = await startDaemon({ config, env });
    assertMatch(
      await manager.lines.matching("READY=1"),
      /^"READY=1\\nSTATUS=node=\S+ client=\S+/,
    );
    await manager.lines.matching("WATCHDOG=1");
    await Deno.writeTextFile(config, `ttl = 99\n`);
    let from = manager.lines.all.length;
    daemon.kill("SIGHUP");
    await manager.lines.matching("RELOADING=1", { from });
    assertMatch(
      await manager.lines.matching("READY=1", { from }),
      /STATUS=Cannot use ttl in .*\(line 1\)/,
    );
    await Deno.writeTextFile(config, `ttl = 7\n`);
    from = manager.lines.all.length;
    daemon.kill("SIGHUP");
    assertMatch(await manager.lines.matching("READY=1", { from }), /STATUS=node=/);
    await daemon.stop();
    await manager.lines.matching("STOPPING=1", { from });
  },
});

Deno.test({
  name: "a daemon tells a service manager that listens on an abstract socket",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const name = `pacsrv-${crypto.randomUUID()}`;
    await using manager = new Manager(`@${name}`);
    await manager.lines.matching("listening");
    await using daemon = await startDaemon({ env: { NOTIFY_SOCKET: `@${name}` } });
    assertMatch(await manager.lines.matching("READY=1"), /^"READY=1\\nSTATUS=node=/);
    await daemon.stop();
    await manager.lines.matching("STOPPING=1");
  },
});

Deno.test("a daemon whose service manager cannot be told says so, and runs", async () => {
  await using dir = await TempDir.make();
  await using daemon = await startDaemon({ env: { NOTIFY_SOCKET: `${dir.path}/none` } });
  await daemon.logged(/cannot tell the service manager/);
  assertEquals((await daemon.status()).links, 0);
  await daemon.stop();
});
