/** Mirrors behind a proxy that the environment names, with the permissions that pacsrv has. */

import { assertEquals } from "@std/assert";
import { denoArgs } from "../../scripts/deno_args.ts";
import { runFlags } from "../../scripts/run_flags.ts";
import { FileServer, RawServer } from "../unit/net/mirror_fixture.ts";

const READER = new URL("./support/mirror_reader.ts", import.meta.url).pathname;

/** What a program reads from a mirror with these variables. */
async function read(url: string, env: Record<string, string>): Promise<string> {
  const own = Object.entries(Deno.env.toObject()).filter(([name]) => !/_proxy$/i.test(name));
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...denoArgs(), ...runFlags(), READER, url],
    clearEnv: true,
    env: { ...Object.fromEntries(own), ...env },
    stdout: "piped",
    stderr: "piped",
  }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout);
}

/** A proxy that answers everything itself, and refuses tunnels. */
function proxy(): RawServer {
  return new RawServer((head) =>
    head.startsWith("CONNECT ")
      ? { send: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n" }
      : { send: "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nfrom a proxy" }
  );
}

Deno.test("MirrorFile.open() asks the proxy that the environment names", async () => {
  const url = "http://mirror.invalid/file";
  for (const name of ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]) {
    await using server = proxy();
    assertEquals(await read(url, { [name]: `http://${server.host}` }), "from a proxy", name);
    assertEquals(server.heads.map((head) => head.split("\r\n")[0]), [`GET ${url} HTTP/1.1`], name);
  }
});

Deno.test("MirrorFile.open() has the proxy make a tunnel to an https mirror", async () => {
  for (const name of ["https_proxy", "HTTPS_PROXY"]) {
    await using server = proxy();
    const env = { [name]: `http://${server.host}` };
    assertEquals(await read("https://mirror.invalid/file", env), "MirrorError", name);
    assertEquals(server.heads[0]?.split("\r\n")[0], "CONNECT mirror.invalid:443 HTTP/1.1", name);
  }
});

Deno.test("MirrorFile.open() asks a mirror itself that needs no proxy", async () => {
  for (const name of ["no_proxy", "NO_PROXY"]) {
    await using server = proxy();
    await using mirror = new FileServer(new TextEncoder().encode("from the mirror"));
    const env = { http_proxy: `http://${server.host}`, [name]: "127.0.0.1" };
    assertEquals(await read(mirror.url(), env), "from the mirror", name);
    assertEquals(server.heads, []);
  }
});
