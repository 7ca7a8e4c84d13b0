// Who may change what a daemon shares: whoever can read its token, and nobody learns the token.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { toHex } from "../../src/base/bytes.ts";
import { EnvironmentError } from "../../src/base/errors.ts";
import { newNodeId } from "../../src/base/ids.ts";
import { systemRandom } from "../../src/base/random.ts";
import { Connection } from "../../src/net/connection.ts";
import { expectMessage } from "../../src/net/handshake.ts";
import { tcpTransport } from "../../src/net/tcp_transport.ts";
import type { Duplex, Listener } from "../../src/net/transport.ts";
import { CLIENT_MAGIC, CLIENT_VERSION, type Message } from "../../src/wire/messages.ts";
import { clientMac } from "../../src/wire/proofs.ts";
import { ask, untilShared } from "./support/client.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { randomFile, TempDir } from "./support/files.ts";
import { runPacsrv } from "./support/process.ts";

Deno.test("daemon keeps its token for itself", async () => {
  await using dir = await TempDir.make();
  const dataDir = `${dir.path}/new/data`;
  let token: string;
  {
    await using daemon = await startDaemon({ dataDir });
    token = await tokenOf(daemon);
    assertEquals((await Deno.stat(`${dataDir}/client.token`)).mode! & 0o777, 0o600);
    assertEquals((await Deno.stat(dataDir)).mode! & 0o777, 0o700);
    await Deno.chmod(`${dataDir}/client.token`, 0o644);
    await daemon.stop();
  }
  // The same at the next start, whatever was done to its mode.
  await using daemon = await startDaemon({ dataDir });
  assertEquals(await tokenOf(daemon), token);
  assertEquals((await Deno.stat(`${dataDir}/client.token`)).mode! & 0o777, 0o600);
});

Deno.test("commands that change something fail clearly when the token cannot be read", async () => {
  await using dir = await TempDir.make();
  await randomFile(`${dir.path}/shared.bin`, 50_000, 70);
  await randomFile(`${dir.path}/other.bin`, 50_000, 71);
  await using daemon = await startDaemon({ shares: [`${dir.path}/shared.bin`] });
  await untilShared(daemon, "shared.bin");
  // As it is for a user who may not look into the directory.
  await Deno.rename(`${daemon.dataDir}/client.token`, `${dir.path}/away`);
  const commands = [["share", `${dir.path}/other.bin`], ["unshare", "shared.bin"], ["verify"]];
  for (const command of commands) {
    const { code, stdout, stderr } = await daemon.run(command);
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    assertStringIncludes(stderr, "Cannot read the daemon's token");
    assertStringIncludes(stderr, "hint: Only the user that runs the daemon");
  }
  assertEquals((await daemon.list()).map(({ name }) => name), ["shared.bin"]);
  for (const command of [["list"], ["status"], ["peers"]]) {
    assertEquals((await daemon.run(command)).code, 0);
  }
});

Deno.test("daemon does nothing for a client that has not proved the token", async () => {
  await using dir = await TempDir.make();
  await randomFile(`${dir.path}/secret.txt`, 50_000, 72);
  await using daemon = await startDaemon();
  for (const verb of ["share", "unshare", "verify"] as const) {
    using client = await RawClient.greet(daemon);
    const args = { paths: [`${dir.path}/secret.txt`], target: `${dir.path}/secret.txt` };
    client.send({ kind: "ask", verb, json: JSON.stringify(args) });
    const answer = await client.receive().catch((error) => error);
    assert(answer instanceof Error || answer.kind === "failed", `${verb} was answered`);
  }
  {
    using client = await RawClient.greet(daemon);
    client.send({ kind: "client-auth", mac: new Uint8Array(32) });
    client.send(shareOf(`${dir.path}/secret.txt`));
    await assertRejects(() => client.receive(), EnvironmentError);
    await daemon.logged(/WARN .*dropped a client.*proof of the token/);
  }
  assertEquals(await ask(daemon, "list", {}), []);
});

Deno.test("daemon takes a proof for its own connection only", async () => {
  await using dir = await TempDir.make();
  await randomFile(`${dir.path}/secret.txt`, 50_000, 73);
  await using daemon = await startDaemon();
  const token = Uint8Array.fromHex(await tokenOf(daemon));
  using first = await RawClient.greet(daemon);
  const mac = clientMac("client", token, first.nonces);
  first.send({ kind: "client-auth", mac });
  assertEquals((await first.receive()).kind, "client-auth-ok");
  // What was overheard there proves nothing here, even with the same nonce of the client.
  using second = await RawClient.greet(daemon, first.nonces.client);
  second.send({ kind: "client-auth", mac });
  second.send(shareOf(`${dir.path}/secret.txt`));
  await assertRejects(() => second.receive(), EnvironmentError);
  assertEquals(await ask(daemon, "list", {}), []);
});

Deno.test("a client reads no other file for a daemon than a token", async () => {
  await using dir = await TempDir.make();
  const secret = "ab".repeat(32);
  await Deno.writeTextFile(`${dir.path}/secret.key`, secret);
  await Deno.mkdir(`${dir.path}/client.token.d`);
  await Deno.writeTextFile(`${dir.path}/client.token.d/key`, secret);
  for (const tokenPath of ["secret.key", "client.token.d/key", "client.token/../secret.key"]) {
    await using liar = new FalseDaemon(`${dir.path}/${tokenPath}`);
    const { code, stderr } = await runPacsrv(["share", dir.path, "--client", liar.client]);
    assertEquals(code, 1, stderr);
    assertStringIncludes(stderr, "as its token file");
    assertEquals(liar.heard.map(({ kind }) => kind), ["client-hello"]);
  }
  await using relative = new FalseDaemon("client.token");
  const { code, stderr } = await runPacsrv(["share", ".", "--client", relative.client]);
  assertEquals(code, 1, stderr);
  assertEquals(relative.heard.map(({ kind }) => kind), ["client-hello"]);
});

Deno.test("a client asks nothing of a daemon that does not know the token, nor tells it", async () => {
  await using daemon = await startDaemon();
  const token = await tokenOf(daemon);
  await using liar = new FalseDaemon(`${daemon.dataDir}/client.token`);
  const { code, stderr } = await runPacsrv(["share", daemon.dataDir, "--client", liar.client]);
  assertEquals(code, 1, stderr);
  assertStringIncludes(stderr, "is not that daemon");
  assertEquals(liar.heard.map(({ kind }) => kind), ["client-hello", "client-auth"]);
  for (const message of liar.heard) {
    for (const value of Object.values(message)) {
      const text = value instanceof Uint8Array ? toHex(value) : String(value);
      assert(!text.includes(token.slice(0, 16)), "the token was told");
    }
  }
});

/** A client that a test plays itself. */
class RawClient implements Disposable {
  readonly #connection: Connection;
  readonly nonces: { readonly client: Uint8Array; readonly daemon: Uint8Array };

  private constructor(connection: Connection, nonces: RawClient["nonces"]) {
    this.#connection = connection;
    this.nonces = nonces;
  }

  static async greet(
    { client }: DaemonProcess,
    nonce: Uint8Array = systemRandom.bytes(16),
  ): Promise<RawClient> {
    const [host, port] = client.split(":");
    const address = { host: host!, port: Number(port) };
    const connection = new Connection(await tcpTransport.dial(address, { timeoutMs: 5_000 }));
    connection.send({
      kind: "client-hello",
      magic: CLIENT_MAGIC,
      version: CLIENT_VERSION,
      nonce,
    });
    const welcome = expectMessage(await connection.receiveOne(), "client-welcome");
    return new RawClient(connection, { client: nonce, daemon: welcome.nonce });
  }

  send(message: Message): void {
    this.#connection.send(message);
  }

  /** The next message, heartbeats apart; rejects at the end of the connection. */
  async receive(): Promise<Message> {
    for (;;) {
      let message: Message;
      try {
        message = await this.#connection.receiveOne();
      } catch (cause) {
        throw new EnvironmentError("unreachable", "The daemon hung up", { cause });
      }
      if (message.kind !== "heartbeat") return message;
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** Something that greets clients like a daemon, with a token path of its choice. */
class FalseDaemon implements AsyncDisposable {
  /** HOST:PORT. */
  readonly client: string;
  readonly heard: Message[] = [];
  readonly #listener: Listener;
  readonly #serving: Promise<void>;

  constructor(tokenPath: string) {
    this.#listener = tcpTransport.listen({ host: "127.0.0.1", port: 0 });
    this.client = `127.0.0.1:${this.#listener.address.port}`;
    this.#serving = this.#serveAll(tokenPath);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }

  async #serveAll(tokenPath: string): Promise<void> {
    for await (const duplex of this.#listener) await this.#serve(duplex, tokenPath);
  }

  async #serve(duplex: Duplex, tokenPath: string): Promise<void> {
    const connection = new Connection(duplex);
    try {
      for (;;) {
        const message = await connection.receiveOne();
        if (message.kind !== "heartbeat") this.heard.push(message);
        if (message.kind === "client-hello") {
          connection.send({
            kind: "client-welcome",
            magic: CLIENT_MAGIC,
            version: CLIENT_VERSION,
            nodeId: newNodeId(systemRandom),
            nonce: systemRandom.bytes(16),
            tokenPath,
          });
        } else if (message.kind === "client-auth") {
          connection.send({ kind: "client-auth-ok", mac: systemRandom.bytes(32) });
        }
      }
    } catch {
      connection.close(); // The client hung up.
    }
  }
}

function shareOf(path: string): Message {
  return { kind: "ask", verb: "share", json: JSON.stringify({ paths: [path] }) };
}

async function tokenOf({ dataDir }: DaemonProcess): Promise<string> {
  return (await Deno.readTextFile(`${dataDir}/client.token`)).trim();
}
