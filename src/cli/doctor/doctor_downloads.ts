/**
 * The checks of `pacsrv doctor` of how pacman downloads: by which program and as which user, with which
 * signatures, and what is left of it.
 */

import { pathWord } from "../terminal/command_words.ts";
import { count, formatBytes } from "../terminal/text_format.ts";
import { signatureLevel } from "../../pacman/signature_level.ts";
import { mayRead } from "./doctor_checks.ts";
import type { LeftoverFacts, PacmanFacts, ProgramFacts } from "./doctor_facts.ts";
import { type Finding, note, ok, problem, warning } from "./doctor_report.ts";

const RIGHT = "XferCommand = /usr/bin/pacsrv fetch %u -o %o";

/** Whether XferCommand, if there is one, does what pacman wants of it, and can. */
export function checkXferCommand({ conf, program }: PacmanFacts): Finding[] {
  const { xferCommand, parallelDownloads } = conf;
  if (xferCommand === undefined) return [];
  const at = `${xferCommand.path}, line ${xferCommand.line}`;
  const words = xferCommand.value.split(/\s+/);
  if (!words.some((word) => /(?:^|\/)pacsrv$/.test(word))) {
    return [note("pacman", `${at}: XferCommand is another program: ${words[0]}`)];
  }
  const isRight = words.includes("fetch") && words.includes("%u") && words.includes("%o");
  const findings = [
    isRight
      ? ok("pacman", `${at}: XferCommand is pacsrv`)
      : problem("pacman", `${at}: pacsrv needs %u, and -o with %o, as words`, RIGHT),
    ...(program === undefined ? [] : checkProgram(program)),
  ];
  if (parallelDownloads > 1) {
    const text = "with XferCommand, pacman downloads one file at a time and ignores " +
      "ParallelDownloads";
    findings.push(warning("pacman", text, "Use the gateway instead, and remove XferCommand."));
  }
  return findings;
}

/** Whether the download user can run the program of XferCommand. */
function checkProgram({ path, user, way }: ProgramFacts): Finding[] {
  if (way.kind === "unknown") {
    return [problem("pacman", `cannot look at ${path}: ${way.reason}`, RIGHT)];
  }
  const barred = way.value.find((one) => !mayRead(one, user, { isList: false }));
  if (barred !== undefined) {
    const text =
      `the download user, ${user.name}, cannot run ${path}: it cannot get to ${barred.path}`;
    return [problem("pacman", text, "deno task install --root /usr/local")];
  }
  const text = `pacman runs XferCommand as ${user.name}, and outside of its sandbox`;
  return [note("pacman", text, "Use the gateway instead: then the sandbox holds.")];
}

/** What it means that pacman requires signatures, where the gateway has no mirror to get them from. */
export function checkSignatures(
  { conf }: PacmanFacts,
  { hasMirror }: { readonly hasMirror: boolean | undefined },
): Finding[] {
  if (hasMirror !== false) return [];
  const names = conf.repositories.map(({ name }) => name)
    .filter((name) => signatureLevel(conf, name) === "required");
  if (names.length === 0) return [];
  const text =
    `${names.join(", ")}: signatures are required, and the gateway has no mirror: it gives ` +
    "only packages whose signatures other nodes have as well";
  return [note("signatures", text, `mirror = ["https://mirror.example.org/$repo/os/$arch"]`)];
}

/** What interrupted downloads left in pacman's cache: pacman removes none of it. */
export function checkLeftovers(leftovers: readonly LeftoverFacts[]): Finding[] {
  return leftovers.filter(({ directories }) => directories > 0).map((one) => {
    const { cacheDir, directories, bytes } = one;
    const what = count(directories, "directory", "directories");
    const size = bytes === null ? "" : `, with ${formatBytes(bytes)}`;
    const text = `${cacheDir} has ${what} of downloads that were interrupted${size}`;
    const fix = `rm -r ${pathWord(cacheDir)}/download-??????`;
    return warning("package cache", text, `While no pacman runs: ${fix}`);
  });
}
