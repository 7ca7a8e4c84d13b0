/**
 * The mirrors (origins) that whoever runs the daemon has named: with `--mirror`, and as `Server` and
 * `CacheServer` in pacman's configuration. Users without the daemon's token may have it ask these
 * inside the network too, and no others.
 */

import { NamedMirrors } from "../../http/named_mirrors.ts";
import type { CurrentConf } from "../../pacman/current_conf.ts";
import type { PacmanConf } from "../../pacman/pacman_conf.ts";

/** What was read last, and what came of it. */
interface Known {
  readonly conf: PacmanConf | undefined;
  readonly mirrors: readonly string[] | undefined;
  readonly named: NamedMirrors;
}

/** The mirrors of one daemon. */
export class ConfiguredMirrors {
  readonly #mirrors: () => readonly string[] | undefined;
  readonly #conf: Pick<CurrentConf, "read">;
  #known: Known | undefined;

  /** @param mirrors Those of `--mirror`, as they are now; undefined without a gateway. */
  constructor(mirrors: () => readonly string[] | undefined, conf: Pick<CurrentConf, "read">) {
    this.#mirrors = mirrors;
    this.#conf = conf;
  }

  /** Those that are named now. */
  async current(): Promise<NamedMirrors> {
    const conf = await this.#conf.read();
    const mirrors = this.#mirrors();
    let known = this.#known;
    if (known === undefined || known.conf !== conf || known.mirrors !== mirrors) {
      const named = new NamedMirrors([...mirrors ?? [], ...serversOf(conf)]);
      this.#known = known = { conf, mirrors, named };
    }
    return known.named;
  }
}

function serversOf(conf: PacmanConf | undefined): string[] {
  return (conf?.repositories ?? []).flatMap(({ servers, cacheServers }) =>
    [...servers, ...cacheServers].map(({ value }) => value)
  );
}
