/** What one host can have written into a log. */

import { assertEquals } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { type LogFields, type Logger, PeerLog } from "../../../src/base/log.ts";
import { ManualClock } from "../../support/manual_clock.ts";

function logged(): { readonly lines: [string, LogFields | undefined][]; readonly log: Logger } {
  const lines: [string, LogFields | undefined][] = [];
  const write = (message: string, fields?: LogFields) => void lines.push([message, fields]);
  return { lines, log: { debug: write, info: write, warn: write, error: write } };
}

Deno.test("PeerLog.warn() writes a line of a host once, and counts what repeats", () => {
  const clock = new ManualClock();
  const { lines, log } = logged();
  const peerLog = new PeerLog(log, { clock });
  for (let i = 0; i < 1_000; i++) peerLog.warn(`fault ${i}`, { peer: `10.0.0.1:${i}` });
  peerLog.warn("fault 7", { peer: "10.0.0.2:1" });
  peerLog.warn("no host", { i: 1 });
  peerLog.warn("no host", { i: 1 });
  assertEquals(lines.map(([message]) => message), ["fault 0", "fault 7", "no host", "no host"]);
  peerLog.tick(clock.nowMs() + limits.logQuietMs);
  assertEquals(lines.at(-1)?.[1], { host: "10.0.0.1", lines: 999, last: "fault 999" });
  peerLog.warn("fault 1", { host: "10.0.0.1" });
  assertEquals(lines.at(-1)?.[0], "fault 1");
});

Deno.test("PeerLog.info() writes so many different lines of a host, and more of this machine", () => {
  const { lines, log } = logged();
  const isThisMachine = (host: string) => host === "::1";
  const peerLog = new PeerLog(log, { clock: new ManualClock(), isThisMachine });
  for (let i = 0; i < 1_000; i++) {
    const nodeId = i.toString(16).padStart(32, "0");
    peerLog.info("linked", { peer: `[fd77::${i}]:1`, nodeId });
    peerLog.info("linked", { peer: `[::1]:${i}`, nodeId });
  }
  const of = (host: string) => lines.filter(([, fields]) => `${fields!["peer"]}`.includes(host));
  assertEquals(of("fd77").length, limits.logLinesPerHostMax, "a network of IPv6 is one host");
  assertEquals(of("[::1]").length, limits.logLinesHereMax);
});
