// The processes that the benchmark starts: every one is known here by its own id, bounded in time,
// and ended at the latest with the benchmark. It knows nothing of what they do.

/** How long a process that was told to end may take before it is killed. */
const END_MS = 5_000;
/** Kept of what a process writes to stderr, for the message when it fails. */
const ERROR_TEXT_MAX = 4_096;

const running = new Set<Deno.ChildProcess>();
let isClosed = false;

/** A process whose outputs are pipes. */
export interface PipedProcess extends AsyncDisposable {
  readonly pid: number;
  /** What it writes to stdout, line by line. */
  readonly lines: ReadableStreamDefaultReader<string>;
  readonly status: Promise<Deno.CommandStatus>;
  /** The last of what it wrote to stderr. */
  errorText(): string;
  /** Writes a line to its stdin. */
  tell(line: string): Promise<void>;
  /** Closes its stdin. */
  closeInput(): Promise<void>;
  /** Ends it by SIGTERM, or by SIGKILL when it does not listen; resolves when it has ended. */
  end(): Promise<void>;
}

/** Starts a process that goes on until it is ended. */
export function startProcess(command: string, args: readonly string[]): PipedProcess {
  checkOpen();
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  keep(child);
  let errors = "";
  const drained = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      errors = (errors + text).slice(-ERROR_TEXT_MAX);
    }
  })();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(lineStream())
    .getReader();
  let isInputOpen = true;
  const closeInput = async () => {
    if (isInputOpen) await child.stdin.close().catch(() => {});
    isInputOpen = false;
  };
  const tell = async (line: string) => {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`${line}\n`));
    writer.releaseLock();
  };
  const end = async () => {
    await endChild(child);
    await closeInput();
    await lines.cancel().catch(() => {});
    await drained.catch(() => {});
  };
  return {
    pid: child.pid,
    lines,
    status: child.status,
    errorText: () => errors.trim(),
    tell,
    closeInput,
    end,
    [Symbol.asyncDispose]: end,
  };
}

/**
 * The next line of a process.
 *
 * @throws {Error} when it ends before, or is silent for longer than `limitMs`.
 */
export async function nextLine(
  process: PipedProcess,
  options: { readonly what: string; readonly limitMs: number },
): Promise<string> {
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), options.limitMs);
  try {
    const next = await Promise.race([process.lines.read(), late.promise]);
    if (next === "late") throw new Error(`${options.what} took over ${options.limitMs} ms`);
    if (next.value !== undefined) return next.value;
    const { code } = await process.status;
    throw new Error(`${options.what} ended with code ${code}: ${process.errorText()}`);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs a process to its end; gives what it wrote to stdout.
 *
 * @throws {Error} when it fails or takes longer than `limitMs`.
 */
export async function runProcess(
  command: string,
  args: readonly string[],
  options: { readonly limitMs: number; readonly env?: Record<string, string> },
): Promise<string> {
  checkOpen();
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...(options.env === undefined ? {} : { env: options.env }),
  }).spawn();
  keep(child);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void endChild(child);
  }, options.limitMs);
  try {
    const [text, errors, status] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.status,
    ]);
    if (status.success) return text;
    const why = isLate ? `took over ${options.limitMs} ms` : `ended with code ${status.code}`;
    throw new Error(`${command} ${args.join(" ")}\n${why}: ${errors.slice(-ERROR_TEXT_MAX)}`);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends all that still runs; `forGood` lets nothing start any more. */
export async function endAll(options: { readonly forGood?: boolean } = {}): Promise<void> {
  isClosed ||= options.forGood === true;
  await Promise.all([...running].map(endChild));
}

/** Whether the benchmark is being ended. */
export function isEnding(): boolean {
  return isClosed;
}

function checkOpen(): void {
  if (isClosed) throw new Error("The benchmark is ending");
}

function keep(child: Deno.ChildProcess): void {
  running.add(child);
  child.status.finally(() => running.delete(child));
}

async function endChild(child: Deno.ChildProcess): Promise<void> {
  if (!running.has(child)) return;
  const send = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch { /* It has ended by itself. */ }
  };
  send("SIGTERM");
  const timer = setTimeout(() => send("SIGKILL"), END_MS);
  await child.status;
  clearTimeout(timer);
}

function lineStream(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(text, controller) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) controller.enqueue(line);
    },
    flush(controller) {
      if (rest !== "") controller.enqueue(rest);
    },
  });
}
