/** Random messages of every kind, built from the shapes in the field table. */

import fc from "fast-check";
import { utf8 } from "../../../src/base/bytes.ts";
import { type OfKind, unreachable } from "../../../src/base/errors.ts";
import type { Field, Shape } from "../../../src/wire/fields.ts";
import { type Message, type MessageKind, MESSAGES } from "../../../src/wire/messages.ts";

/** The names of all messages. */
export const messageKinds = Object.keys(MESSAGES) as MessageKind[];

/** A random message of one kind, with values at their bounds more often than by chance. */
export function messageOfKind(kind: MessageKind): fc.Arbitrary<Message> {
  const { shape } = MESSAGES[kind].fields as Field<unknown>;
  return (ofShape(shape) as fc.Arbitrary<Record<string, unknown>>)
    .map((values) => ({ kind, ...values }) as unknown as Message);
}

/** A random message of any kind. */
export const anyMessage: fc.Arbitrary<Message> = fc.oneof(...messageKinds.map(messageOfKind));

function ofShape(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case "integer":
      return integer(Math.min(2 ** shape.bits - 1, Number.MAX_SAFE_INTEGER));
    case "flag":
      return fc.boolean();
    case "raw": {
      const { bytes, form } = shape;
      const array = fc.uint8Array({ minLength: bytes, maxLength: bytes });
      return form === "bytes" ? array : array.map((value) => value.toHex());
    }
    case "bytes":
      return fc.uint8Array({ maxLength: Math.min(shape.lengthMax, 300) });
    case "text":
      return text(shape);
    case "list":
      return fc.array(ofShape(shape.item), { maxLength: Math.min(shape.countMax, 12) });
    case "nullable":
      return fc.option(ofShape(shape.item));
    case "one-of":
      return fc.constantFrom(...shape.values);
    case "struct":
      return fc.record(
        Object.fromEntries(shape.fields.map(([name, field]) => [name, ofShape(field)])),
      );
    default:
      return unreachable(shape);
  }
}

function integer(max: number): fc.Arbitrary<number> {
  return fc.oneof(
    fc.constantFrom(0, 1, max, max - 1, Math.min(max, 0xffff_ffff), Math.min(max, 2 ** 32)),
    fc.maxSafeNat().map((value) => value % (max + 1)),
  );
}

function text(shape: OfKind<Shape, "text">): fc.Arbitrary<string> {
  const { lengthMax, problem } = shape;
  const plain = fc.string({ unit: "grapheme", maxLength: 40 });
  const full = fc.constant("x".repeat(Math.min(lengthMax, 5_000)));
  const some = fc.oneof(plain, full, fc.ipV4(), fc.ipV6(), fc.constant(""), fc.constant("a b.c"));
  return some.filter((value) => utf8(value).length <= lengthMax && problem?.(value) === undefined);
}
