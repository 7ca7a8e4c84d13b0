// A signal in the first moments of a service: real processes.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { keepEarlySignals } from "../../src/cli/terminal/early_signals.ts";
import { pacsrvArgs } from "../../scripts/deno_args.ts";
import { LineProcess } from "./process.ts";

/**
 * What runs before the program and tells when it listens to SIGTERM: the runtime answers signals by
 * itself before that, so that the system does not show it.
 */
const TELLS = `const add = Deno.addSignalListener;
Deno.addSignalListener = (signal, listener) => {
  add(signal, listener);
  const who = /early_signals/.test(new Error().stack) ? "listens" : "listens late";
  if (signal === "SIGTERM") Deno.stdout.writeSync(new TextEncoder().encode(who + "\\n"));
};
`;

/** A command of pacsrv that says when it listens to SIGTERM; 3 is a pipe to which nobody writes. */
async function startTelling(args: readonly string[], dir: string): Promise<Deno.ChildProcess> {
  await Deno.writeTextFile(`${dir}/tells.js`, TELLS);
  const [run, ...program] = pacsrvArgs();
  const words = [Deno.execPath(), run!, "--preload", `${dir}/tells.js`, ...program, ...args];
  return new Deno.Command("sh", {
    args: ["-c", 'mkfifo pipe && exec 3<>pipe && exec "$@"', "sh", ...words],
    cwd: dir,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

for (const command of ["daemon", "directory"]) {
  Deno.test({
    name: `${command} ends with 0 by a signal that comes before it has loaded anything`,
    ignore: Deno.build.os === "windows",
    async fn() {
      const dir = await Deno.realPath(await Deno.makeTempDir());
      try {
        const own = command === "daemon"
          ? ["--data", "data", "--node", "127.0.0.1:0", "--client", "127.0.0.1:0"]
          : ["--listen", "127.0.0.1:0"];
        // Flags before the command make no difference.
        const args = [...own, command, "--log-level", "info"];
        await using service = new LineProcess(await startTelling(args, dir));
        assertEquals(await service.line(), "listens");
        service.process.kill("SIGTERM");
        const { code, stderr } = await service.ended();
        assertEquals(code, 0, stderr);
        assertStringIncludes(stderr, "signal=SIGTERM");
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
    },
  });
}

Deno.test({
  name: "a daemon whose configuration does not come ends with 0 by a signal",
  ignore: Deno.build.os === "windows",
  async fn() {
    const dir = await Deno.realPath(await Deno.makeTempDir());
    try {
      const args = ["daemon", "--data", "data", "--config", "/dev/fd/3"];
      await using service = new LineProcess(await startTelling(args, dir));
      assertEquals(await service.line(), "listens");
      service.process.kill("SIGTERM");
      const { code, stderr } = await service.ended();
      assertEquals([code, stderr], [0, ""]);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test("keepEarlySignals() gives what came until it is released, for services only", async () => {
  assertEquals(keepEarlySignals(["fetch", "x"]), undefined);
  assertEquals(keepEarlySignals([]), undefined);
  assertEquals(keepEarlySignals(["fetch", "daemon"]), undefined);
  const early = keepEarlySignals(["daemon"])!;
  const { promise: came, resolve } = Promise.withResolvers<void>();
  Deno.addSignalListener("SIGHUP", resolve);
  // Waiting for a signal alone keeps no process.
  const late = setTimeout(resolve, 30_000);
  try {
    Deno.kill(Deno.pid, "SIGHUP");
    await came;
  } finally {
    clearTimeout(late);
    Deno.removeSignalListener("SIGHUP", resolve);
  }
  assertEquals(early.release(), ["SIGHUP"]);
});
