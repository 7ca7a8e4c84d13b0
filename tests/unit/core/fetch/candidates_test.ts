import { assert, assertEquals } from "@std/assert";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { candidateKey, Candidates, type Trust } from "../../../../src/core/fetch/candidates.ts";
import type { FileOffer, KnownFile } from "../../../../src/wire/structures.ts";

const [A, B, C] = ["a", "b", "c"].map((digit) => digit.repeat(64)) as [Root, Root, Root];
const SHA256 = "5".repeat(64);
/** Ends in a chunk of 64 bytes, which two hashes of a bigger file's tree could be. */
const FORGEABLE_BYTES = 64;

let nodes = 0;

function node(): NodeId {
  return (++nodes).toString(16).padStart(32, "0") as NodeId;
}

function offer(root: Root, sizeBytes = 100): FileOffer {
  return { root, name: "x", type: "", sizeBytes, chunksHave: 1, whole: true };
}

function known(root: Root, values: Partial<KnownFile> = {}): KnownFile {
  const counts = { whole: 1, part: 0 };
  return { root, name: "x", type: "", sizeBytes: 100, sha256: null, ...counts, ...values };
}

function candidates(trust: Partial<Trust> = {}): Candidates {
  return new Candidates({ name: "x", root: null, sha256: null, sizeBytes: null, ...trust });
}

/** The roots in the order in which they would lead, each thrown away in turn. */
function order(all: Candidates): Root[] {
  const roots: Root[] = [];
  for (let one = all.leader(); one !== undefined; one = all.leader()) {
    roots.push(one.root);
    all.reject(one.key);
  }
  return roots;
}

Deno.test("Candidates.leader() is what a directory names, then what most nodes offer", () => {
  const all = candidates();
  for (let i = 0; i < 5; i++) all.add(offer(A), node(), 0);
  for (let i = 0; i < 2; i++) all.add(offer(B), node(), 0);
  all.add(offer(C), node(), 0);
  assertEquals(all.leader()?.root, A);
  all.list(known(C));
  assertEquals(all.leader()?.root, C);
  all.list(known(B));
  assertEquals(all.leader()?.root, B, "of two that a directory names, the one that more offer");
  assertEquals(order(all), [B, C, A]);
});

Deno.test("Candidates.leader() counts all nodes of one host as one, but for those of this machine", () => {
  const all = candidates();
  for (let i = 0; i < 40; i++) all.add(offer(B), node(), 0, "10.0.0.9");
  for (let i = 0; i < 40; i++) all.add(offer(C), node(), 0, `fd77::${i}`);
  for (let i = 1; i <= 2; i++) all.add(offer(A), node(), 0, `10.0.0.${i}`);
  assertEquals(order(all), [A, B, C]);
  const here = candidates();
  for (let i = 1; i <= 2; i++) here.add(offer(A), node(), 0, `10.0.0.${i}`);
  for (let i = 0; i < 3; i++) here.add(offer(B), node(), 0, "127.0.0.1");
  assertEquals(here.leader()?.root, B);
});

Deno.test("Candidates.ban() takes the vote of a host back when its last node goes", () => {
  const all = candidates();
  const [first, second] = [node(), node()];
  for (const one of [first, second]) all.add(offer(A), one, 0, "10.0.0.1");
  assertEquals(all.offerersOf(offer(A)), 1);
  all.ban(first);
  assertEquals(all.offerersOf(offer(A)), 1);
  all.ban(second);
  assertEquals(all.leader(), undefined);
});

Deno.test("Candidates.list() alone makes no candidate: somebody has to offer it", () => {
  const all = candidates();
  all.list(known(A));
  assertEquals(all.leader(), undefined);
  all.add(offer(B), node(), 0);
  assertEquals(all.leader()?.root, B);
  all.add(offer(A), node(), 0);
  assertEquals(all.leader()?.root, A, "an offer that comes after a directory named it");
});

Deno.test("Candidates.list() does not outweigh what the request says", () => {
  const named = candidates();
  named.list(known(A, { name: "y" }));
  const sized = candidates({ sizeBytes: 100 });
  sized.list(known(A, { sizeBytes: 101 }));
  const hashed = candidates({ sha256: SHA256 });
  hashed.list(known(A, { sha256: "6".repeat(64) }));
  for (const all of [named, sized, hashed]) {
    assert(!all.isListed(candidateKey(known(A))));
    assert(!all.isListed(candidateKey(known(A, { sizeBytes: 101 }))));
  }
  hashed.list(known(B, { sha256: SHA256 }));
  assert(hashed.isListed(candidateKey(known(B))));
  const rooted = candidates({ name: "", root: A });
  rooted.list(known(B));
  rooted.add(offer(A), node(), 0);
  assert(!rooted.isListed(candidateKey(known(B))));
});

Deno.test("Candidates.list() is for a root with its size, and never for a forgeable one", () => {
  const all = candidates();
  all.list(known(A, { sizeBytes: FORGEABLE_BYTES }));
  all.add(offer(A, FORGEABLE_BYTES), node(), 0);
  all.add(offer(A, 100_000), node(), 0);
  assertEquals(all.leader()?.sizeBytes, 100_000);
  assert(!all.isListed(candidateKey(offer(A, 100_000))));
});

Deno.test("Candidates.list() keeps a bounded number", () => {
  const all = candidates();
  for (let i = 0; i <= limits.candidatesMax; i++) {
    all.list(known(i.toString(16).padStart(64, "0") as Root));
  }
  const key = (i: number) =>
    candidateKey({ root: i.toString(16).padStart(64, "0") as Root, sizeBytes: 100 });
  assert(all.isListed(key(limits.candidatesMax - 1)));
  assert(!all.isListed(key(limits.candidatesMax)));
});

Deno.test("Candidates.isOpen() is false for what the request rules out, and what was rejected", () => {
  assert(candidates({ root: A }).isOpen(offer(A)));
  assert(!candidates({ root: A }).isOpen(offer(B)));
  assert(!candidates({ sizeBytes: 100 }).isOpen(offer(A, 101)));
  const all = candidates();
  all.add(offer(A), node(), 0);
  assert(all.isOpen(offer(A)));
  all.reject(candidateKey(offer(A)));
  assert(!all.isOpen(offer(A)));
  assert(all.isOpen(offer(A, 101)), "the same root with another size is another candidate");
});

Deno.test("Candidates.leader() is not what only a banned node offered, listed or not", () => {
  const all = candidates();
  const liar = node();
  all.list(known(A));
  all.add(offer(A), liar, 0);
  all.add(offer(B), node(), 0);
  assertEquals(all.leader()?.root, A);
  all.ban(liar);
  assertEquals(all.leader()?.root, B);
});

Deno.test("Candidates.mayReplace() is true for a better leader only in the first moments", () => {
  const all = candidates();
  all.add(offer(A), node(), 1_000);
  const followed = all.leader()!;
  all.add(offer(B), node(), 1_010);
  assertEquals(all.leader()?.root, A, "one vote each: the first stays");
  all.add(offer(B), node(), 1_020);
  const leader = all.leader()!;
  assertEquals(leader.root, B);
  assert(all.mayReplace(followed, leader, 1_300));
  assert(!all.mayReplace(followed, leader, 1_301), "by now it is kept");
});

Deno.test("Candidates.mayReplace() is true at any time when nobody is left who offers the first", () => {
  const all = candidates();
  const liar = node();
  all.add(offer(A), liar, 0);
  const followed = all.leader()!;
  all.add(offer(B), node(), 60_000);
  all.ban(liar);
  assert(all.mayReplace(followed, all.leader()!, 60_000));
});

Deno.test("Candidates.isCertain() is true for a SHA-256, and for a root whose size none can forge", () => {
  const plain = { sizeBytes: 100 }, forgeable = { sizeBytes: FORGEABLE_BYTES };
  assert(!candidates().isCertain(plain));
  assert(candidates({ sha256: "5a".repeat(32) }).isCertain(forgeable));
  assert(candidates({ root: A }).isCertain(plain));
  assert(!candidates({ root: A }).isCertain(forgeable));
  assert(candidates({ root: A, sizeBytes: FORGEABLE_BYTES }).isCertain(forgeable));
});

Deno.test("Candidates.unsettledMs() counts from the first offer that counts", () => {
  const all = candidates({ sizeBytes: 100 });
  assert(all.unsettledMs(0) <= 0, "nothing is open before there is an offer");
  all.add(offer(A, 101), node(), 500);
  assert(all.unsettledMs(500) <= 0, "an unfit offer opens nothing");
  all.add(offer(A), node(), 1_000);
  all.add(offer(B), node(), 1_050);
  assertEquals(all.unsettledMs(1_060), 40);
});
