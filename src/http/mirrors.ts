/** The mirrors of a node as the other parts of the program see them: each file at its mirrors. */

import { MirrorClient } from "./mirror_client.ts";
import { MirrorFile, type MirrorFileOptions } from "./mirror_file.ts";

export type { MirrorBody } from "./mirror_body.ts";
export { MirrorError } from "./mirror_error.ts";
export type { MirrorFile } from "./mirror_file.ts";

/** The mirrors of one node; closed with it. */
export class Mirrors extends MirrorClient {
  /**
   * One file at these URLs, the first is asked first.
   *
   * @throws {UsageError} when one is no http or https URL.
   */
  file(urls: readonly string[], options: MirrorFileOptions = {}): MirrorFile {
    return new MirrorFile(this, urls, options);
  }
}
