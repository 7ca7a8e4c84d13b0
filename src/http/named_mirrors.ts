/**
 * Which URLs are files of mirrors (origins) that somebody named in a configuration, as in a
 * mirrorlist. What asks is a URL that others chose, so nothing of it is believed:
 *
 *  1. Scheme, host, port, user and password are the mirror's own, compared after the URL was read as
 *     the HTTP client reads it; there is no query.
 *  2. Each part of the mirror's path stands at the same place in the URL's, and at least one follows.
 *     `$repo` and `$arch` stand for letters, digits and `@._+-` within one part.
 *  3. No part, once it is unescaped, is empty, leads elsewhere (`.`, `..`, also before a `;`), or holds
 *     a slash, a backslash, a percent sign or a control character: servers differ in how they read those.
 */

import { authorizationOf } from "../base/mirror_url.ts";

/** What is asked about. */
interface AskedUrl {
  /** Without user and password. */
  readonly url: URL;
  /** What would be sent there of them. */
  readonly authorization: string | null;
}

/** One mirror, taken apart. */
interface NamedMirror {
  readonly origin: string;
  readonly authorization: string | null;
  readonly parts: readonly (string | RegExp)[];
}

const VARIABLE = /\$(?:repo|arch)/;
/** What a variable may stand for; nothing that begins with a dot. */
const VARIABLE_VALUE = "[A-Za-z0-9@_+-][A-Za-z0-9@._+-]*";
// deno-lint-ignore no-control-regex
const UNSAFE = /^\.{1,2}(?:;|$)|[/\\%\u0000-\u001f\u007f]/;

/** The mirrors of a configuration. */
export class NamedMirrors {
  readonly #mirrors: readonly NamedMirror[];

  /** @param mirrors As they were written; what is no http or https URL is none. */
  constructor(mirrors: Iterable<string>) {
    this.#mirrors = [...new Set(mirrors)].flatMap((text) => namedMirror(text) ?? []);
  }

  /** Whether a URL is a file of one of them. */
  has({ url, authorization }: AskedUrl): boolean {
    // `href` is looked at, for a bare "?" leaves `search` empty.
    if (url.href.includes("?")) return false;
    const parts = partsOf(url);
    return parts !== undefined &&
      this.#mirrors.some((mirror) =>
        mirror.origin === url.origin && mirror.authorization === authorization &&
        parts.length > mirror.parts.length &&
        mirror.parts.every((part, index) => isPart(part, parts[index]!))
      );
  }
}

function namedMirror(text: string): NamedMirror | undefined {
  const url = URL.parse(text.replace(/\/+$/, ""));
  if (url === null || url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  if (/[?#]/.test(url.href)) return undefined;
  const parts = url.pathname === "/" ? [] : partsOf(url)?.map(pattern);
  const authorization = authorizationOf(url);
  return parts === undefined ? undefined : { origin: url.origin, authorization, parts };
}

/** The parts of a path, unescaped; undefined where one is not safe. */
function partsOf({ pathname }: URL): string[] | undefined {
  const parts: string[] = [];
  for (const escaped of pathname.slice(1).split("/")) {
    let part: string;
    try {
      part = decodeURIComponent(escaped);
    } catch {
      return undefined;
    }
    if (part === "" || UNSAFE.test(part)) return undefined;
    parts.push(part);
  }
  return parts;
}

function pattern(part: string): string | RegExp {
  if (!VARIABLE.test(part)) return part;
  const fixed = part.split(VARIABLE).map((text) => RegExp.escape(text));
  return new RegExp(`^${fixed.join(VARIABLE_VALUE)}$`);
}

function isPart(part: string | RegExp, text: string): boolean {
  return typeof part === "string" ? part === text : part.test(text);
}
