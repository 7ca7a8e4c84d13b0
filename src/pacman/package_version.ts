/**
 * Which package a file is, by its name, and which of two versions of it is newer: as pacman's own
 * `vercmp` has it (alpm's `alpm_pkg_vercmp` and `rpmvercmp`).
 */

import { packageNameOf } from "./package_name.ts";

/** The package that a file is, or belongs to. */
export interface PackageVersion {
  /** What all versions of it have in common: its name and its architecture. */
  readonly family: string;
  /** EPOCH:VERSION-RELEASE, the epoch left out where it is 0. */
  readonly version: string;
}

/** Which package a file of this name is, or is the signature of; undefined for none. */
export function packageOf(fileName: string): PackageVersion | undefined {
  const parts = packageNameOf(fileName.replace(/\.sig$/, ""));
  if (parts === undefined) return undefined;
  return { family: `${parts.package} ${parts.architecture}`, version: parts.version };
}

/** Below 0 where `a` is older than `b`, above 0 where it is newer, 0 where neither is. */
export function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  const [one, other] = [partsOf(a), partsOf(b)];
  const byUpstream = compareParts(one.epoch, other.epoch) ||
    compareParts(one.version, other.version);
  if (byUpstream !== 0 || one.release === null || other.release === null) return byUpstream;
  return compareParts(one.release, other.release);
}

function partsOf(text: string): { epoch: string; version: string; release: string | null } {
  const [, epoch = "0", rest = ""] = /^(?:([0-9]*):)?([^]*)$/.exec(text) ?? [];
  const dash = rest.lastIndexOf("-");
  return {
    epoch: epoch === "" ? "0" : epoch,
    version: dash < 0 ? rest : rest.slice(0, dash),
    release: dash < 0 ? null : rest.slice(dash + 1),
  };
}

/** A run of digits or of letters, with how many separators stand before it. */
const SEGMENT = /([^0-9A-Za-z]*)([0-9]+|[A-Za-z]+|$)/y;

function compareParts(a: string, b: string): number {
  if (a === b) return 0;
  let atA = 0, atB = 0;
  while (atA < a.length && atB < b.length) {
    const [gapA, segmentA] = segmentAt(a, atA), [gapB, segmentB] = segmentAt(b, atB);
    if (segmentA === "" || segmentB === "") return compareEnds(segmentA, segmentB);
    // More separators make it newer.
    if (gapA !== gapB) return gapA < gapB ? -1 : 1;
    const isNumber = isDigit(segmentA);
    // Of a number and letters at one place the number is newer.
    if (isNumber !== isDigit(segmentB)) return isNumber ? 1 : -1;
    const order = isNumber ? compareNumbers(segmentA, segmentB) : compareTexts(segmentA, segmentB);
    if (order !== 0) return order;
    atA += gapA + segmentA.length;
    atB += gapB + segmentB.length;
  }
  return compareEnds(a.slice(atA), b.slice(atB));
}

/** What is left where at least one has ended: letters make it older, so that 1.0rc is before 1.0. */
function compareEnds(a: string, b: string): number {
  if (a === "" && b === "") return 0;
  const isOlder = a === "" ? !isLetter(b) : isLetter(a);
  return isOlder ? -1 : 1;
}

function segmentAt(text: string, at: number): [gap: number, segment: string] {
  SEGMENT.lastIndex = at;
  const [, gap = "", segment = ""] = SEGMENT.exec(text) ?? [];
  return [gap.length, segment];
}

function isLetter(text: string): boolean {
  return /^[A-Za-z]/.test(text);
}

function isDigit(segment: string): boolean {
  return /^[0-9]/.test(segment);
}

/** Of any length: longer ones without their zeros are bigger. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  return x.length - y.length || compareTexts(x, y);
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
