/**
 * How `pacsrv doctor` finds out what it judges: asks the daemon, looks at files, talks to gateway
 * and mirror. Changes nothing, and every wait has a bound. What does not answer is a fact too.
 */

import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { HostPort } from "../../base/address.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { authorizationOf, hostOfUrl } from "../../base/mirror_url.ts";
import { isDownloadName } from "../../base/names.ts";
import { isLink } from "../commands/network.ts";
import { DaemonClient } from "../../client/daemon_client.ts";
import type { AnswerItems, AskArguments, ReachReport } from "../../client/types.ts";
import { httpReason } from "../../http/http_reason.ts";
import type { PacmanConf } from "../../pacman/pacman_conf.ts";
import { isLoopbackHost, splitAddress } from "../arguments/address.ts";
import type {
  Asked,
  AskedMirror,
  ClockFacts,
  DaemonFacts,
  DataFacts,
  GatewayAnswer,
  LeftoverFacts,
  PacmanFacts,
  PathFacts,
  ProgramFacts,
  ShareFacts,
  UserFacts,
} from "./doctor_facts.ts";

/** What the daemon at `client` says. */
export async function askDaemonFacts(client: HostPort): Promise<Asked<DaemonFacts>> {
  return await asked(async () => {
    await using daemon = await DaemonClient.connect(client);
    const ask = <V extends keyof AskArguments>(verb: V, args: AskArguments[V]) =>
      Array.fromAsync<AnswerItems[V]>(daemon.ask(verb, args));
    const reach = askReach(client);
    const [status] = await ask("status", {});
    if (status === undefined) throw new EnvironmentError("other", "it does not tell its status");
    const peers = (await ask("peers", {})).filter(isLink);
    const shared = (await ask("list", {})).filter(({ origin }) => origin === "shared");
    const sharedDirs = [...new Set(shared.map(({ path }) => dirname(path)))];
    return {
      ...status,
      given: status.peers,
      peers,
      reach: await reach,
      filesWithheld: status.trust.damaged,
      sharedDirs: sharedDirs.slice(0, limits.doctorSharedDirsMax),
    };
  });
}

/** How nodes that the daemon asks can connect to it; none where the daemon does not know how. */
async function askReach(client: HostPort): Promise<readonly ReachReport[]> {
  try {
    await using daemon = await DaemonClient.connect(client);
    return await Array.fromAsync(daemon.ask("reach", {}));
  } catch {
    return [];
  }
}

/** The addresses at which other machines may reach this one. */
export function ownAddresses(): string[] {
  const addresses = Deno.networkInterfaces().map(({ address }) => address);
  return [...new Set(addresses)].filter((one) => !isLoopbackHost(one) && !/^fe80:/i.test(one));
}

/** The data directory, and whose it is. */
export async function lookAtData(dataDir: string): Promise<Asked<DataFacts>> {
  return await asked(async () => {
    const directory = await lookAt(dataDir);
    const token = await lookAt(join(dataDir, "client.token")).catch(() => null);
    const { bavail, bsize } = await statfs(dataDir);
    return { directory, token, user: await userOf(directory.uid), freeBytes: bavail * bsize };
  });
}

/** A shared path, and the way to it. */
export async function lookAtShare(path: string): Promise<ShareFacts> {
  return { path, way: await lookAtWay(path) };
}

/** The first line of what the gateway answers to `GET /` within `answerMs`. */
export async function askGateway(
  gateway: string,
  { answerMs = limits.doctorAnswerMs }: { readonly answerMs?: number } = {},
): Promise<Asked<GatewayAnswer>> {
  const { host, port } = splitAddress(gateway);
  // What listens on all addresses is not dialled at "all addresses" on every system.
  const hostname = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  // Connecting has no bound of its own, nor has what follows.
  const late = new AbortController();
  const { signal } = late;
  let connection: Deno.TcpConn | undefined;
  const timer = setTimeout(() => {
    late.abort();
    close(connection);
  }, answerMs);
  try {
    // Spoken by hand: no proxy of the environment may come between.
    connection = await Deno.connect({ hostname, port: Number(port), signal });
    const request = `GET / HTTP/1.1\r\nHost: ${gateway}\r\nConnection: close\r\n\r\n`;
    await writeAll(connection, new TextEncoder().encode(request));
    const text = new TextDecoder().decode(await readSome(connection));
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
    if (status === undefined) throw new Error("what answers speaks no HTTP");
    const body = text.slice(text.indexOf("\r\n\r\n") + 4);
    return { kind: "known", value: { status: Number(status), text: firstLine(body) } };
  } catch (error) {
    return signal.aborted
      ? { kind: "unknown", reason: `it is silent for ${answerMs / 1000} s` }
      : unknown(error);
  } finally {
    clearTimeout(timer);
    close(connection);
  }
}

/** pacman's configuration with the version of pacman; undefined where there is no pacman. */
export async function lookAtPacman(path: string): Promise<Asked<PacmanFacts> | undefined> {
  const { readPacmanConf } = await import("../../pacman/pacman_conf.ts");
  let conf: PacmanConf;
  try {
    conf = await readPacmanConf(path);
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? undefined : unknown(error);
  }
  let version: string | null = null;
  try {
    // As pacman's own database of what is installed says: no program is started.
    for await (const { name } of Deno.readDir(join(conf.dbPath, "local"))) {
      version ??= /^pacman-(\d[^/]*-[^-]+)$/.exec(name)?.[1] ?? null;
    }
  } catch {
    // pacman is not installed by itself here, or has installed nothing.
  }
  const leftovers = await Promise.all(conf.cacheDirs.map(lookAtLeftovers));
  const program = await lookAtProgram(conf);
  const facts = { conf, version, leftovers, ...(program === undefined ? {} : { program }) };
  return { kind: "known", value: facts };
}

/** The program of XferCommand, where pacman does not run it as root. */
async function lookAtProgram(conf: PacmanConf): Promise<ProgramFacts | undefined> {
  const { downloadUser, xferCommand } = conf;
  if (downloadUser === undefined || xferCommand === undefined) return undefined;
  const [path = ""] = xferCommand.value.split(/\s+/);
  const user = await userNamed(downloadUser);
  return user === undefined ? undefined : { path, user, way: await lookAtWay(path) };
}

async function lookAtLeftovers(cacheDir: string): Promise<LeftoverFacts> {
  let directories = 0, bytes: number | null = 0;
  try {
    for await (const { name, isDirectory } of Deno.readDir(cacheDir)) {
      // As mkdtemp(3) makes them: others cannot look into them.
      if (!isDirectory || !isDownloadName(name)) continue;
      const { mode } = await Deno.lstat(join(cacheDir, name));
      if (((mode ?? 0) & 0o077) !== 0) continue;
      directories++;
      const inside = await sizeOf(join(cacheDir, name));
      bytes = bytes === null || inside === null ? null : bytes + inside;
    }
  } catch {
    // The cache is judged by other checks.
  }
  return {
    cacheDir: cacheDir.length > 1 ? cacheDir.replace(/\/+$/, "") : cacheDir,
    directories,
    bytes,
  };
}

/** Bytes of the files in a directory; null where it may not be looked into. */
async function sizeOf(directory: string): Promise<number | null> {
  let bytes = 0;
  try {
    for await (const { name } of Deno.readDir(directory)) {
      bytes += (await Deno.lstat(join(directory, name))).size;
    }
  } catch {
    return null;
  }
  return bytes;
}

/** How far the clock of the host of `url` is ahead, by the Date of its answer. */
export async function askClock(url: string | undefined): Promise<Asked<ClockFacts>> {
  if (url === undefined) return { kind: "unknown", reason: "no mirror to compare it with" };
  const parsed = new URL(url);
  const host = hostOfUrl(parsed);
  const answerMs = limits.doctorAnswerMs;
  return await asked(async () => {
    const sentMs = Date.now();
    const response = await askHead(parsed, { path: "/", answerMs });
    const dateMs = Date.parse(response.headers.get("date") ?? "");
    if (Number.isNaN(dateMs)) throw new Error("it does not tell the time");
    return { host, aheadMs: dateMs - (sentMs + Date.now()) / 2 };
  }, (error) => `cannot compare it with that of ${host}: ${whyNot(error, answerMs)}`);
}

/** Whether each mirror answers, as the daemon would ask it; none waits for another. */
export async function askMirrors(
  mirrors: readonly string[],
  { answerMs = limits.doctorAnswerMs }: { readonly answerMs?: number } = {},
): Promise<AskedMirror[]> {
  return await Promise.all(mirrors.map(async (text) => {
    const url = new URL(text);
    // The directory that is the same for all repositories.
    const path = url.pathname.replace(/\/[^/]*\$.*$/, "/");
    const status = await asked(
      async () => (await askHead(url, { path, answerMs })).status,
      (error) => whyNot(error, answerMs),
    );
    return { host: hostOfUrl(url), status };
  }));
}

/** Asks the server of `url` for the head of `path`, with the user and password of `url`. */
async function askHead(
  url: URL,
  { path, answerMs }: { readonly path: string; readonly answerMs: number },
): Promise<Response> {
  const authorization = authorizationOf(url);
  const response = await fetch(`${url.origin}${path}`, {
    method: "HEAD",
    redirect: "manual",
    headers: authorization === null ? {} : { authorization },
    signal: AbortSignal.timeout(answerMs),
  });
  await response.body?.cancel();
  return response;
}

function whyNot(error: unknown, answerMs: number): string {
  const isLate = error instanceof DOMException && error.name === "TimeoutError";
  return isLate ? `it is silent for ${answerMs / 1000} s` : httpReason(error);
}

async function lookAtWay(path: string): Promise<Asked<readonly PathFacts[]>> {
  return await asked(async () => {
    const ways = [await Deno.realPath(path)];
    for (let at = ways[0]!; dirname(at) !== at; at = dirname(at)) ways.unshift(dirname(at));
    return await Promise.all(ways.map(lookAt));
  });
}

async function lookAt(path: string): Promise<PathFacts> {
  const { isDirectory, uid, gid, mode } = await Deno.stat(path);
  // Windows knows none of them; it is not looked at there.
  return { path, isDirectory, uid: uid ?? 0, gid: gid ?? 0, mode: (mode ?? 0o700) & 0o7777 };
}

/** The user of a number, as far as the system's tables know it. */
async function userOf(uid: number): Promise<UserFacts> {
  const row = (await rows("/etc/passwd")).find((fields) => Number(fields[2] || NaN) === uid);
  const name = row?.[0] ?? String(uid);
  const gids = (await rows("/etc/group"))
    .filter((fields) => (fields[3] ?? "").split(",").includes(name))
    .map((fields) => Number(fields[2]));
  return { name, uid, gids: row === undefined ? gids : [Number(row[3]), ...gids] };
}

/** The user of a name; undefined where the system's tables do not know it. */
async function userNamed(name: string): Promise<UserFacts | undefined> {
  const row = (await rows("/etc/passwd")).find((fields) => fields[0] === name);
  return row === undefined ? undefined : await userOf(Number(row[2]));
}

async function rows(path: string): Promise<string[][]> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.split("\n").map((line) => line.split(":"));
}

function close(connection: Deno.TcpConn | undefined): void {
  try {
    connection?.close();
  } catch {
    // It is closed already.
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
}

async function readSome(connection: Deno.TcpConn): Promise<Uint8Array> {
  const buffer = new Uint8Array(limits.doctorAnswerBytesMax);
  let length = 0;
  while (length < buffer.length) {
    const read = await connection.read(buffer.subarray(length));
    if (read === null) break;
    length += read;
  }
  return buffer.subarray(0, length);
}

function firstLine(text: string): string {
  // Where the length is not said before, a line with it comes first.
  const lines = text.split(/\r?\n/).filter((line) => !/^[0-9a-f]{1,4}$/.test(line));
  const line = lines.find((line) => line.trim() !== "") ?? "";
  return line.length <= limits.doctorLineCharsMax
    ? line
    : `${line.slice(0, limits.doctorLineCharsMax).replace(/\S*$/, "").trimEnd()} ...`;
}

/** What `look` finds out, or why it does not. */
async function asked<T>(look: () => Promise<T>, whyNot = plainReason): Promise<Asked<T>> {
  try {
    return { kind: "known", value: await look() };
  } catch (error) {
    return { kind: "unknown", reason: whyNot(error) };
  }
}

function unknown<T>(error: unknown): Asked<T> {
  return { kind: "unknown", reason: plainReason(error) };
}

/** An error without the URLs that the HTTP client puts into it: they may hold a password. */
function plainReason(error: unknown): string {
  return messageOf(error)
    .replace(/ \(?\S*:\/\/\S*/g, "")
    .replace(/ \(os error \d+\)/g, "")
    .slice(0, 200);
}
