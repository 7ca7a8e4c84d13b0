/**
 * The vocabulary of the codec: small fields that know how to write and read themselves, and
 * `struct`, which puts them in order. Every variable length is bounded where it is declared.
 */

import { ByteReader, ByteWriter, toHex } from "../base/bytes.ts";
import { PeerFault } from "../base/errors.ts";

/** One value on the wire. */
export interface Field<T> {
  write(writer: ByteWriter, value: T): void;
  read(reader: ByteReader): T;
  /** The most bytes that a value can take. */
  readonly bytesMax: number;
  readonly shape: Shape;
}

/** What a field is made of: the tests hold the codec, PROTOCOL.md and CLIENT_API.md to this. */
export type Shape =
  | { readonly kind: "integer"; readonly bits: 8 | 16 | 32 | 64 }
  | { readonly kind: "flag" }
  /** So many bytes, in memory as an array or as hexadecimal. */
  | { readonly kind: "raw"; readonly bytes: number; readonly form: "bytes" | "hex" }
  /** A u32 length before so many bytes. */
  | { readonly kind: "bytes"; readonly lengthMax: number }
  /** A length of so many bits before so many bytes of UTF-8, in which there is no `problem`. */
  | {
    readonly kind: "text";
    readonly lengthBits: 16 | 32;
    readonly lengthMax: number;
    readonly problem?: (value: string) => string | undefined;
  }
  | { readonly kind: "list"; readonly item: Shape; readonly countMax: number }
  | { readonly kind: "nullable"; readonly item: Shape }
  | { readonly kind: "one-of"; readonly values: readonly string[] }
  | { readonly kind: "struct"; readonly fields: readonly (readonly [name: string, Shape])[] };

/** The value type of a field. */
export type ValueOf<F> = F extends Field<infer T> ? T : never;

/** The object type of a record of fields. */
type ValuesOf<S> = { readonly [K in keyof S]: ValueOf<S[K]> };

export const u8 = integer(8, (writer, value) => writer.u8(value), (reader) => reader.u8());
export const u16 = integer(16, (writer, value) => writer.u16(value), (reader) => reader.u16());
export const u32 = integer(32, (writer, value) => writer.u32(value), (reader) => reader.u32());
/** An unsigned 64-bit integer of at most 2^53 - 1. */
export const u64 = integer(64, (writer, value) => writer.u64(value), (reader) => reader.u64());

function integer(
  bits: 8 | 16 | 32 | 64,
  write: Field<number>["write"],
  read: Field<number>["read"],
): Field<number> {
  return { write, read, bytesMax: bits / 8, shape: { kind: "integer", bits } };
}

/** A u8 that is 0 or 1. */
export const flag: Field<boolean> = {
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read(reader) {
    const value = reader.u8();
    if (value > 1) throw new PeerFault("malformed", `Cannot read flag: ${value} is not 0 or 1`);
    return value === 1;
  },
  bytesMax: 1,
  shape: { kind: "flag" },
};

/** Exactly `length` raw bytes. */
export function fixedBytes(length: number): Field<Uint8Array> {
  return {
    write(writer, value) {
      if (value.length !== length) {
        throw new RangeError(`Cannot write bytes: ${value.length} given, the field has ${length}`);
      }
      writer.bytes(value);
    },
    read: (reader) => reader.bytes(length),
    bytesMax: length,
    shape: { kind: "raw", bytes: length, form: "bytes" },
  };
}

/** Exactly `length` raw bytes, in memory as lower-case hexadecimal of the type `T`. */
export function hex<T extends string = string>(length: number): Field<T> {
  return {
    write(writer, value) {
      if (value.length !== 2 * length) {
        throw new RangeError(
          `Cannot write hexadecimal: ${value.length} digits for ${length} bytes`,
        );
      }
      writer.hex(value);
    },
    read: (reader) => toHex(reader.view(length)) as T,
    bytesMax: length,
    shape: { kind: "raw", bytes: length, form: "hex" },
  };
}

/** u32 length, then that many raw bytes. */
export function bytes(lengthMax: number): Field<Uint8Array> {
  return {
    write(writer, value) {
      checkLength(value.length, lengthMax);
      writer.u32(value.length);
      writer.bytes(value);
    },
    read: (reader) => reader.bytes(boundedLength(reader.u32(), lengthMax)),
    bytesMax: 4 + lengthMax,
    shape: { kind: "bytes", lengthMax },
  };
}

/** u16 length, then that many bytes of UTF-8. */
export function text(lengthMax: number): Field<string> {
  return textField(16, lengthMax);
}

/** u32 length, then that many bytes of UTF-8: for JSON, which outgrows a u16. */
export function longText(lengthMax: number): Field<string> {
  return textField(32, lengthMax);
}

function textField(lengthBits: 16 | 32, lengthMax: number): Field<string> {
  const isShort = lengthBits === 16;
  return {
    write(writer, value) {
      const at = writer.length;
      if (isShort) writer.u16(0);
      else writer.u32(0);
      const length = writer.text(value);
      checkLength(length, lengthMax);
      if (isShort) writer.setU16(at, length);
      else writer.setU32(at, length);
    },
    read(reader) {
      return reader.text(boundedLength(isShort ? reader.u16() : reader.u32(), lengthMax));
    },
    bytesMax: lengthBits / 8 + lengthMax,
    shape: { kind: "text", lengthBits, lengthMax },
  };
}

/** u16 count, then that many items. */
export function list<T>(item: Field<T>, countMax: number): Field<readonly T[]> {
  return {
    write(writer, value) {
      checkLength(value.length, countMax);
      writer.u16(value.length);
      for (const one of value) item.write(writer, one);
    },
    read(reader) {
      const count = boundedLength(reader.u16(), countMax);
      const items: T[] = [];
      for (let i = 0; i < count; i++) items.push(item.read(reader));
      return items;
    },
    bytesMax: 2 + countMax * item.bytesMax,
    shape: { kind: "list", item: item.shape, countMax },
  };
}

/** A flag, then the value if the flag is 1; in memory the value or null. */
export function nullable<T>(item: Field<T>): Field<T | null> {
  return {
    write(writer, value) {
      flag.write(writer, value !== null);
      if (value !== null) item.write(writer, value);
    },
    read: (reader) => flag.read(reader) ? item.read(reader) : null,
    bytesMax: 1 + item.bytesMax,
    shape: { kind: "nullable", item: item.shape },
  };
}

/** A u8 that stands for one of `values`, counted from 1. */
export function oneOf<const T extends readonly string[]>(values: T): Field<T[number]> {
  return {
    write(writer, value) {
      const index = values.indexOf(value);
      if (index < 0) throw new RangeError(`Cannot write ${JSON.stringify(value)}: not known`);
      writer.u8(index + 1);
    },
    read(reader) {
      const code = reader.u8();
      const value = values[code - 1];
      if (value === undefined) {
        throw new PeerFault("malformed", `Cannot read code: ${code} is not one of ${values}`);
      }
      return value;
    },
    bytesMax: 1,
    shape: { kind: "one-of", values },
  };
}

/** A text that `problem` finds nothing wrong with: it returns the reason, or undefined. */
export function checkedText(
  field: Field<string>,
  problem: (value: string) => string | undefined,
): Field<string> {
  return {
    write: field.write,
    read(reader) {
      const value = field.read(reader);
      const reason = problem(value);
      if (reason !== undefined) {
        throw new PeerFault("malformed", `Cannot read text ${JSON.stringify(value)}: ${reason}`);
      }
      return value;
    },
    bytesMax: field.bytesMax,
    shape: field.shape.kind === "text" ? { ...field.shape, problem } : field.shape,
  };
}

/** Fields one after another, as an object. */
export function struct<S extends Record<string, Field<unknown>>>(fields: S): Field<ValuesOf<S>> {
  const entries = Object.entries(fields);
  let bytesMax = 0;
  for (const [, field] of entries) bytesMax += field.bytesMax;
  return {
    write(writer, value) {
      for (const [key, field] of entries) field.write(writer, value[key as keyof S]);
    },
    read(reader) {
      const value: Record<string, unknown> = {};
      for (const [key, field] of entries) value[key] = field.read(reader);
      return value as ValuesOf<S>;
    },
    bytesMax,
    shape: { kind: "struct", fields: entries.map(([key, field]) => [key, field.shape]) },
  };
}

function checkLength(length: number, lengthMax: number): void {
  if (length > lengthMax) {
    throw new RangeError(`Cannot write field: length ${length} exceeds ${lengthMax}`);
  }
}

function boundedLength(length: number, lengthMax: number): number {
  if (length > lengthMax) {
    throw new PeerFault("oversized", `Cannot read field: length ${length} exceeds ${lengthMax}`);
  }
  return length;
}
