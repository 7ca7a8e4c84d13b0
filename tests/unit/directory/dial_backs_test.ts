/** What a directory asks of its clients, over streams in memory. */

import { assert, assertEquals } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import {
  askFiles,
  checkClient,
  type DialBackServer,
  requestUpload,
} from "../../../src/directory/dial_backs.ts";
import { Connections } from "../../../src/net/connections.ts";
import type { UploadAnswer } from "../../../src/wire/directory_messages.ts";
import type { ListedFile } from "../../../src/wire/structures.ts";
import { MemoryTransport } from "../../support/memory_transport.ts";
import {
  type Answer,
  Answering,
  hear,
  identityOf,
  listedFile,
  LOAD,
  proveSession,
  SESSION,
} from "./fixture.ts";

const proving: Answer = (connection, remote) => proveSession(connection, remote, SESSION);

/** A directory that dials, and the network in which it does. */
function directory(): DialBackServer & { readonly transport: MemoryTransport } {
  const transport = new MemoryTransport();
  return { transport, identity: identityOf(1), connections: new Connections(transport) };
}

/** That no connection is left open. */
function assertAllClosed({ connections }: DialBackServer): void {
  connections.tick(performance.now());
  assertEquals(connections.size, 0);
}

Deno.test("checkClient() gives the load of a client that proves its session", async () => {
  const dialler = directory();
  await using node = new Answering(dialler.transport, proving);
  const outcome = await checkClient(dialler, { address: node.address, session: SESSION });
  assertEquals(outcome, { kind: "proved", load: LOAD });
  assertEquals(node.purposes, ["directory"]);
  assertAllClosed(dialler);
});

Deno.test("checkClient() says wrong when the node that answers knows another session", async () => {
  const dialler = directory();
  await using node = new Answering(dialler.transport, async (connection) => {
    await hear(connection, "load-query");
    connection.send({ kind: "load-report", mac: new Uint8Array(32), load: LOAD });
  });
  const outcome = await checkClient(dialler, { address: node.address, session: SESSION });
  assertEquals(outcome, { kind: "wrong" });
  assertAllClosed(dialler);
});

Deno.test("checkClient() says wrong when it is sent back its own proof", async () => {
  const dialler = directory();
  await using node = new Answering(dialler.transport, async (connection) => {
    const { mac } = await hear(connection, "load-query");
    connection.send({ kind: "load-report", mac, load: LOAD });
  });
  const outcome = await checkClient(dialler, { address: node.address, session: SESSION });
  assertEquals(outcome, { kind: "wrong" });
});

Deno.test("checkClient() says wrong when it finds itself", async () => {
  const dialler = directory();
  const { nodeId } = dialler.identity;
  await using node = new Answering(dialler.transport, proving, { nodeId });
  const outcome = await checkClient(dialler, { address: node.address, session: SESSION });
  assertEquals(outcome, { kind: "wrong" });
});

Deno.test("checkClient() says unreachable when nobody of this network answers", async () => {
  const dialler = directory();
  await using other = new Answering(dialler.transport, proving, { network: "other" });
  await using silent = new Answering(dialler.transport, async (connection) => {
    connection.close();
    await Promise.resolve();
  });
  const nowhere = { host: "127.0.0.1", port: 9 };
  for (const address of [nowhere, other.address, silent.address]) {
    const outcome = await checkClient(dialler, { address, session: SESSION });
    assertEquals(outcome.kind, "unreachable");
  }
  assertAllClosed(dialler);
});

Deno.test("askFiles() hands on what a proved client lists, in parts", async () => {
  const dialler = directory();
  const files = [1, 2, 3].map((number) => listedFile(number));
  await using node = new Answering(dialler.transport, async (connection, remote) => {
    await proving(connection, remote);
    await hear(connection, "files-query");
    connection.send({ kind: "files", files: files.slice(0, 2), last: false });
    connection.send({ kind: "files", files: files.slice(2), last: true });
  });
  const heard: [readonly ListedFile[], boolean][] = [];
  const client = { address: node.address, session: SESSION };
  const outcome = await askFiles(dialler, client, (files, last) => heard.push([files, last]));
  assertEquals(outcome, { kind: "proved", load: LOAD });
  assertEquals(heard, [[files.slice(0, 2), false], [files.slice(2), true]]);
  assertAllClosed(dialler);
});

Deno.test("askFiles() asks nothing of a node that does not know the session", async () => {
  const dialler = directory();
  let isAsked = false;
  await using node = new Answering(dialler.transport, async (connection) => {
    await hear(connection, "load-query");
    connection.send({ kind: "load-report", mac: new Uint8Array(32), load: LOAD });
    await hear(connection, "files-query");
    isAsked = true;
  });
  const client = { address: node.address, session: SESSION };
  const outcome = await askFiles(dialler, client, () => {
    throw new Error("nothing should be heard");
  });
  assertEquals(outcome, { kind: "wrong" });
  assert(!isAsked);
});

Deno.test("askFiles() ends a list of empty frames", async () => {
  const dialler = directory();
  await using node = new Answering(dialler.transport, async (connection, remote) => {
    await proving(connection, remote);
    await hear(connection, "files-query");
    connection.send({ kind: "files", files: [], last: false });
    await connection.receiveOne();
  });
  const client = { address: node.address, session: SESSION };
  const outcome = await askFiles(dialler, client, () => {});
  assertEquals(outcome.kind, "unreachable");
  assertAllClosed(dialler);
});

Deno.test("askFiles() ends a list that is longer than any may be", async () => {
  const transport = new MemoryTransport({ bufferBytes: 64 * 1024 });
  const dialler = { ...directory(), connections: new Connections(transport) };
  const files = Array.from({ length: limits.advertisedPerMessageMax }, () => listedFile(1));
  let sent = 0;
  await using node = new Answering(transport, async (connection, remote) => {
    await proving(connection, remote);
    await hear(connection, "files-query");
    while (!connection.isClosed && sent < 2 * limits.listingsPerClientMax) {
      connection.send({ kind: "files", files, last: false });
      await connection.flushed();
      sent += files.length;
    }
  });
  let count = 0;
  const client = { address: node.address, session: SESSION };
  const outcome = await askFiles(dialler, client, (files) => count += files.length);
  assertEquals(outcome.kind, "unreachable");
  assert(count <= limits.listingsPerClientMax, `${count} files were heard`);
  assert(sent < 2 * limits.listingsPerClientMax, "the list was taken to its end");
  assertAllClosed(dialler);
});

Deno.test("requestUpload() gives the answer of a proved client", async () => {
  const dialler = directory();
  const file = listedFile(1);
  const answers: UploadAnswer[] = ["accepted", "have", "no-room", "busy", "unwilling"];
  for (const answer of answers) {
    await using node = new Answering(dialler.transport, async (connection, remote) => {
      await proving(connection, remote);
      const request = await hear(connection, "upload-request");
      assertEquals(request, { kind: "upload-request", file, serves: false });
      connection.send({ kind: "upload-answer", answer });
    });
    const client = { address: node.address, session: SESSION };
    assertEquals(await requestUpload(dialler, client, file), answer);
  }
  const address = { host: "127.0.0.1", port: 9 };
  assertEquals(await requestUpload(dialler, { address, session: SESSION }, file), "unreachable");
  assertAllClosed(dialler);
});
