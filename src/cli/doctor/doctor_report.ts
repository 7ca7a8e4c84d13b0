/** What `pacsrv doctor` finds, and how it is printed. Looks at nothing itself. */

import { escapeText } from "../terminal/terminal.ts";
import { count } from "../terminal/text_format.ts";

/**
 * How a finding counts. "note": nobody can tell from here, or it is a matter of taste. "warning":
 * it works, but not as well as it could. "problem": something does not work.
 */
export type Level = "ok" | "note" | "warning" | "problem";

/** One thing that was looked at. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly check: string;
  /** How it counts. */
  readonly level: Level;
  /** What was found. */
  readonly text: string;
  /** What to change, each a line that can be copied, or a short sentence. */
  readonly fix: readonly string[];
}

/** What makes the findings of a level: of one check, with what to change. */
function findingOf(level: Level) {
  return (check: string, text: string, ...fix: readonly string[]): Finding => ({
    check,
    level,
    text,
    fix,
  });
}

export const ok = findingOf("ok");
export const note = findingOf("note");
export const warning = findingOf("warning");
export const problem = findingOf("problem");

/** Whether something does not work. */
export function hasProblem(findings: readonly Finding[]): boolean {
  return findings.some(({ level }) => level === "problem");
}

/** All findings for people, the sum of them last. */
export function reportText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, level, text, fix }) => [
    `${level.padEnd(7)}  ${check.padEnd(width)}  ${text}`,
    ...fix.map((line) => `${" ".repeat(7 + 2 + width + 2)}-> ${line}`),
  ]);
  const of = (level: Level) => findings.filter((one) => one.level === level).length;
  const sum = of("problem") + of("warning") === 0
    ? "Nothing is wrong."
    : `${count(of("problem"), "problem")}, ${count(of("warning"), "warning")}.`;
  return [...lines, "", sum].map((line) => `${escapeText(line)}\n`).join("");
}
