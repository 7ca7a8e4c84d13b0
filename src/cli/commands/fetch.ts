/** `pacsrv fetch`: from the flags to the file, with one of two sources and one of four displays. */

import { AwakeClock, systemClock } from "../../base/clock.ts";
import { type ExitName, FetchFailure } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount, isRangeWithin, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { Arguments } from "../arguments/arguments.ts";
import { isByNameAlone, toldChoice } from "../fetch/choice_text.ts";
import type { FetchOutput } from "../fetch/fetch_output.ts";
import { type FetchPlan, readFetchPlan } from "../fetch/fetch_plan.ts";
import { type FetchSource, nextSource, openFetchSource } from "../fetch/fetch_source.ts";
import { type DoneNews, type FetchUi, type Found, openFetchUi } from "../fetch/fetch_ui.ts";
import { checkOutputRoom } from "../fetch/output_room.ts";
import { OpenOutputs } from "../fetch/open_outputs.ts";
import { keptOf, type Seen } from "../fetch/kept.ts";
import { ProgressMeter } from "../fetch/progress_meter.ts";
import { hintingAtSame } from "../settings/same_daemon.ts";
import { Interrupt, Interrupted } from "../terminal/interrupt.ts";

/** One fetch and its parts. */
interface FetchRun {
  readonly plan: FetchPlan;
  readonly source: FetchSource;
  readonly output: FetchOutput | undefined;
  readonly ui: FetchUi;
  readonly signal: AbortSignal;
  readonly seen: Seen;
}

/** What a fetch shares with others of the same command. */
interface FetchSurroundings {
  readonly signal: AbortSignal;
  readonly outputs: OpenOutputs;
  /** Called once there is something to tell, with who fetches, if that is known. */
  readonly openUi: (source?: FetchSource) => FetchUi;
}

/** Fetches a file, or with `--match` all that match a pattern. */
export async function runFetch(args: Arguments): Promise<ExitName> {
  if (args.isGiven("match")) {
    const { fetchMatching } = await import("../fetch/fetch_matching.ts");
    return await fetchMatching(args, fetchFile);
  }
  const plan = readFetchPlan(args);
  using outputs = new OpenOutputs();
  using interrupt = new Interrupt({
    timeoutMs: plan.request.timeoutMs,
    atOnce: () => outputs[Symbol.dispose](),
  });
  await fetchFile(args, plan, {
    signal: interrupt.signal,
    outputs,
    openUi: (source) =>
      openFetchUi(plan.style, plan.label, {
        isTerse: plan.url !== null,
        isOpen: source?.kind === "daemon" && isByNameAlone(plan.request),
      }),
  });
  return "done";
}

/** Fetches one file to its end; throws why there is none. */
async function fetchFile(
  args: Arguments,
  plan: FetchPlan,
  { signal, outputs, openUi }: FetchSurroundings,
): Promise<void> {
  let output: FetchOutput | undefined;
  let ui: FetchUi | undefined;
  const seen: Seen = { source: null, isFound: false, bytesDone: 0, bytesTotal: null };
  const work = async () => {
    let source = await openFetchSource(args, plan, { signal });
    try {
      if (plan.request.deliver) {
        const { FetchOutput } = await import("../fetch/fetch_output.ts");
        output = await FetchOutput.open(
          plan.isNamedByOthers ? "" : plan.request.name,
          plan.output,
          {
            isRange: plan.request.chunks !== null,
          },
        );
        outputs.add(output);
      }
      ui = openUi(source);
      for (;;) {
        prepareOutput(plan, source, output);
        try {
          return await follow({ plan, source, output, ui, signal, seen });
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
  } catch (error) {
    let failure = hintingAtSame(signal.aborted ? signal.reason : error, args);
    // Without a display nothing has begun; but a program that reads events wants to know.
    ui ??= plan.style === "json" ? openUi() : undefined;
    if (failure instanceof Interrupted) {
      const kept = keptOf(plan, { output, seen });
      await ui?.interrupted(failure.signal, kept);
      failure = new Interrupted(failure.signal, kept);
    }
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
async function follow({ plan, source, output, ui, signal, seen }: FetchRun): Promise<void> {
  const base = (plan.request.chunks?.first ?? 0) * CHUNK_BYTES;
  let bytesWritten = 0;
  // Time in which this process is stopped is nobody's stall.
  using clock = new AwakeClock();
  const beginMs = performance.now();
  const isDirect = source.kind === "direct";
  const { silentMs } = source;
  const meter = new ProgressMeter(clock, { origin: plan.url?.host ?? null, isDirect, silentMs });
  using _ = clock.every(limits.fetchBeatMs, () => beat(meter, ui));
  seen.source = source.kind;
  for await (const event of source.events(output, signal)) {
    switch (event.kind) {
      case "data":
        output?.write(event.offset - base, event.bytes);
        bytesWritten += event.bytes.length;
        if (source.gives === "rest") seen.bytesDone = bytesWritten;
        break;
      case "progress": {
        seen.bytesDone = event.bytesDone;
        seen.bytesTotal = event.bytesTotal;
        const shown = meter.progressed(event);
        if (shown !== undefined) await ui.show(shown);
        break;
      }
      case "found":
        checkFound(plan, event);
        seen.isFound = true;
        seen.bytesDone = event.bytesHad;
        seen.bytesTotal = event.sizeBytes === 0 ? null : event.sizeBytes;
        if (source.gives === "rest") bytesWritten = event.bytesHad;
        if (source.gives === "nothing") output?.touched();
        await output?.found(event.name);
        if (output !== undefined) checkRoom(event, { plan, source, output });
        meter.begin(event.bytesHad);
        await ui.show(event);
        break;
      case "restarted":
        if (source.gives !== "nothing") output?.restart();
        bytesWritten = seen.bytesDone = 0;
        meter.begin(0);
        await ui.show(event);
        break;
      case "choice":
        await ui.show(toldChoice(event, plan));
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

/** Refuses a file for which the disks have no room. */
function checkRoom(
  { sizeBytes, bytesHad }: Found,
  { plan, source, output }: Pick<FetchRun, "plan" | "source"> & { readonly output: FetchOutput },
): void {
  const { storeDir } = source;
  const bytes = outputBytes(plan, sizeBytes);
  const bytesMissing = Math.max(0, bytes - bytesHad);
  const store = storeDir === null ? null : { directory: storeDir, bytesMissing };
  checkOutputRoom({ path: output.path, bytes, store });
}

/** Shows that nothing comes, where nobody tells it. */
async function beat(meter: ProgressMeter, ui: FetchUi): Promise<void> {
  const shown = meter.beat();
  try {
    if (shown !== undefined) await ui.show(shown);
  } catch {
    // Nobody reads it: what comes next meets the same, and ends the fetch.
  }
}

/**
 * Holds what was found against what was asked for. The node checked it before; but a wrong answer
 * here would be a wrong file under the right name.
 */
function checkFound({ request }: FetchPlan, found: Found | DoneNews): void {
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
