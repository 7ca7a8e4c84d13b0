// A configuration file that changes while its daemon runs, and is read again on SIGHUP.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { untilListed, untilShared } from "./support/client.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { randomBytes, randomFile, TempDir } from "./support/files.ts";
import { waitUntil } from "./support/wait.ts";

/** An HTTP server that gives half of a file, and the rest when it is told to. */
function halfMirror(bytes: Uint8Array<ArrayBuffer>) {
  const { promise: told, resolve: goOn } = Promise.withResolvers<void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ method }) => {
    const headers = { "content-length": String(bytes.length) };
    if (method === "HEAD") return new Response(null, { headers });
    const half = bytes.length >> 1;
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(bytes.subarray(0, half));
        await told;
        controller.enqueue(bytes.subarray(half));
        controller.close();
      },
    });
    return new Response(body, { headers });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/big.bin`,
    bytes,
    goOn,
    async [Symbol.asyncDispose]() {
      goOn();
      await server.shutdown();
    },
  };
}

/** Writes the file and has it read; gives the line that says what came of it. */
async function reload(
  daemon: DaemonProcess,
  path: string,
  lines: readonly string[],
): Promise<string> {
  await Deno.writeTextFile(path, lines.join("\n"));
  return await hangUp(daemon);
}

async function hangUp(daemon: DaemonProcess): Promise<string> {
  const from = daemon.log.length;
  daemon.kill("SIGHUP");
  return await daemon.process.stderr.matching(/read the settings again|cannot use the settings/, {
    from,
  });
}

Deno.test("SIGHUP changes what can be changed, says the rest, and breaks no transfer", async () => {
  await using dir = await TempDir.make();
  const config = await dir.sub("pacsrv.toml");
  const [one, two, work] = [
    await dir.folder("one"),
    await dir.folder("two"),
    await dir.folder("w"),
  ];
  await randomFile(`${one}/one.bin`, 50_000, 1);
  await randomFile(`${two}/two.bin`, 50_000, 2);
  await using mirror = halfMirror(randomBytes(3_000_000, 3));
  await using peer = await startDaemon();
  await using directory = await startDirectory();
  await Deno.writeTextFile(config, `share = ["one"]\nlog-level = "info"\n`);
  await using daemon = await startDaemon({ config });
  await untilShared(daemon, "one.bin");

  await using fetch = daemon.fetch([mirror.url], { cwd: work });
  await fetch.progressed(100_000);

  const changed = await reload(daemon, config, [
    `share = ["two"]`,
    `peer = ["${peer.node}"]`,
    `directory = ["${directory.address}"]`,
    `log-level = "debug"`,
    "ttl = 3",
    // The command line has another, and wins.
    "min-connections = 9",
  ]);
  assertMatch(changed, /peer \+127\.0\.0\.1:\d+, directory \+\S+, share \S+one to \S+two/);
  assertMatch(changed, /log-level info to debug/);
  assertMatch(await daemon.logged(/a restart is needed/), /WARN .*settings="ttl 7 to 3"$/);
  assert(!daemon.log.some((line) => line.includes("min-connections")));
  await untilShared(daemon, "two.bin");
  await untilListed(daemon, {
    what: "one.bin to be withdrawn",
    find: (files) => !files.some(({ name }) => name === "one.bin"),
  });
  await daemon.linked(1);
  await waitUntil(async () => (await daemon.status()).directories[0]?.answers, {
    what: "the directory to answer",
  });

  const before = await daemon.status();
  const wrong = await reload(daemon, config, [`peer = []`, "ttl = 99"]);
  assertMatch(wrong, /ERROR .*all stay as they were.* ttl in .*\(line 2\)/);
  await Deno.remove(config);
  assertMatch(await hangUp(daemon), /ERROR .*there is no such file/);
  const after = await daemon.status();
  assertEquals([after.peers, after.links], [before.peers, 1]);

  const back = await reload(daemon, config, [`share = ["two"]`, `log-level = "warn"`]);
  assertMatch(back, /peer -127\.0\.0\.1:\d+, directory -\S+, log-level debug to warn/);
  const { peers, directories, links } = await daemon.status();
  assertEquals([peers, directories, links], [[], [], 1]);

  assertEquals(fetch.events().some(({ event }) => event === "done"), false);
  mirror.goOn();
  await fetch.done();
  assertEquals(await Deno.readFile(`${work}/big.bin`), mirror.bytes);
});

Deno.test("a share of the file that pacsrv share names too stays when the file drops it", async () => {
  await using dir = await TempDir.make();
  const config = await dir.sub("pacsrv.toml");
  await randomFile(await dir.sub("one", "one.bin"), 50_000, 1);
  await randomFile(await dir.sub("two", "two.bin"), 50_000, 2);
  await Deno.writeTextFile(config, `share = ["one", "two", "none"]\n`);
  await using daemon = await startDaemon({ config });
  await untilShared(daemon, "one.bin", "two.bin");
  assertEquals((await daemon.run(["share", `${dir.path}/one`])).code, 0);
  // What was not there is tried again.
  await randomFile(await dir.sub("none", "none.bin"), 50_000, 3);
  await reload(daemon, config, [`share = ["none"]`]);
  await untilShared(daemon, "none.bin");
  const files = await daemon.list();
  assertEquals(files.map(({ name }) => name).sort(), ["none.bin", "one.bin"]);
});

Deno.test("pacsrv log changes the level until the settings are read again", async () => {
  await using dir = await TempDir.make();
  const config = await dir.sub("pacsrv.toml");
  await Deno.writeTextFile(config, `log-level = "warn"\n`);
  await using daemon = await startDaemon({ config });
  const run = async (...words: string[]) => {
    const { code, stdout, stderr } = await daemon.run(["log", ...words]);
    assertEquals([code, stderr], [0, ""]);
    return stdout.trim();
  };
  assertEquals(await run(), "log level warn");
  assertEquals(await run("debug"), "log level debug; it was warn");
  await daemon.logged(/a client changed the log level/);
  assertEquals(await run("--json"), `{"level":"debug","before":null}`);
  assertMatch(await hangUp(daemon), /changed="log-level debug to warn"/);
  assertEquals(await run(), "log level warn");
  const wrong = await daemon.run(["log", "loud"]);
  assertEquals([wrong.code, wrong.stdout], [2, ""]);

  // Another user of this machine sees it, and changes nothing.
  await Deno.remove(`${daemon.dataDir}/client.token`);
  assertEquals(await run(), "log level warn");
  const refused = await daemon.run(["log", "debug"]);
  assertEquals(refused.code, 1, refused.stderr);
  assertEquals(await run(), "log level warn");
});
