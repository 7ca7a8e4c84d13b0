/** The settings of a directory, and how its state looks to a person. */

import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../../../src/base/errors.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { parseCommandLine } from "../../../../src/cli/arguments/command_line.ts";
import { findCommand } from "../../../../src/cli/command_table.ts";
import { helpFor } from "../../../../src/cli/help.ts";
import { inFolder } from "../in_folder.ts";
import { readDirectorySettings } from "../../../../src/cli/settings/service_settings.ts";
import { anyHost } from "../../../../src/cli/settings/network_settings.ts";
import { directoryStatusText, runStatus } from "../../../../src/cli/commands/status.ts";
import type { DirectoryStatus } from "../../../../src/client/directory_status.ts";

async function settings(...words: string[]) {
  return await readDirectorySettings(
    await parseCommandLine(await findCommand("directory"), words),
  );
}

Deno.test("readDirectorySettings() gives the defaults when nothing is said", async () => {
  assertEquals(await settings(), {
    listen: { host: anyHost(), port: 8047 },
    network: "pacsrv",
    networkKey: undefined,
    otherKeys: [],
    replicas: limits.replicasDefault,
    refreshMs: limits.directoryRefreshMs,
    queriesPerSecond: limits.directoryQueriesPerSecond,
    clientsMax: limits.directoryClientsMax,
    listingsMax: limits.listingsMax,
    monitor: undefined,
    logLevel: "info",
    logFormat: "text",
  });
});

Deno.test("readDirectorySettings() takes what is said, in its units", async () => {
  const found = await settings(
    ...["--listen", "127.0.0.1:0", "--refresh", "5", "--replicas", "0", "--max-queries", "7"],
    ...["--max-clients", "8", "--max-files", "9"],
    ...["--network", "office", "--log-level", "debug", "--log-format", "json"],
  );
  assertEquals(found, {
    listen: { host: "127.0.0.1", port: 0 },
    network: "office",
    networkKey: undefined,
    otherKeys: [],
    replicas: 0,
    refreshMs: 5_000,
    queriesPerSecond: 7,
    clientsMax: 8,
    listingsMax: 9,
    monitor: undefined,
    logLevel: "debug",
    logFormat: "json",
  });
  assertEquals((await settings("--listen", "10.0.0.1")).listen, { host: "10.0.0.1", port: 8047 });
  assertEquals((await settings("--listen", ":9")).listen, { host: anyHost(), port: 9 });
});

Deno.test("readDirectorySettings() takes the file that `pacsrv help config` shows", async () => {
  const [, shown] = (await helpFor(["config"])).split("Directory:");
  await inFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/directory.toml`, shown!);
    await Deno.writeTextFile(`${dir}/network.key`, "k".repeat(32));
    const { listen, network, networkKey, logFormat } = await settings(
      ...["--config", `${dir}/directory.toml`],
    );
    assertEquals([listen, network, networkKey?.length, logFormat], [
      { host: "0.0.0.0", port: 8047 },
      "office",
      32,
      "json",
    ]);
  });
});

Deno.test("readDirectorySettings() refuses what is out of its bounds, and names it", async () => {
  const wrong: [flag: string, value: string, message: string][] = [
    ["--refresh", "0", 'Cannot use --refresh "0": it is not a whole number from 1 to 3600'],
    ["--refresh", "3601", 'Cannot use --refresh "3601": it is not a whole number from 1 to 3600'],
    ["--replicas", "65", 'Cannot use --replicas "65": it is not a whole number from 0 to 64'],
    [
      "--max-queries",
      "0",
      'Cannot use --max-queries "0": it is not a whole number from 1 to 1000000',
    ],
    ["--log-level", "loud", 'Cannot use --log-level "loud": it is not one of'],
    ["--listen", "a b", 'Cannot use --listen "a b": the host is neither a name nor an IP address'],
  ];
  for (const [flag, value, message] of wrong) {
    await assertRejects(() => settings(flag, value), UsageError, message);
  }
});

Deno.test("runStatus() refuses flags that do not go together", async () => {
  const status = async (...words: string[]) =>
    await runStatus(await parseCommandLine(await findCommand("status"), words));
  await assertRejects(
    () => status("--directory", "127.0.0.1:1", "--client", "127.0.0.1:2"),
    UsageError,
    "Cannot use --client with --directory",
  );
  await assertRejects(
    () => status("--network", "office"),
    UsageError,
    "Cannot use --network or --network-key-file without --directory",
  );
  await assertRejects(
    () => status("--directory", "127.0.0.1:0"),
    UsageError,
    'Cannot use --directory "127.0.0.1:0": port 0 means a free port',
  );
});

const STATUS: DirectoryStatus = {
  directory: "10.0.0.2:8047",
  instance: "5e09aa66e373e58c445c0fec177196aa" as NodeId,
  uptimeMs: 200_000,
  clients: 3,
  clientsReachable: 2,
  roots: 40,
  names: 1,
  filesListed: 120,
  queries: 1,
  batches: 5,
  denied: 0,
  uploadsAccepted: 1,
  replicas: 3,
  refreshMs: 30_000,
};

Deno.test("directoryStatusText() says all of it in lines", () => {
  assertEquals(
    directoryStatusText(STATUS),
    `directory 10.0.0.2:8047, up 3 min 20 s
instance  5e09aa66e373e58c445c0fec177196aa
clients   3, 2 of them reachable
files     120 listed: 40 roots under 1 name
asked     1 question, 5 batches
denied    0
replicas  up to 3; 1 copy begun
refresh   every 30.0 s
`,
  );
  const text = directoryStatusText({ ...STATUS, replicas: 0 });
  assertEquals(text.includes("\nreplicas  no balancing\n"), true);
});

Deno.test("readDirectorySettings() takes no port twice", async () => {
  const words = ["--listen", "127.0.0.1:9000", "--metrics", "127.0.0.1:9000"];
  const message = "Cannot use --metrics: it is the port of --listen, port 9000";
  await assertRejects(() => settings(...words), UsageError, message);
});
