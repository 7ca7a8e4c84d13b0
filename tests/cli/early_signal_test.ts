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
        await Deno.writeTextFile(`${dir}/tells.js`, TELLS);
        const [run, ...program] = pacsrvArgs();
        const words = [run!, "--preload", `${dir}/tells.js`, ...program, ...args];
        const process = new Deno.Command(Deno.execPath(), {
          args: words,
          cwd: dir,
          stdin: "null",
          stdout: "piped",
          stderr: "piped",
        });
        await using service = new LineProcess(process.spawn());
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
