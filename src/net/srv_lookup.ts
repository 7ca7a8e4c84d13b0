/** Asks DNS, as the system has it set up, for the SRV records of a name. */

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
