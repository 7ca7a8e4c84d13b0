/** Who takes part, who may be counted on, and who comes before this node. */

import { assert, assertEquals } from "@std/assert";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import type { FellowReport } from "../../../../src/core/crowd/crowd_events.ts";
import { type Member, Members } from "../../../../src/core/crowd/members.ts";
import { isBefore, weightSeed, WHOLE_FILE } from "../../../../src/core/nearness/rendezvous.ts";
import { FLIGHT, nodeOf, ranked, reportOf } from "./crowd_fixture.ts";

const SELF = nodeOf(1_000);
const STALLED = { stalledMs: limits.claimStalledMs };

function near(members: Members, nodeId: NodeId, report: Partial<FellowReport> = {}): Member {
  const member = members.note(nodeId, 0)!;
  members.setNear(member, true);
  members.reported(member, reportOf(nodeId, report), 0);
  return member;
}

function far(members: Members, nodeId: NodeId, report: Partial<FellowReport> = {}): void {
  const said = reportOf(nodeId, report);
  const member = members.noteFar(said, 0);
  if (member !== undefined) members.reported(member, said, 0);
}

Deno.test("Members count on a connected fellow while it is heard, and on others for longer", () => {
  const members = new Members(FLIGHT, SELF);
  const one = near(members, nodeOf(1));
  far(members, nodeOf(2));
  const other = members.get(nodeOf(2))!;
  assert(members.isAlive(one, limits.fellowSilentMs - 1));
  assert(!members.isAlive(one, limits.fellowSilentMs));
  assert(members.isAlive(other, limits.farSilentMs - 1));
  assertEquals(members.fallSilent(limits.fellowSilentMs), [one]);
  assertEquals(members.fallSilent(limits.fellowSilentMs), []);
});

Deno.test("Members.readersOf() drops a claim of which nothing comes, whatever is claimed next", () => {
  const members = new Members(FLIGHT, SELF);
  const liar = near(members, nodeOf(1), { claims: [0] });
  const halfMs = limits.claimStalledMs / 2;
  assertEquals(members.readersOf(0, { ...STALLED, nowMs: halfMs }), [liar]);
  // It claims another one, as if it had only begun.
  members.reported(liar, reportOf(nodeOf(1), { sequence: 2, claims: [1] }), halfMs);
  assertEquals(members.readersOf(1, { ...STALLED, nowMs: halfMs + 1 }), [liar]);
  assertEquals(members.readersOf(1, { ...STALLED, nowMs: 2 * halfMs }), []);
  assert(!members.isReader(liar, 2 * halfMs - 1));
  members.progressed(liar, 1, { chunks: 1, nowMs: 2 * halfMs });
  assertEquals(members.readersOf(1, { ...STALLED, nowMs: 2 * halfMs + 1 }), [liar]);
});

Deno.test("Members.readersOf() counts on what a far fellow claimed until now", () => {
  const members = new Members(FLIGHT, SELF);
  far(members, nodeOf(1), { claims: [0] });
  const member = members.get(nodeOf(1))!;
  members.reported(member, reportOf(nodeOf(1), { sequence: 2 }), 0);
  assertEquals(members.readersOf(0, { ...STALLED, nowMs: limits.claimStalledMs }), [member]);
  const lateMs = limits.claimStalledMs + limits.claimFarMs;
  assertEquals(members.readersOf(0, { ...STALLED, nowMs: lateMs }), []);
  assert(members.isReader(member, lateMs), "it may have read it, and said so");
});

Deno.test("Members.readersOf() has nobody once a far fellow is gone", () => {
  const members = new Members(FLIGHT, SELF);
  far(members, nodeOf(1), { claims: [0] });
  const member = members.get(nodeOf(1))!;
  members.reported(member, reportOf(nodeOf(1), { sequence: 2, reads: "nothing" }), 0);
  assertEquals(members.readersOf(0, { ...STALLED, nowMs: 0 }), []);
});

Deno.test("Members.countBefore() counts those that come first and can read", () => {
  const [first, second, third] = ranked(7, 3);
  const members = new Members(FLIGHT, third!);
  near(members, first!);
  near(members, second!, { reads: "nothing" });
  assertEquals(members.countBefore(7, { reads: "ranges", max: 5, nowMs: 0 }), 1);
  assertEquals(
    members.countBefore(7, { reads: "ranges", max: 5, nowMs: limits.fellowSilentMs }),
    0,
  );
});

Deno.test("Members.countBefore() lets only the first for the file read in a large crowd", () => {
  const all = ranked(WHOLE_FILE, limits.crowdReadersMax + 3);
  const last = new Members(FLIGHT, all.at(-1)!);
  for (const nodeId of all.slice(0, -1)) far(last, nodeId);
  const { crowdReadersMax } = limits;
  assertEquals(last.countBefore(3, { reads: "ranges", max: 1_000, nowMs: 0 }), crowdReadersMax + 2);
  const first = new Members(FLIGHT, all[0]!);
  for (const nodeId of all.slice(1)) far(first, nodeId);
  const before = all.slice(1, crowdReadersMax).filter((nodeId) =>
    isBefore(weightSeed(FLIGHT, nodeId), weightSeed(FLIGHT, all[0]!), 3)
  );
  assertEquals(first.countBefore(3, { reads: "ranges", max: 1_000, nowMs: 0 }), before.length);
});

Deno.test("Members.noteFar() keeps a bounded number: those that read, and the first", () => {
  const all = ranked(WHOLE_FILE, limits.farFellowsMax + 20);
  const members = new Members(FLIGHT, SELF);
  for (const nodeId of all.toReversed()) far(members, nodeId);
  assertEquals(members.size, limits.farFellowsMax);
  for (const nodeId of all.slice(0, limits.farFellowsMax)) assert(members.get(nodeId));
  far(members, all.at(-1)!, { claims: [1] });
  assert(members.get(all.at(-1)!), "it reads");
  far(members, nodeOf(5_000), { reads: "nothing" });
  assertEquals(members.get(nodeOf(5_000)), undefined);
});

Deno.test("Members.note() knows nothing of a node that is not to be believed", () => {
  const members = new Members(FLIGHT, SELF);
  near(members, nodeOf(1), { claims: [2] });
  members.distrust(nodeOf(1));
  assertEquals(members.note(nodeOf(1), 0), undefined);
  assertEquals(members.near, []);
  assertEquals(members.readersOf(2, { ...STALLED, nowMs: 0 }), []);
});

Deno.test("Members.noteFar() knows few of those that one fellow tells of, and others' beside them", () => {
  const members = new Members(FLIGHT, SELF);
  const tell = (index: number, toldBy: NodeId) => {
    const report = reportOf(nodeOf(index));
    const member = members.noteFar(report, 0, toldBy);
    if (member !== undefined) members.reported(member, report, 0);
  };
  for (let index = 10; index < 200; index++) tell(index, nodeOf(1));
  assertEquals(members.size, limits.farPerFellowMax);
  for (let index = 300; index < 303; index++) tell(index, nodeOf(2));
  assertEquals(members.size, limits.farPerFellowMax + 3);
  members.distrust(nodeOf(1));
  assertEquals(members.size, 3);
});

Deno.test("Members.noteFar() does not believe one whose friends read nothing again and again", () => {
  const members = new Members(FLIGHT, SELF);
  const liar = nodeOf(1);
  near(members, liar, { reads: "nothing" });
  let told = 0;
  for (let index = 10; told < 1_000; told++) {
    const report = reportOf(nodeOf(index++));
    const member = members.noteFar(report, 0, liar);
    if (member !== undefined) members.reported(member, report, 0);
    members.countBefore(0, { reads: "ranges", max: 100, nowMs: 0 });
    members.takenOver(0);
    if (member === undefined) break;
    // Room for the next one.
    members.remove(report.nodeId);
  }
  assertEquals(told, limits.idlersToldMax);
});
