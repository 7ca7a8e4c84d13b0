// Why libtorrent is measured over TCP alone: as it comes, it prefers uTP.

import type { BenchCase } from "./bench.ts";
import { type LeechTimes, LibtorrentSeeder } from "./libtorrent.ts";
import { ratios } from "./statistics.ts";
import { makeFile } from "./workspace.ts";

const NAME = "one.bin";
const OUT = "out";
const PLACE = "memory";
/** The file is so many times smaller than the one that is transferred elsewhere: uTP takes long. */
const PART = 16;
const LIMIT_MS = 600_000;

export const utpCase: BenchCase = {
  name: "utp",
  about: "libtorrent as it comes, over uTP, against the same over TCP",
  tools: ["python", "libtorrent"],
  async run(bench) {
    await using cleanup = new AsyncDisposableStack();
    const workspace = cleanup.use(await bench.openWorkspace());
    const sizeBytes = Math.ceil(bench.sizeBytes / PART);
    const file = `${await workspace.folder(PLACE, "seed")}/${NAME}`;
    makeFile(file, sizeBytes);
    const work = await workspace.folder(PLACE, "work");
    const leecher = async (preset: "default" | "utp") => {
      const torrent = `${work}/${preset}.torrent`;
      const seeder = cleanup.use(await LibtorrentSeeder.start(file, { torrent, preset }));
      return async () => {
        const times = await seeder.leech(await workspace.folder(PLACE, OUT), {
          preset,
          limitMs: LIMIT_MS,
        });
        await workspace.drop(PLACE, OUT);
        return times;
      };
    };
    const measured = await bench.interleave<LeechTimes>({
      tcp: await leecher("default"),
      utp: await leecher("utp"),
    });
    const told = (name: string) => measured[name]!.map(({ toldS }) => toldS);
    return [{
      title: `libtorrent over uTP and over TCP, ${sizeBytes} bytes`,
      rows: [
        { what: "over TCP, since told of the peer", unit: "s", values: told("tcp") },
        { what: "as it comes, uTP before TCP, the same", unit: "s", values: told("utp") },
        { what: "times as fast over TCP", unit: "x", values: ratios(told("utp"), told("tcp")) },
      ],
    }];
  },
};
