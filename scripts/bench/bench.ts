// What every case is given, and the way in which all of them measure: contestants one after the
// other, in rounds, in another order each round, after one round that does not count.

import type { Product } from "./product.ts";
import type { Table } from "./report.ts";
import type { Tool } from "./tools.ts";
import { settleDisk, Workspace } from "./workspace.ts";

export const GIB = 2 ** 30;
/** Fewer rounds, or smaller files, show that the benchmark works and nothing else. */
export const ROUNDS_MIN = 5;

/** One group of measurements, run by its name. */
export interface BenchCase {
  readonly name: string;
  readonly about: string;
  readonly tools: readonly Tool[];
  run(bench: Bench): Promise<Table[]>;
}

/** What a person asked for. */
export interface BenchOptions {
  readonly rounds: number;
  /** Size of the file that is transferred; the one that is hashed is four times as big. */
  readonly sizeBytes: number;
  /** Files in the catalogue whose daemon is started. */
  readonly files: number;
  /** An existing folder on the disk. */
  readonly diskRoot: string;
}

/** The means of all cases. */
export class Bench {
  readonly options: BenchOptions;
  readonly product: Product;
  readonly #memoryRoot: string;
  #caseName = "";

  /** @param memoryRoot An existing folder of a file system in memory. */
  constructor(
    options: BenchOptions,
    { product, memoryRoot }: { readonly product: Product; readonly memoryRoot: string },
  ) {
    this.options = options;
    this.product = product;
    this.#memoryRoot = memoryRoot;
  }

  get sizeBytes(): number {
    return this.options.sizeBytes;
  }

  /** The time that moving one file may take before it counts as stuck. */
  get limitMs(): number {
    return 60_000 + 60_000 * this.sizeBytes / GIB;
  }

  /** Begins a case: its name stands before the notes. */
  begin(caseName: string): void {
    this.#caseName = caseName;
  }

  /** Tells the person who waits how far it is. */
  note(text: string): void {
    console.error(`${this.#caseName}: ${text}`);
  }

  async openWorkspace(): Promise<Workspace> {
    return await Workspace.open({ disk: this.options.diskRoot, memory: this.#memoryRoot });
  }

  /** Has all that was written before reach the disk, so that it does not disturb what follows. */
  async settle(): Promise<void> {
    await settleDisk(this.options.diskRoot);
  }

  /**
   * Runs each contestant once a round and gives what each returned, in the order of the rounds; the
   * first round is for warming up and is left out. The order changes from round to round, so that
   * none always comes after the same other.
   */
  async interleave<T>(
    contestants: Readonly<Record<string, () => Promise<T>>>,
    label = "",
  ): Promise<Record<string, T[]>> {
    const names = Object.keys(contestants);
    const results: Record<string, T[]> = Object.fromEntries(names.map((name) => [name, []]));
    for (let round = 0; round <= this.options.rounds; round++) {
      this.note(
        `${label}${label && ", "}` +
          (round === 0 ? "warming up" : `round ${round} of ${this.options.rounds}`),
      );
      for (let i = 0; i < names.length; i++) {
        const name = names[(i + round) % names.length]!;
        const result = await contestants[name]!();
        if (round > 0) results[name]!.push(result);
      }
    }
    return results;
  }
}
