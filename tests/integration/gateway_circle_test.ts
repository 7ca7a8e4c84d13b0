// Two daemons whose gateways are mirrors of each other: a client that asks is told so, at once.

import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";

/** A mirror that says that `target` has everything, so that ports need not be known before. */
class Pointer implements AsyncDisposable {
  target = "";
  asked = 0;
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    ({ url }) => {
      this.asked++;
      const location = `http://${this.target}${new URL(url).pathname}`;
      return new Response(null, { status: 307, headers: { location } });
    },
  );

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

Deno.test("gateways that are mirrors of each other answer 508 at once", async () => {
  await using toSecond = new Pointer();
  await using toFirst = new Pointer();
  const args = ["--gateway", "127.0.0.1:0", "--mirror"];
  await using first = await startDaemon({ args: [...args, toSecond.url] });
  await using second = await startDaemon({ args: [...args, toFirst.url] });
  toSecond.target = second.gateway;
  toFirst.target = first.gateway;
  for (const name of ["core.db", "x-1-1-any.pkg.tar.zst", "notes.txt"]) {
    for (const { gateway } of [first, second]) {
      const answer = await fetch(`http://${gateway}/core/os/x86_64/${name}`);
      const text = await answer.text();
      assertEquals(answer.status, 508, `${name}: ${text}`);
      assertEquals(text.trim().split("\n").length, 1);
    }
  }
  assertStringIncludes(await first.logged(/WARN .*goes in a circle/), "a mirror of it");
  // Each way once or a few times for each file, not until time runs out.
  assertLess(toSecond.asked + toFirst.asked, 40);
});
