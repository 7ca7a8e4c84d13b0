/**
 * Ends bodies of mirrors that say nothing more, after garbage was collected, and prints with what
 * their reads failed: started by `mirror_faults_test.ts`, with --expose-gc.
 */

import { silentLogger } from "../../../src/base/log.ts";
import { type MirrorBody, MirrorError, Mirrors } from "../../../src/http/mirrors.ts";
import { RawServer } from "./mirror_fixture.ts";

/** A read that did not end by then hangs. */
const HANGS_MS = 5_000;

const gc = (globalThis as unknown as { readonly gc: () => void }).gc;
await using server = new RawServer(() => ({
  send: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
  hold: true,
}));

/** A body of which the first bytes were read. */
async function begin(mirrors: Mirrors, signal: AbortSignal): Promise<MirrorBody> {
  const body = await mirrors.file([server.url()]).open({ offset: 0 }, { signal });
  await body.read();
  return body;
}

/** Waits for what is not referred to any more to be gone. */
async function collect(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What `reading` fails with. */
async function failure(reading: Promise<unknown>): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) =>
    timer = setTimeout(() => resolve("it hangs"), HANGS_MS)
  );
  const failed = reading.then(
    () => "it went on",
    (error) => error instanceof MirrorError ? error.code : (error as Error).message,
  );
  const text = await Promise.race([failed, late]);
  clearTimeout(timer);
  return text;
}

const timeouts = { answerMs: 5_000, silentMs: 60_000, retryMs: 20 };
const mirrors = new Mirrors({ log: silentLogger, timeouts });
const abort = new AbortController();
const aborted = (await begin(mirrors, abort.signal)).read();
const closed = (await begin(mirrors, new AbortController().signal)).read();
await collect();
abort.abort(new Error("enough"));
console.log(`aborted: ${await failure(aborted)}`);
mirrors.close();
console.log(`closed: ${await failure(closed)}`);

const hasty = new Mirrors({ log: silentLogger, timeouts: { ...timeouts, silentMs: 300 } });
const silent = (await begin(hasty, new AbortController().signal)).read();
// On a busy machine it ends while garbage is collected.
silent.catch(() => {});
await collect();
console.log(`silent: ${await failure(silent)}`);
hasty.close();
