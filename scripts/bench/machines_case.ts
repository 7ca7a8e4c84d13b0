// Eight machines that install the same packages one after another, each through its own gateway with
// a mirror behind: how much the mirror gives beyond one copy of each package.

import type { BenchCase } from "./bench.ts";
import { curl } from "./curl.ts";
import { PacedMirror } from "./paced_mirror.ts";
import { makePackages, REPOSITORY_PATH } from "./packages.ts";
import { DaemonProcess } from "./product.ts";
import type { Row } from "./report.ts";
import { checkSame } from "./workspace.ts";

const MACHINES = 8;
const PACKAGES = 50;
/** Sizes as real packages have them: each bigger than the one before by the same factor. */
const SMALLEST_BYTES = 10 * 10 ** 3;
const BIGGEST_BYTES = 20 * 10 ** 6;
const ROUNDS_MAX = 3;
const PLACE = "memory";
const LIMIT_MS = 180_000;

export const machinesCase: BenchCase = {
  name: "machines",
  about: `${MACHINES} machines take the same ${PACKAGES} packages: what the mirror has to give`,
  tools: ["curl"],
  async run(bench) {
    await using cleanup = new AsyncDisposableStack();
    const workspace = cleanup.use(await bench.openWorkspace());
    const sizes = Array.from(
      { length: PACKAGES },
      (_, i) =>
        Math.round(SMALLEST_BYTES * (BIGGEST_BYTES / SMALLEST_BYTES) ** (i / (PACKAGES - 1))),
    );
    const uniqueBytes = sizes.reduce((sum, size) => sum + size, 0);
    const { mirrorRoot, syncFolder, all } = await makePackages(
      await workspace.folder(PLACE, "repository"),
      sizes,
    );
    const rounds = Math.min(bench.options.rounds, ROUNDS_MAX);
    const copies: number[] = [];
    const firstS: number[] = [];
    const otherS: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      bench.note(`round ${round} of ${rounds}`);
      await using mirror = new PacedMirror(mirrorRoot);
      await using machines = new AsyncDisposableStack();
      const work = await workspace.folder(PLACE, "work");
      const daemons: DaemonProcess[] = [];
      for (let i = 0; i < MACHINES; i++) {
        daemons.push(machines.use(
          await DaemonProcess.start(bench.product, {
            dataDir: `${work}/${i}`,
            peers: daemons.map(({ node }) => node),
            args: ["--gateway", "127.0.0.1:0", "--sync-db", syncFolder, "--mirror", mirror.url],
          }),
        ));
      }
      for (const daemon of daemons) {
        await daemon.untilLinked(MACHINES - 1);
        await daemon.untilTrusting(PACKAGES, { limitMs: LIMIT_MS });
      }
      const output = `${work}/out`;
      for (const [i, daemon] of daemons.entries()) {
        let spentS = 0;
        for (const { name, path } of all) {
          const url = `${daemon.gatewayUrl}/${REPOSITORY_PATH}/${name}`;
          const { totalS } = await curl(url, { output, limitMs: LIMIT_MS });
          spentS += totalS;
          await checkSame(output, path);
        }
        (i === 0 ? firstS : otherS).push(spentS);
      }
      copies.push(mirror.bytesGiven / uniqueBytes);
      await machines.disposeAsync();
      await workspace.drop(PLACE, "work");
    }
    const rows: Row[] = [
      {
        what: "bytes that the mirror gave over those of one copy of each",
        unit: "x",
        values: copies,
        bar: { kind: "at-most", value: 1.05 },
      },
      { what: "the first machine: all packages", unit: "s", values: firstS },
      { what: "each of the others: all packages", unit: "s", values: otherS },
    ];
    return [{
      title: `${MACHINES} machines take the same ${PACKAGES} packages, ${uniqueBytes} bytes in all`,
      rows,
      notes: [
        `Packages of ${SMALLEST_BYTES} to ${BIGGEST_BYTES} bytes, one after the other, machine by ` +
        "machine, each with its SHA-256 from a database. The mirror counts the bytes of its answers; " +
        "it is on the same machine, so the first machine is fast, too.",
      ],
    }];
  },
};
