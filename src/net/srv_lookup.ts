/** Asks DNS, as the system has it set up, for the SRV records of a name. */

import { messageOf } from "../base/errors.ts";
import type { LinkProblem } from "./link_problem.ts";

/** One record; a target is a name without the dot at its end. */
interface SrvRecord {
  readonly host: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Looks a name up. */
export type SrvLookup = (name: string, options: { readonly signal: AbortSignal }) => Promise<
  readonly SrvRecord[]
>;

/** @throws {Error} of any kind when nobody answers, or there are none. */
export const lookUpSrv: SrvLookup = async (name, { signal }) => {
  const records = await Deno.resolveDns(name, "SRV", { signal });
  return records.map(({ target, port, priority, weight }) => ({
    host: target.replace(/\.$/, ""),
    port,
    priority,
    weight,
  }));
};

/** Why a look-up failed, and what to do. Deno does not tell a server that fails from one without records. */
export function srvProblem(error: unknown, name: string): LinkProblem {
  if (error instanceof Deno.errors.NotFound) {
    return {
      code: "name-not-found",
      text: `DNS has no SRV records of that name: \`dig SRV ${name}\` shows what it says`,
    };
  }
  if (error instanceof Deno.errors.TimedOut) {
    return {
      code: "no-name-server",
      text: "no name server answers: see to the network, and to /etc/resolv.conf",
    };
  }
  return { code: "other", text: messageOf(error) };
}
