import { assertEquals } from "@std/assert";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { LinkLog } from "../../../../src/daemon/node/link_log.ts";

const A = "a".repeat(32) as NodeId;
const B = "b".repeat(32) as NodeId;

function logged(): { lines: string[]; links: LinkLog } {
  const lines: string[] = [];
  const info = (message: string, fields: Readonly<Record<string, unknown>> = {}) =>
    lines.push(`${message} ${String(fields["nodeId"])[0]} ${fields["changes"] ?? ""}`.trim());
  return { lines, links: new LinkLog({ ...silentLogger, info }) };
}

Deno.test("LinkLog says once that a link came up, and once that it went", () => {
  const { lines, links } = logged();
  links.up(A, {});
  links.up(B, {});
  for (const nowMs of [250, 500]) links.tick(nowMs);
  // A second link with the same node is no news, nor is it when one of the two goes.
  links.up(A, {});
  links.tick(750);
  links.down(A, {});
  links.tick(1_000);
  links.down(A, {});
  for (const nowMs of [1_250, 1_500]) links.tick(nowMs);
  assertEquals(lines, ["linked a", "linked b", "link ended a 3"]);
});

Deno.test("LinkLog does not tell of a link that is gone before the next look", () => {
  const { lines, links } = logged();
  links.up(A, {});
  links.down(A, {});
  links.tick(250);
  assertEquals(lines, []);
});

Deno.test("LinkLog names a node whose link flaps twice a minute, with how it stands then", () => {
  const { lines, links } = logged();
  const untilMs = 5 * limits.logQuietMs;
  for (let nowMs = 0; nowMs < untilMs; nowMs += 250) {
    if (nowMs % 2_000 === 0) links.up(A, {});
    if (nowMs % 2_000 === 1_000) links.down(A, {});
    links.tick(nowMs);
  }
  assertEquals(lines.length, 10);
  links.up(A, {});
  for (let nowMs = untilMs; nowMs < 2 * untilMs; nowMs += 250) links.tick(nowMs);
  assertEquals(lines.length, 11);
  assertEquals(lines.at(-1)?.slice(0, 8), "linked a");
});
