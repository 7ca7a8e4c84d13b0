/**
 * What a machine of a simulated crowd does when the file turned out not to be right: samples, then a
 * second reading as the very policy of the daemon says, and what follows from a chunk that differs. It
 * knows of each chunk who gave it, and whether that was the right one, which it looks up only when the
 * mirror gave that chunk.
 */

import type { ChunkRange } from "../../src/base/geometry.ts";
import type { NodeId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { randomBelow } from "../../src/base/random.ts";
import type { CrowdEvent } from "../../src/core/crowd/crowd_events.ts";
import type { SimReading } from "./crowd_line.ts";
import type { CrowdRun } from "./crowd_run.ts";
import type { SimFellow } from "./crowd_fellow.ts";

/** Who gave a chunk, and whether it said that it read it itself. */
interface SimGiver {
  readonly nodeId: NodeId;
  readonly isReader: boolean;
}

/** The mending of one machine. */
export class SimMending {
  readonly #run: CrowdRun;
  readonly #fellow: SimFellow;
  /** Who gave a chunk that is here; those of the own mirror are not in it. */
  readonly #givers = new Map<number, SimGiver>();
  readonly #wrong = new Set<number>();
  /** Chunks that were taken again, and who gave another one before. */
  readonly #before = new Map<number, { readonly giver: SimGiver; readonly isWrong: boolean }>();
  /** What is to be compared with the mirror next, and what is being. */
  readonly #accused: number[] = [];
  readonly #heard = new Set<number>();
  #reading: SimReading | null = null;
  #samples = 0;
  #isRetaken = false;
  #stripe: number | null = null;
  #state: "idle" | "sampling" | "looking" = "idle";

  constructor(run: CrowdRun, fellow: SimFellow) {
    this.#run = run;
    this.#fellow = fellow;
  }

  /** Whether this machine has a chunk wrong. */
  isWrong(chunk: number): boolean {
    return this.#wrong.has(chunk);
  }

  get isRight(): boolean {
    return this.#wrong.size === 0;
  }

  /** Whether it is at work. */
  get isBusy(): boolean {
    return this.#state !== "idle";
  }

  /** Another one gave a chunk. */
  gave(chunk: number, giver: SimGiver, isWrong: boolean): void {
    this.#givers.set(chunk, giver);
    if (isWrong) this.#wrong.add(chunk);
    else this.#wrong.delete(chunk);
    const before = this.#before.get(chunk);
    if (before?.isWrong === isWrong) this.#before.delete(chunk);
  }

  /** The own mirror did. */
  read(chunk: number): void {
    this.#givers.delete(chunk);
    this.#wrong.delete(chunk);
  }

  /** All is here, and it is not right. */
  begin(): void {
    this.#state = "sampling";
    const { nodes, chunks } = this.#run.world;
    const parts = limits.crowdSampleParts * Math.min(nodes, this.#fellow.links.size + 1);
    const { random } = this.#run.world;
    this.#samples = Math.floor(chunks / parts) +
      (randomBelow(random, parts) < chunks % parts ? 1 : 0);
    for (const chunk of this.#before.keys()) this.#accused.push(chunk);
    this.#goOn();
  }

  /** Somebody says that a chunk is wrong. */
  accused(chunk: number): void {
    if (this.#heard.has(chunk)) return;
    this.#heard.add(chunk);
    this.#accused.push(chunk);
    if (this.#state !== "looking") return;
    // What is being read is left: that one chunk may make it unnecessary.
    this.#stop();
    this.#goOn();
  }

  /** The policy says what to read again. */
  readAgain(stripe: number | null): void {
    if (this.#state !== "looking") return;
    if (stripe === null) return this.#retake();
    this.#stripe = stripe;
    this.#goOn();
  }

  /** It died. */
  stop(): void {
    this.#stop();
    this.#state = "idle";
  }

  /** Forgets chunks, which count as missing. */
  forget(ranges: readonly ChunkRange[]): void {
    for (const { first, count } of ranges) {
      for (let chunk = first; chunk < first + count; chunk++) this.read(chunk);
    }
  }

  /** The chunks of a range that others gave. */
  foreignIn({ first, count }: ChunkRange): number[] {
    return Array.from({ length: count }, (_, i) => first + i).filter((chunk) =>
      this.#givers.has(chunk)
    );
  }

  #goOn(): void {
    if (this.#reading !== null || this.#state === "idle") return;
    const accused = this.#accused.shift();
    if (accused !== undefined) return this.#compare([accused]);
    if (this.#state === "sampling") {
      const foreign = [...this.#givers.keys()];
      if (this.#samples-- > 0 && foreign.length > 0) {
        return this.#compare([foreign[randomBelow(this.#run.world.random, foreign.length)]!]);
      }
      this.#state = "looking";
      const gifts = foreign.map((first) => ({
        giver: this.#givers.get(first)!.nodeId,
        isReader: this.#givers.get(first)!.isReader,
        ranges: [{ first, count: 1 }],
      }));
      return this.#tell({ kind: "doubted", gifts, isNewRound: this.#isRetaken });
    }
    const stripe = this.#stripe;
    if (stripe === null) return;
    const foreign = this.foreignIn(this.#fellow.crowd.stripes.range(stripe));
    if (foreign.length > 0) return this.#compare(foreign);
    this.#stripe = null;
    this.#tell({ kind: "proved", stripe });
  }

  /** Has the mirror give the first run of these. */
  #compare(chunks: readonly number[]): void {
    const first = chunks[0]!;
    let end = first + 1;
    while (chunks.includes(end)) end++;
    const reading: SimReading = this.#reading = {
      range: { first, count: end - first },
      next: first,
      end,
      isOver: false,
      got: (chunk) => this.#compared(chunk),
      ended: () => {
        this.#reading = null;
        this.#goOn();
      },
    };
    this.#run.reads(this.#fellow, reading);
  }

  #compared(chunk: number): void {
    const giver = this.#givers.get(chunk);
    const isWrong = this.#wrong.has(chunk);
    const before = this.#before.get(chunk);
    this.#before.delete(chunk);
    this.read(chunk);
    if (giver !== undefined && isWrong) return this.#reject(chunk, giver);
    // The one that came later is right: so the first one was not.
    if (before?.isWrong === true) this.#reject(chunk, before.giver);
  }

  #reject(chunk: number, giver: SimGiver): void {
    this.#stop();
    this.#state = "idle";
    this.#stripe = null;
    this.#isRetaken = false;
    this.#tell({ kind: "doubt-ended" });
    this.#fellow.accuse(chunk);
    const lost = [...this.#givers].filter(([, { nodeId, isReader }]) =>
      nodeId === giver.nodeId && (giver.isReader || !isReader)
    ).map(([first]) => ({ first, count: 1 }));
    if (giver.isReader) this.#tell({ kind: "distrusted", nodeId: giver.nodeId });
    else this.#tell({ kind: "passed-wrong" });
    this.#fellow.lose(lost);
    this.#fellow.isMended();
  }

  /** All was proved by others: it is taken from those again. */
  #retake(): void {
    this.#state = "idle";
    this.#isRetaken = true;
    this.#tell({ kind: "retake" });
    this.#tell({ kind: "doubt-ended" });
    this.#fellow.isMended();
  }

  /** What only others proved is missing again. */
  loses(ranges: readonly ChunkRange[]): void {
    const foreign = ranges.flatMap((range) => this.foreignIn(range));
    for (const chunk of foreign) {
      const isWrong = this.#wrong.has(chunk);
      this.#before.set(chunk, { giver: this.#givers.get(chunk)!, isWrong });
    }
    this.#fellow.lose(foreign.map((first) => ({ first, count: 1 })));
  }

  #stop(): void {
    if (this.#reading !== null) this.#run.line.drop(this.#reading);
    this.#reading = null;
  }

  #tell(event: CrowdEvent): void {
    this.#fellow.tell(event);
  }
}
