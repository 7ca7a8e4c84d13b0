// Names: what may be one, that a stranger's name never becomes a path, and which file is meant when
// several go by the same name.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { basename, dirname } from "@std/path";
import { utf8 } from "../../src/base/bytes.ts";
import { FetchFailure } from "../../src/base/errors.ts";
import { ask, connectTo, untilShared } from "./support/client.ts";
import { requestFor } from "../support/fetch_request.ts";
import { startDaemon } from "./support/daemon.ts";
import { bytesFetched, FetchProcess } from "./support/fetch_process.ts";
import {
  assertSameFile,
  isThere,
  namesIn,
  randomBytes,
  randomFile,
  sha256Of,
  TempDir,
  treeOf,
} from "./support/files.ts";
import { runPacsrv } from "./support/process.ts";
import { frameWithText } from "./support/raw_frames.ts";
import { type HeldFile, holdFile, RawHolder } from "./support/raw_holder.ts";
import { RawNode } from "./support/raw_node.ts";
import { waitUntil } from "./support/wait.ts";

/** The event that tells of a choice. */
interface ToldChoice {
  readonly root: string;
  readonly why: string;
  readonly nodes: number;
  readonly others: readonly {
    readonly root: string;
    readonly sizeBytes: number;
    readonly nodes: number;
    readonly command: string;
  }[];
}

/** What no file may be called, as bytes of a frame. */
const HOSTILE: readonly Uint8Array[] = [
  "../evil.bin",
  "../../../../../../../../tmp/evil.bin",
  "/tmp/evil.bin",
  "sub/evil.bin",
  "..",
  ".",
  "",
  "nul\0.bin",
  "line\nbreak.bin",
  "\u001b[2Jscreen.bin",
  "x".repeat(256),
].map(utf8).concat([new Uint8Array([0x66, 0xff, 0xfe])]);

Deno.test("pacsrv fetch ends with 2 when a name cannot be one", async () => {
  await using dir = await TempDir.make();
  const names = ["../evil", "/etc/evil", "sub/evil", "..", ".", "x".repeat(256), "tab\there"];
  const outcomes = await Promise.all(
    names.map((name) => runPacsrv(["fetch", name, "--client", "127.0.0.1:9"], { cwd: dir.path })),
  );
  for (const [i, { code, stderr }] of outcomes.entries()) {
    assertEquals(code, 2, `${names[i]}: ${stderr}`);
    assertStringIncludes(stderr, "Cannot use name");
  }
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("daemon refuses a client that asks for a name that cannot be one", async () => {
  await using daemon = await startDaemon();
  for (const name of ["../evil", "nul\0byte", "..", "sub/evil", "line\nbreak"]) {
    await using client = await connectTo(daemon);
    const error = await assertRejects(
      () => Array.fromAsync(client.get(requestFor(name))),
      FetchFailure,
    );
    assertEquals(error.exit, "usage", error.message);
  }
  assertEquals(await ask(daemon, "list", {}), []);
});

Deno.test("daemon takes no hostile name from a holder, and fetches from an honest one", async () => {
  await using dir = await TempDir.make();
  const data = await dir.folder("a", "b", "data"), work = await dir.folder("a", "b", "out");
  const file = holdFile("honest.bin", randomBytes(300_000, 4));
  await using daemon = await startDaemon({ dataDir: data });
  await using liar = await HostileHolder.start(daemon.node, file);
  await using fetch = daemon.fetch([file.root], { cwd: work });
  await liar.allRefused();
  // Only now somebody offers it whose offer can be taken.
  await using _ = await RawHolder.start(daemon.node, file);
  const done = await fetch.done();
  assertEquals(done.name, file.name);
  assertEquals(await Deno.readFile(`${work}/honest.bin`), file.data);
  assertEquals(await namesIn(work), ["honest.bin"]);
  const own = await treeOf(dir.path);
  assertEquals(own.filter((path) => !path.startsWith("a/b/data/")), ["a/b/out/honest.bin"]);
  assertEquals(own.filter((path) => basename(path).includes("evil")), []);
  assert(!await isThere("/tmp/evil.bin"));
  assert(daemon.process.stderr.matches(/WARN .*refused a connection/).length > 0);
});

Deno.test("daemon drops a link that answers with a hit of a hostile name", async () => {
  await using dir = await TempDir.make();
  await using daemon = await startDaemon();
  const file = holdFile("honest.bin", randomBytes(1_000, 5));
  await using node = new RawNode();
  const link = await node.dial(daemon.node, "link");
  await using _fetch = daemon.fetch([file.root], { cwd: dir.path });
  const { id } = await link.next("query");
  const hit = {
    kind: "hit" as const,
    id,
    hops: 0,
    nodeId: node.nodeId,
    holderHost: "",
    holderPort: 1,
    offers: [offerOf(file, "stand-in")],
  };
  link.sendFrame(frameWithText(hit, "stand-in", utf8("../evil.bin")));
  await link.ended();
  await daemon.logged(/WARN .*broke the protocol/);
  assertEquals(await ask(daemon, "list", {}), []);
});

Deno.test("pacsrv fetch by root replaces or hides no file under a name of the network", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared"), work = await dir.folder("work");
  await randomFile(`${shared}/.profile`, 20_000, 6);
  await randomFile(`${shared}/taken.bin`, 20_000, 7);
  await Deno.writeTextFile(`${work}/taken.bin`, "mine");
  await using holder = await startDaemon({ shares: [shared] });
  await untilShared(holder, ".profile", "taken.bin");
  for (const { root, name } of await ask(holder, "list", {})) {
    const outcome = await runPacsrv(["fetch", root, "--alone", "--peer", holder.node], {
      cwd: work,
    });
    assertEquals(outcome.code, 1, outcome.stderr);
    assertStringIncludes(outcome.stderr, name);
    assertStringIncludes(outcome.stderr, "-o FILE");
  }
  assertEquals(await namesIn(work), ["taken.bin"]);
  assertEquals(await Deno.readTextFile(`${work}/taken.bin`), "mine");
});

Deno.test("daemon does not share .part files", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared");
  await randomFile(`${shared}/half.bin.part`, 20_000, 8);
  await randomFile(`${shared}/whole.bin`, 20_000, 9);
  await using daemon = await startDaemon({ shares: [shared] });
  await untilShared(daemon, "whole.bin");
  const { code, stderr } = await daemon.run(["share", `${shared}/half.bin.part`]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "unfinished download");
  assertEquals((await ask(daemon, "list", {})).map(({ name }) => name), ["whole.bin"]);
});

Deno.test("two files of one name are two candidates", async (t) => {
  await using dir = await TempDir.make();
  const [one, two, odd] = await Promise.all(
    ["one", "two", "odd"].map((name) => dir.sub(name, "same.bin")),
  ) as [string, string, string];
  await randomFile(one, 700_000, 10);
  await Deno.copyFile(one, two);
  await randomFile(odd, 800_001, 11);
  await using cleanup = new AsyncDisposableStack();
  const start = async (path: string, peers: readonly string[] = []) =>
    cleanup.use(await startDaemon({ shares: [dirname(path)], peers }));
  const most = await Promise.all([start(one), start(two)]);
  const oddHolder = await start(odd, [most[0].node]);
  const holders = [...most, oddHolder];
  await Promise.all(holders.map((holder) => untilShared(holder, "same.bin")));
  await oddHolder.linked(1);
  const [{ root: oddRoot } = { root: "" }] = await ask(oddHolder, "list", {});
  const output = await dir.sub("out", "same.bin");
  const fetch = async (args: readonly string[], nodes = holders) => {
    const peers = nodes.flatMap(({ node }) => ["--peer", node]);
    await using process = new FetchProcess([
      ...["same.bin", "-o", output, "--alone", ...peers],
      ...args,
    ]);
    const done = await process.done();
    assertEquals(await namesIn(dirname(output)), ["same.bin"]);
    return { done, restarts: process.events().filter(({ event }) => event === "restarted").length };
  };

  await t.step("the root that most nodes offer wins when nothing chooses", async () => {
    await fetch([]);
    await assertSameFile(output, one);
  });
  await t.step("--root chooses", async () => {
    const { done } = await fetch(["--root", oddRoot]);
    assertEquals(done.root, oddRoot);
    await assertSameFile(output, odd);
  });
  await t.step("--size chooses, and not a byte of the other comes", async () => {
    const { done } = await fetch(["--size", "800001"]);
    await assertSameFile(output, odd);
    assertEquals(bytesFetched(done), 800_001);
  });
  await t.step("--sha256 chooses, after the one that most offer failed the check", async () => {
    // Who has the other one is behind one of those that most are: it hears of the query after them.
    const { done, restarts } = await fetch(["--sha256", await sha256Of(odd)], most);
    await assertSameFile(output, odd);
    assertEquals(done.root, oddRoot);
    assert(restarts > 0);
  });
  await t.step("pacsrv search lists both, each with its count", async () => {
    await using asker = await startDaemon({ peers: holders.map(({ node }) => node) });
    await asker.linked(3);
    const { stdout } = await asker.run(["search", "sa?e.*", "--json"]);
    const found = stdout.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(found.map(({ name }) => name), ["same.bin", "same.bin"]);
    assertEquals(found.map(({ peersWhole }) => peersWhole), [2, 1]);
    assertEquals(found.map(({ sizeBytes }) => sizeBytes), [700_000, 800_001]);
  });
});

Deno.test("fetch says that several files go by the name, which it takes and why, and how to have another", async (t) => {
  await using dir = await TempDir.make();
  const first = holdFile("file.bin", randomBytes(300_000, 15));
  const second = await dir.sub("second", "file.bin");
  await randomFile(second, 200_000, 16);
  const toldOf = Promise.withResolvers<void>();
  await using daemon = await startDaemon();
  await using _ = await RawHolder.start(daemon.node, first, {
    behaviour: {
      // Nothing of it comes before the other one is known.
      onLeaves: ({ first: from, count }, { peer }) => {
        const hashes = first.leaves.slice(from * 32, (from + count) * 32);
        toldOf.promise.then(() => peer.send({ kind: "leaves", first: from, hashes }));
      },
    },
  });
  const output = `${dir.path}/out`;
  await using fetch = daemon.fetch(["file.bin", "-o", output]);
  await fetch.event("found");
  await using holder = await startDaemon({ shares: [second], peers: [daemon.node] });
  const choice = await fetch.event("choice");
  toldOf.resolve();
  assertEquals((await fetch.done()).root, first.root);
  const { root, why, nodes, others } = choice as unknown as ToldChoice;
  assertEquals([root, why, nodes, others.length], [first.root, "first", 1, 1]);
  const [other] = others;
  assertEquals([other!.sizeBytes, other!.nodes], [200_000, 1]);

  await t.step("the command that it tells fetches the other one", async () => {
    const { code, stderr } = await runPacsrv(other!.command.split(" ").slice(1));
    assertEquals(code, 0, stderr);
    await assertSameFile(output, second);
  });
  await t.step("a person is told of both on standard error, also where both are here", async () => {
    const { code, stderr } = await daemon.run(["fetch", "file.bin", "-o", output]);
    assertEquals(code, 0, stderr);
    const taken = (await sha256Of(output)) === await sha256Of(second) ? other!.root : first.root;
    const left = taken === first.root ? other!.root : first.root;
    assertStringIncludes(
      stderr,
      `2 different files go by the name file.bin. This is the one with root ${taken}`,
    );
    assertStringIncludes(stderr, ": it is here already.");
    assertStringIncludes(stderr, "\nNo other node was asked, for file.bin is here: `pacsrv info");
    const command = `pacsrv fetch --root ${left} -o ${output} --client ${daemon.client} file.bin`;
    assertStringIncludes(stderr, command);
  });
  await t.step("search and where tell the two apart", async () => {
    for (const command of ["search", "where"]) {
      const { stdout } = await holder.run([command, "file.bin", "--json"]);
      const roots = stdout.trim().split("\n").map((line) => JSON.parse(line).root);
      assertEquals(new Set(roots), new Set([first.root, other!.root]));
    }
  });
  await t.step("who names the root is told nothing", async () => {
    const { stderr } = await daemon.run(["fetch", "file.bin", "--root", root, "-o", output]);
    assert(!/different files|No other node/.test(stderr), stderr);
  });
});

Deno.test("fetch turns to another file of the name when the first one is a lie", async () => {
  await using dir = await TempDir.make();
  const lie = holdFile("file.bin", randomBytes(300_000, 13));
  const truth = holdFile("file.bin", randomBytes(400_000, 14));
  const otherOffered = Promise.withResolvers<void>();
  await using daemon = await startDaemon();
  await using _ = await RawHolder.start(daemon.node, lie, {
    behaviour: {
      onLeaves: ({ first, count }, { peer }) => {
        const hashes = new Uint8Array(count * 32);
        otherOffered.promise.then(() => peer.send({ kind: "leaves", first, hashes }));
      },
    },
  });
  await using fetch = daemon.fetch(["file.bin", "-o", `${dir.path}/out`]);
  assertEquals((await fetch.event("found")).root, lie.root);
  await using honest = await RawHolder.start(daemon.node, truth);
  await waitUntil(() => honest.verdicts.length > 0, { what: "the other file to be offered" });
  otherOffered.resolve();
  const done = await fetch.done();
  assertEquals(done.root, truth.root);
  assertEquals(await Deno.readFile(`${dir.path}/out`), truth.data);
  assertEquals(fetch.events().filter(({ event }) => event === "restarted").length, 1);
  assertEquals((await ask(daemon, "list", {})).map(({ root }) => root), [truth.root]);
});

Deno.test("a wrong --sha256 ends with 4 and leaves no file", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.sub("shared", "file.bin"), dataDir = await dir.folder("data");
  await randomFile(shared, 500_000, 12);
  await using holder = await startDaemon({ shares: [shared] });
  await untilShared(holder, "file.bin");
  await using daemon = await startDaemon({ dataDir, peers: [holder.node] });
  await daemon.linked(1);
  const ways = {
    daemon: ["--client", daemon.client],
    alone: ["--alone", "--peer", holder.node],
    // Where the file is at home.
    holder: ["--client", holder.client],
  };
  // Each waits a while whether somebody else has the right one: they wait together.
  await Promise.all(
    Object.entries(ways).map(async ([way, args]) => {
      const work = await dir.folder("work", way);
      const { code, stderr } = await runPacsrv(
        ["fetch", "file.bin", "--sha256", "00".repeat(32), ...args],
        { cwd: work },
      );
      assertEquals(code, 4, stderr);
      assertStringIncludes(stderr, "failed its check");
      assertEquals(await namesIn(work), []);
    }),
  );
  // Nor in the store; the shared file stays what it is.
  assertEquals(await ask(daemon, "list", {}), []);
  const left = (await treeOf(dataDir)).filter((path) => /^(files|partial|leaves)\//.test(path));
  assertEquals(left, []);
  await daemon.logged(/WARN .*failed its check.*file\.bin/);
  assertEquals((await ask(holder, "list", {})).length, 1);
});

/** A holder that offers the right root under each hostile name, once for each query. */
class HostileHolder implements AsyncDisposable {
  readonly #node = new RawNode();
  readonly #refused = Promise.withResolvers<void>();

  static async start(address: string, file: HeldFile): Promise<HostileHolder> {
    const holder = new HostileHolder();
    const link = await holder.#node.dial(address, "link");
    holder.#node.run(async () => {
      try {
        const { id } = await link.next("query");
        for (const name of HOSTILE) {
          const peer = await holder.#node.callBack(address, id);
          const offer = {
            kind: "offer" as const,
            file: offerOf(file, "stand-in"),
            bitfield: new Uint8Array(),
          };
          peer.sendFrame(frameWithText(offer, "stand-in", name));
          const heard = await peer.ended();
          assertEquals(heard, [], `${JSON.stringify(new TextDecoder().decode(name))} was taken`);
        }
        holder.#refused.resolve();
      } catch (error) {
        holder.#refused.reject(error);
      }
    });
    return holder;
  }

  async allRefused(): Promise<void> {
    await this.#refused.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node[Symbol.asyncDispose]();
  }
}

function offerOf(file: HeldFile, name: string) {
  const { root, data } = file;
  const chunks = Math.ceil(data.length / 16_384);
  return { root, name, type: "", sizeBytes: data.length, chunksHave: chunks, whole: true };
}
