/**
 * Whether the pacman of a configuration takes no package of a repository without its signature. The
 * configuration is read again when it may have changed. One that cannot be read is taken for
 * pacman's default, which requires signatures.
 */

import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import { type PacmanConf, readPacmanConf } from "./pacman_conf.ts";
import { signatureLevel } from "./signature_level.ts";

/** Answers for one configuration. */
export class SignatureNeeds {
  readonly #path: string;
  readonly #clock: Clock;
  #conf: Promise<PacmanConf | undefined> | undefined;
  #readMs = 0;

  /** @param path Of `pacman.conf`, absolute; it need not be there. */
  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** Whether each package of `repository` needs its signature; null: of one that nobody named. */
  async isNeeded(repository: string | null): Promise<boolean> {
    const nowMs = this.#clock.nowMs();
    if (this.#conf === undefined || nowMs - this.#readMs >= limits.pacmanConfAgeMs) {
      this.#readMs = nowMs;
      this.#conf = readPacmanConf(this.#path).catch(() => undefined);
    }
    const conf = await this.#conf;
    return conf === undefined || signatureLevel(conf, repository) === "required";
  }
}
