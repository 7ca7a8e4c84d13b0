// A node that links to a daemon and pings it at a fixed pace, whether the answers come or not, until
// its stdin ends. A process of its own, so that nothing else delays what it measures:
//
//   ping_child.ts PORT INTERVAL_MS
//
// It prints "linked", and at the end one JSON array of [sent at, answered after], both in
// milliseconds, the first since 1970. What was never answered has the time it was waited for.

import { newNodeId } from "../../src/base/ids.ts";
import { systemRandom } from "../../src/base/random.ts";
import { limits } from "../../src/base/limits.ts";
import { Connection } from "../../src/net/connection.ts";
import { initiate } from "../../src/net/handshake.ts";
import { tcpTransport } from "../../src/net/tcp_transport.ts";
import { decodePayload } from "../../src/wire/codec.ts";
import { NETWORK } from "./product.ts";

/** How long the last pings are waited for. */
const LAST_MS = 2_000;

if (import.meta.main) await pingUntilInputEnds(Number(Deno.args[0]), Number(Deno.args[1]));

async function pingUntilInputEnds(port: number, intervalMs: number): Promise<void> {
  const duplex = await tcpTransport.dial({ host: "127.0.0.1", port }, { timeoutMs: limits.dialMs });
  const connection = new Connection(duplex);
  await initiate(connection, {
    identity: {
      nodeId: newNodeId(systemRandom),
      listenPort: 0,
      network: NETWORK,
      networkKey: undefined,
      random: systemRandom,
    },
    purpose: "link",
  });
  console.log("linked");

  const sentMs: number[] = [];
  const roundTripsMs: (number | undefined)[] = [];
  const allAnswered = Promise.withResolvers<void>();
  let answered = 0;
  let isEnding = false;
  const receiving = connection.receive({
    frame(frame) {
      const message = decodePayload(frame.code, frame.payload);
      if (message.kind === "ping") connection.send({ kind: "pong", token: message.token });
      if (message.kind !== "pong") return;
      const sent = sentMs[message.token];
      if (sent === undefined || roundTripsMs[message.token] !== undefined) return;
      roundTripsMs[message.token] = performance.now() - sent;
      answered++;
      if (isEnding && answered === sentMs.length) allAnswered.resolve();
    },
  });
  const timer = setInterval(() => {
    const token = sentMs.push(performance.now()) - 1;
    connection.send({ kind: "ping", token });
  }, intervalMs);
  for await (const _ of Deno.stdin.readable) { /* Until it ends. */ }
  clearInterval(timer);
  isEnding = true;
  if (answered < sentMs.length) {
    const late = setTimeout(() => allAnswered.resolve(), LAST_MS);
    await Promise.race([allAnswered.promise, receiving]);
    clearTimeout(late);
  }
  const endMs = performance.now();
  const samples = sentMs.map((sent, token) => [
    performance.timeOrigin + sent,
    roundTripsMs[token] ?? endMs - sent,
  ]);
  await new Blob([JSON.stringify(samples)]).stream().pipeTo(Deno.stdout.writable);
  connection.close();
}
