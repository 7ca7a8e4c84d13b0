// Holds what a command prints with --json to JSON.md: each field is there, and the page has each field.

import { assertEquals } from "@std/assert";
import { readPage, tableAfter } from "../../cli/pages.ts";

/** The fields of one object: whether each may be missing. */
type Fields = ReadonlyMap<string, { readonly isOptional: boolean }>;

/** The fields of each kind of line that the page has. */
const KINDS: ReadonlyMap<string, Fields> = await readKinds();

/**
 * Checks all lines that a command printed; gives the kinds that were among them.
 *
 * @param command As in the headings of the page; of `fetch`, the lines tell their event.
 */
export function checkJsonLines(command: string, stdout: string): string[] {
  return stdout.split("\n").filter((line) => line !== "").map((line) => {
    const value = JSON.parse(line) as Record<string, unknown>;
    const kind = command === "fetch"
      ? `fetch ${value["event"]}`
      : "leftOut" in value
      ? "left out"
      : command;
    const fields = KINDS.get(kind);
    if (fields === undefined) throw new Error(`JSON.md has no section for ${kind}: ${line}`);
    checkObject(value, { kind, fields, prefix: "" });
    return kind;
  });
}

/** The kinds that the page has. */
export function documentedKinds(): string[] {
  return [...KINDS.keys()];
}

interface Place {
  readonly kind: string;
  readonly fields: Fields;
  /** What stands before the names of its fields. */
  readonly prefix: string;
}

function checkObject(value: Record<string, unknown>, place: Place): void {
  const { kind, fields, prefix } = place;
  const own = [...fields].filter(([path]) =>
    path.startsWith(prefix) && !/[.[]/.test(path.slice(prefix.length))
  );
  const named = own.map(([path]) => path.slice(prefix.length));
  const strange = Object.keys(value).filter((name) => !named.includes(name));
  assertEquals(strange.map((name) => prefix + name), [], `${kind} has fields that JSON.md has not`);
  const missing = own.filter(([path, { isOptional }]) =>
    !isOptional && !(path.slice(prefix.length) in value)
  );
  assertEquals(missing.map(([path]) => path), [], `JSON.md has fields that ${kind} has not`);
  for (const [name, inner] of Object.entries(value)) {
    const path = prefix + name;
    const items = Array.isArray(inner) ? inner : [inner];
    for (const item of items) {
      if (typeof item !== "object" || item === null) continue;
      checkObject(item, { ...place, prefix: Array.isArray(inner) ? `${path}[].` : `${path}.` });
    }
  }
}

async function readKinds(): Promise<Map<string, Fields>> {
  const page = await readPage("src/cli/JSON.md");
  const headings = [...page.matchAll(/^## (?:pacsrv )?(.+)$/gm)];
  return new Map(headings.map(([heading, name]) => {
    const [, , ...rows] = tableAfter(page, `${heading}\n`)!;
    const fields = rows.map(([path, type]) =>
      [path!.replaceAll("`", ""), { isOptional: type!.includes("_optional_") }] as const
    );
    return [name === "What is left out" ? "left out" : name!, new Map(fields)];
  }));
}
