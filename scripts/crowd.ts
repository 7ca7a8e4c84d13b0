// `deno task crowd`: machines that want the same files at about the same time, as real daemons on this
// machine, and what their mirror gave to whom. For trying things out; what counts is measured by
// `deno task bench crowd`.

import { parseArgs } from "node:util";
import { startDaemon } from "../tests/integration/support/daemon.ts";
import { Crowd, type CrowdReport, writeKey } from "../tests/integration/support/crowd.ts";
import { startDirectory } from "../tests/integration/support/directory.ts";

const HELP = `deno task crowd [--machines N] [--size BYTES]... [--rate BYTES] [--apart SECONDS]
                [--trust sync-db|key] [--rounds N] [--one-url] [--kill SECONDS] [--stop SECONDS]
                [--directory] [--answers] [--log DIR] [--flag WORD]...

Starts daemons with gateways on loopback and a mirror whose line they share, has all of them fetch
the same files at the same moment, and says how many copies the mirror gave and how long it took.

  --machines N     how many (default 8)
  --size BYTES     size of a file; again for more files, all wanted at once (default 40000000)
  --rate BYTES     bytes a second of the mirror's line (default 10000000)
  --apart SECONDS  how much later each machine asks than the one before (default 0)
  --trust HOW      sync-db: the daemons know each SHA-256 from a database (default)
                   key: they know none, and hold the same network key
  --rounds N       rounds, each with files of its own (default 1)
  --one-url        all ask the mirror at the same URL; who asked is not known then
  --kill SECONDS   SIGKILL the machine that has got most from the mirror, so long after the start;
                   in the last round
  --stop SECONDS   the same with SIGSTOP, for 20 s
  --directory      no machine is told of another: a directory is all that they have in common
  --answers        list every answer of the mirror
  --log DIR        write each daemon's log there, with everything in it
  --flag WORD      one more word for the command line of each daemon (--flag=--ttl --flag=3)
`;

const STOPPED_MS = 20_000;

const { values } = parseArgs({
  options: {
    machines: { type: "string", default: "8" },
    size: { type: "string", multiple: true, default: ["40000000"] },
    rate: { type: "string", default: "10000000" },
    apart: { type: "string", default: "0" },
    trust: { type: "string", default: "sync-db" },
    rounds: { type: "string", default: "1" },
    "one-url": { type: "boolean", default: false },
    kill: { type: "string" },
    stop: { type: "string" },
    directory: { type: "boolean", default: false },
    answers: { type: "boolean", default: false },
    log: { type: "string" },
    flag: { type: "string", multiple: true, default: [] },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) console.log(HELP);
else await run();

async function run(): Promise<void> {
  const rounds = Number(values.rounds);
  const sizes = values.size.map(Number);
  const bytesPerSecond = Number(values.rate);
  await using cleanup = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "pacsrv-crowd-" });
  cleanup.defer(() => Deno.remove(dir, { recursive: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, async () => {
      await cleanup.disposeAsync();
      Deno.exit(130);
    });
  }
  const trust = values.trust === "key" ? "key" : "sync-db";
  const network = `crowd-${crypto.randomUUID().slice(0, 8)}`;
  const keyFile = `${dir}/network.key`;
  await writeKey(keyFile);
  const membership = [
    ...["--network", network],
    ...(trust === "key" ? ["--network-key-file", keyFile] : []),
  ];
  const directory = values.directory
    ? cleanup.use(await startDirectory({ logLevel: "info", network: membership }))
    : undefined;
  const crowd = cleanup.use(
    await Crowd.start({
      dir,
      machines: Number(values.machines),
      sizes: Array.from({ length: rounds }, () => sizes).flat(),
      bytesPerSecond,
      trust,
      hasOneUrl: values["one-url"],
      network,
      keyFile,
      ...(directory === undefined ? {} : {
        peersOf: () => [],
        linksMin: 0,
        each: () => ({ args: ["--directory", directory.address] }),
      }),
      start: ({ dataDir, peers, network, args }) =>
        startDaemon({
          dataDir,
          peers,
          linksMin: directory === undefined ? 3 : 0,
          logLevel: values.log === undefined ? "info" : "debug",
          args: ["--network", network, ...args, ...values.flag],
        }),
    }),
  );
  await directory?.reports(
    "all machines",
    ({ clientsReachable }) => clientsReachable === crowd.daemons.length,
  );
  if (values.log !== undefined) {
    const logDir = values.log;
    await Deno.mkdir(logDir, { recursive: true });
    cleanup.defer(async () => {
      for (const [i, { process }] of crowd.daemons.entries()) {
        await Deno.writeTextFile(`${logDir}/m${i}.log`, process.stderr.text());
      }
    });
  }
  for (let round = 0; round < rounds; round++) {
    const files = sizes.map((_, i) => round * sizes.length + i);
    const wishes = files.flatMap((file) => crowd.everybody(file, Number(values.apart) * 1_000));
    const going = crowd.rush(wishes);
    const disturbing = round === rounds - 1 ? disturb(crowd) : Promise.resolve();
    const report = await going;
    await disturbing;
    const idealMs = 1_000 * sizes.reduce((sum, size) => sum + size, 0) / bytesPerSecond;
    show(report, { round, idealMs });
    if (values.answers) await showAnswers(crowd);
  }
}

async function disturb(crowd: Crowd): Promise<void> {
  const { kill, stop } = values;
  const afterS = kill ?? stop;
  if (afterS === undefined) return;
  await sleep(Number(afterS) * 1_000);
  const most = await crowd.busiest();
  console.log(`m${most} is ${kill === undefined ? "stopped" : "killed"}`);
  if (kill !== undefined) return crowd.signal(most, "SIGKILL");
  crowd.signal(most, "SIGSTOP");
  await sleep(STOPPED_MS);
  crowd.signal(most, "SIGCONT");
}

function show(report: CrowdReport, { round, idealMs }: { round: number; idealMs: number }): void {
  const seconds = (ms: number) => (ms / 1_000).toFixed(2).padStart(6);
  console.log(
    `round ${round + 1}: ${report.copies.toFixed(3)} copies, ${report.requests} requests; ` +
      `the slowest waited ${seconds(report.slowestMs)} s, ` +
      `${(report.slowestMs / idealMs).toFixed(2)} times what the line takes for one copy; ` +
      `all after ${seconds(report.allMs)} s`,
  );
  for (const { machine, file, exit, status, isRight, firstMs, tookMs } of report.outcomes) {
    const what = isRight ? "right" : `NOT RIGHT (curl ${exit}, HTTP ${status})`;
    console.log(
      `  m${machine} file ${file}: first byte ${seconds(firstMs)} s, last ${
        seconds(tookMs)
      } s, ${what}`,
    );
  }
  const parts = report.copiesByMachine.map((copies, i) => `m${i} ${copies.toFixed(3)}`);
  console.log(`  copies by machine: ${parts.join(", ")}`);
}

async function showAnswers(crowd: Crowd): Promise<void> {
  for (const { machine, path, status, offset, bytes, isWhole } of await crowd.mirror.answers()) {
    const end = isWhole ? "" : ", broken off";
    console.log(`  ${machine} ${path}: ${status}, ${bytes} bytes from ${offset}${end}`);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
