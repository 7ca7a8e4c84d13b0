/** What a `pacsrv fetch` is to do, from its flags alone: nothing is opened, dialled or written. */

import type { HostPort } from "../../base/address.ts";
import { UsageError } from "../../base/errors.ts";
import { isHash, parseHash, parseRoot, type Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { hostOfUrl, isDatabaseName, isUrl, nameOfUrl, parseUrl } from "../../base/mirror_url.ts";
import { checkName, isPattern } from "../../base/names.ts";
import type { FetchRequest } from "../../client/types.ts";
import { formatAddress } from "../arguments/address.ts";
import { type Arguments, refuseMisuse } from "../arguments/arguments.ts";
import { parseChunks, parseSize, secondsFromZero, secondsUpTo } from "../arguments/values.ts";
import { parseDialledClient, parsePeer, readDirectories } from "../settings/network_settings.ts";
import { givenClient } from "../settings/same_daemon.ts";
import { clientFlags, commandLine } from "../terminal/command_words.ts";

/** How progress is shown. */
export type FetchStyle = "people" | "json" | "quiet";

/** Where a file is, if nobody else gives it. */
interface FetchUrl {
  readonly url: URL;
  /** For people: HOST or HOST:PORT, or "file". */
  readonly host: string;
  readonly isFile: boolean;
  /** Whether it changes under its name, so that neither others nor old bytes of it will do. */
  readonly isDatabase: boolean;
}

/** A fetch, checked. */
export interface FetchPlan {
  readonly request: FetchRequest;
  /** What is sought, for messages. */
  readonly label: string;
  /** Whether the name came from the network, so that it never replaces a file. */
  readonly isNamedByOthers: boolean;
  /** `-o`: undefined when it is not given. */
  readonly output: string | undefined;
  /** Null when a name or root is sought, and not a URL. */
  readonly url: FetchUrl | null;
  /** The directory of the databases that say what the file must be. */
  readonly syncDbDir: string | undefined;
  readonly style: FetchStyle;
  /** Whether a daemon is not even looked for. */
  readonly isAlone: boolean;
  readonly client: HostPort;
  /** Whether that daemon, and no own node, is meant. */
  readonly isClientGiven: boolean;
  readonly peers: readonly HostPort[];
  readonly directories: readonly HostPort[];
}

/** The daemon that a person named, as HOST:PORT. */
export function clientOf(
  { client, isClientGiven }: Pick<FetchPlan, "client" | "isClientGiven">,
): string | undefined {
  return isClientGiven ? formatAddress(client) : undefined;
}

/**
 * Reads the flags of a fetch.
 *
 * @param found The name of one of several files that match, in place of the one on the command line.
 * @throws {UsageError} when one cannot be read, or two contradict each other.
 */
export function readFetchPlan(args: Arguments, found?: string): FetchPlan {
  const chunks = args.optional("chunks", parseChunks) ?? null;
  const output = args.text("output");
  const isAlone = args.has("alone");
  const peers = args.values("peer", parsePeer);
  const directories = readDirectories(args);
  const { name, root, url } = found === undefined
    ? readSought(args)
    : { name: checkName(found), root: null, url: null };
  const request: FetchRequest = {
    name,
    root,
    sha256: args.optional("sha256", parseHash) ?? null,
    sizeBytes: args.optional("size", parseSize) ?? null,
    chunks,
    deliver: chunks === null || output !== undefined,
    timeoutMs: args.optional("timeout", secondsUpTo(limits.fetchTimeoutMsMax)) ?? 0,
    searchMs: url === null ? 0 : limits.urlSearchMs,
    mirrors: url === null || url.isFile ? [] : [url.url.href],
    mirrorDelayMs: args.optional("mirror-delay", secondsFromZero(limits.mirrorDelayMsMax)) ?? null,
    background: args.has("background"),
  };
  const { sha256, deliver } = request;
  const isUnknown = url === null && peers.length === 0 && directories.length === 0;
  const isAnyCalledSo = root === null && sha256 === null && request.sizeBytes === null;
  const matchCommand = commandLine("fetch", [["match", name], ...clientFlags(givenClient(args))]);
  refuseMisuse([
    [
      found === undefined && url === null && isAnyCalledSo && isPattern(name),
      `${JSON.stringify(name)} as a name: it is a pattern`,
      `To get all files that match: \`${matchCommand}\`. It also finds a name with such signs in it.`,
    ],
    [
      args.isGiven("all") && !args.isGiven("match"),
      "--all without --match: it allows a pattern to match many files",
      "To get all files that match: pacsrv fetch --match 'PATTERN' --all",
    ],
    [
      args.has("json") && args.has("quiet"),
      "--json and --quiet together: the one prints, the other does not",
    ],
    [
      args.has("json") && output === "-",
      "--json with -o -: both would write to stdout",
      "Write the file elsewhere with -o FILE.",
    ],
    [
      isAlone && args.isGiven("client"),
      "--alone and --client together: --alone asks no daemon",
    ],
    [
      isAlone && isUnknown,
      "--alone without --peer or --directory: there is no node to ask",
      "Name a node to ask: --peer HOST:PORT. Or a directory: --directory HOST:PORT",
    ],
    [
      isAlone && !deliver,
      "--alone and --chunks without -o: there is no store to fill",
      "Name a file for the bytes of these chunks with -o FILE.",
    ],
    [
      sha256 !== null && chunks !== null,
      "--sha256 and --chunks together: a SHA-256 is of the whole file",
      "Choose the file with --root or --size.",
    ],
  ]);
  return {
    request,
    label: name || root!,
    isNamedByOthers: found !== undefined,
    output,
    url,
    syncDbDir: args.text("sync-db"),
    style: args.has("json") ? "json" : args.has("quiet") ? "quiet" : "people",
    isAlone,
    client: args.value("client", parseDialledClient),
    isClientGiven: args.isGiven("client"),
    peers,
    directories,
  };
}

/**
 * The name and root that are sought, and where else the file is. 64 hexadecimal digits alone are a
 * root; beside `--root` they are a name like any other. A URL names the file by its last part.
 */
function readSought(args: Arguments): { name: string; root: Root | null; url: FetchUrl | null } {
  const rootText = args.text("root");
  const sought = args.positionals[0];
  if (sought !== undefined && isUrl(sought)) {
    const url = parseUrl(sought, { what: "URL", schemes: ["http", "https", "file"] });
    const name = nameOfUrl(url);
    const isFile = url.protocol === "file:";
    return {
      name,
      root: rootText === undefined ? null : parseRoot(rootText),
      url: { url, host: hostOfUrl(url), isFile, isDatabase: isDatabaseName(name) },
    };
  }
  return { ...readNameOrRoot(sought, rootText), url: null };
}

function readNameOrRoot(
  sought: string | undefined,
  rootText: string | undefined,
): { name: string; root: Root | null } {
  if (rootText !== undefined) {
    const root = parseRoot(rootText);
    // The same root twice says no more than once.
    const isSame = sought !== undefined && sought.toLowerCase() === root;
    return { name: sought === undefined || isSame ? "" : checkName(sought), root };
  }
  if (sought === undefined) {
    throw new UsageError("Cannot run pacsrv fetch: NAME, ROOT or URL is missing", {
      hint: '"pacsrv help fetch" shows examples.',
    });
  }
  if (isHash(sought)) return { name: "", root: parseRoot(sought) };
  return { name: checkName(sought), root: null };
}
