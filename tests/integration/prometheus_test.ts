// The figures as Debian's real Prometheus reads them: promtool has no complaint, and every query of
// the dashboard has a result.

import { assert, assertEquals, assertGreater } from "@std/assert";
import { rootPath } from "../../scripts/std_source.ts";
import { startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { randomFile, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { runTool, ToolProcess } from "./support/tool.ts";
import { waitUntil } from "./support/wait.ts";

const MIB = 1024 * 1024;
const METRICS = ["--metrics", "127.0.0.1:0"];
const FOLDER = "/core/os/x86_64";

/** What Grafana puts into the queries, for a Prometheus that scrapes every second. */
const VARIABLES: readonly (readonly [name: string, value: string])[] = [
  ["$__rate_interval", "20s"],
  ["$__range", "1m"],
  ["$instance", ".*"],
  ["$job", ".*"],
];

/** A directory, a daemon with a file, and one that gets it, and another from a mirror. */
class Fleet implements AsyncDisposable {
  readonly targets: Readonly<Record<string, readonly string[]>>;
  readonly #cleanup: AsyncDisposable;

  private constructor(
    targets: Readonly<Record<string, readonly string[]>>,
    cleanup: AsyncDisposable,
  ) {
    this.targets = targets;
    this.#cleanup = cleanup;
  }

  static async start(): Promise<Fleet> {
    await using cleanup = new AsyncDisposableStack();
    const dir = cleanup.use(await TempDir.make());
    await randomFile(await dir.sub("shared", "of-peer.pkg.tar.zst"), MIB, 1);
    await randomFile(await dir.sub(`mirror${FOLDER}`, "of-mirror.pkg.tar.zst"), 2 * MIB, 2);
    const mirror = cleanup.use(Mirror.start(`${dir.path}/mirror`));
    const directory = cleanup.use(await startDirectory({ args: METRICS }));
    const holder = cleanup.use(
      await startDaemon({
        shares: [`${dir.path}/shared`],
        args: [...METRICS, "--directory", directory.address],
      }),
    );
    await holder.holds("of-peer.pkg.tar.zst");
    const daemon = cleanup.use(
      await startDaemon({
        peers: [holder.node],
        args: [
          ...METRICS,
          ...["--directory", directory.address],
          ...["--gateway", "127.0.0.1:0", "--mirror", `${mirror.url}/$repo/os/$arch`],
          ...["--keep", "1G", "--min-free", "1M"],
        ],
      }),
    );
    await daemon.linked(1);
    for (
      const [name, status] of [
        ["of-peer.pkg.tar.zst", 200],
        ["of-mirror.pkg.tar.zst", 200],
        ["of-nobody.pkg.tar.zst", 404],
      ] as const
    ) {
      const answer = await fetch(`http://${daemon.gateway}${FOLDER}/${name}`);
      await answer.arrayBuffer();
      assertEquals(answer.status, status, name);
    }
    const targets = {
      "pacsrv": [daemon.metrics, holder.metrics],
      "pacsrv-directory": [directory.metrics],
    };
    return new Fleet(targets, cleanup.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup[Symbol.asyncDispose]();
  }
}

/** A Prometheus that scrapes every second. */
class Prometheus implements AsyncDisposable {
  readonly #process: ToolProcess;
  readonly #url: string;

  private constructor(process: ToolProcess, url: string) {
    this.#process = process;
    this.#url = url;
  }

  static async start(dir: TempDir, targets: Fleet["targets"]): Promise<Prometheus> {
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s" },
      scrape_configs: Object.entries(targets).map(([job, addresses]) => ({
        job_name: job,
        static_configs: [{ targets: addresses }],
      })),
    };
    // YAML takes JSON as it is.
    await Deno.writeTextFile(`${dir.path}/prometheus.yml`, JSON.stringify(config));
    const process = new ToolProcess("prometheus", [
      `--config.file=${dir.path}/prometheus.yml`,
      `--storage.tsdb.path=${dir.path}/tsdb`,
      "--web.listen-address=127.0.0.1:0",
    ]);
    try {
      const line = await process.stderr.matching(/Listening on|TLS is disabled/);
      const address = /address=(127\.0\.0\.1:[1-9]\d*)/.exec(line)?.[1];
      assert(address !== undefined, line);
      return new Prometheus(process, `http://${address}`);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What a query gives: of each series its labels and its value. @throws {Error} when it is none. */
  async query(expression: string): Promise<unknown[]> {
    const url = `${this.#url}/api/v1/query?query=${encodeURIComponent(expression)}`;
    const { status, error, data } = await (await fetch(url)).json();
    if (status !== "success") throw new Error(`${expression}: ${error}`);
    return data.result;
  }

  /** Waits until the query has a result. */
  async result(expression: string): Promise<void> {
    const isThere = async () => (await this.query(expression)).length > 0;
    await waitUntil(isThere, { what: `a result of ${expression}`, everyMs: 100 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** The queries of the dashboard, as Grafana would send them. */
async function dashboardQueries(): Promise<string[]> {
  const text = await Deno.readTextFile(rootPath("scripts/packaging/grafana-dashboard.json"));
  const panels: { targets?: { expr: string }[] }[] = JSON.parse(text).panels;
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  return queries.map((query) =>
    VARIABLES.reduce((query, [name, value]) => query.replaceAll(name, value), query)
  );
}

Deno.test("Prometheus scrapes daemons and a directory, and the dashboard shows them", async () => {
  await using fleet = await Fleet.start();
  await using dir = await TempDir.make();
  await using prometheus = await Prometheus.start(dir, fleet.targets);

  for (const target of Object.values(fleet.targets).flat()) {
    const text = await (await fetch(`http://${target}/metrics`)).text();
    await Deno.writeTextFile(`${dir.path}/metrics`, text);
    const script = 'promtool check metrics < "$1" 2>&1';
    const { code, stdout } = await runTool("sh", ["-c", script, "sh", `${dir.path}/metrics`]);
    assertEquals([code, stdout], [0, ""]);
    assert(!/of-peer|of-mirror|of-nobody/.test(text), "no file is named");
  }

  // A fetch may end a moment after its bytes are out.
  for (
    const expected of [
      "sum(up) == 3",
      "sum(pacsrv_ready) == 3",
      `sum(pacsrv_fetched_bytes_total{source="peer"}) == ${MIB}`,
      `sum(pacsrv_fetched_bytes_total{source="mirror"}) == ${2 * MIB}`,
      `sum(pacsrv_unique_bytes_total) == ${3 * MIB}`,
      `sum(pacsrv_mirror_bytes_total) >= ${2 * MIB}`,
      'sum(pacsrv_fetches_total{outcome="done"}) == 2',
      "sum(pacsrv_fetch_duration_seconds_count) == 2",
      'sum(pacsrv_gateway_requests_total{status="2xx"}) == 2',
      'sum(pacsrv_gateway_requests_total{status="4xx"}) == 1',
      `sum(pacsrv_gateway_sent_bytes_total) == ${3 * MIB}`,
      `sum(pacsrv_uploaded_bytes_total) >= ${MIB}`,
      "sum(pacsrv_directory_listed_files) == 3",
    ]
  ) await prometheus.result(expected);

  const queries = await dashboardQueries();
  assertGreater(queries.length, 20);
  // Rates are of two scrapes; one after the other, for the last has waited enough for all.
  for (const query of queries) await prometheus.result(query);
});

Deno.test("the dashboard shows every figure", async () => {
  await using directory = await startDirectory({ args: METRICS });
  await using daemon = await startDaemon({ args: [...METRICS, "--gateway", "127.0.0.1:0"] });
  const queries = (await dashboardQueries()).join("\n");
  for (const { metrics } of [daemon, directory]) {
    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    const names = Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name!);
    assertGreater(names.length, 10);
    assertEquals(names.filter((name) => !queries.includes(name)), []);
  }
});
