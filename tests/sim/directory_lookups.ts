/**
 * Look-ups in a simulation of directories, and whether their answers are right. Judged is what an
 * answer is worth at the moment when the directory gives it, by who really holds the file then.
 */

import type { NodeId } from "../../src/base/ids.ts";
import { randomBelow } from "../../src/base/random.ts";
import type { Holder, ListedFile, Sought } from "../../src/wire/structures.ts";
import type { SimClient } from "./directory_client.ts";
import type { DirectoryNetwork } from "./directory_network.ts";
import type { SimDirectory } from "./directory_server.ts";

/**
 * - `right`: a node that is named runs and holds the file; or nobody does, and nobody is named.
 * - `missed`: somebody holds it, and none such is named.
 * - `stale`: nobody holds it, but somebody is named.
 * - `unanswered`: the connection failed.
 */
export const VERDICTS = ["right", "missed", "stale", "unanswered"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Verdicts of one span of time, of one directory or of all together. */
export interface Tally {
  readonly verdicts: Record<Verdict, number>;
  /** Nodes named, and those of them that do not run or do not hold the file. */
  named: number;
  wrong: number;
}

interface Answer {
  readonly nodes: ReadonlySet<NodeId>;
  readonly verdict: Verdict;
  /** Nodes named that do not run or do not hold the file. */
  readonly wrong: number;
}

/** How long after it is gone a node's own file is still asked for. */
const MISSED_MS = 300_000;
/** Share of look-ups for a file that only one node has or had, and for what nobody ever had. */
const OWN_SHARE = 0.03;
const UNKNOWN_SHARE = 0.05;

/** Asks all directories the same, and keeps the tallies, by spans of time. */
export class Lookups {
  readonly #network: DirectoryNetwork;
  readonly #spanMs: number;
  /** By span: each directory, then all together. */
  readonly #tallies: Tally[][] = [];
  /** Look-ups that go on as a fetch. */
  fetches = 0;

  constructor(network: DirectoryNetwork, options: { readonly spanMs: number }) {
    this.#network = network;
    this.#spanMs = options.spanMs;
  }

  /** By span of time: a tally for each directory, and the last for what all say together. */
  get tallies(): readonly (readonly Tally[])[] {
    return this.#tallies;
  }

  /** A node at random looks for something at random; with `fetches` it then gets it, if it can. */
  lookUp(options: { readonly fetches: boolean }): void {
    const { random } = this.#network;
    const asker = this.#network.pickClient();
    const file = this.#pickFile();
    if (asker.files.has(file.file.name)) return;
    this.ask(asker, { file, by: random.unit() < 0.5 ? "root" : "name" }, (isFound) => {
      if (isFound && options.fetches && asker.isAlive) this.#fetch(asker, file);
    });
  }

  /** A node at random fetches a file that it lacks and another has. */
  fetchOne(): void {
    const asker = this.#network.pickClient();
    let file = this.#network.pickFile();
    const lacks = () => !asker.files.has(file.file.name);
    while (!lacks() || !this.#isHeld(asker, file)) file = this.#network.pickFile();
    this.ask(asker, { file, by: "root" }, () => this.#fetch(asker, file));
  }

  /** Asks all directories, and judges each answer and all together. */
  ask(
    asker: SimClient,
    { file, by }: { readonly file: ListedFile; readonly by: "root" | "name" },
    done: (isFound: boolean) => void,
  ): void {
    const { directories } = this.#network;
    const sought: Sought = { by, value: file.file[by] };
    const answers: Answer[] = [];
    const tallies = this.#talliesNow();
    let open = directories.length;
    const end = (directory: SimDirectory, answer: Answer | undefined) => {
      add(tallies[directory.index]!, answer);
      if (answer !== undefined) answers.push(answer);
      if (--open > 0) return;
      const nodes = new Set(answers.flatMap(({ nodes }) => [...nodes]));
      const all = answers.length === 0 ? undefined : this.#judge(asker, file, nodes);
      add(tallies[directories.length]!, all);
      done([...nodes].some((node) => this.#holds(node, file)));
    };
    for (const directory of directories) {
      this.#network.question(asker, directory, {
        ask: () => {
          const holders = directory.holders(asker, sought);
          const nodes = new Set(holders.map(({ nodeId }) => nodeId));
          return [this.#judge(asker, file, nodes), messages(directory, sought, holders)];
        },
        heard: (answer) => end(directory, answer),
      });
    }
  }

  #judge(asker: SimClient, file: ListedFile, nodes: ReadonlySet<NodeId>): Answer {
    let wrong = 0;
    for (const node of nodes) if (!this.#holds(node, file)) wrong++;
    let verdict: Verdict = "right";
    if (wrong === nodes.size) {
      if (this.#isHeld(asker, file)) verdict = "missed";
      else if (nodes.size > 0) verdict = "stale";
    }
    return { nodes, verdict, wrong };
  }

  #holds(node: NodeId, { file: { name } }: ListedFile): boolean {
    const client = this.#network.clientOf(node);
    return client !== undefined && client.files.has(name);
  }

  /** Whether anybody but the asker holds it; looked at only where nobody good was named. */
  #isHeld(asker: SimClient, { file: { name } }: ListedFile): boolean {
    return this.#network.clients.some((client) => client !== asker && client.files.has(name));
  }

  #pickFile(): ListedFile {
    const { random } = this.#network;
    const chance = random.unit();
    if (chance < UNKNOWN_SHARE) return this.#network.newFile("nobody-has-it.pkg.tar.zst");
    if (chance >= UNKNOWN_SHARE + OWN_SHARE) return this.#network.pickFile();
    const owner = this.#pickOwner();
    return owner.files.get(`own-of-${owner.host}`) ?? this.#network.pickFile();
  }

  /** A node that runs, or that ran until lately. */
  #pickOwner(): SimClient {
    const { clients, gone, nowMs, random } = this.#network;
    let lately = 0;
    while (gone[gone.length - 1 - lately]?.isGoneSince(nowMs - MISSED_MS)) lately++;
    const place = randomBelow(random, clients.length + lately);
    return clients[place] ?? gone[gone.length - 1 - (place - clients.length)]!;
  }

  /** The file comes in over two seconds, and is offered as it does. */
  #fetch(client: SimClient, file: ListedFile): void {
    this.fetches++;
    for (let part = 1; part <= 8; part++) {
      this.#network.time.later(part * 250, () => {
        if (!client.isAlive) return;
        const chunksHave = part * 8;
        client.hold({ ...file, file: { ...file.file, chunksHave, whole: part === 8 } });
      });
    }
  }

  #talliesNow(): Tally[] {
    const span = Math.floor(this.#network.nowMs / this.#spanMs);
    return this.#tallies[span] ??= Array.from(
      { length: this.#network.directories.length + 1 },
      newTally,
    );
  }
}

export function newTally(): Tally {
  return { verdicts: { right: 0, missed: 0, stale: 0, unanswered: 0 }, named: 0, wrong: 0 };
}

function add(tally: Tally, answer: Answer | undefined): void {
  tally.verdicts[answer?.verdict ?? "unanswered"]++;
  tally.named += answer?.nodes.size ?? 0;
  tally.wrong += answer?.wrong ?? 0;
}

function messages({ instance }: SimDirectory, sought: Sought, holders: Holder[]) {
  return [
    { kind: "holders-query", sought, max: 16 },
    { kind: "holders", instance, holders, last: true },
  ] as const;
}

/** Share of look-ups that were answered right, in percent. */
export function rightPercent({ verdicts }: Tally): number {
  const { right, missed, stale, unanswered } = verdicts;
  return 100 * right / (right + missed + stale + unanswered);
}
