/** What people read where an HTTP server gave no answer. */

import { assertEquals } from "@std/assert";
import { httpReason } from "../../../src/http/http_reason.ts";

async function reasonOf(answer: string | undefined, scheme = "http"): Promise<string> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const serving = answer === undefined ? Promise.resolve(listener.close()) : (async () => {
    const connection = await listener.accept();
    await connection.read(new Uint8Array(4_096));
    await connection.write(new TextEncoder().encode(answer));
    connection.close();
    listener.close();
  })();
  try {
    const response = await fetch(`${scheme}://user:secret@127.0.0.1:${port}/secret`);
    await response.body?.cancel();
    return `it answered ${response.status}`;
  } catch (error) {
    return httpReason(error);
  } finally {
    await serving;
  }
}

Deno.test("httpReason() says in short words why there was no answer", async () => {
  assertEquals(await reasonOf(undefined), "connection refused");
  assertEquals(await reasonOf("SSH-2.0-server\r\n"), "its answer is not HTTP");
  assertEquals(
    await reasonOf("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
    "its answer is not HTTP",
  );
  assertEquals(await reasonOf("HTTP/1.1 200 OK\r\nServer"), "it broke off");
  assertEquals(await reasonOf("HTTP/1.1 400 Bad\r\n\r\n", "https"), "its answer is not TLS");
});

Deno.test("httpReason() tells no address and no code of what it does not know", () => {
  const cause = new Error(
    "error sending request for url (http://u:p@h/x): client error (Connect): odd thing (os error 5)",
  );
  assertEquals(httpReason(new TypeError("fetch failed", { cause })), "odd thing");
  assertEquals(httpReason(new Error("no http://u:p@h/x here")), "no here");
});
