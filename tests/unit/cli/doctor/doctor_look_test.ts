// How `pacsrv doctor` finds out what it judges, where what it asks is odd or silent.

import { assert, assertEquals } from "@std/assert";
import {
  askClock,
  askGateway,
  askMirrors,
  lookAtPacman,
} from "../../../../src/cli/doctor/doctor_look.ts";
import { inFolder } from "../in_folder.ts";

Deno.test("askGateway() gives up what does not even take the connection", async () => {
  // Nobody accepts: a few connections, and the system answers no more of them.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  const abort = new AbortController();
  const { signal } = abort;
  const filling = Array.from(
    { length: 8 },
    () => Deno.connect({ hostname: "127.0.0.1", port, signal }).catch(() => undefined),
  );
  await filling[0];
  assertEquals(await askGateway(`127.0.0.1:${port}`, { answerMs: 300 }), {
    kind: "unknown",
    reason: "it is silent for 0.3 s",
  });
  abort.abort();
  for (const connection of await Promise.all(filling)) {
    try {
      connection?.close();
    } catch {
      // Closed by its signal.
    }
  }
});

Deno.test("askGateway() gives up what takes the connection and says nothing", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const answer = await askGateway(`127.0.0.1:${listener.addr.port}`, { answerMs: 100 });
  assertEquals(answer, { kind: "unknown", reason: "it is silent for 0.1 s" });
  (await accepted).close();
});

Deno.test("askGateway() ends a line that is too long with a whole word", async () => {
  const line = "ten words ".repeat(100);
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(`${line}\n`),
  );
  const answer = await askGateway(`127.0.0.1:${server.addr.port}`);
  assertEquals(answer, {
    kind: "known",
    value: { status: 200, text: `${"ten words ".repeat(24)}...` },
  });
});

Deno.test("askMirrors() asks each for its directory, and says who is silent and why", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = silent.accept();
  const asked: string[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    ({ method, url }) => {
      asked.push(`${method} ${new URL(url).pathname}`);
      return new Response(null, { status: 403 });
    },
  );
  const dead = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  dead.close();
  const host = ({ addr }: { addr: Deno.Addr }) => `127.0.0.1:${(addr as Deno.NetAddr).port}`;
  const mirrors = await askMirrors([
    `http://user:pass@${host(server)}/arch/$repo/os/$arch`,
    `http://${host(server)}/fixed`,
    `http://${host(dead)}/$repo`,
    `http://${host(silent)}/$repo`,
  ], { answerMs: 1_000 });
  const unknown = (reason: string) => ({ kind: "unknown" as const, reason });
  assertEquals(mirrors.map(({ host }) => host), [server, server, dead, silent].map(host));
  assertEquals(mirrors.map(({ status }) => status), [
    { kind: "known", value: 403 },
    { kind: "known", value: 403 },
    unknown("connection refused"),
    unknown("it is silent for 1 s"),
  ]);
  assertEquals(asked.sort(), ["HEAD /arch/", "HEAD /fixed"]);
  (await accepted).close();
});

Deno.test("askClock() takes a mirror whose user and password are odd", async () => {
  const given: (string | null)[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    ({ headers }) => {
      given.push(headers.get("authorization"));
      return new Response(null, { headers: { date: new Date().toUTCString() } });
    },
  );
  const { port } = server.addr;
  for (const user of ["u%zz:p", "\u0107:p", ":p"]) {
    const { kind } = await askClock(`http://${user}@127.0.0.1:${port}/$repo`);
    assertEquals(kind, "known", user);
  }
  assertEquals(given, [
    `Basic ${btoa("u%zz:p")}`,
    `Basic ${btoa("\u00c4\u0087:p")}`,
    `Basic ${btoa(":p")}`,
  ]);
});

Deno.test({
  name: "lookAtPacman() sees what interrupted downloads left, and who is to run XferCommand",
  ignore: Deno.build.os === "windows",
  async fn() {
    await inFolder(async (folder) => {
      for (const name of ["download-Xy3zA9", "download-q1W2e3", "download-longer", "other"]) {
        await Deno.mkdir(`${folder}/pkg/${name}`, { recursive: true, mode: 0o700 });
        await Deno.writeTextFile(`${folder}/pkg/${name}/a.pkg.tar.zst.part`, "12345");
      }
      // A person's own.
      await Deno.chmod(`${folder}/pkg/download-longer`, 0o755);
      await Deno.writeTextFile(`${folder}/pkg/download-abcdef`, "a file", { mode: 0o600 });
      const program = `${folder}/pacsrv`;
      await Deno.writeTextFile(program, "#!/bin/sh", { mode: 0o750 });
      const conf = `${folder}/pacman.conf`;
      const lines = [`CacheDir = ${folder}/pkg/`, `XferCommand = ${program} fetch %u -o %o`];
      await Deno.writeTextFile(conf, ["[options]", ...lines, "DownloadUser = root"].join("\n"));
      const pacman = await lookAtPacman(conf);
      assert(pacman?.kind === "known");
      const left = [{ cacheDir: `${folder}/pkg`, directories: 2, bytes: 10 }];
      assertEquals(pacman.value.leftovers, left);
      const { path, user, way } = pacman.value.program!;
      assertEquals([path, user.name, user.uid], [program, "root", 0]);
      assert(way.kind === "known");
      const { path: last, mode } = way.value.at(-1)!;
      assertEquals([last, mode], [await Deno.realPath(program), 0o750]);
    });
  },
});
