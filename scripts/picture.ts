// The pictures of README.md. Of a terminal: daemons on this machine, and pacsrv finds a file and fetches
// it from three of them. All of it is a real run, recorded from a pseudo-terminal; only the flag --client,
// without which a command would ask the one daemon of a machine, is not shown. Of the page: see
// picture/page_scene.ts.
//
//     deno task picture
//
// Needs script and stty (util-linux, coreutils), and Chromium. Exit codes: 0 done, 1 failed.

import { join } from "node:path";
import { messageOf } from "../src/base/errors.ts";
import { pacsrvArgs } from "./deno_args.ts";
import { DemoDaemon, until } from "./demo/processes.ts";
import type { NodeName } from "./demo/topology.ts";
import { Screen } from "./picture/screen.ts";
import { makePagePicture } from "./picture/page_picture.ts";
import { type Frame, terminalSvg } from "./picture/terminal_svg.ts";
import { rootPath } from "./std_source.ts";

const OUTPUT = "scripts/picture/fetch.svg";
const COLUMNS = 104;
const FILE_NAME = "linux.iso";
const FILE_BYTES = 500_000_000;
/** The time in which a person reads a command, and the end of all. */
const READ_MS = 1_200;
const HOLD_MS = 6_000;
const RUN_MS = 60_000;

/** Records the run, and writes the picture. */
async function makePicture(): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "pacsrv-picture-" });
  const daemons: DemoDaemon[] = [];
  const signal = AbortSignal.timeout(RUN_MS);
  try {
    await writeNoise(join(dir, FILE_NAME));
    const requester = await startDaemons(dir, daemons);
    for (const holder of daemons.slice(1, 4)) {
      await until(async () => {
        const { files, links } = await holder.status();
        return files.shared === 1 && files.hashing === 0 && links > 0 ? true : undefined;
      }, signal);
    }
    const home = join(dir, "home");
    await Deno.mkdir(home);
    const client = ["--client", requester.client];
    const frames: Frame[] = [{ atMs: 0, lines: [] }];
    await record(frames, {
      shown: "pacsrv search '*.iso'",
      args: ["search", "*.iso", ...client],
      home,
    });
    await record(frames, {
      shown: `pacsrv fetch ${FILE_NAME}`,
      args: ["fetch", FILE_NAME, ...client],
      home,
    });
    const posterIndex = frames.findLastIndex(({ lines }) => / 6\d%/.test(lines.at(-1) ?? ""));
    await Deno.writeTextFile(
      rootPath(OUTPUT),
      terminalSvg(frames.slice(1), {
        columns: COLUMNS,
        holdMs: HOLD_MS,
        posterIndex: Math.max(0, posterIndex - 1),
        title: "pacsrv search finds a file, and pacsrv fetch gets it from three nodes",
      }),
    );
    console.log(frames.at(-1)!.lines.join("\n"));
    console.log(`${OUTPUT}: ${frames.length - 1} frames`);
  } finally {
    await Promise.all(daemons.map((daemon) => daemon.stop()));
    await Deno.remove(dir, { recursive: true });
  }
}

/**
 * Starts a node that only passes searches on, three that have the file, and one that will ask; gives
 * the last one.
 */
async function startDaemons(dir: string, daemons: DemoDaemon[]): Promise<DemoDaemon> {
  const start = async (name: NodeName, args: readonly string[]) => {
    const own = ["--data", join(dir, name), "--min-connections", "0"];
    const daemon = await DemoDaemon.start(name, [...own, ...args]);
    daemons.push(daemon);
    return daemon;
  };
  const { node } = await start("n2", []);
  for (const name of ["n3", "n4", "n5"] as const) {
    await start(name, ["--peer", node, "--share", join(dir, FILE_NAME)]);
  }
  return await start("n1", ["--peer", node]);
}

/** Runs a command of pacsrv in a pseudo-terminal, and adds what is seen to `frames`. */
async function record(
  frames: Frame[],
  { shown, args, home }: {
    readonly shown: string;
    readonly args: readonly string[];
    readonly home: string;
  },
): Promise<void> {
  const before = [...frames.at(-1)!.lines, `$ ${shown}`];
  const startMs = frames.at(-1)!.atMs + READ_MS;
  frames.push({ atMs: startMs - READ_MS / 2, lines: before });
  const words = [Deno.execPath(), ...pacsrvArgs(), ...args].map((word) => `'${word}'`).join(" ");
  const child = new Deno.Command("script", {
    args: ["-qefc", `stty cols ${COLUMNS} rows 40; exec ${words}`, "/dev/null"],
    cwd: home,
    env: { TERM: "xterm" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const beginMs = performance.now();
  const screen = new Screen(COLUMNS);
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    screen.write(text);
    const lines = [...before, ...screen.lines];
    if (lines.join("\n") === frames.at(-1)!.lines.join("\n")) continue;
    frames.push({ atMs: startMs + Math.round(performance.now() - beginMs), lines });
  }
  const { code } = await child.status;
  if (code !== 0) throw new Error(`${shown} ended with exit code ${code}`);
}

/** A file that no part of repeats. */
async function writeNoise(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  const block = new Uint8Array(65_536);
  for (let left = FILE_BYTES; left > 0;) {
    crypto.getRandomValues(block);
    left -= await file.write(block.subarray(0, Math.min(left, block.length)));
  }
}

if (import.meta.main) {
  try {
    await makePicture();
    await makePagePicture();
  } catch (error) {
    console.error(`Cannot make the picture: ${messageOf(error)}`);
    Deno.exit(1);
  }
}
