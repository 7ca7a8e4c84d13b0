// Holds all pages to the program: their command lines can be run, their configuration files are read,
// their links lead somewhere.

import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import { rootPath } from "../../scripts/std_source.ts";
import { parseCommandLine } from "../../src/cli/arguments/command_line.ts";
import { COMMANDS, findCommand } from "../../src/cli/command_table.ts";
import { parseConfig } from "../../src/cli/settings/config.ts";
import { helpFor } from "../../src/cli/help.ts";
import { limits } from "../../src/base/limits.ts";
import { MIB } from "../../src/base/limits/sizes.ts";
import { FILE_TRUSTS } from "../../src/base/package_index.ts";
import { anchorsOf, codeBlocks, linksOf, PAGES, readPage, tableAfter } from "./pages.ts";
import { splitWords } from "./transcript.ts";

Deno.test("The pages show only command lines that can be parsed", async () => {
  const shown = new Map<string, number>();
  for (const page of PAGES) {
    const text = await readPage(page);
    const blocks = ["sh", "console"].flatMap((language) => codeBlocks(text, language)).join("\n");
    const lines = [...blocks.matchAll(/^(?:\$ )?pacsrv ([a-z]+)\b(.*)$/gm)];
    shown.set(page, lines.length);
    for (const [line, name, rest] of lines) {
      if (name === "help") {
        await helpFor(splitWords(rest!));
        continue;
      }
      const command = await findCommand(name!);
      const words = splitWords(rest!.replace(/ [#|>].*|;.*/, ""));
      const args = await parseCommandLine(command, words);
      assertEquals(args.command.name, name, `${page}: ${line}`);
    }
  }
  // Each command has an example in COMMANDS.md at the least; the tour has one after another.
  assert(
    shown.get("src/cli/COMMANDS.md")! > COMMANDS.length,
    String(shown.get("src/cli/COMMANDS.md")),
  );
  assert(shown.get("src/daemon/OPERATING.md")! > 8);
  for (const page of ["README.md", "src/directory/GUIDE.md", "src/gateway/GUIDE.md"]) {
    assert(shown.get(page)! > 0, page);
  }
});

Deno.test("The pages show only configuration keys that the daemon has", async () => {
  const command = await findCommand("daemon");
  // COMMANDS.md has the file of a directory too, and a test of its own.
  for (const page of PAGES.filter((page) => page !== "src/cli/COMMANDS.md")) {
    const files = codeBlocks(await readPage(page), "toml");
    if (page === "README.md" || page === "src/gateway/GUIDE.md") assert(files.length > 0, page);
    for (const file of files) {
      const values = await parseConfig(file, { path: "/etc/pacsrv.toml", command });
      assert(values.size > 0, file);
    }
  }
});

Deno.test("OPERATING.md explains everything that a file can be trusted by", async () => {
  const [, , ...rows] = tableAfter(
    await readPage("src/daemon/OPERATING.md"),
    "`pacsrv list` shows",
  )!;
  assertEquals(rows.map(([trust]) => trust), FILE_TRUSTS.map((trust) => `\`${trust}\``));
});

Deno.test("OPERATING.md and the gateway's guide give the limits that the program has", async () => {
  const [, , ...rows] = tableAfter(await readPage("src/daemon/OPERATING.md"), "## Limits")!;
  const shown = new Map(rows.map(([what, limit]) => [what!, limit!]));
  const figures: Readonly<Record<string, readonly number[]>> = {
    "shared files": [limits.sharedFilesMax],
    "levels of folders below a share": [limits.shareDepthMax],
    "a file's name": [limits.nameBytesMax],
    "links to other nodes": [limits.linksMax],
    "connections to the node port": [limits.connectionsMax, limits.connectionsPerHostMax],
    "clients at once": [limits.clientsMax],
    "fetches at once": [limits.fetchesMax],
    "providers of one fetch at once": [limits.sourcesMax],
    "nodes that are served at once": [limits.uploadsMax],
    "distance of a search": [limits.ttlDefault + 1, limits.ttlMax + 1],
    "a search without an answer": [limits.searchMs / 1000],
    "a fetch that lost all its sources": [limits.sourcesLostMs / 1000],
    "directories of a node": [limits.directoriesMax],
    "nodes of a directory": [limits.directoryClientsMax, limits.directoryClientsPerHostMax],
    "files listed at a directory": [
      limits.listingsMax,
      limits.listingsPerHostMax,
      limits.listingsPerClientMax,
    ],
    "requests to the gateway at once": [limits.gatewayRequestsMax],
    "files that it fetches at once": [limits.gatewaySharedFetchesMax],
    "a file that nobody has, at the gateway": [
      limits.gatewayWaitMs / 1000,
      limits.gatewayWaitMsMax / 1000,
    ],
    "a client of it that reads nothing": [limits.gatewayStalledMs / 1000],
    "a fetch without link or source": [limits.dialRoundMs / 1000],
    "a fetch that no client waits for": [limits.gatewayAbandonedMs / 1000],
    "mirrors of a file": [limits.mirrorsMax, limits.mirrorConnectionsMax],
    "a mirror that does not answer": [limits.mirrorAnswerMs / 1000, limits.mirrorSilentMs / 1000],
    "files that pass through the gateway": [limits.gatewayPassesMax],
    "databases that the gateway keeps": [
      limits.databasesMax,
      limits.databaseBytesMax / MIB,
      limits.databasesBytesMax / MIB,
    ],
    "databases beyond those": [limits.databaseUpdatesMax],
    "gateways behind each other": [limits.gatewayViaMax],
    "packages in pacman databases": [limits.syncPackagesMax],
    "fetches that `explain` remembers": [limits.fetchRecordsMax],
  };
  for (const [what, numbers] of Object.entries(figures)) {
    const row = shown.get(what);
    assert(row !== undefined, `no row says ${what}`);
    const told = [...row.matchAll(/\d[\d,]*(?:\.\d+)?/g)].map(([text]) => text.replace(/,$/, ""));
    for (const number of numbers) {
      assert(told.includes(number.toLocaleString("en-US")), `${what}: ${row}, but ${number}`);
    }
  }
  const guide = await readPage("src/gateway/GUIDE.md");
  const requests = [...guide.matchAll(/([\d,]+) requests/g)].map(([, figure]) => figure);
  const max = limits.gatewayRequestsMax.toLocaleString("en-US");
  assertEquals(new Set(requests), new Set([max]), "requests at once");
});

for (const page of [...PAGES, "src/ARCHITECTURE.md"]) {
  Deno.test(`${page} links only to files and headings that are there`, async () => {
    const text = await readPage(page);
    const links = linksOf(text);
    assert(links.length > 1);
    for (const { path, anchor } of links) {
      const target = path === "" ? page : join(dirname(page), path);
      await Deno.stat(rootPath(target));
      if (anchor === "") continue;
      const anchors = anchorsOf(await readPage(target));
      assert(anchors.has(anchor), `${target} has no heading for #${anchor}`);
    }
  });
}
