// What the load generator needs of a server that it fills and asks, whichever it is.

import type { Corpus, Question } from "./directory_corpus.ts";

/** A server to be measured, from the side of its clients. */
export interface Contestant extends AsyncDisposable {
  /** Puts all of the corpus into it; resolves when it can be asked for everything. */
  load(corpus: Corpus): Promise<void>;
  /** Opens one connection for questions. */
  connect(): Promise<Asker>;
  /** How long the server may be idle before it gives back memory that it needs no more. */
  readonly idleMs: number;
}

/** One connection, on which a question follows the answer to the one before. */
export interface Asker extends AsyncDisposable {
  /** Asks; gives how many files or holders the answer names. */
  ask(question: Question): Promise<number>;
}
