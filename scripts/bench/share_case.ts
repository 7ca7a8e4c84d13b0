// Sharing one big file: hashing it by the daemon against OpenSSL, and how long the daemon lets
// others wait meanwhile.

import { type BenchCase } from "./bench.ts";
import { measure } from "./measured.ts";
import { Pinger, roundTripsIn } from "./pinger.ts";
import { addressText, command, DaemonProcess } from "./product.ts";
import { median, percentile, ratios } from "./statistics.ts";
import { makeFile } from "./workspace.ts";

/** The file is so many times as big as the one that is transferred. */
const TIMES = 4;
const DATA = "data";

/** One round of sharing. */
interface Share {
  readonly seconds: number;
  readonly roundTripsMs: readonly number[];
}

export const shareCase: BenchCase = {
  name: "share",
  about: "hashing a big file against openssl dgst, and the daemon's ping meanwhile",
  tools: ["python", "openssl"],
  async run(bench) {
    await using workspace = await bench.openWorkspace();
    const { product } = bench;
    const limitMs = TIMES * bench.limitMs;
    const sizeBytes = TIMES * bench.sizeBytes;
    bench.note("making the file");
    const file = `${await workspace.folder("disk", "seed")}/big.bin`;
    makeFile(file, sizeBytes);
    await bench.settle();

    const share = async (): Promise<Share> => {
      const dataDir = await workspace.folder("disk", DATA);
      try {
        await using daemon = await DaemonProcess.start(product, { dataDir });
        await using pinger = await Pinger.start(daemon.node);
        const fromMs = Date.now(), startMs = performance.now();
        await command(product, ["share", file, "--client", addressText(daemon.client)], {
          limitMs,
        });
        await daemon.untilShared(1, { limitMs });
        const seconds = (performance.now() - startMs) / 1000;
        const pings = await pinger.stop();
        return { seconds, roundTripsMs: roundTripsIn(pings, { fromMs, toMs: Date.now() }) };
      } finally {
        await workspace.drop("disk", DATA);
      }
    };
    const openssl = async () =>
      (await measure(["openssl", "dgst", "-sha256", file], { limitMs }))
        .wallS;
    const measured = await bench.interleave<Share | number>({ share, openssl });
    const shares = measured["share"] as Share[];
    const opensslS = measured["openssl"] as number[];
    const shareS = shares.map(({ seconds }) => seconds);
    const pings = shares.flatMap(({ roundTripsMs }) => roundTripsMs);
    return [{
      title: `Sharing a file of ${sizeBytes} bytes`,
      rows: [
        { what: "pacsrv share, until the daemon offers the file", unit: "s", values: shareS },
        { what: "openssl dgst -sha256", unit: "s", values: opensslS },
        {
          what: "times as fast as openssl",
          unit: "x",
          values: ratios(opensslS, shareS),
          bar: { kind: "at-least", value: 0.7 },
        },
        {
          what: "ping p99 of the daemon meanwhile",
          unit: "ms",
          values: shares.map(({ roundTripsMs }) => percentile(roundTripsMs, 0.99)),
          bar: { kind: "below", value: 20 },
        },
        {
          what: "ping p50 of the daemon meanwhile",
          unit: "ms",
          values: shares.map(({ roundTripsMs }) => median(roundTripsMs)),
        },
      ],
      notes: [`${pings.length} pings. The file lies in the page cache of a disk's file system.`],
    }];
  },
};
