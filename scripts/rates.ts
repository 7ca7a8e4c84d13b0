// How well rates are kept: a daemon with a rate, and one peer or many, each a host of its own (network
// namespaces; needs root). Prints a line for each case. It takes minutes; run it on an idle machine:
//
//   deno task rates [upload|download|mirror]... [--mb 1,10,100] [--peers 1,20]
//
// Each peer has, gets or stands for a file of its own. All begin at a low rate; when all are under way,
// the daemon is given the rate of the case (SIGHUP). Bytes of files are counted, as `pacsrv status` has
// them, and all that crosses the wires of the daemon and of each peer, headers included. What each had
// is what crossed its wire; of mirrors, which are one host, what came of each file.

import { parseArgs } from "node:util";
import { type Host, Hosts } from "../tests/integration/support/hosts.ts";
import { type DaemonProcess, startDaemon } from "../tests/integration/support/daemon.ts";
import { FetchProcess } from "../tests/integration/support/fetch_process.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mb: { type: "string", default: "1,10,100" },
    peers: { type: "string", default: "1,20" },
    seconds: { type: "string", default: "10" },
  },
});

const SECONDS = Number(values.seconds);
/** From the rate of the case to the measurement. */
const SETTLE_SECONDS = 2;
/** The rate at which all begin. */
const FIRST_RATE = "200K";
const START_MS = 120_000;
const MIB = 2 ** 20;

/** What is counted at one moment. */
interface Reading {
  readonly atMs: number;
  readonly bytes: number;
  readonly wire: number;
  readonly each: readonly number[];
}

console.log(
  "direction  rate MB/s  peers  files MB/s   off  wire MB/s  least and most that one had",
);
for (const direction of positionals.length > 0 ? positionals : ["upload", "download", "mirror"]) {
  for (const mb of values.mb.split(",").map(Number)) {
    for (const peers of values.peers.split(",").map(Number)) await runCase(direction, mb, peers);
  }
}

async function runCase(direction: string, mb: number, peers: number): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "pacsrv-rates-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  const hosts = stack.use(await Hosts.make());
  const own = await hosts.add({ family: 4 });
  const others: Host[] = [];
  for (let i = 0; i < peers; i++) others.push(await hosts.add({ family: 4 }));
  const seconds = SECONDS + SETTLE_SECONDS + 3;
  const sizeBytes = Math.ceil(8 * MIB + mb * 1e6 * seconds * 1.3 / peers);
  const names = others.map((_, i) => `file-${i}.bin`);
  const isMirror = direction === "mirror";
  const shared = direction === "upload" ? [own] : others;
  for (const [i, name] of names.entries()) {
    const folder = shared.length === 1 || isMirror ? dir : `${dir}/${i}`;
    await Deno.mkdir(folder, { recursive: true });
    await writeRandom(`${folder}/${name}`, sizeBytes);
  }
  const holds = async (host: Host, i: number, how: { readonly config?: string } = {}) => {
    const path = shared.length === 1 ? dir : `${dir}/${i}`;
    const node = `${host.address}:8048`;
    const daemon = stack.use(
      await startDaemon({
        ...{ namespace: host.namespace, node, shares: [path] },
        ...how,
      }),
    );
    for (const name of shared.length === 1 ? names : [names[i]!]) await daemon.holds(name, 120_000);
    return daemon;
  };
  const config = `${dir}/pacsrv.toml`;
  const limitTo = (rate: string) =>
    Deno.writeTextFile(config, `log-level = "warn"\n${direction}-rate = "${rate}"\n`);
  await limitTo(FIRST_RATE);
  let daemon: DaemonProcess;
  const running: FetchProcess[] = [];
  const fetching = (args: readonly string[], host: Host) => {
    const fetch = stack.use(new FetchProcess(args, { namespace: host.namespace }));
    running.push(fetch);
  };
  if (direction === "upload") {
    daemon = await holds(own, 0, { config });
    for (const [i, host] of others.entries()) {
      const output = `${dir}/out-${i}`;
      const to = ["--alone", "--node", `${host.address}:0`, "--peer", `${own.address}:8048`];
      fetching([names[i]!, ...to, "-o", output], host);
    }
  } else {
    const peerArgs: string[] = [];
    if (isMirror) stack.use(await startNginx(dir, others[0]!));
    else {for (const [i, host] of others.entries()) {
        await holds(host, i);
        peerArgs.push("--peer", `${host.address}:8048`);
      }}
    daemon = stack.use(
      await startDaemon({
        ...{ namespace: own.namespace, node: `${own.address}:8048`, config },
        args: peerArgs,
      }),
    );
    if (!isMirror) await daemon.linked(peers, 60_000);
    for (const [i, name] of names.entries()) {
      const url = `http://${others[0]!.address}:8000/${name}`;
      const what = isMirror ? [url, "--mirror-delay", "0"] : [name];
      const output = ["-o", `${dir}/out-${i}`];
      running.push(stack.use(daemon.fetch([...what, ...output])));
    }
  }
  for (const fetch of running) await fetch.progressed(1, START_MS);
  await limitTo(`${mb}M`);
  daemon.kill("SIGHUP");
  await pause(SETTLE_SECONDS);
  const before = await read(direction, { daemon, own, others, names });
  await pause(SECONDS);
  const after = await read(direction, { daemon, own, others, names });
  const tookS = (after.atMs - before.atMs) / 1_000;
  const files = (after.bytes - before.bytes) / tookS / 1e6;
  const wire = (after.wire - before.wire) / tookS / 1e6;
  const off = (files / mb - 1) * 100;
  const each = after.each.map((bytes, i) => (bytes - before.each[i]!) / tookS / 1e6);
  const share = mb / peers;
  const percent = (value: number) => `${(value / share * 100).toFixed(0)}%`;
  const ended =
    running.filter((fetch) => fetch.events().some(({ event }) => event === "done")).length;
  console.log(
    `${direction.padEnd(9)}  ${String(mb).padStart(9)}  ${String(peers).padStart(5)}  ` +
      `${files.toFixed(3).padStart(10)}  ${off.toFixed(1).padStart(4)}%  ` +
      `${wire.toFixed(3).padStart(9)}  ${percent(Math.min(...each))} ${
        percent(Math.max(...each))
      }` +
      (ended > 0 ? `  (${ended} ended before)` : ""),
  );
}

async function read(
  direction: string,
  { daemon, own, others, names }: {
    readonly daemon: DaemonProcess;
    readonly own: Host;
    readonly others: readonly Host[];
    readonly names: readonly string[];
  },
): Promise<Reading> {
  const status = await daemon.status();
  const atMs = performance.now();
  const { uploads, transfers, fetches, copies } = status;
  const isUpload = direction === "upload";
  const wire = await wireBytes(own, isUpload ? "tx" : "rx");
  const coming = direction === "mirror" ? fetches : transfers;
  const of = new Map(
    isUpload
      ? uploads.map(({ name, bytes }) => [name, bytes] as const)
      : coming.map(({ name, bytesDone }) => [name, bytesDone] as const),
  );
  const ofFiles = names.map((name) => of.get(name) ?? 0);
  if (direction === "mirror") {
    return { atMs, bytes: copies.sinceStart.bytesMirrors, wire, each: ofFiles };
  }
  const bytes = ofFiles.reduce((sum, one) => sum + one, 0);
  const each: number[] = [];
  for (const host of others) each.push(await wireBytes(host, isUpload ? "rx" : "tx"));
  return { atMs, bytes, wire, each };
}

async function wireBytes({ namespace }: Host, side: "rx" | "tx"): Promise<number> {
  const path = `/sys/class/net/up0/statistics/${side}_bytes`;
  return Number(await output("ip", "netns", "exec", namespace, "cat", path));
}

async function startNginx(dir: string, host: Host): Promise<AsyncDisposable> {
  const path = `${dir}/nginx.conf`;
  const logs = "access_log off; error_log stderr error;";
  await Deno.writeTextFile(
    path,
    `daemon off; pid ${dir}/nginx.pid; user root; worker_processes 1; events {}\n` +
      `http { ${logs} sendfile on; server { listen ${host.address}:8000; root ${dir}; } }\n`,
  );
  const args = ["netns", "exec", host.namespace, "nginx", "-e", "stderr", "-p", dir, "-c", path];
  const child = new Deno.Command("ip", { args }).spawn();
  await pause(1);
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function writeRandom(path: string, bytes: number): Promise<void> {
  using file = await Deno.create(path);
  const block = new Uint8Array(MIB);
  for (let at = 0; at < block.length; at += 65_536) {
    crypto.getRandomValues(block.subarray(at, at + 65_536));
  }
  for (let left = bytes, i = 0; left > 0; left -= block.length, i++) {
    new DataView(block.buffer).setUint32(0, i);
    for (let at = 0; at < Math.min(left, block.length);) {
      at += await file.write(block.subarray(at, Math.min(left, block.length)));
    }
  }
}

async function output(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args }).output();
  return new TextDecoder().decode(stdout).trim();
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
}
