// Types for the plain JavaScript behind parse_args.ts. What is accepted here is accepted by
// @std/cli/parse-args with the same result type; not the other way round: names with dots and the
// untyped form (no `boolean`, `string` or `collect` given) are `unknown` here.

type Name = string | undefined;
type Names<N extends Name> = N | ReadonlyArray<Extract<N, string>>;
type Aliases = Readonly<Record<string, string | ReadonlyArray<string>>>;

/** The type of one value: `false` joins it when the flag can be negated. */
type Negated<T, K, Negatable extends Name> = K extends Negatable ? T | false : T;

/** The flags with their own names, as if no default were given. */
type Declared<
  Booleans extends Name,
  Strings extends Name,
  Collected extends Name,
  Negatable extends Name,
> =
  & { [K in Extract<Exclude<Strings, Collected>, string>]?: Negated<string, K, Negatable> }
  & { [K in Extract<Strings & Collected, string>]: Negated<string[], K, Negatable> }
  & { [K in Extract<Exclude<Booleans, Collected>, string>]: boolean }
  & { [K in Extract<Booleans & Collected, string>]: boolean[] }
  & {
    [K in Extract<Exclude<Collected, Booleans | Strings>, string>]: Negated<
      unknown[],
      K,
      Negatable
    >;
  };

/** `Flags` where each flag with a default is always there. */
type WithDefaults<Flags, Defaults> =
  & Omit<Flags, keyof Defaults>
  & {
    [K in keyof Defaults]: K extends keyof Flags ? NonNullable<Flags[K]> | Defaults[K] : unknown;
  };

/** The aliases of one flag. */
type AliasesOf<K, Alias> = K extends keyof Alias
  ? Alias[K] extends string ? Alias[K] : Alias[K] extends ReadonlyArray<infer A extends string> ? A
  : never
  : never;

/** `Flags` with each flag also under its aliases. */
type WithAliases<Flags, Alias> = {
  [K in keyof Flags as K | AliasesOf<K, Alias>]: Flags[K];
};

/** The value returned from `parseArgs`. */
export type Args<
  Flags = Record<string, unknown>,
  DoubleDash extends boolean | undefined = undefined,
> =
  & Record<string, unknown>
  & Flags
  & { _: Array<string | number> }
  & (true extends DoubleDash ? { "--": string[] } : Record<never, never>);

/** The options of `parseArgs`. */
export interface ParseOptions<
  Booleans extends Name = Name,
  Strings extends Name = Name,
  Collected extends Name = Name,
  Negatable extends Name = Name,
  Defaults extends Record<string, unknown> | undefined = Record<string, unknown> | undefined,
  Alias extends Aliases | undefined = Aliases | undefined,
  DoubleDash extends boolean | undefined = boolean | undefined,
> {
  /** Whether what comes after `--` goes into the result's `--` instead of `_`. */
  "--"?: DoubleDash;
  /** Other names of flags. */
  alias?: Alias;
  /** The flags that take no value; `false` unless given. */
  boolean?: Names<Booleans>;
  /** What a flag has when it is not given. */
  default?: Defaults;
  /** Whether all that follows the first word without a dash goes into `_`. */
  stopEarly?: boolean;
  /** The flags that take a value. */
  string?: Names<Strings>;
  /** The flags that can be given several times; `[]` unless given. */
  collect?: Names<Collected>;
  /** The flags that `--no-` turns into `false`. */
  negatable?: Names<Negatable>;
  /** Called for every word that is no known flag; `false` drops the word. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Parses the words of a command line, without the program's own name, into flags and the rest. */
export function parseArgs<
  Booleans extends Name = undefined,
  Strings extends Name = undefined,
  Collected extends Name = undefined,
  Negatable extends Name = undefined,
  Defaults extends Record<string, unknown> | undefined = undefined,
  const Alias extends Aliases | undefined = undefined,
  DoubleDash extends boolean | undefined = undefined,
>(
  args: string[],
  options?: ParseOptions<Booleans, Strings, Collected, Negatable, Defaults, Alias, DoubleDash>,
): Args<
  WithAliases<
    Defaults extends undefined ? Declared<Booleans, Strings, Collected, Negatable>
      : WithDefaults<Declared<Booleans, Strings, Collected, Negatable>, Defaults>,
    Alias
  >,
  DoubleDash
>;
