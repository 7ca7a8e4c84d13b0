/** `pacsrv fetch`: from the flags to the file, with one of two sources and one of four displays. */

import { systemClock } from "../../base/clock.ts";
import { type ExitName, FetchFailure } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount, isRangeWithin, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { Arguments } from "../arguments/arguments.ts";
import type { FetchOutput } from "../fetch/fetch_output.ts";
import { type FetchPlan, readFetchPlan } from "../fetch/fetch_plan.ts";
import { type FetchSource, nextSource, openFetchSource } from "../fetch/fetch_source.ts";
import {
  type Done,
  type FetchUi,
  type Found,
  openFetchUi,
  type Progress,
} from "../fetch/fetch_ui.ts";
import { Interrupt } from "../fetch/interrupt.ts";

/** One fetch and its parts. */
interface Fetch {
  readonly plan: FetchPlan;
  readonly source: FetchSource;
  readonly output: FetchOutput | undefined;
  readonly ui: FetchUi;
  readonly signal: AbortSignal;
}

/** Fetches a file. */
export async function runFetch(args: Arguments): Promise<ExitName> {
  const plan = readFetchPlan(args);
  let output: FetchOutput | undefined;
  using interrupt = new Interrupt({
    timeoutMs: plan.request.timeoutMs,
    atOnce: () => output?.discard(),
  });
  const { signal } = interrupt;
  let ui: FetchUi | undefined;
  const work = async () => {
    let source = await openFetchSource(args, plan, { signal });
    try {
      if (plan.request.deliver) {
        const { FetchOutput } = await import("../fetch/fetch_output.ts");
        output = await FetchOutput.open(plan.request.name, plan.output, {
          isRange: plan.request.chunks !== null,
        });
      }
      ui = openFetchUi(plan.style, plan.label, { isTerse: plan.url !== null });
      for (;;) {
        prepareOutput(plan, source, output);
        try {
          return await follow({ plan, source, output, ui, signal });
        } catch (error) {
          if (isCheckFailed(error) && plan.url !== null) output?.distrust();
          const next = signal.aborted ? undefined : await nextSource(plan, source, error);
          if (next === undefined) throw error;
          await source[Symbol.asyncDispose]();
          source = next;
          output?.retreat();
        }
      }
    } finally {
      await source[Symbol.asyncDispose]();
    }
  };
  try {
    await untilAborted(work(), signal);
    return "done";
  } catch (error) {
    const failure = signal.aborted ? signal.reason : error;
    // Without a display nothing has begun; but a program that reads events wants to know.
    ui ??= plan.style === "json" ? openFetchUi("json", plan.label) : undefined;
    await ui?.failed(failure);
    throw failure;
  } finally {
    output?.discard();
  }
}

/**
 * Says what of a `.part` is worth keeping if the source fails. What comes next may go on from there
 * without looking closer, pacman for one: then it must be bytes of the file, without holes.
 */
function prepareOutput(plan: FetchPlan, source: FetchSource, output?: FetchOutput): void {
  if (plan.url === null) return;
  if (source.kind === "direct" && plan.url.isDatabase) output?.restart();
  // What a mirror gave is what everybody else would get from it. What peers gave is not, unless the
  // whole is checked when the rest has come.
  if (source.kind === "direct") output?.keepOnFailure("all");
  else if (!source.isChecked) output?.keepOnFailure("untouched");
  else output?.keepOnFailure(source.kind === "daemon" ? "prefix" : "all");
}

function isCheckFailed(error: unknown): boolean {
  return error instanceof FetchFailure && error.exit === "checkFailed";
}

/** Runs the fetch to its end, or throws why there is none. */
async function follow({ plan, source, output, ui, signal }: Fetch): Promise<void> {
  const base = (plan.request.chunks?.first ?? 0) * CHUNK_BYTES;
  let bytesWritten = 0;
  let shownMs = -Infinity;
  const beginMs = performance.now();
  let start = { atMs: beginMs, bytes: 0 };
  for await (const event of source.events(output, signal)) {
    switch (event.kind) {
      case "data":
        output?.write(event.offset - base, event.bytes);
        bytesWritten += event.bytes.length;
        break;
      case "progress": {
        const nowMs = performance.now();
        if (nowMs - shownMs < limits.fetchProgressMs) break;
        shownMs = nowMs;
        await ui.show(withRate(event, start, nowMs));
        break;
      }
      case "found":
        checkFound(plan, event);
        if (source.gives === "rest") bytesWritten = event.bytesHad;
        if (source.gives === "nothing") output?.touched();
        await output?.found(event.name);
        start = { atMs: performance.now(), bytes: event.bytesHad };
        await ui.show(event);
        break;
      case "restarted":
        if (source.gives !== "nothing") output?.restart();
        bytesWritten = 0;
        await ui.show(event);
        break;
      case "searching":
        await ui.show(event);
        break;
      case "done": {
        checkFound(plan, event);
        const sizeBytes = outputBytes(plan, event.sizeBytes);
        if (output !== undefined && source.gives !== "nothing" && bytesWritten !== sizeBytes) {
          throw new FetchFailure("failed", `Received ${bytesWritten} bytes, not ${sizeBytes}`);
        }
        // A node of its own wrote the chunks where they stand in the whole file.
        const isSparse = plan.request.chunks !== null && source.gives === "nothing";
        const path = await output?.commit(
          event.name,
          sizeBytes,
          isSparse ? { rangeOffset: base } : {},
        );
        // Until the file is where it was wanted, as the person who waits counts it.
        await ui.done({ ...event, elapsedMs: Math.round(performance.now() - beginMs) }, path);
        return;
      }
    }
  }
  throw new FetchFailure("failed", "The fetch ended without a result");
}

/** A node needs a while to tell a rate; until then it is what came since the file was found. */
function withRate(
  progress: Progress,
  start: { readonly atMs: number; readonly bytes: number },
  nowMs: number,
): Progress {
  const bytes = progress.bytesDone - start.bytes;
  if (progress.bytesPerSecond > 0 || bytes <= 0 || nowMs - start.atMs > limits.fetchRateKnownMs) {
    return progress;
  }
  return { ...progress, bytesPerSecond: Math.round(bytes / (nowMs - start.atMs) * 1000) };
}

/**
 * Holds what was found against what was asked for. The node checked it before; but a wrong answer
 * here would be a wrong file under the right name.
 */
function checkFound({ request }: FetchPlan, found: Found | Done): void {
  if (request.root !== null && found.root !== request.root) {
    throw new FetchFailure("checkFailed", `The source has another root: ${found.root}`);
  }
  if (request.sizeBytes !== null && found.sizeBytes !== request.sizeBytes) {
    throw new FetchFailure(
      "checkFailed",
      `The source has another size: ${found.sizeBytes} bytes, not ${request.sizeBytes}`,
    );
  }
}

function outputBytes({ request }: FetchPlan, sizeBytes: number): number {
  const { chunks } = request;
  if (chunks === null) return sizeBytes;
  if (!isRangeWithin(chunks, chunkCount(sizeBytes))) {
    throw new FetchFailure("usage", `The file has only ${chunkCount(sizeBytes)} chunks`);
  }
  return rangeBytes(sizeBytes, chunks).length;
}

/** The outcome of `work`; once `signal` is aborted, it gets a short time to tidy up. */
async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  using cleanup = new DisposableStack();
  const onAbort = () => {
    cleanup.use(systemClock.after(limits.fetchTidyMs, () => reject(signal.reason)));
  };
  signal.addEventListener("abort", onAbort, { once: true });
  cleanup.defer(() => signal.removeEventListener("abort", onAbort));
  await Promise.race([work, aborted]);
}
