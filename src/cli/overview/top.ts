/** `pacsrv top`: the first view of a node on the whole terminal, live, until `q` or Ctrl-C. */

import { sleep, systemClock } from "../../base/clock.ts";
import { type ExitName, UsageError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { DaemonClient } from "../../client/daemon_client.ts";
import type { Arguments } from "../arguments/arguments.ts";
import { connectTo } from "../commands/ask.ts";
import { mayDrawBars } from "../fetch/fetch_ui.ts";
import { Interrupted } from "../terminal/interrupt.ts";
import { onSignals } from "../terminal/signals.ts";
import { StatusLine } from "../terminal/status_line.ts";
import { terminalRows, writeNote } from "../terminal/terminal.ts";
import { type Overview, overviewOf } from "./overview.ts";
import { topScreen } from "./top_screen.ts";

/**
 * Shows it once a `limits.watchShownMs`.
 *
 * @throws {UsageError} where there is no terminal to show it on.
 * @throws {FetchFailure} when the daemon goes away.
 */
export async function runTop(args: Arguments): Promise<ExitName> {
  if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal() || !mayDrawBars()) {
    throw new UsageError("Cannot run pacsrv top: it needs a terminal to draw on", {
      hint: "`pacsrv status --watch --json` prints the state into a pipe, a line a second.",
    });
  }
  await using client = await connectTo(args);
  const ending = new AbortController();
  using _signals = onSignals(["SIGINT", "SIGTERM", "SIGHUP"], (signal) => {
    ending.abort(signal === "SIGINT" ? ENDED : new Interrupted(signal));
  });
  using _screen = new WholeScreen();
  using place = new StatusLine();
  endAtKey(ending);
  const { signal } = ending;
  try {
    for (;;) {
      const view = await lookAt(client, signal);
      signal.throwIfAborted();
      place.show((columns) => topScreen(view, { columns, rows: terminalRows() }));
      await sleep(systemClock, limits.watchShownMs, { signal });
    }
  } catch (error) {
    if (signal.aborted && signal.reason === ENDED) return "done";
    throw signal.aborted ? signal.reason : error;
  }
}

/** `q`, `Q`, and Ctrl-C and Ctrl-D where they are keys like others. */
const END_KEYS: readonly number[] = [0x71, 0x51, 0x03, 0x04];

/** The person has seen enough. */
const ENDED = new Error("ended by the person");

async function lookAt(client: DaemonClient, signal: AbortSignal): Promise<Overview> {
  const [status] = await Array.fromAsync(client.ask("status", {}, { signal }));
  const peers = await Array.fromAsync(client.ask("peers", {}, { signal }));
  return overviewOf({ status: status!, peers, unixMs: systemClock.unixMs() });
}

/** Ends it at `q`, or when the terminal goes away. */
async function endAtKey(ending: AbortController): Promise<void> {
  const buffer = new Uint8Array(64);
  while (!ending.signal.aborted) {
    const count = await Deno.stdin.read(buffer).catch(() => null);
    if (count === null || buffer.subarray(0, count).some((key) => END_KEYS.includes(key))) {
      return ending.abort(ENDED);
    }
  }
}

/**
 * The terminal without what was on it, without cursor and without echo; as it was once disposed of, and
 * while the process is stopped.
 */
class WholeScreen implements Disposable {
  readonly #listening: Disposable;

  constructor() {
    this.#enter();
    this.#listening = onSignals(["SIGTSTP", "SIGCONT"], (signal) => {
      if (signal === "SIGCONT") return this.#enter();
      this.#leave();
      Deno.kill(Deno.pid, "SIGSTOP");
    });
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
    this.#leave();
  }

  #enter(): void {
    // Signals of keys still come.
    Deno.stdin.setRaw(true, { cbreak: Deno.build.os !== "windows" });
    writeNote("\x1b[?1049h\x1b[H\x1b[2J\x1b[?25l");
  }

  #leave(): void {
    writeNote("\x1b[?25h\x1b[?1049l");
    Deno.stdin.setRaw(false);
  }
}
