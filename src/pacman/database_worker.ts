/** The worker that reads databases of repositories. See `database_reader.ts`. */

import { messageOf } from "../base/errors.ts";
import { type DatabaseContents, readDatabase } from "./database_file.ts";
import { buffersOf } from "./package_table.ts";

/** A database to read; the next comes when this one is answered. */
export interface DatabaseJob {
  readonly path: string;
  readonly packagesMax: number;
}

/** What became of it. */
export type DatabaseAnswer =
  | { readonly contents: DatabaseContents }
  | { readonly problem: string };

/** The part of a worker's global scope that is used here; the default types lack it. */
interface DatabaseWorkerScope {
  onmessage: ((event: MessageEvent<DatabaseJob>) => void) | null;
  postMessage(answer: DatabaseAnswer, transfer?: Transferable[]): void;
}

const scope = self as unknown as DatabaseWorkerScope;

scope.onmessage = async ({ data: { path, packagesMax } }) => {
  try {
    const contents = await readDatabase(path, { packagesMax });
    scope.postMessage({ contents }, buffersOf(contents.columns));
  } catch (error) {
    scope.postMessage({ problem: messageOf(error) });
  }
};
