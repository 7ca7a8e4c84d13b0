// The gateway as pacman sees it, with curl in pacman's place: how fast a big file comes through it
// from a peer, from the daemon's own store and from a mirror, beside curl from nginx and from that
// mirror. What it does beside a mirror is measured in `beside_mirror.ts`.

import type { Bench, BenchCase } from "./bench.ts";
import { besideMirror } from "./beside_mirror.ts";
import { curl, curlAndRemove, type CurlRun, seconds } from "./curl.ts";
import { NginxServer } from "./nginx.ts";
import { makePackages, REPOSITORY_PATH } from "./packages.ts";
import { DaemonProcess } from "./product.ts";
import type { Table } from "./report.ts";
import { ratios } from "./statistics.ts";
import { checkSame } from "./workspace.ts";

const PLACE = "memory";

export const gatewayCase: BenchCase = {
  name: "gateway",
  about: "the HTTP gateway from peers and mirrors, against curl from nginx and from the mirror",
  tools: ["python", "nginx", "curl"],
  async run(bench) {
    return [await wholeSpeed(bench), await besideMirror(bench, ["alone", "fast", "slow"])];
  },
};

/** Without a mirror and without databases: bytes of peers go out as soon as the name is settled. */
async function wholeSpeed(bench: Bench): Promise<Table> {
  await using cleanup = new AsyncDisposableStack();
  const workspace = cleanup.use(await bench.openWorkspace());
  const { product, sizeBytes, limitMs } = bench;
  const { mirrorRoot, all } = await makePackages(await workspace.folder(PLACE, "repository"), [
    sizeBytes,
  ]);
  const { name, path } = all[0]!;
  const work = await workspace.folder(PLACE, "work");
  const nginx = cleanup.use(await NginxServer.start(mirrorRoot, work));
  const start = async (dir: string, options: { shares?: string[]; args?: string[] }) =>
    cleanup.use(await DaemonProcess.start(product, { dataDir: `${work}/${dir}`, ...options }));
  const holder = await start("holder", { shares: [path] });
  await holder.untilShared(1, { limitMs });
  const peers = [holder.node];
  const gateway = ["--gateway", "127.0.0.1:0"];
  const asker = cleanup.use(
    await DaemonProcess.start(product, { dataDir: `${work}/asker`, peers, args: gateway }),
  );
  await asker.untilLinked(1);
  const mirrored = await start("mirrored", { args: [...gateway, "--mirror", nginx.url] });

  // The last byte is out before the file is in the store.
  const forget = async (daemon: DaemonProcess) => {
    await daemon.untilDownloaded(1, { limitMs });
    await daemon.forget(product, name);
  };
  const out = `${await workspace.folder(PLACE, "out")}/${name}`;
  // A client that comes back for a file that only nodes vouch for does not get it again: each is new.
  let clients = 0;
  const options = () => ({ output: out, limitMs, from: `127.1.0.${++clients}` });
  const get = (root: string) => curlAndRemove(`${root}/${REPOSITORY_PATH}/${name}`, options());
  await curl(`${asker.gatewayUrl}/${REPOSITORY_PATH}/${name}`, options());
  await checkSame(out, path);
  await forget(asker);
  const runs = await bench.interleave({
    nginx: () => get(nginx.url),
    peer: async () => {
      const first = await get(asker.gatewayUrl);
      await asker.untilDownloaded(1, { limitMs });
      const again = await get(asker.gatewayUrl);
      await forget(asker);
      return { ...first, againS: again.totalS };
    },
    mirror: async () => {
      const run = await get(mirrored.gatewayUrl);
      await forget(mirrored);
      return run;
    },
  } as Record<string, () => Promise<CurlRun & { againS?: number }>>);
  const nginxS = seconds(runs.nginx!), peerS = seconds(runs.peer!), mirrorS = seconds(runs.mirror!);
  const againS = runs.peer!.map(({ againS }) => againS!);
  const least = { kind: "at-least", value: 0.6 } as const;
  return {
    title: `${sizeBytes} bytes over HTTP to curl, in memory (tmpfs)`,
    rows: [
      { what: "nginx to curl", unit: "s", values: nginxS },
      { what: "gateway to curl, from a peer", unit: "s", values: peerS },
      { what: "gateway to curl, again: the daemon has it now", unit: "s", values: againS },
      { what: "gateway to curl, from nginx as its mirror", unit: "s", values: mirrorS },
      {
        what: "times as fast as nginx: from a peer",
        unit: "x",
        values: ratios(nginxS, peerS),
        bar: least,
      },
      {
        what: "times as fast as nginx: again",
        unit: "x",
        values: ratios(nginxS, againS),
        bar: least,
      },
      {
        what: "times as fast as nginx: from nginx as its mirror",
        unit: "x",
        values: ratios(nginxS, mirrorS),
      },
    ],
    notes: [
      "No databases are read here: with them and without a mirror, nothing of a file goes out before " +
      "all of it is proved. nginx checks nothing; what comes from a peer is checked chunk by chunk, " +
      "and what comes through the gateway is written to the store as well.",
    ],
  };
}
