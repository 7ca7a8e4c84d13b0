// The two servers of the directory cases as processes: `pacsrv directory` and redis-server, each on
// a free port of loopback, with nothing in it. What they are asked is not known here.

import { freePort } from "./free_port.ts";
import { nextLine, type PipedProcess, startProcess } from "./processes.ts";
import { NETWORK, type Product } from "./product.ts";

const READY_MS = 60_000;
/** Lines of its greeting that Redis may write before it is ready. */
const GREETING_LINES_MAX = 100;

/** A server that is ready; disposing ends it. */
export interface ServerProcess extends AsyncDisposable {
  readonly pid: number;
  /** Its port on 127.0.0.1. */
  readonly port: number;
}

/** Starts `pacsrv directory`; `args` are more flags. */
export async function startDirectory(
  product: Product,
  args: readonly string[],
): Promise<ServerProcess> {
  const [program, ...first] = product.command;
  const process = startProcess(program!, [
    ...first,
    "directory",
    ...["--listen", "127.0.0.1:0", "--network", NETWORK, "--log-level", "warn"],
    ...args,
  ]);
  return await ready(process, async () => {
    const line = await nextLine(process, { what: "pacsrv directory", limitMs: READY_MS });
    const match = /^ready directory=\S+:([0-9]+) id=[0-9a-f]{32}$/.exec(line);
    if (match === null) throw new Error(`Not a ready line: ${line} ${process.errorText()}`);
    return Number(match[1]);
  });
}

/** Starts Redis as Debian has it, in memory alone: it writes nothing to the disk. */
export async function startRedis(workFolder: string): Promise<ServerProcess> {
  const port = freePort();
  const process = startProcess("redis-server", [
    ...["--bind", "127.0.0.1", "--port", `${port}`, "--dir", workFolder],
    ...["--save", "", "--appendonly", "no", "--daemonize", "no"],
  ]);
  return await ready(process, async () => {
    for (let i = 0; i < GREETING_LINES_MAX; i++) {
      const line = await nextLine(process, { what: "redis-server", limitMs: READY_MS });
      if (line.includes("Ready to accept connections")) return port;
    }
    throw new Error("redis-server does not say that it is ready");
  });
}

async function ready(process: PipedProcess, port: () => Promise<number>): Promise<ServerProcess> {
  try {
    const { pid } = process;
    return { pid, port: await port(), [Symbol.asyncDispose]: () => process.end() };
  } catch (error) {
    await process.end();
    throw error;
  }
}
