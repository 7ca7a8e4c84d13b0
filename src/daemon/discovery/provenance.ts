/** Who said what is known of a file, as reports name them. */

/** This node itself has it. */
export const HERE = "here";
/** A node that has it answered a query, over the links. */
export const FLOOD = "flood";

/** "here", "flood", then the directories in order. */
export function provenance(from: ReadonlySet<string>): string[] {
  const directories = [...from].filter((one) => one !== HERE && one !== FLOOD).sort();
  return [...[HERE, FLOOD].filter((one) => from.has(one)), ...directories];
}
