/**
 * The nodes that the daemon met, in a file of the data directory: its next run dials them at once,
 * though none of those that a person named is up.
 *
 * A file that cannot be read, or is of another network, counts as empty: it is help, no state.
 */

import { join } from "@std/path";
import type { HostPort } from "../../base/address.ts";
import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Logger } from "../../base/log.ts";
import { isFileThere, removeIfThere } from "../../store/files/io.ts";
import { formatAddress, isNowhere } from "../../wire/host.ts";

interface KnownNodesOptions {
  readonly dataDir: string;
  /** Its name; nodes of another one are of no use. */
  readonly network: string;
  readonly log: Logger;
}

/** The nodes that one daemon remembers over its end. */
export class KnownNodes {
  /** Those of the run before. */
  readonly atStart: readonly HostPort[];
  readonly #path: string;
  readonly #options: KnownNodesOptions;
  /** What the file says; null before it is written. */
  #written: string | null = null;
  #hasFailed = false;

  /** Reads what the run before wrote. */
  constructor(options: KnownNodesOptions) {
    this.#path = join(options.dataDir, "nodes.json");
    this.#options = options;
    this.atStart = this.#read();
  }

  /** Writes down whom this run met, if that has changed. Never throws: a full disk costs only this. */
  save(nodes: readonly HostPort[]): void {
    const addresses = nodes.map(({ host, port }) => formatAddress(host, port)).sort();
    const text = JSON.stringify({ network: this.#options.network, nodes: addresses }) + "\n";
    if (text === this.#written || (nodes.length === 0 && this.#written === null)) return;
    try {
      // Renamed: a crash leaves the old one or the new one, and no half.
      const temporary = `${this.#path}.new`;
      removeIfThere(temporary);
      Deno.writeTextFileSync(temporary, text, { createNew: true });
      Deno.renameSync(temporary, this.#path);
      this.#written = text;
      this.#hasFailed = false;
    } catch (error) {
      const { log } = this.#options;
      const fields = { path: this.#path, error: messageOf(error) };
      if (!this.#hasFailed) log.warn("cannot write down whom this node met", fields);
      this.#hasFailed = true;
    }
  }

  #read(): HostPort[] {
    try {
      if (!isFileThere(this.#path)) return [];
      if (Deno.statSync(this.#path).size > limits.knownNodesBytesMax) return [];
      return addressesIn(JSON.parse(Deno.readTextFileSync(this.#path)), this.#options.network);
    } catch (error) {
      const fields = { path: this.#path, error: messageOf(error) };
      this.#options.log.info("cannot read whom the last run met", fields);
      return [];
    }
  }
}

function addressesIn(json: unknown, network: string): HostPort[] {
  const { network: ofNetwork, nodes } = json as { network?: unknown; nodes?: unknown };
  if (ofNetwork !== network || !Array.isArray(nodes)) return [];
  return nodes.slice(0, limits.knownNodesMax).flatMap((text) => {
    const match = /^\[?([0-9a-fA-F:.]+?)\]?:([0-9]{1,5})$/.exec(String(text));
    const [host, port] = [match?.[1] ?? "", Number(match?.[2])];
    return port > 0 && port <= 0xffff && !isNowhere(host) ? [{ host, port }] : [];
  });
}
