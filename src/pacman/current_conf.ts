/** pacman's configuration as it is now: it is read again when it may have changed. */

import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import { type PacmanConf, readPacmanConf } from "./pacman_conf.ts";

/** One configuration. */
export class CurrentConf {
  readonly #path: string;
  readonly #clock: Clock;
  #conf: Promise<PacmanConf | undefined> | undefined;
  #readMs = 0;

  /** @param path Of `pacman.conf`, absolute; it need not be there. */
  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** What it says, at most `limits.pacmanConfAgeMs` old; undefined when it cannot be read. */
  read(): Promise<PacmanConf | undefined> {
    const nowMs = this.#clock.nowMs();
    if (this.#conf === undefined || nowMs - this.#readMs >= limits.pacmanConfAgeMs) {
      this.#readMs = nowMs;
      this.#conf = readPacmanConf(this.#path).catch(() => undefined);
    }
    return this.#conf;
  }
}
