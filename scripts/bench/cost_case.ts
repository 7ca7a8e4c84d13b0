// What a verified transfer costs: processor time of receiver and sender, and their peak memory.

import { type BenchCase, GIB } from "./bench.ts";
import { type LimitParts, measureLimit } from "./limit.ts";
import { DaemonProcess, fetchFile } from "./product.ts";
import { makeFile } from "./workspace.ts";

const NAME = "one.bin";
const OUT = "out";
const PLACE = "memory";

/** One transfer. */
interface Cost {
  readonly receiverS: number;
  readonly senderS: number;
  readonly receiverBytes: number;
  readonly senderBytes: number;
}

export const costCase: BenchCase = {
  name: "cost",
  about: "processor time and memory of receiver and sender",
  tools: ["python"],
  async run(bench) {
    await using cleanup = new AsyncDisposableStack();
    const workspace = cleanup.use(await bench.openWorkspace());
    const { product, sizeBytes, limitMs } = bench;
    const file = `${await workspace.folder(PLACE, "seed")}/${NAME}`;
    makeFile(file, sizeBytes);
    const dataDir = await workspace.folder(PLACE, "data");
    const sender = cleanup.use(await DaemonProcess.start(product, { dataDir, shares: [file] }));
    await sender.untilShared(1, { limitMs });
    const hashingBytes = sender.peakBytes();

    const transfer = async (): Promise<Cost> => {
      const output = `${await workspace.folder(PLACE, OUT)}/${NAME}`;
      sender.resetPeak();
      const beforeS = sender.cpuS();
      const from = { kind: "alone", peers: [sender.node] } as const;
      const { cpuS, peakBytes } = await fetchFile(product, NAME, {
        from,
        output,
        limitMs,
        sources: 1,
      });
      const senderS = sender.cpuS() - beforeS;
      await workspace.drop(PLACE, OUT);
      const senderBytes = sender.peakBytes();
      return { receiverS: cpuS, receiverBytes: peakBytes, senderS, senderBytes };
    };
    const limit = async (): Promise<LimitParts> => {
      const output = `${await workspace.folder(PLACE, OUT)}/${NAME}`;
      const parts = await measureLimit(output, { sizeBytes, limitMs });
      await workspace.drop(PLACE, OUT);
      return parts;
    };
    const measured = await bench.interleave<Cost | LimitParts>({ transfer, limit });
    const costs = measured["transfer"] as Cost[];
    const limits = measured["limit"] as LimitParts[];
    const perGib = (of: (cost: Cost) => number) => costs.map((cost) => of(cost) * GIB / sizeBytes);
    const memoryBar = { kind: "at-most", value: 130 } as const;
    return [{
      title: "Cost of a verified transfer",
      rows: [
        {
          what: "processor time, receiver (whole command) and sender together",
          unit: "s/GiB",
          values: perGib(({ receiverS, senderS }) => receiverS + senderS),
          bar: { kind: "at-most", value: 1.6 },
        },
        { what: "receiver", unit: "s/GiB", values: perGib(({ receiverS }) => receiverS) },
        { what: "sender", unit: "s/GiB", values: perGib(({ senderS }) => senderS) },
        {
          what: "hashing the chunks alone, on this processor",
          unit: "s/GiB",
          values: limits.map(({ hashS }) => hashS * GIB / sizeBytes),
        },
        {
          what: "peak memory of the receiver",
          unit: "MB",
          values: costs.map(({ receiverBytes }) => receiverBytes / 1e6),
          bar: memoryBar,
        },
        {
          what: "peak memory of the sender during transfers",
          unit: "MB",
          values: costs.map(({ senderBytes }) => senderBytes / 1e6),
          bar: memoryBar,
        },
        {
          what: "peak memory of the sender before, while it hashed the file",
          unit: "MB",
          values: [hashingBytes / 1e6],
        },
      ],
    }];
  },
};
