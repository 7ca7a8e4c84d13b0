// The real pacman on five machines that install the same packages at the same moment, each through its
// own gateway: the copies that the mirror gives. The daemons run from source here, as in the tests.

import { Machine } from "../../tests/integration/support/machine.ts";
import { MirrorProcess } from "../../tests/integration/support/mirror_process.ts";
import { Repository } from "../../tests/integration/support/repository.ts";
import type { Bench } from "./bench.ts";
import { CROWD_PLACE, LINE_BYTES_PER_SECOND, roundsOf } from "./crowd_machines.ts";
import type { Table } from "./report.ts";

const MACHINES = 5;
/** Of what is in the packages. */
const PAYLOAD_BYTES = [0.1, 0.3, 0.5, 1, 1, 2, 4, 6, 8, 12].map((mb) => mb * 10 ** 6);

/** Measures it, round by round. */
export async function crowdOfPacmans(bench: Bench): Promise<Table> {
  const copies: number[] = [], aloneS: number[] = [], slowestS: number[] = [];
  await using workspace = await bench.openWorkspace();
  const repository = await Repository.build(await workspace.folder(CROWD_PLACE, "repository"), {
    packages: PAYLOAD_BYTES.map((payloadBytes, i) => ({ name: `wanted${i}`, payloadBytes })),
  });
  const rounds = roundsOf(bench);
  for (let round = 1; round <= rounds; round++) {
    bench.note(`pacman, round ${round} of ${rounds}`);
    aloneS.push((await install(repository, 1)).slowestS);
    const crowd = await install(repository, MACHINES);
    copies.push(crowd.copies);
    slowestS.push(crowd.slowestS);
  }
  const times = slowestS.map((tookS, i) => tookS / aloneS[i]!);
  return {
    title:
      `${MACHINES} machines install the same ${PAYLOAD_BYTES.length} packages with pacman at ` +
      `once, ${repository.sizeBytes} bytes in all`,
    rows: [
      { what: "one machine alone: -Sy and -S", unit: "s", values: aloneS },
      { what: "copies", unit: "x", values: copies, bar: { kind: "at-most", value: 1.1 } },
      { what: "the slowest: times as long as one alone", unit: "x", values: times },
    ],
    notes: [
      "pacman's own work, most of it unpacking, is in the times: five of them share the processors.",
    ],
  };
}

/** Has new machines install all packages at once. */
async function install(
  repository: Repository,
  count: number,
): Promise<{ readonly copies: number; readonly slowestS: number }> {
  await using mirror = await MirrorProcess.start(repository.root, {
    bytesPerSecond: LINE_BYTES_PER_SECOND,
  });
  await using cleanup = new AsyncDisposableStack();
  const machines: Machine[] = [];
  for (let i = 0; i < count; i++) {
    machines.push(cleanup.use(
      await Machine.start({
        mirrors: [{ url: mirror.urlFor(`m${i}`) }],
        peers: machines.map(({ daemon }) => daemon.node),
        pacman: { parallelDownloads: 5 },
        logLevel: "warn",
      }),
    ));
  }
  await Promise.all(machines.map(({ daemon }) => daemon.linked(count - 1)));
  const seconds = await Promise.all(machines.map(async ({ pacman }) => {
    const startMs = performance.now();
    await pacman.must("-Sy");
    await pacman.must("-S", ...repository.names);
    return (performance.now() - startMs) / 1_000;
  }));
  for (const { pacman } of machines) await pacman.assertInstalled(repository.packages);
  return {
    copies: await mirror.bytesOf(/\.pkg\./) / repository.sizeBytes,
    slowestS: Math.max(...seconds),
  };
}
