/** When a fetch asks linked nodes to pass its file on. */

import { assert, assertEquals } from "@std/assert";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import type { FetchFacts, SwarmFacts, Turn } from "../../../../src/core/fetch/fetch_events.ts";
import { Relays } from "../../../../src/core/fetch/relays.ts";
import { UnreachedHolders } from "../../../../src/core/fetch/unreached_holders.ts";
import type { FetchRequest } from "../../../../src/wire/fetching.ts";
import { requestFor } from "../../../support/fetch_request.ts";
import { SMALL_OFFER } from "../../../support/file_offer.ts";

const RELAY = {
  nodeId: "2".repeat(32) as NodeId,
  address: { host: "192.0.2.7", port: 8_048 },
  agoMs: null,
};

/** Relays of a fetch with one holder that is not reached; its world is set by a test. */
class World {
  readonly relays: Relays;
  readonly unreached = new UnreachedHolders();
  nowMs = 0;
  linkCount = 1;
  refusal: object | null | undefined;
  sourceCount = 0;
  asked = 0;
  dialled = 0;

  constructor({ mayAsk = true, ...request }: Partial<FetchRequest> & { mayAsk?: boolean } = {}) {
    this.relays = new Relays(requestFor("f", request), { mayAsk });
    const nodeId = "1".repeat(32) as NodeId;
    const address = { host: "", port: 0 };
    this.unreached.heard(this.turn, { nodeId, address, file: SMALL_OFFER, byHit: true });
  }

  get turn(): Turn {
    const swarm = { sourceCount: this.sourceCount, needsSources: false } as SwarmFacts;
    const facts = {
      surroundings: { linkCount: this.linkCount },
      mirror: this.refusal === undefined ? null : { refusal: this.refusal },
      swarm: this.sourceCount === 0 ? null : swarm,
    } as FetchFacts;
    return {
      nowMs: this.nowMs,
      facts,
      emit: (effect) => {
        if (effect.kind === "ask-relays") this.asked++;
        if (effect.kind === "dial") this.dialled++;
      },
    };
  }

  tick(atMs: number): number {
    this.nowMs = atMs;
    this.relays.tick(this.turn, { unreached: this.unreached, followed: null });
    return this.asked;
  }
}

const SOON = limits.relayAfterMs;

Deno.test("Relays.tick() asks once those who can be reached had their time", () => {
  const world = new World();
  assertEquals([world.tick(SOON - 1), world.tick(SOON), world.tick(SOON + 1)], [0, 1, 1]);
});

Deno.test("Relays.tick() does not ask where somebody gives it, or nobody can be asked", () => {
  for (
    const [what, world, change] of [
      ["a source gives it", new World(), { sourceCount: 1 }],
      ["there is no link", new World(), { linkCount: 0 }],
      ["a mirror may give it", new World(), { refusal: null }],
      ["the request has a time of its own", new World({ searchMs: 9_000 }), {}],
      ["it is for others", new World({ mayAsk: false }), {}],
    ] as const
  ) {
    Object.assign(world, change);
    assertEquals(world.tick(SOON), 0, what);
  }
  const refused = Object.assign(new World(), { refusal: { status: 404 } });
  assertEquals(refused.tick(SOON), 1, "no mirror gives it");
  const reached = new World();
  reached.unreached.reached("1".repeat(32) as NodeId);
  assertEquals(reached.tick(SOON), 0, "the holder was reached after all");
});

Deno.test("Relays.isAwaited() while one may bring it, and it is asked again a bounded number of times", () => {
  const world = new World();
  world.tick(SOON);
  for (const answer of ["unwilling", "no-room", "failed"] as const) {
    world.relays.answered(world.turn, { ...RELAY, answer });
    assert(!world.relays.isAwaited(SOON), answer);
  }
  world.relays.answered(world.turn, { ...RELAY, answer: "accepted" });
  assertEquals(world.relays.view, [{ peer: "192.0.2.7:8048", answer: "accepted", agoMs: null }]);
  assert(world.relays.isAwaited(SOON + limits.relayMs - 1));
  assert(!world.relays.isAwaited(SOON + limits.relayMs));
  for (let round = 2; round < limits.relayRoundsMax + 3; round++) {
    world.tick(SOON + round * limits.relayMs);
  }
  assertEquals(world.asked, limits.relayRoundsMax);
});

Deno.test("Relays.tick() dials who may bring it until somebody gives it", () => {
  const world = new World();
  world.tick(SOON);
  world.relays.answered(world.turn, { ...RELAY, answer: "accepted" });
  for (let atMs = SOON; atMs < SOON + 2 * limits.relayDialMs; atMs += 50) world.tick(atMs);
  assertEquals([world.dialled, world.relays.has(RELAY.nodeId)], [1, true]);
  world.sourceCount = 1;
  world.tick(SOON + 2 * limits.relayDialMs);
  assert(!world.relays.isAwaited(SOON + 1));
  assertEquals(world.dialled, 1);
});
