import { assertEquals } from "@std/assert";
import { BulkTurns } from "../../../../src/base/rates/bulk_turns.ts";

/** Turns of 100 bytes that end when a test says so. */
class Turns {
  readonly turns: BulkTurns;
  /** How each turn ended. */
  readonly ends: string[] = [];
  /** Who sent, in order. */
  readonly sent: string[] = [];
  #next: (() => void) | null = null;

  constructor() {
    const end = (how: string) => (next: () => void) => {
      this.ends.push(how);
      this.#next = next;
    };
    this.turns = new BulkTurns({ bytesMax: 100, end: end("soon") });
    this.turns.endFull = end("look");
  }

  /** Sends `bytes` in each of its turns, and waits for the next one as often as that. */
  sender(name: string, { bytes, times = 1 }: { bytes: number; times?: number }): void {
    let left = times;
    const taker = {
      turnCame: () => {
        this.sent.push(name);
        this.turns.used(bytes);
        if (--left > 0) this.turns.wait(taker);
      },
    };
    this.turns.wait(taker);
  }

  /** Lets the next turn begin; gives who sent in it. */
  pass(): string[] {
    const next = this.#next;
    this.#next = null;
    next?.();
    return this.sent.splice(0);
  }
}

Deno.test("BulkTurns gives those who wait their turns in order, and no turn more than fits", () => {
  const all = new Turns();
  for (const name of "abcdefg") all.sender(name, { bytes: 50, times: 2 });
  const seen = Array.from({ length: 8 }, () => all.pass().join(""));
  assertEquals(seen, ["ab", "cd", "ef", "ga", "bc", "de", "fg", ""]);
});

Deno.test("BulkTurns gives nobody two turns in one, though there is room", () => {
  const all = new Turns();
  all.sender("a", { bytes: 10, times: 3 });
  assertEquals([all.pass(), all.pass(), all.pass(), all.pass()], [["a"], ["a"], ["a"], []]);
});

Deno.test("BulkTurns gives the turn of one who sends nothing to the next", () => {
  const all = new Turns();
  all.sender("a", { bytes: 0 });
  for (const name of "bc") all.sender(name, { bytes: 100 });
  assertEquals([all.pass(), all.pass()], [["a", "b"], ["c"]]);
});

Deno.test("BulkTurns.isOpen says whether a newcomer may send before the turn ends", () => {
  const all = new Turns();
  const { turns } = all;
  assertEquals(turns.isOpen, true);
  turns.used(60);
  assertEquals(turns.isOpen, true);
  turns.used(60);
  assertEquals(turns.isOpen, false);
  all.pass();
  assertEquals(turns.isOpen, true);
  all.sender("a", { bytes: 1 });
  assertEquals(turns.isOpen, false, "it would overtake who waits");
});

Deno.test("BulkTurns has sockets looked at once in as many bytes as a turn may have", () => {
  const all = new Turns();
  all.sender("a", { bytes: 50, times: 6 });
  for (let turn = 0; turn < 7; turn++) all.pass();
  assertEquals(all.ends, ["soon", "soon", "look", "soon", "look", "soon", "look"]);
});
