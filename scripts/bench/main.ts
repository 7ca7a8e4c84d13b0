// `deno task bench`: measures the product against other programs and shows tables of medians. It only
// chooses what is run and prints it; each case is in a file of its own.

import { parseArgs } from "node:util";
import { resolve } from "node:path";
import { Bench, type BenchCase, type BenchOptions, GIB, ROUNDS_MIN } from "./bench.ts";
import { costCase } from "./cost_case.ts";
import { crowdCase } from "./crowd_case.ts";
import { daemonCase } from "./daemon_case.ts";
import { directoryCase } from "./directory_case.ts";
import { directoryPopularCase } from "./directory_popular_case.ts";
import { firstByteCase } from "./first_byte_case.ts";
import { gatewayCase } from "./gateway_case.ts";
import { describeMachine } from "./machine.ts";
import { machinesCase } from "./machines_case.ts";
import { manyCase } from "./many_case.ts";
import { writeMarkdown } from "./markdown.ts";
import { mountMemory, runInNamespace } from "./namespace.ts";
import { pingCase } from "./ping_case.ts";
import { keyCase } from "./key_case.ts";
import { endAll, isEnding } from "./processes.ts";
import { installProduct } from "./product.ts";
import { plainTable, type Table, verdict } from "./report.ts";
import { searchCase } from "./search_case.ts";
import { shareCase } from "./share_case.ts";
import { startCase } from "./start_case.ts";
import { ensureTools, type Tool } from "./tools.ts";
import { transferCase } from "./transfer_case.ts";
import { utpCase } from "./utp_case.ts";
import { removeAllWorkspaces } from "./workspace.ts";

const CASES: readonly BenchCase[] = [
  transferCase,
  utpCase,
  daemonCase,
  keyCase,
  costCase,
  manyCase,
  pingCase,
  shareCase,
  searchCase,
  directoryCase,
  directoryPopularCase,
  gatewayCase,
  firstByteCase,
  machinesCase,
  crowdCase,
  startCase,
];

const HELP = `deno task bench [CASE...] [--rounds N] [--size BYTES] [--files N]
                [--dir DIR] [--markdown FILE]

Measures pacsrv on this machine, over loopback, and prints a table a case: the median, the spread,
and the bar where there is one. Without CASE all of them run:

${CASES.map(({ name, about }) => `  ${name.padEnd(11)}${about}`).join("\n")}

  --rounds N       rounds that count, after one that does not (default 5; fewer are no result)
  --size BYTES     size of the file that is transferred (default 1 GiB; less is no result)
  --files N        files in the catalogue of the daemon that is started (default 100000)
  --dir DIR        a folder on the disk with room for 20 times the size (default /var/tmp)
  --markdown FILE  also write the tables there; a file with the lines "<!-- results -->" and
                   "<!-- end of results -->" gets them in between

Linux only; needs root or user namespaces, for a tmpfs of its own. Missing programs are installed
with apt-get. Takes half an hour and 8 GiB of memory.
Exit codes: 0 all was measured, whether the bars are met or not; 1 a case failed; 2 usage.`;

/** What the person typed. */
interface Request {
  readonly cases: readonly BenchCase[];
  readonly options: BenchOptions;
  readonly markdown: string | undefined;
}

if (import.meta.main) Deno.exit(await runBench(Deno.args));

async function runBench(args: string[]): Promise<number> {
  let request: Request | undefined;
  try {
    request = readRequest(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (request === undefined) {
    console.log(HELP);
    return 0;
  }
  if (Deno.build.os !== "linux") {
    console.error("Cannot measure: the benchmark needs /proc and tmpfs, as on Linux.");
    return 1;
  }
  await ensureTools(toolsOf(request.cases));
  const memoryRoot = await mountMemory();
  if (memoryRoot === undefined) return await runInNamespace(args, request.options.diskRoot);
  return await runInside(request, memoryRoot);
}

/** Measures, and leaves nothing behind however it ends. */
async function runInside(request: Request, memoryRoot: string): Promise<number> {
  const installDir = await Deno.makeTempDir({ prefix: "pacsrv-bench-install-" });
  let isTidy = false;
  const recover = () => {
    removeAllWorkspaces();
    if (!isTidy) Deno.removeSync(installDir, { recursive: true });
    isTidy = true;
  };
  const interrupted = async () => {
    await endAll({ forGood: true });
    recover();
    Deno.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, interrupted);
  try {
    const product = await installProduct(installDir);
    return await measureAll(request, new Bench(request.options, { product, memoryRoot }));
  } finally {
    await endAll({ forGood: true });
    recover();
  }
}

async function measureAll(request: Request, bench: Bench): Promise<number> {
  const { cases, options } = request;
  const versions = await ensureTools(toolsOf(cases));
  const machine = [...describeMachine(options), ...versions];
  console.log(`${machine.join("\n")}\n`);
  const tables: Table[] = [];
  const failed: string[] = [];
  for (const benchCase of cases) {
    if (isEnding()) break;
    bench.begin(benchCase.name);
    try {
      const found = await benchCase.run(bench);
      for (const table of found) console.log(plainTable(table));
      tables.push(...found);
    } catch (error) {
      if (isEnding()) break;
      console.error(`${benchCase.name} failed:`, error);
      failed.push(benchCase.name);
      // What it left running would disturb the cases after it.
      await endAll();
    }
  }
  const lines = [
    ...verdict(tables),
    ...failed.map((name) => `Not measured: ${name}.`),
    ...(options.rounds < ROUNDS_MIN || options.sizeBytes !== GIB
      ? [`Not a result: ${options.rounds} rounds of ${options.sizeBytes} bytes.`]
      : []),
  ];
  console.log(lines.join("\n"));
  if (request.markdown !== undefined) {
    await writeMarkdown(request.markdown, { machine, tables, lines });
  }
  return failed.length === 0 ? 0 : 1;
}

function toolsOf(cases: readonly BenchCase[]): Tool[] {
  return [...new Set(cases.flatMap(({ tools }) => tools))];
}

/** Reads the arguments; undefined when help is wanted. */
function readRequest(args: string[]): Request | undefined {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: `${ROUNDS_MIN}` },
      size: { type: "string", default: `${GIB}` },
      files: { type: "string", default: "100000" },
      dir: { type: "string", default: "/var/tmp" },
      markdown: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const cases = positionals.map((name) => {
    const found = CASES.find((benchCase) => benchCase.name === name);
    if (found !== undefined) return found;
    throw new Error(`No case "${name}". There are: ${CASES.map(({ name }) => name).join(", ")}`);
  });
  return {
    cases: cases.length > 0 ? cases : CASES,
    options: {
      rounds: readWhole(values.rounds, "--rounds"),
      sizeBytes: readWhole(values.size, "--size"),
      files: readWhole(values.files, "--files"),
      diskRoot: resolve(Deno.cwd(), values.dir),
    },
    markdown: values.markdown === undefined ? undefined : resolve(Deno.cwd(), values.markdown),
  };
}

function readWhole(text: string, flag: string): number {
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`Cannot use ${flag} ${text}: not a whole number above 0`);
}
