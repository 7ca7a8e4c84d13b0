/**
 * URLs of mirrors and of files at them, as people, pacman and other programs write them: checked
 * and taken apart. Nothing is opened here, and what is secret in them is never part of a message.
 */

import { utf8 } from "./bytes.ts";
import { UsageError } from "./errors.ts";
import { limits } from "./limits.ts";
import { nameProblem } from "./names.ts";

/** What has a scheme: no file's name has a slash. */
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/** Whether `text` is meant as a URL, rather than as a name. */
export function isUrl(text: string): boolean {
  return SCHEME.test(text);
}

/**
 * Reads a URL of one of `schemes`. A fragment is dropped; user, password and query are kept.
 *
 * @param options.what The flag or argument, for messages.
 * @throws {UsageError} when it is none, or too long.
 */
export function parseUrl(
  text: string,
  options: { readonly what: string; readonly schemes: readonly ("http" | "https" | "file")[] },
): URL {
  const { what, schemes } = options;
  const problem = (reason: string) => {
    const shown = withoutSecrets(text);
    const clipped = shown.length > 80 ? `${shown.slice(0, 80)}...` : shown;
    return new UsageError(`Cannot use ${what} ${JSON.stringify(clipped)}: ${reason}`, {
      hint: "Write a whole URL, for instance http://mirror.example.org/file.",
    });
  };
  const bytes = utf8(text).length;
  if (bytes > limits.urlBytesMax) {
    throw problem(`it has ${bytes} bytes, at most ${limits.urlBytesMax}`);
  }
  // The parser would leave some of them out without a word.
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u0020\u007f]/.test(text)) throw problem("it contains a blank or control character");
  if (!SCHEME.test(text)) throw problem("it is not a URL with a scheme");
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw problem("it is not a URL");
  }
  const scheme = url.protocol.slice(0, -1);
  if (!schemes.some((one) => one === scheme)) {
    throw problem(`its scheme is not one of ${schemes.join(", ")}`);
  }
  if (scheme === "file" && url.host !== "" && url.host !== "localhost") {
    throw problem("a file URL names no host: the file is on this machine");
  }
  if (url.port === "0") throw problem("nobody can be asked at port 0");
  url.hash = "";
  // What is escaped has grown: it is the escaped form that travels.
  if (utf8(url.href).length > limits.urlBytesMax) {
    throw problem(`it has more than ${limits.urlBytesMax} bytes once it is escaped`);
  }
  return url;
}

/**
 * The name of the file behind a URL: the last part of its path, unescaped.
 *
 * @throws {UsageError} when that cannot be a file's name.
 */
export function nameOfUrl(url: URL): string {
  const last = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
  const problem = (reason: string) =>
    new UsageError(`Cannot use ${withoutSecrets(url.href)}: ${reason}`, {
      hint: "The last part of a URL's path is the name under which the file is sought.",
    });
  if (last === "") throw problem("it names a directory, not a file");
  let name: string;
  try {
    name = decodeURIComponent(last);
  } catch {
    throw problem("the escapes in the last part of its path are not UTF-8");
  }
  const wrong = nameProblem(name);
  if (wrong !== undefined) throw problem(`its last part is not a file's name: ${wrong}`);
  return name;
}

/** Where a URL leads, as `HOST` or `HOST:PORT`; "file" for what lies on this machine. */
export function hostOfUrl(url: URL): string {
  return url.protocol === "file:" ? "file" : url.host;
}

/**
 * `text` without the user, password and query that a URL may hold, whether or not it is a URL that
 * can be read: a password that was not escaped may hold any character.
 */
export function withoutSecrets(text: string): string {
  const scheme = SCHEME.exec(text)?.[0] ?? "";
  const at = text.lastIndexOf("@");
  const query = text.search(/[?#]/);
  // Part of the password or of the query: nobody can say which.
  if (at > query && query >= 0) return `${scheme}...`;
  const rest = text.slice(at < 0 ? scheme.length : at + 1);
  return scheme + rest.replace(/[?#].*$/s, "");
}

/** The Authorization that the user and password of a URL make; null when it has neither. */
export function authorizationOf({ username, password }: URL): string | null {
  if (username === "" && password === "") return null;
  const bytes = utf8(`${unescaped(username)}:${unescaped(password)}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** What cannot be unescaped was not escaped. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether a file of this name is a repository's database, or the signature of one. */
export function isDatabaseName(name: string): boolean {
  return /\.(?:db|files)(?:\.tar(?:\.[a-z0-9]+)?)?(?:\.sig)?$/.test(name);
}
