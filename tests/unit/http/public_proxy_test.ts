/** Redirects of mirrors do not lead into this machine's network. */

import { assertEquals, assertRejects } from "@std/assert";
import { silentLogger } from "../../../src/base/log.ts";
import { MirrorClient } from "../../../src/http/mirror_client.ts";
import { ask, mirrorAddress } from "../../../src/http/mirror_request.ts";
import { MirrorError } from "../../../src/http/mirror_error.ts";
import { NamedMirrors } from "../../../src/http/named_mirrors.ts";
import { PublicProxy } from "../../../src/http/public_proxy.ts";

/** An HTTP server on the loopback address that counts its requests. */
function serve(answer: (request: Request) => Response) {
  let requests = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    requests++;
    return answer(request);
  });
  return {
    port: server.addr.port,
    get requests() {
      return requests;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("PublicProxy reaches what is allowed, and no address of this machine", async () => {
  await using inside = serve(() => new Response("secret"));
  using proxy = new PublicProxy();
  using client = Deno.createHttpClient({ proxy: { url: proxy.url } });
  for (const host of ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]", "0.0.0.0"]) {
    await assertRejects(() => fetch(`http://${host}:${inside.port}/`, { client }), TypeError);
  }
  assertEquals(inside.requests, 0);
  using open = new PublicProxy({ isAllowed: () => true });
  using other = Deno.createHttpClient({ proxy: { url: open.url } });
  const answer = await fetch(`http://localhost:${inside.port}/`, { client: other });
  assertEquals(await answer.text(), "secret");
});

Deno.test("PublicProxy serves nobody who does not know its password", async () => {
  await using inside = serve(() => new Response("secret"));
  using proxy = new PublicProxy({ isAllowed: () => true });
  for (
    const url of [proxy.url.replace(/:[0-9a-f]+@/, ":wrong@"), proxy.url.replace(/\/\/.*@/, "//")]
  ) {
    using client = Deno.createHttpClient({ proxy: { url } });
    await assertRejects(() => fetch(`http://127.0.0.1:${inside.port}/`, { client }), TypeError);
  }
  assertEquals(inside.requests, 0);
});

Deno.test("ask() follows no redirect of a public mirror inside, and those of one that is inside", async () => {
  await using inside = serve(() => new Response("secret"));
  await using mirror = serve(() =>
    new Response(null, { status: 302, headers: { location: `http://127.0.0.1:${inside.port}/` } })
  );
  using client = new MirrorClient({ log: silentLogger });
  const question = { method: "GET", headers: {} } as const;
  const answered = (
    url: string,
    clients: Pick<MirrorClient, "client" | "publicClient">,
    insideOnly?: NamedMirrors,
  ) =>
    ask(mirrorAddress(url), question, {
      clients,
      insideOnly,
      abort: new AbortController(),
      answerMs: 10_000,
      clock: client.clock,
    });
  // A mirror whose address is public; here its connection leads to this machine all the same.
  using relayed = Deno.createHttpClient({ proxy: { url: `http://127.0.0.1:${mirror.port}` } });
  await assertRejects(
    () =>
      answered("http://198.51.100.7/file", { client: relayed, publicClient: client.publicClient }),
    MirrorError,
    "it redirects inside this network",
  );
  assertEquals([mirror.requests, inside.requests], [1, 0]);

  // Nor is one asked that is inside, where a stranger names it.
  await assertRejects(
    () => answered(`http://127.0.0.1:${mirror.port}/file`, client, new NamedMirrors([])),
    MirrorError,
    "it is inside this network",
  );
  assertEquals([mirror.requests, inside.requests], [1, 0]);

  const { response } = await answered(`http://127.0.0.1:${mirror.port}/file`, client);
  assertEquals(await response.text(), "secret");
});

Deno.test("ask() follows a mirror that the configuration names to other such URLs only", async () => {
  await using other = serve(() => new Response("secret"));
  await using mirror = serve((request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/repo/away")) {
      return new Response(null, {
        status: 302,
        headers: { location: `http://127.0.0.1:${other.port}/repo/a` },
      });
    }
    if (pathname === "/repo/up") {
      return new Response(null, { status: 302, headers: { location: "/admin" } });
    }
    if (pathname === "/repo/on") {
      return new Response(null, { status: 302, headers: { location: "/repo/pool/a" } });
    }
    return new Response(pathname);
  });
  using client = new MirrorClient({ log: silentLogger });
  const base = `http://127.0.0.1:${mirror.port}/repo`;
  const insideOnly = new NamedMirrors([base]);
  const text = async (path: string) => {
    const { response } = await ask(
      mirrorAddress(`${base}/${path}`),
      { method: "GET", headers: {} },
      {
        clients: client,
        insideOnly,
        abort: new AbortController(),
        answerMs: 10_000,
        clock: client.clock,
      },
    );
    return await response.text();
  };
  assertEquals(await text("a"), "/repo/a");
  assertEquals(await text("on"), "/repo/pool/a");
  for (const path of ["away", "up"]) {
    await assertRejects(() => text(path), MirrorError, "it redirects inside this network");
  }
  await assertRejects(() => text("../admin"), MirrorError, "it is inside this network");
  assertEquals(other.requests, 0);
});
