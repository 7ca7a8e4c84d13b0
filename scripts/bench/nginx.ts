// nginx and curl as contestants: one process that serves a folder on loopback, and one that fetches
// a file from it. Neither checks anything.

import { freePort } from "./free_port.ts";
import { measure } from "./measured.ts";
import { type PipedProcess, startProcess } from "./processes.ts";

const START_MS = 10_000;

/** A server of one folder that is ready. */
export class NginxServer implements AsyncDisposable {
  readonly #process: PipedProcess;
  readonly #port: number;

  private constructor(process: PipedProcess, port: number) {
    this.#process = process;
    this.#port = port;
  }

  /** Starts it; resolves when it accepts connections. What it needs is written into `workFolder`. */
  static async start(folder: string, workFolder: string): Promise<NginxServer> {
    const port = freePort();
    const path = `${workFolder}/nginx.conf`;
    await Deno.writeTextFile(path, configuration({ folder, workFolder, port }));
    const process = startProcess("nginx", ["-e", "stderr", "-p", workFolder, "-c", path]);
    const endMs = performance.now() + START_MS;
    while (!await accepts(port)) {
      if (performance.now() > endMs) {
        await process.end();
        throw new Error(`nginx does not listen after ${START_MS} ms: ${process.errorText()}`);
      }
    }
    return new NginxServer(process, port);
  }

  /** Its root, without a slash at the end. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** curl fetches a file; gives the seconds of the whole command. */
  async fetch(
    name: string,
    options: { readonly output: string; readonly limitMs: number },
  ): Promise<number> {
    const { wallS } = await measure(
      [
        "curl",
        "--disable",
        "--fail",
        "--silent",
        "--output",
        options.output,
        `${this.url}/${name}`,
      ],
      options,
    );
    return wallS;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end();
  }
}

/** One process, no more than what serving a file needs, sendfile as Debian's own file has it. */
function configuration(
  { folder, workFolder, port }: { folder: string; workFolder: string; port: number },
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path ${workFolder}/${kind};`);
  return [
    "daemon off;",
    "master_process off;",
    `pid ${workFolder}/nginx.pid;`,
    "events {}",
    "http {",
    "  access_log off;",
    "  sendfile on;",
    "  tcp_nopush on;",
    ...temporary,
    `  server { listen 127.0.0.1:${port}; root ${folder}; }`,
    "}",
    "",
  ].join("\n");
}

async function accepts(port: number): Promise<boolean> {
  try {
    using _ = await Deno.connect({ hostname: "127.0.0.1", port });
    return true;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return false;
  }
}
