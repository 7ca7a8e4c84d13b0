// Searches with more answers than one message, one page or one HIT has room for: they are whole, or
// say that they are not.

import { assert, assertEquals } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { manyFiles, TempDir } from "./support/files.ts";
import { checkJsonLines } from "./support/json_page.ts";
import { OldProgram, VERSION_1_COMMIT } from "./support/old_program.ts";
import { waitUntil } from "./support/wait.ts";

const whyNot = await OldProgram.problem(VERSION_1_COMMIT);

/** More than a callback without pages, or one answer of a directory, has room for. */
const FILES = limits.listingMax + 300;

Deno.test("a search has all names of a long list, over links, over HITs and from directories", async (t) => {
  await using dir = await TempDir.make();
  manyFiles(await dir.folder("many"), FILES);
  await using directory = await startDirectory();
  await using holder = await startDaemon({
    shares: [`${dir.path}/many`],
    args: ["--directory", directory.address],
    logLevel: "warn",
  });
  await waitUntil(async () => (await holder.status()).files.shared === FILES, {
    what: "all files to be hashed",
  });
  const peers = [holder.node];
  await directory.reports("all files", ({ filesListed }) => filesListed === FILES);
  const requesters = [
    ["by callback", { peers }],
    ["by HIT, since nobody can dial the requester", { peers, args: ["--no-callback"] }],
    ["from a directory alone", { args: ["--directory", directory.address, "--no-callback"] }],
  ] as const;
  for (const [how, options] of requesters) {
    await t.step(how, async () => {
      await using requester = await startDaemon(options);
      if ("peers" in options) await requester.linked(1);
      const { code, stdout, stderr } = await requester.run(["search", "*", "--json"]);
      const names = stdout.trim().split("\n").map((line) => JSON.parse(line).name);
      assertEquals([code, stderr, names.length], [0, "", FILES]);
      assertEquals(new Set(names).size, FILES);
    });
  }
  await t.step({
    name: "a node of version 1 has as many as it may hear",
    ignore: whyNot !== undefined,
    async fn() {
      await using old = await OldProgram.unpack(VERSION_1_COMMIT);
      await using requester = await startDaemon({ peers, program: old.program });
      await requester.linked(1);
      const { code, stdout } = await requester.run(["search", "*", "--json"]);
      assertEquals([code, stdout.trim().split("\n").length], [0, limits.listingMax]);
    },
  });
});

Deno.test("a search says when it is not whole", async () => {
  await using dir = await TempDir.make();
  manyFiles(await dir.folder("many"), 2 * limits.hitOffersMax);
  await using holder = await startDaemon({
    shares: [`${dir.path}/many`],
    args: ["--no-callback"],
  });
  await waitUntil(async () => (await holder.status()).files.shared === 2 * limits.hitOffersMax, {
    what: "all files to be hashed",
  });
  // Neither can dial the other: all that comes is what one HIT has room for.
  await using requester = await startDaemon({ peers: [holder.node], args: ["--no-callback"] });
  await requester.linked(1);
  const text = await requester.run(["search", "*"]);
  assertEquals([text.code, text.stdout.trim().split("\n").length], [0, limits.hitOffersMax + 1]);
  assert(
    /^There may be more than is shown: one node .*narrower pattern/.test(text.stderr),
    text.stderr,
  );
  const json = await requester.run(["search", "*", "--json"]);
  assertEquals(checkJsonLines("search", json.stdout).at(-1), "left out");
  const items = json.stdout.trim().split("\n").map((line) => JSON.parse(line));
  const { leftOut } = items.pop();
  assertEquals([items.length, leftOut.more, json.stderr], [limits.hitOffersMax, null, ""]);
});
