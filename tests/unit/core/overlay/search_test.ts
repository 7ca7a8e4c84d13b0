// Single steps of the search; tests/sim has whole networks.

import { assert, assertEquals } from "@std/assert";
import type { NodeId, QueryId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Search } from "../../../../src/core/overlay/search.ts";
import type { SearchEffect } from "../../../../src/core/overlay/search_events.ts";
import type { Hit, Query } from "../../../../src/wire/messages.ts";
import type { FileOffer } from "../../../../src/wire/structures.ts";

const SOUGHT = { by: "name", value: "a.pkg" } as const;
const ID = "1".repeat(32) as QueryId;
const NODE = "f".repeat(32) as NodeId;

function query(changes: Partial<Query> = {}): Query {
  return {
    kind: "query",
    id: ID,
    ttl: 7,
    hops: 0,
    sought: SOUGHT,
    callbackHost: "",
    callbackPort: 8048,
    ...changes,
  };
}

function hit(changes: Partial<Hit> = {}): Hit {
  return {
    kind: "hit",
    id: ID,
    hops: 0,
    nodeId: NODE,
    holderHost: "",
    holderPort: 8048,
    offers: [offer(0)],
    ...changes,
  };
}

function offer(number: number): FileOffer {
  const root = number.toString(16).padStart(64, "0") as FileOffer["root"];
  return { root, name: "a.pkg", type: "pkg", sizeBytes: 1, chunksHave: 1, whole: true };
}

/** A search with links 1, 2, ... to these hosts. */
function searchWith(...hosts: string[]): Search {
  const search = new Search();
  for (const [i, host] of hosts.entries()) search.step({ kind: "link-up", link: i + 1, host }, 0);
  return search;
}

function receive(search: Search, link: number, message: Query, nowMs = 0): SearchEffect[] {
  return search.step({ kind: "query", link, query: message }, nowMs);
}

/** Receives a query over link 1, and says that no part of it is here. */
function pass(search: Search, message: Query): SearchEffect[] {
  receive(search, 1, message);
  return search.step({ kind: "looked-up", id: message.id, holds: false }, 0);
}

/** Receives a query over link 1, and says that a part of it is here. */
function hold(search: Search, message: Query): SearchEffect[] {
  receive(search, 1, message);
  return search.step({ kind: "looked-up", id: message.id, holds: true }, 0);
}

const links = (effects: readonly SearchEffect[]) =>
  effects.map((effect) => effect.kind === "send" ? effect.link : effect.kind);

Deno.test("Search.step() sends an own query without a host over every link", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  const own = { kind: "search", id: ID, sought: SOUGHT, ttl: 99, callbackPort: 8048 } as const;
  const sent = search.step(own, 0);
  assertEquals(links(sent), [1, 2]);
  assert(sent[0]!.kind === "send");
  assertEquals(sent[0]!.message, query({ ttl: limits.ttlMax }));
  assertEquals(search.step(own, 0), [], "a second time nothing happens");
  assertEquals(links(search.step({ kind: "link-up", link: 3, host: "10.0.0.3" }, 0)), [3]);
  search.step({ kind: "search-ended", id: ID }, 0);
  assertEquals(search.step({ kind: "link-up", link: 4, host: "10.0.0.4" }, 0), []);
});

Deno.test("Search.step() drops an own query that comes back, though its id was crowded out", () => {
  const search = new Search({ seenQueriesMax: 2 });
  search.step({ kind: "link-up", link: 1, host: "10.0.0.1" }, 0);
  search.step({ kind: "search", id: ID, sought: SOUGHT, ttl: 7, callbackPort: 1 }, 0);
  search.step({ kind: "link-up", link: 2, host: "10.0.0.2" }, 0);
  for (const digit of ["2", "3", "4"]) pass(search, query({ id: digit.repeat(32) as QueryId }));
  assertEquals(receive(search, 1, query({ hops: 1, callbackHost: "10.0.0.9" })), []);
  assertEquals(search.counters.droppedDuplicate, 1);
});

Deno.test("Search.step() forwards at once over all other links when nothing is here", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2", "10.0.0.3");
  assertEquals(receive(search, 1, query()), [
    { kind: "look-up", id: ID, sought: SOUGHT, host: "10.0.0.1", port: 8048 },
  ]);
  const sent = search.step({ kind: "looked-up", id: ID, holds: false }, 0);
  assertEquals(links(sent), [2, 3]);
  assert(sent[0]!.kind === "send");
  assertEquals(sent[0]!.message, query({ ttl: 6, hops: 1, callbackHost: "10.0.0.1" }));
  assertEquals(receive(search, 2, query()), []);
  assertEquals(search.counters.droppedDuplicate, 1);
  assertEquals(search.counters.messagesSent, 2);
});

Deno.test("Search.step() keeps the callback host that the first neighbour wrote in", () => {
  const sent = pass(
    searchWith("10.0.0.1", "10.0.0.2"),
    query({ hops: 3, callbackHost: "fd00::9" }),
  );
  assert(sent[0]!.kind === "send" && sent[0]!.message.kind === "query");
  assertEquals(sent[0]!.message.callbackHost, "fd00::9");
});

Deno.test("Search.step() does not forward when no link is left to travel", () => {
  assertEquals(pass(searchWith("10.0.0.1", "10.0.0.2"), query({ ttl: 0 })), []);
  for (const hops of [limits.ttlMax, 255]) {
    const far = query({ ttl: 255, hops, callbackHost: "10.0.0.9" });
    assertEquals(pass(searchWith("10.0.0.1", "10.0.0.2"), far), [], `hops ${hops}`);
  }
});

Deno.test("Search.step() faults a query whose host and port do not go together", () => {
  for (
    const bad of [
      query({ callbackHost: "10.0.0.9" }),
      query({ callbackHost: "10.0.0.9", callbackPort: 0 }),
      query({ hops: 1 }),
      query({ hops: 1, callbackHost: "10.0.0.9", callbackPort: 0 }),
    ]
  ) {
    const search = searchWith("10.0.0.1", "10.0.0.2");
    const [effect] = receive(search, 1, bad);
    assert(effect?.kind === "fault");
    assertEquals([effect.link, effect.code], [1, "malformed"]);
    assertEquals(search.step({ kind: "looked-up", id: ID, holds: false }, 0), []);
  }
});

Deno.test("Search.step() calls back first when a part is here, and forwards by the answer", () => {
  for (const outcome of ["search-on", "failed", "enough"] as const) {
    const search = searchWith("10.0.0.1", "10.0.0.2");
    const call = {
      kind: "call-back",
      id: ID,
      host: "10.0.0.1",
      port: 8048,
      sought: SOUGHT,
    } as const;
    assertEquals(hold(search, query()), [call]);
    const answer = { kind: "callback-answered", id: ID, outcome } as const;
    assertEquals(links(search.step(answer, 100)), outcome === "enough" ? [] : [2]);
    assertEquals(search.step(answer, 100), [], "a second answer changes nothing");
    const { answered, enoughHeard, forwarded } = search.counters;
    const isEnough = outcome === "enough" ? 1 : 0;
    assertEquals([answered, enoughHeard, forwarded], [1, isEnough, 1 - isEnough]);
  }
});

Deno.test("Search.step() forwards without an answer after the bound, once", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  hold(search, query());
  assertEquals(search.step({ kind: "tick" }, limits.callbackMs - 1), []);
  assertEquals(links(search.step({ kind: "tick" }, limits.callbackMs)), [2]);
  assertEquals(search.step({ kind: "tick" }, limits.callbackMs + 1), []);
  const late = { kind: "callback-answered", id: ID, outcome: "search-on" } as const;
  assertEquals(search.step(late, limits.callbackMs + 2), []);
});

Deno.test("Search.step() forwards when a look-up takes too long, and still calls back after it", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  receive(search, 1, query());
  assertEquals(links(search.step({ kind: "tick" }, limits.callbackMs)), [2]);
  const effects = search.step({ kind: "looked-up", id: ID, holds: true }, limits.callbackMs + 1);
  assertEquals(effects[0]?.kind, "call-back");
  const on = { kind: "callback-answered", id: ID, outcome: "search-on" } as const;
  assertEquals(search.step(on, limits.callbackMs + 2), []);
});

Deno.test("Search.step() calls nobody when too many callbacks are in progress", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  const id = (number: number) => number.toString(16).padStart(32, "0") as QueryId;
  for (let i = 0; i < limits.callbacksMax; i++) {
    assertEquals(links(hold(search, query({ id: id(i) }))), ["call-back"]);
  }
  assertEquals(links(hold(search, query({ id: id(1_000) }))), [2]);
  search.step({ kind: "callback-answered", id: id(0), outcome: "enough" }, 0);
  assertEquals(links(hold(search, query({ id: id(1_001) }))), ["call-back"]);
});

Deno.test("Search.step() forwards without looking when too many look-ups are not answered", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  let looked = 0;
  for (let i = 0; i < limits.lookUpsMax + 1; i++) {
    const id = i.toString(16).padStart(32, "0") as QueryId;
    const effects = receive(search, 1, query({ id }), i * 10);
    if (effects[0]?.kind === "look-up") looked++;
    else assertEquals(links(effects), [2]);
  }
  assertEquals(looked, limits.lookUpsMax);
});

Deno.test("Search.step() answers by HIT and forwards at once when nobody can dial the requester", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  const effects = hold(search, query({ callbackPort: 0 }));
  assertEquals(links(effects), ["answer-by-hit", 2]);
  const offers = Array.from({ length: limits.hitOffersMax + 1 }, (_, i) => offer(i));
  const ready = { kind: "hit-ready", id: ID, offers, nodeId: NODE, holderPort: 9 } as const;
  const sent = search.step(ready, 0);
  assertEquals(links(sent), [1, 1], "more offers than one HIT holds go in two");
  const counts = sent.map((one) =>
    one.kind === "send" && one.message.kind === "hit" ? one.message.offers.length : 0
  );
  assertEquals(counts, [limits.hitOffersMax, 1]);
  assertEquals(search.step({ ...ready, offers: [] }, 0), []);
  search.step({ kind: "link-down", link: 1 }, 0);
  assertEquals(search.step(ready, 0), [], "the way back is gone");
  assertEquals(search.counters.answered, 1);
});

Deno.test("Search.step() answers by HIT when the callback finds that nobody can be reached", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  assertEquals(links(hold(search, query())), ["call-back"]);
  const answer = { kind: "callback-answered", id: ID, outcome: "unreachable" } as const;
  const effects = search.step(answer, 100);
  assertEquals(effects[0], { kind: "answer-by-hit", id: ID, sought: SOUGHT });
  assertEquals(links(effects), ["answer-by-hit", 2], "nobody knows whether it has enough");
  assertEquals(search.step(answer, 100), [], "a second answer changes nothing");
  assertEquals(search.counters.answered, 0);
  const ready = { kind: "hit-ready", id: ID, nodeId: NODE, holderPort: 9 } as const;
  assertEquals(links(search.step({ ...ready, offers: [offer(0)] }, 200)), [1]);
  assertEquals(search.counters.answered, 1, "the callback and the HIT are one answer");
});

Deno.test("Search.step() answers by HIT, but forwards no second time, when that shows late", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  hold(search, query());
  assertEquals(links(search.step({ kind: "tick" }, limits.callbackMs)), [2]);
  const late = { kind: "callback-answered", id: ID, outcome: "unreachable" } as const;
  assertEquals(links(search.step(late, limits.dialMs)), ["answer-by-hit"]);
});

Deno.test("Search.step() cannot dial over a link whose own address cannot travel", () => {
  const search = searchWith("fe80::1%eth0", "10.0.0.2");
  assertEquals(links(hold(search, query())), ["answer-by-hit", 2]);
});

Deno.test("Search.step() writes in the plain address when the listener is dual-stack", () => {
  const sent = pass(searchWith("::ffff:10.0.0.1", "10.0.0.2"), query());
  assert(sent[0]!.kind === "send" && sent[0]!.message.kind === "query");
  assertEquals(sent[0]!.message.callbackHost, "10.0.0.1");
});

Deno.test("Search.step() hides a loopback requester only from other machines", () => {
  const sent = pass(searchWith("127.0.0.1", "127.0.0.1", "10.0.0.3", "::1"), query());
  const calls = sent.map((one) =>
    one.kind === "send" && one.message.kind === "query"
      ? [one.link, one.message.callbackHost, one.message.callbackPort]
      : one.kind
  );
  assertEquals(calls, [[2, "127.0.0.1", 8048], [3, "", 0], [4, "127.0.0.1", 8048]]);
});

Deno.test("Search.step() hides an address of a link from who is not seen at one, of requester and holder", () => {
  const search = searchWith("fe80::1", "fe80::2", "10.0.0.3", "fd00::4");
  const calls = pass(search, query()).map((one) =>
    one.kind === "send" && one.message.kind === "query"
      ? [one.link, one.message.callbackHost, one.message.callbackPort]
      : one.kind
  );
  assertEquals(calls, [[2, "fe80::1", 8048], [3, "", 0], [4, "", 0]]);
  const [back] = search.step({ kind: "hit", link: 2, hit: hit() }, 0);
  assert(back?.kind === "send" && back.message.kind === "hit");
  assertEquals([back.link, back.message.holderHost], [1, "fe80::2"]);
  const apart = searchWith("10.0.0.3", "fe80::2");
  pass(apart, query());
  const [hidden] = apart.step({ kind: "hit", link: 2, hit: hit() }, 0);
  assert(hidden?.kind === "send" && hidden.message.kind === "hit");
  assertEquals([hidden.message.holderHost, hidden.message.holderPort], ["", 0]);
});

Deno.test("Search.step() passes a HIT back by the way that its query came, and no other", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  pass(search, query({ callbackPort: 0 }));
  const receiveHit = (link: number, one: Hit) => search.step({ kind: "hit", link, hit: one }, 0);
  const [sent] = receiveHit(2, hit());
  assert(sent?.kind === "send");
  assertEquals([sent.link, sent.message], [1, hit({ hops: 1, holderHost: "10.0.0.2" })]);
  assertEquals(receiveHit(1, hit()), [], "it is not sent back to where it comes from");
  assertEquals(receiveHit(2, hit({ id: "9".repeat(32) as QueryId })), []);
  assertEquals(receiveHit(2, hit({ hops: 255, holderHost: "10.0.0.9" })), []);
  assertEquals(links(receiveHit(2, hit({ holderHost: "10.0.0.9" }))), ["fault"]);
  assertEquals(links(receiveHit(2, hit({ hops: 1 }))), ["fault"]);
  assertEquals(search.counters.hitsRelayed, 1);
});

Deno.test("Search.step() delivers a HIT of an own search, with its host, late ones as well", () => {
  const search = searchWith("10.0.0.1");
  search.step({ kind: "search", id: ID, sought: SOUGHT, ttl: 7, callbackPort: 0 }, 0);
  const come = { kind: "hit", link: 1, hit: hit() } as const;
  assertEquals(search.step(come, 0), [
    { kind: "deliver-hit", id: ID, hit: hit({ holderHost: "10.0.0.1" }) },
  ]);
  const lie = hit({ hops: 2, holderHost: "127.0.0.1", holderPort: 22 });
  assertEquals(search.step({ kind: "hit", link: 1, hit: lie }, 0), [
    { kind: "deliver-hit", id: ID, hit: hit({ hops: 2, holderPort: 0 }) },
  ]);
  search.step({ kind: "search-ended", id: ID }, 0);
  assertEquals(search.step(come, 0).map(({ kind }) => kind), ["deliver-hit"]);
});

Deno.test("Search.step() drops hits above the rate of a link", () => {
  const search = searchWith("10.0.0.1");
  search.step({ kind: "search", id: ID, sought: SOUGHT, ttl: 7, callbackPort: 0 }, 0);
  let delivered = 0;
  for (let i = 0; i < limits.hitsBurstMax + 10; i++) {
    delivered += search.step({ kind: "hit", link: 1, hit: hit() }, 0).length;
  }
  assertEquals([delivered, search.counters.droppedRate], [limits.hitsBurstMax, 10]);
});

Deno.test("Search.step() takes an own query for no stranger's when it comes back after its end", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  search.step({ kind: "search", id: ID, sought: SOUGHT, ttl: 7, callbackPort: 1 }, 0);
  search.step({ kind: "search-ended", id: ID }, 0);
  assertEquals(receive(search, 1, query({ hops: 2, callbackHost: "10.0.0.9" })), []);
  assertEquals([search.counters.droppedDuplicate, search.counters.queriesSeen], [1, 0]);
  const heard = search.step({ kind: "hit", link: 1, hit: hit() }, 0);
  assertEquals(links(heard), ["deliver-hit"], "no HIT is passed on");
});

Deno.test("Search.step() looks up few globs of a link, and as many others as before", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  const glob = { by: "glob", value: "*" } as const;
  let next = 0;
  const lookedUp = (link: number, count: number, sought: Query["sought"], nowMs: number) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const id = (next++).toString(16).padStart(32, "0") as QueryId;
      const effects = receive(search, link, query({ id, sought }), nowMs);
      assert(effects.every(({ kind }) => kind === "look-up"), "the excess is no fault");
      sum += effects.length;
    }
    return sum;
  };
  assertEquals(lookedUp(1, limits.globsBurstMax + 7, glob, 0), limits.globsBurstMax);
  assertEquals([search.counters.droppedRate, search.counters.queriesSeen], [
    7,
    limits.globsBurstMax,
  ]);
  assertEquals(lookedUp(1, 20, SOUGHT, 0), 20, "names have their own bound");
  assertEquals(lookedUp(2, 5, glob, 0), 5, "and so has every link");
  assertEquals(lookedUp(1, 50, glob, 1_000), limits.globsPerSecondMax);
});

Deno.test("Search.step() takes a glob that was over the bound of one link from another", () => {
  const search = searchWith("10.0.0.1", "10.0.0.2");
  const glob = { by: "glob", value: "*" } as const;
  for (let i = 0; i < limits.globsBurstMax; i++) {
    receive(search, 1, query({ id: i.toString(16).padStart(32, "0") as QueryId, sought: glob }));
  }
  assertEquals(receive(search, 1, query({ sought: glob })), []);
  assertEquals(links(receive(search, 2, query({ sought: glob }))), ["look-up"]);
});

Deno.test("Search.step() forwards no more globs over a link than its other end looks up", () => {
  const hosts = Array.from({ length: 5 }, (_, i) => `10.0.0.${i + 1}`);
  const search = searchWith(...hosts, "10.0.0.9");
  const forwarded = [0, 0];
  for (const [kind, sought] of [{ by: "glob", value: "*" } as const, SOUGHT].entries()) {
    for (let i = 0; i < hosts.length * limits.globsBurstMax; i++) {
      const id = (kind * 1_000 + i).toString(16).padStart(32, "0") as QueryId;
      receive(search, i % hosts.length + 1, query({ id, sought }));
      const sent = search.step({ kind: "looked-up", id, holds: false }, 0);
      forwarded[kind]! += links(sent).filter((link) => link === hosts.length + 1).length;
    }
  }
  assertEquals(forwarded, [limits.globsBurstMax, hosts.length * limits.globsBurstMax]);
});

Deno.test("Search.step() ignores links that are not up", () => {
  const search = searchWith("10.0.0.1");
  assertEquals(receive(search, 5, query()), []);
  assertEquals(search.step({ kind: "hit", link: 5, hit: hit() }, 0), []);
  assertEquals(search.counters.queriesSeen, 0);
});
