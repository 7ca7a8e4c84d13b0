import { assertEquals } from "@std/assert";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Candidates } from "../../../../src/core/fetch/candidates.ts";
import { FetchChoice } from "../../../../src/core/fetch/fetch_choice.ts";
import type { FetchRequest } from "../../../../src/wire/fetching.ts";
import type { Choice } from "../../../../src/wire/messages.ts";
import { requestFor } from "../../../support/fetch_request.ts";

const [A, B, C] = ["a", "b", "c"].map((digit) => digit.repeat(64) as Root) as [Root, Root, Root];
const SHA256 = "01".repeat(32);

interface Setting {
  readonly request?: Partial<FetchRequest>;
  /** As the database completes it. */
  readonly trust?: { readonly sha256: string; readonly sizeBytes: number };
  readonly here?: readonly Root[];
}

/** A fetch of "x", what was told of it, and what nodes offer. */
function fetching({ request = {}, trust, here = [] }: Setting = {}) {
  const asked = { ...requestFor("x"), ...request };
  const candidates = new Candidates({ ...asked, ...trust });
  const told: Choice[] = [];
  const choice = new FetchChoice(asked, {
    isOfDatabase: trust !== undefined,
    heard: () => candidates,
    here: () => here.map((root) => ({ root, sizeBytes: 100 })),
    tell: (one) => told.push(one),
  });
  let nodes = 0;
  const offer = (root: Root, { sizeBytes = 100, times = 1 } = {}) => {
    const file = { root, name: "x", type: "", sizeBytes, chunksHave: 1, whole: true };
    for (let i = 0; i < times; i++) {
      candidates.add(file, `${nodes++}`.padStart(32, "0") as NodeId, 0);
    }
  };
  const took = (root: Root, kind: "swarm" | "local" | "promoted" = "swarm") => {
    choice.took({ root, sizeBytes: 100 }, kind);
    return told.at(-1);
  };
  return { candidates, choice, told, offer, took };
}

Deno.test("FetchChoice tells nothing where one file goes by the name", () => {
  const { offer, took } = fetching({ here: [A] });
  offer(A, { times: 3 });
  assertEquals(took(A), undefined);
});

Deno.test("FetchChoice tells nothing to who said which file is meant", () => {
  for (const request of [{ root: A }, { sha256: SHA256 }, { sizeBytes: 100 }, { name: "" }]) {
    const { offer, took } = fetching({ request, here: [C] });
    offer(A);
    offer(B);
    assertEquals(took(A), undefined);
  }
});

Deno.test("FetchChoice says why a file is taken, and which others there are", () => {
  const more = fetching();
  more.offer(B);
  more.offer(A, { times: 2 });
  assertEquals(more.took(A), {
    kind: "choice",
    root: A,
    sizeBytes: 100,
    why: "offers",
    nodes: 2,
    others: [{ root: B, sizeBytes: 100, nodes: 1, isListed: false }],
    more: 0,
  });
  const equal = fetching();
  equal.offer(A);
  equal.offer(B);
  assertEquals([equal.took(A)?.why, equal.took(A, "promoted")?.why], ["first", "first"]);
  const listed = fetching();
  listed.offer(A);
  listed.offer(B, { times: 3 });
  listed.candidates.list({
    ...{ root: A, name: "x", type: "", sizeBytes: 100, sha256: null },
    ...{ whole: 1, part: 0 },
  });
  assertEquals(listed.took(A)?.why, "listed");
  const mirrored = fetching();
  mirrored.offer(B, { times: 3 });
  assertEquals(mirrored.took(A, "promoted")?.why, "mirror");
});

Deno.test("FetchChoice says that the file is here already, and what else is", () => {
  const { took } = fetching({ here: [A, B] });
  const choice = took(A, "local");
  assertEquals([choice?.why, choice?.others.map(({ root }) => root)], ["here", [B]]);
});

Deno.test("FetchChoice names what a database ruled out, by its size too", () => {
  const { offer, took } = fetching({ trust: { sha256: SHA256, sizeBytes: 100 } });
  offer(B, { sizeBytes: 7, times: 5 });
  offer(A);
  offer(C);
  const choice = took(A);
  assertEquals(choice?.why, "sync-db");
  assertEquals(choice?.others.map(({ root, nodes }) => [root, nodes]), [[B, 5], [C, 1]]);
});

Deno.test("FetchChoice tells a choice once, and again when the files are others", () => {
  const { candidates, choice, told, offer } = fetching();
  const leads = () => choice.following(candidates.leader()!);
  choice.following(null);
  offer(A, { times: 2 });
  leads();
  offer(B);
  for (let i = 0; i < 3; i++) leads();
  assertEquals(told.length, 1);
  offer(C);
  leads();
  assertEquals(told.map(({ others }) => others.length), [1, 2]);
  candidates.reject(candidates.leader()!.key);
  leads();
  assertEquals(told.map(({ root }) => root[0]), ["a", "a", "b"]);
});

Deno.test("FetchChoice names a few, and counts the others", () => {
  const { offer, took } = fetching();
  offer(A);
  for (let i = 0; i < limits.choiceOthersMax + 2; i++) offer(B, { sizeBytes: i });
  assertEquals([took(A)?.others.length, took(A)?.more], [limits.choiceOthersMax, 2]);
});
