// Links and clients that do nothing: five hundred that answer their pings are no burden and stay;
// those that fall silent are closed when their time is over. All in one test, for it takes the real
// time of the longest bound, 30 s, once.

import { assert, assertEquals } from "@std/assert";
import { newNodeId, newQueryId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { Connection } from "../../src/net/connection.ts";
import { initiate } from "../../src/net/handshake.ts";
import { tcpTransport } from "../../src/net/tcp_transport.ts";
import { decodePayload } from "../../src/wire/codec.ts";
import { CLIENT_MAGIC, CLIENT_VERSION } from "../../src/wire/messages.ts";
import { ask, connectTo, untilShared } from "./support/client.ts";
import { requestFor } from "../support/fetch_request.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { runPacsrv } from "./support/process.ts";
import { RawNode, rawQuery } from "./support/raw_node.ts";
import { waitUntil, within } from "./support/wait.ts";

const MIB = 1024 * 1024;
const LINKS = 500;
/** Links dialled at once: fewer than the handshakes that a daemon has going. */
const DIALS = 50;
/** Between two rounds of what is asked meanwhile: other tests run beside it. */
const PAUSE_MS = 1_000;
/** What a loaded machine and the daemon's own clock may add to a bound. */
const LATE_MS = 8_000;

Deno.test("daemon serves on with 500 idle links, and closes what is silent in time", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "file.bin");
  await randomFile(path, 8 * MIB + 3, 80);
  await using daemon = await startDaemon({
    shares: [path],
    logLevel: "info",
    args: ["--max-connections", String(LINKS + 20)],
  });
  await untilShared(daemon, "file.bin");
  await using idle = await IdleLinks.open(daemon.node, LINKS);
  await using silent = await IdleLinks.open(daemon.node, 1, { isSilent: true });
  const openedMs = performance.now();
  await waitUntil(async () => (await ask(daemon, "status", {}))[0]?.links === LINKS + 1, {
    what: "all links to be up",
  });

  const quietEnd = Promise.withResolvers<void>();
  const [linkMs, clientMs, strangerMs, daemonMs] = await Promise.all([
    silent.firstEndMs.then((endMs) => {
      quietEnd.resolve();
      return endMs - openedMs;
    }),
    silentClientMs(daemon),
    silentStrangerMs(daemon),
    silentDaemonMs(),
    answersMeanwhile(daemon, { path, dir, until: quietEnd.promise }),
  ]);
  assertWithin(linkMs, limits.linkSilentMs, "a silent link");
  assertWithin(clientMs, limits.clientSilentMs, "a silent client");
  assertWithin(strangerMs, limits.handshakeMs, "a silent stranger");
  assertWithin(daemonMs, limits.clientSilentMs, "a silent daemon");

  // They were idle for longer than a silent one may live, and every one is still there.
  const [status] = await ask(daemon, "status", {});
  assertEquals(status?.links, LINKS);
  assertEquals(idle.count, LINKS);
  await fetchAll(daemon, path, `${dir.path}/last`);
});

/** Queries of a node on the link and fetches of a stranger, again and again, all answered. */
async function answersMeanwhile(
  daemon: DaemonProcess,
  options: { readonly path: string; readonly dir: TempDir; readonly until: Promise<void> },
): Promise<void> {
  const { path, dir, until } = options;
  let isOver = false;
  until.then(() => isOver = true);
  const offered = new Set<string>();
  await using node = new RawNode({
    onPeer: async (peer) => {
      await peer.next("callback");
      offered.add(peer.remote.nodeId);
    },
  });
  let answers = 0;
  do {
    const link = await node.dial(daemon.node, "link");
    offered.clear();
    link.send(rawQuery({
      id: newQueryId(systemRandom),
      sought: { by: "name", value: "file.bin" },
      callbackPort: Number(node.address.split(":")[1]),
    }));
    await waitUntil(() => offered.has(daemon.id), { what: "the daemon to call back" });
    link.close();
    await fetchAll(daemon, path, `${dir.path}/copy-${answers++}`);
    await node.pause(PAUSE_MS);
  } while (!isOver);
  assert(answers >= 3, `only ${answers} rounds in 30 s`);
}

async function fetchAll(daemon: DaemonProcess, path: string, output: string): Promise<void> {
  const { code, stderr } = await runPacsrv(
    ["fetch", "file.bin", "-o", output, "--alone", "--peer", daemon.node],
  );
  assertEquals(code, 0, stderr);
  await assertSameFile(output, path);
}

/** How long a client lives that greets and then says nothing. */
async function silentClientMs(daemon: DaemonProcess): Promise<number> {
  const connection = await connect(daemon.client);
  const nonce = systemRandom.bytes(16);
  connection.send({ kind: "client-hello", magic: CLIENT_MAGIC, version: CLIENT_VERSION, nonce });
  return await lifeMs(connection);
}

/** How long a connection to the node port lives over which nothing comes. */
async function silentStrangerMs(daemon: DaemonProcess): Promise<number> {
  return await lifeMs(await connect(daemon.node));
}

/** How long a client waits for a daemon that stands still. */
async function silentDaemonMs(): Promise<number> {
  await using daemon = await startDaemon();
  await using client = await connectTo(daemon);
  const fetching = Array.fromAsync(client.get(requestFor("nothing.bin")));
  daemon.kill("SIGSTOP");
  const beginMs = performance.now();
  const error = await within(fetching.then(() => undefined, (error) => error), {
    what: "the client to give up",
    timeoutMs: limits.clientSilentMs + limits.clientBeatMs + LATE_MS,
  });
  assertEquals(error?.exit, "noDaemon", String(error));
  return performance.now() - beginMs;
}

/** Reads without ever answering; gives the time until the other side hangs up. */
async function lifeMs(connection: Connection): Promise<number> {
  const beginMs = performance.now();
  await connection.receive({ frame: () => {} });
  return performance.now() - beginMs;
}

function assertWithin(tookMs: number, boundMs: number, what: string): void {
  assert(tookMs >= boundMs - 500, `${what} was closed after ${tookMs} ms, before ${boundMs}`);
  const latestMs = boundMs + limits.clientBeatMs + LATE_MS;
  assert(tookMs <= latestMs, `${what} was closed only after ${tookMs} ms`);
}

async function connect(address: string): Promise<Connection> {
  const [host, port] = address.split(":");
  const at = { host: host!, port: Number(port) };
  return new Connection(await tcpTransport.dial(at, { timeoutMs: 10_000 }));
}

/** Links, each of a node of its own, over which only pings are answered; or not even these. */
class IdleLinks implements AsyncDisposable {
  /** When the first of them was closed by the other side. */
  readonly firstEndMs: Promise<number>;
  readonly #open = new Set<Connection>();
  readonly #running: Promise<void>[] = [];
  readonly #firstEnd = Promise.withResolvers<number>();

  private constructor() {
    this.firstEndMs = this.#firstEnd.promise;
  }

  static async open(
    address: string,
    count: number,
    options: { readonly isSilent?: boolean } = {},
  ): Promise<IdleLinks> {
    const links = new IdleLinks();
    try {
      for (let i = 0; i < count; i += DIALS) {
        const batch = Array.from({ length: Math.min(DIALS, count - i) });
        await Promise.all(batch.map(() => links.#dial(address, options.isSilent === true)));
      }
      return links;
    } catch (error) {
      await links[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** How many are open. */
  get count(): number {
    return this.#open.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#open) connection.close();
    await Promise.all(this.#running);
  }

  async #dial(address: string, isSilent: boolean): Promise<void> {
    const connection = await connect(address);
    this.#open.add(connection);
    await initiate(connection, {
      identity: {
        nodeId: newNodeId(systemRandom),
        listenPort: 0,
        network: "pacsrv",
        networkKey: undefined,
        random: systemRandom,
      },
      purpose: "link",
    });
    this.#running.push(this.#run(connection, isSilent));
  }

  async #run(connection: Connection, isSilent: boolean): Promise<void> {
    await connection.receive({
      frame: ({ code, payload }) => {
        const message = decodePayload(code, payload);
        if (message.kind === "ping" && !isSilent) {
          connection.send({ kind: "pong", token: message.token });
        }
      },
    });
    this.#open.delete(connection);
    this.#firstEnd.resolve(performance.now());
  }
}
