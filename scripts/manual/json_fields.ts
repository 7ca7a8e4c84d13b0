// The fields of what commands print with --json, from the types in src/cli/json_lines.ts and the
// comments beside their fields, by the TypeScript compiler.

import ts from "typescript";
import { rootPath } from "../std_source.ts";

const LINES = rootPath("src/cli/json_lines.ts");

/** One field of a line. */
export interface JsonField {
  /** As in `files.shared` and `sources[].peer`. */
  readonly path: string;
  /** What its value is, in words. */
  readonly type: string;
  /** What it says; undefined where no comment does. */
  readonly meaning: string | undefined;
  /** Whether a line may lack it. */
  readonly isOptional: boolean;
}

/** The fields of each kind of line, in the order of the types. */
export function jsonFields(): Map<string, JsonField[]> {
  const program = ts.createProgram([LINES], {
    noEmit: true,
    allowImportingTsExtensions: true,
    strict: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: [],
  });
  const lines = program.getSourceFile(LINES)!.statements
    .find((one) => ts.isInterfaceDeclaration(one) && one.name.text === "JsonLines");
  const reader = new FieldReader(program.getTypeChecker());
  return reader.kinds((lines as ts.InterfaceDeclaration).name);
}

class FieldReader {
  readonly #checker: ts.TypeChecker;

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker;
  }

  kinds(name: ts.Identifier): Map<string, JsonField[]> {
    const kinds = this.#checker.getTypeAtLocation(name).getProperties();
    return new Map(kinds.map((kind) => [
      kind.name,
      [...this.#fields(this.#checker.getTypeOfSymbol(kind), "")],
    ]));
  }

  *#fields(type: ts.Type, prefix: string): Generator<JsonField> {
    for (const property of inOrder(type.getProperties())) {
      const path = `${prefix}${property.name}`;
      const value = this.#checker.getTypeOfSymbol(property);
      const isOptional = (property.flags & ts.SymbolFlags.Optional) !== 0;
      const comment = ts.displayPartsToString(property.getDocumentationComment(this.#checker));
      const meaning = comment.replace(/\{@\w+ (\w+)\}/g, "$1").replaceAll(/\s+/g, " ").trim();
      yield { path, type: this.#typeText(value), meaning: meaning || undefined, isOptional };
      yield* this.#below(value, path);
    }
  }

  /** The fields of what a field has in it. */
  *#below(type: ts.Type, path: string): Generator<JsonField> {
    const value = this.#checker.getNonNullableType(type);
    const element = this.#elementOf(value);
    if (element !== undefined) yield* this.#below(element, `${path}[]`);
    else if (this.#isObject(value)) yield* this.#fields(value, `${path}.`);
  }

  #typeText(type: ts.Type): string {
    const value = this.#checker.getNonNullableType(type);
    const isNullable = (type.flags & ts.TypeFlags.Union) !== 0 &&
      (type as ts.UnionType).types.some(({ flags }) => flags & ts.TypeFlags.Null);
    return `${this.#plainText(value)}${isNullable ? " or null" : ""}`;
  }

  #plainText(type: ts.Type): string {
    const element = this.#elementOf(type);
    if (element !== undefined) return `list of ${this.#plural(element)}`;
    if (this.#isObject(type)) return "object";
    const parts = type.isUnion() ? type.types : [type];
    if (parts.every((part) => part.flags & ts.TypeFlags.BooleanLike)) return "true or false";
    const literals = parts.flatMap((part) => part.isStringLiteral() ? [`"${part.value}"`] : []);
    // The compiler has an order of its own for them, which another version may not keep.
    if (literals.length === parts.length) return literals.sort().join(", ");
    return parts.some((part) => part.flags & ts.TypeFlags.NumberLike) ? "number" : "text";
  }

  #plural(type: ts.Type): string {
    return { object: "objects", number: "numbers" }[this.#plainText(type)] ?? "texts";
  }

  #elementOf(type: ts.Type): ts.Type | undefined {
    return this.#checker.isArrayLikeType(type)
      ? this.#checker.getIndexTypeOfType(type, ts.IndexKind.Number)
      : undefined;
  }

  /** A root and an id are texts that the types tell apart from others. */
  #isObject(type: ts.Type): boolean {
    const plain = ts.TypeFlags.StringLike | ts.TypeFlags.NumberLike | ts.TypeFlags.BooleanLike;
    if (type.flags & plain || type.isUnion()) return false;
    return !type.isIntersection() || type.types.every((part) => this.#isObject(part));
  }
}

/** What tells the event first, the rest as it is declared: the compiler has no order for a mapped type. */
function inOrder(properties: readonly ts.Symbol[]): ts.Symbol[] {
  const isAhead = ({ name }: ts.Symbol) => name === "event" || name === "file";
  const placeOf = ({ declarations }: ts.Symbol) => declarations?.[0]?.getStart() ?? 0;
  const fileOf = ({ declarations }: ts.Symbol) => declarations?.[0]?.getSourceFile().fileName ?? "";
  return properties.toSorted((a, b) =>
    Number(isAhead(b)) - Number(isAhead(a)) ||
    (fileOf(a) < fileOf(b) ? -1 : fileOf(a) > fileOf(b) ? 1 : placeOf(a) - placeOf(b))
  );
}
