// What other programs do in the place of a crowd of ours, behind a mirror with the same line: curl alone,
// and libtorrent with the mirror as web seed.

import { MirrorProcess } from "../../tests/integration/support/mirror_process.ts";
import type { Bench } from "./bench.ts";
import { CROWD_PLACE, LINE_BYTES_PER_SECOND, type Measure } from "./crowd_machines.ts";
import { curl } from "./curl.ts";
import { leechTogether, makeTorrent } from "./libtorrent.ts";
import { makePackages, REPOSITORY_PATH } from "./packages.ts";
import { checkSame } from "./workspace.ts";

const LIMIT_MS = 180_000;

/** The machines of others than us: where each puts the file, and where it has it from. */
export interface Others {
  /** Below the folder of each machine. */
  readonly outputs: readonly string[];
  readonly file: string;
  readonly work: string;
  readonly urlOf: (index: number) => string;
}

/** Runs other programs behind the same line; gives what the mirror gave, and the longest time. */
export async function measureOthers(
  bench: Bench,
  options: {
    readonly machines: number;
    readonly sizeBytes: number;
    readonly run: (others: Others) => Promise<number[]>;
  },
): Promise<Measure> {
  const { machines, sizeBytes, run } = options;
  await using workspace = await bench.openWorkspace();
  const work = await workspace.folder(CROWD_PLACE, "work");
  const { mirrorRoot, all } = await makePackages(work, [sizeBytes]);
  const { name, path } = all[0]!;
  await using mirror = await MirrorProcess.start(mirrorRoot, {
    bytesPerSecond: LINE_BYTES_PER_SECOND,
  });
  const outputs: string[] = [];
  for (let i = 0; i < machines; i++) {
    outputs.push(`${await workspace.folder(CROWD_PLACE, `out-${i}`)}/${name}`);
  }
  const urlOf = (index: number) => `${mirror.urlFor(`m${index}`)}/${REPOSITORY_PATH}/${name}`;
  const seconds = await run({ outputs, file: path, work, urlOf });
  for (const output of outputs) await checkSame(output, path);
  const bytes = await mirror.bytesOf(/\.pkg\./);
  return { copies: bytes / sizeBytes, slowestS: Math.max(...seconds), rightShare: 1 };
}

/** curl, each by itself. */
export async function curls({ outputs, urlOf }: Others): Promise<number[]> {
  const runs = await Promise.all(
    outputs.map((output, i) => curl(urlOf(i), { output, limitMs: LIMIT_MS })),
  );
  return runs.map(({ totalS }) => totalS);
}

/** libtorrent, each with the others as peers and the mirror as web seed. */
export async function torrents(
  { outputs, file, work, urlOf }: Others,
  preset: "default" | "small",
): Promise<number[]> {
  const torrent = `${work}/v2.torrent`;
  await makeTorrent(file, torrent, { version: "v2" });
  const folders = outputs.map(folderOf);
  // Of a v2 torrent libtorrent takes the folder, and adds the name.
  const folderUrlOf = (index: number) => folderOf(urlOf(index));
  return await leechTogether(torrent, { preset, folders, urlOf: folderUrlOf, limitMs: LIMIT_MS });
}

/** Up to the last slash, and with it. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}
