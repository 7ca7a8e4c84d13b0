/** The types of fields as PROTOCOL.md and CLIENT_API.md write them, from the shapes in the field table. */

import { type OfKind, unreachable } from "../../../src/base/errors.ts";
import type { Field, Shape } from "../../../src/wire/fields.ts";
import { MESSAGES } from "../../../src/wire/messages.ts";

type StructShape = OfKind<Shape, "struct">;

/** Structures that have a name on the page, innermost first. */
export const STRUCTURES: readonly (readonly [name: string, StructShape])[] = [
  ["Range", structAt("reject", "range")],
  ["Address", itemAt("peers", "addresses")],
  ["Sought", structAt("query", "sought")],
  ["Offer", structAt("offer", "file")],
  ["Source", itemAt("done", "sources")],
  ["Mirror", itemAt("done", "mirrors")],
  ["Other", itemAt("choice", "others")],
  ["Entry", itemAt("remove", "files")],
  ["Load", structAt("refresh", "load")],
  ["Listed", itemAt("advertise", "files")],
  ["Known", itemAt("metadata", "files")],
  ["Fellow", itemAt("fellows", "fellows")],
  ["Holder", itemAt("holders", "holders")],
];

/** A type as the tables of the page have it. */
export function typeText(shape: Shape): string {
  switch (shape.kind) {
    case "integer":
      return `u${shape.bits}`;
    case "flag":
      return "flag";
    case "raw":
      return `raw[${shape.bytes}]`;
    case "bytes":
      return `bytes ≤ ${shape.lengthMax}`;
    case "text":
      return `${shape.lengthBits === 32 ? "long text" : "text"} ≤ ${shape.lengthMax}`;
    case "list":
      return `list ≤ ${shape.countMax} of ${typeText(shape.item)}`;
    case "nullable":
      return `optional ${typeText(shape.item)}`;
    case "one-of":
      return `code: ${shape.values.join(", ")}`;
    case "struct": {
      const named = STRUCTURES.find(([, other]) => expansion(other) === expansion(shape));
      return named === undefined ? expansion(shape) : named[0];
    }
    default:
      return unreachable(shape);
  }
}

/** The fields of a structure, one after another. */
export function expansion(shape: StructShape): string {
  return shape.fields.map(([name, field]) => `\`${name}\` ${typeText(field)}`).join("; ");
}

/** The fields of a message. */
export function fieldsOf(kind: keyof typeof MESSAGES): StructShape["fields"] {
  return structOf((MESSAGES[kind].fields as Field<unknown>).shape).fields;
}

function structAt(kind: keyof typeof MESSAGES, field: string): StructShape {
  return structOf(fieldsOf(kind).find(([name]) => name === field)?.[1]);
}

function itemAt(kind: keyof typeof MESSAGES, field: string): StructShape {
  const shape = fieldsOf(kind).find(([name]) => name === field)?.[1];
  return structOf(shape?.kind === "list" ? shape.item : shape);
}

function structOf(shape: Shape | undefined): StructShape {
  if (shape?.kind !== "struct") throw new TypeError(`not a structure: ${JSON.stringify(shape)}`);
  return shape;
}
