// Rates that a daemon keeps: what it gives, what it takes, and what it asks mirrors for.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { newQueryId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { FetchProcess } from "./support/fetch_process.ts";
import { randomFile, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { RawNode, rawQuery } from "./support/raw_node.ts";
import { callbackOk } from "./support/requester.ts";
import { WAIT_MS, waitUntil, within } from "./support/wait.ts";

/** Loopback is not the line, unless it is said to be. */
const LOOPBACK = ['rate."127.0.0.0/8" = "line"'];

/** Writes a configuration file. */
async function configure(path: string, ...lines: string[]): Promise<void> {
  await Deno.writeTextFile(path, ['log-level = "debug"', ...LOOPBACK, ...lines].join("\n"));
}

async function hangUp(daemon: DaemonProcess): Promise<void> {
  const from = daemon.log.length;
  daemon.kill("SIGHUP");
  await daemon.process.stderr.matching(/read the settings again/, { from });
}

/** What each requester was sent, by the name of its file. */
async function sent(daemon: DaemonProcess): Promise<ReadonlyMap<string, number>> {
  const { uploads } = await daemon.status();
  return new Map(uploads.map(({ name, bytes }) => [name, bytes]));
}

Deno.test("a daemon holds what it gives to its rate, shares it, and is free of it on SIGHUP", async () => {
  await using dir = await TempDir.make();
  const files = await dir.folder("files");
  await randomFile(`${files}/one.bin`, 20_000_000, 1);
  await randomFile(`${files}/two.bin`, 20_000_000, 2);
  const config = await dir.sub("pacsrv.toml");
  await configure(config, 'upload-rate = "1M"');
  await using holder = await startDaemon({ config, shares: [files] });
  for (const name of ["one.bin", "two.bin"]) await holder.holds(name);
  const fetching = (name: string) =>
    new FetchProcess([name, "--alone", "--peer", holder.node, "-o", `${files}/../${name}`]);
  await using one = fetching("one.bin");
  await using two = fetching("two.bin");
  await Promise.all([one.progressed(1), two.progressed(1)]);
  const before = await sent(holder);
  const startMs = performance.now();
  const sum = (bytes: ReadonlyMap<string, number>) =>
    bytes.values().reduce((sum, one) => sum + one, 0);
  // A search is answered as ever while the rate is used up.
  await using other = await startDaemon({ peers: [holder.node] });
  await other.linked(1);
  const { stdout } = await other.run(["search", "one.bin", "--json"]);
  assertMatch(stdout, /one\.bin/);
  const after = await waitUntil(
    async () => {
      const now = await sent(holder);
      return sum(now) - sum(before) >= 3_000_000 ? now : undefined;
    },
    { what: "3 MB to be given" },
  );
  const elapsedMs = performance.now() - startMs;
  // Never faster than the rate, but for what is handed out and not written yet.
  const bytes = sum(after) - sum(before) - 2 * 512 * 1024;
  assert(bytes / elapsedMs * 1_000 < 1_000_000 * 1.1, `${bytes} bytes in ${elapsedMs} ms`);
  const parts = ["one.bin", "two.bin"].map((name) => after.get(name)! - before.get(name)!);
  assert(Math.min(...parts) > 750_000, `${parts}`);
  const { rates } = await holder.status();
  assertEquals([rates.upload, rates.download, rates.networks], [
    1_000_000,
    null,
    [{ network: "127.0.0.0/8", rate: "line" }],
  ]);
  await configure(config, 'upload-rate = "unlimited"');
  await hangUp(holder);
  const goneMs = performance.now();
  await Promise.all([one.done(), two.done()]);
  const left = 40_000_000 - sum(after);
  assert(performance.now() - goneMs < left / 1_000, `${left} bytes took as long as before`);
});

Deno.test("a daemon answers pings and searches at once while its upload rate is used up", async () => {
  await using dir = await TempDir.make();
  const files = await dir.folder("files");
  await randomFile(`${files}/wanted.bin`, 4_000_000, 6);
  const config = await dir.sub("pacsrv.toml");
  await configure(config, 'upload-rate = "2K"');
  await using holder = await startDaemon({ config, shares: [files] });
  const { root } = await holder.holds("wanted.bin");
  await using takers = new AsyncDisposableStack();
  const taking = await Promise.all([1, 2, 3].map(async () => {
    const node = takers.use(new RawNode());
    const first = () => [{ kind: "want", root, searchOn: false } as const];
    const peer = await node.dial(holder.node, "transfer", { first });
    await peer.next("offers-end");
    peer.send({ kind: "request", first: 0, count: 32 });
    node.run(async () => void await peer.receive(WAIT_MS).catch(() => {}));
    return peer.connection;
  }));
  const came = () => taking.reduce((sum, { bytesIn }) => sum + bytesIn, 0);
  const atFirst = came();
  await waitUntil(() => came() - atFirst >= 2_000, { what: "the rate to be in use" });

  const offers: (() => void)[] = [];
  await using asker = new RawNode({
    onPeer: async (peer) => {
      await callbackOk(peer, id);
      await peer.next("offer");
      offers.shift()?.();
      peer.close();
    },
  });
  let id = newQueryId(systemRandom);
  const link = await asker.dial(holder.node, "link");
  const before = came();
  const pings = 300, searches = 20;
  for (let token = 0; token < pings; token++) {
    link.send({ kind: "ping", token });
    assertEquals((await link.next("pong")).token, token);
  }
  for (let i = 0; i < searches; i++) {
    const { promise, resolve } = Promise.withResolvers<void>();
    offers.push(resolve);
    id = newQueryId(systemRandom);
    const callbackPort = asker.identity.listenPort;
    link.send(rawQuery({ id, sought: { by: "name", value: "wanted.bin" }, callbackPort }));
    await within(promise, { what: "an offer" });
  }
  // Of the turns of those who take the file, four a second, all answers together take less than one.
  const turns = (came() - before) / limits.rateTurnBytesMin;
  assert(turns < 10, `${turns} turns went by while ${pings} pings and ${searches} searches did`);
});

Deno.test("a daemon whose own rate makes peers slow has no mirror give what they give", async () => {
  await using dir = await TempDir.make();
  const files = await dir.folder("files");
  const size = 1_500_000;
  await randomFile(`${files}/pkg.bin`, size, 3);
  await using mirror = Mirror.start(files);
  await using holder = await startDaemon({ shares: [files] });
  await holder.holds("pkg.bin");
  const config = await dir.sub("pacsrv.toml");
  await configure(config, 'download-rate = "300K"');
  await using daemon = await startDaemon({ config, peers: [holder.node] });
  await daemon.linked(1);
  const startMs = performance.now();
  await using fetch = daemon.fetch([
    // On a busy machine peers may begin late, and that would call the mirror in.
    ...[`${mirror.url}/pkg.bin`, "--mirror-delay", "2", "-o", `${files}/../pkg.bin`],
  ]);
  const { sources, mirrors } = await fetch.done();
  const elapsedMs = performance.now() - startMs;
  assert(elapsedMs > size / 300 * 0.7, `${size} bytes in ${elapsedMs} ms`);
  assertEquals(sources.length, 1);
  const given = mirrors.reduce((sum, { bytes }) => sum + bytes, 0);
  // Its first bytes say which file is meant.
  assert(given < size / 10, `the mirror gave ${given} bytes`);
});

Deno.test("a daemon reads a mirror without ranges at its rate, and all of it once", async () => {
  await using dir = await TempDir.make();
  const files = await dir.folder("files");
  const size = 6_000_000;
  await randomFile(`${files}/pkg.bin`, size, 5);
  await using mirror = Mirror.start(files);
  mirror.misbehave({ ranges: "none" });
  const config = await dir.sub("pacsrv.toml");
  await configure(config, 'mirror-rate = "2M"');
  await using daemon = await startDaemon({ config });
  const startMs = performance.now();
  await using got = daemon.fetch([`${mirror.url}/pkg.bin`, "-o", `${files}/../pkg.bin`]);
  await got.done();
  const elapsedMs = performance.now() - startMs;
  assert(elapsedMs > size / 2_000 * 0.8, `${size} bytes in ${elapsedMs} ms`);
  assertEquals(mirror.requests.map(({ status, bytes }) => [status, bytes]), [[200, size]]);
});

Deno.test("a daemon reads mirrors at the rate of the hour, and does not take them for slow", async () => {
  await using dir = await TempDir.make();
  const files = await dir.folder("files");
  const size = 3_000_000;
  await randomFile(`${files}/pkg.bin`, size, 4);
  await using mirror = Mirror.start(files);
  const config = await dir.sub("pacsrv.toml");
  const part = ['from = "00:00"', 'to = "24:00"', 'mirror-rate = "1M"'];
  await configure(config, "[[schedule]]", ...part);
  await using daemon = await startDaemon({ config, args: ["--metrics", "127.0.0.1:0"] });
  const { rates } = await daemon.status();
  assertEquals([rates.mirror, rates.schedule], [
    1_000_000,
    { part: "00:00-24:00", until: "00:00" },
  ]);
  const metrics = await (await fetch(`http://${daemon.metrics}/metrics`)).text();
  assertMatch(metrics, /pacsrv_rate_limit_bytes_per_second\{direction="mirror"\} 1000000\n/);
  assertMatch(metrics, /pacsrv_rate_limit_bytes_per_second\{direction="upload"\} 0\n/);
  const startMs = performance.now();
  await using got = daemon.fetch([`${mirror.url}/pkg.bin`, "-o", `${files}/../pkg.bin`]);
  await got.done();
  const elapsedMs = performance.now() - startMs;
  assert(elapsedMs > size / 1_000 * 0.8, `${size} bytes in ${elapsedMs} ms`);
  // What is asked for and not read crosses the line all the same: it is asked for part by part.
  const parts = mirror.requests.filter(({ method }) => method === "GET");
  assert(parts.length > 1 && parts.every(({ isWhole }) => isWhole), `${parts.length} parts`);
  assert(parts.every(({ bytes }) => bytes <= 1_100_000), "a part is more than a second's");
});
