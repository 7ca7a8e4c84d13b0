/**
 * Whether the pacman of a configuration takes no package of a repository without its signature. A
 * configuration that cannot be read is taken for pacman's default, which requires signatures.
 */

import type { CurrentConf } from "./current_conf.ts";
import { signatureLevel } from "./signature_level.ts";

/** Answers for one configuration. */
export class SignatureNeeds {
  readonly #conf: CurrentConf;

  constructor(conf: CurrentConf) {
    this.#conf = conf;
  }

  /** Whether each package of `repository` needs its signature; null: of one that nobody named. */
  async isNeeded(repository: string | null): Promise<boolean> {
    const conf = await this.#conf.read();
    return conf === undefined || signatureLevel(conf, repository) === "required";
  }
}
