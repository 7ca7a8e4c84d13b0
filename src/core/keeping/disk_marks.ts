/**
 * How much may be kept: the quota of the downloads, and what has to stay free on their disk. Each has a
 * high mark, past which nothing may come before something goes, and a low one, down to which is cleaned
 * once the high one was reached: so that not every fetch has to wait for something to go. Pure.
 */

import { limits } from "../../base/limits.ts";

/** An amount of bytes, or a part of the whole. */
type ByteAmount =
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "percent"; readonly percent: number };

/** What a person allows; null: no bound. */
export interface KeepingSettings {
  /** Bytes that all downloads may come to. */
  readonly keepBytes: number | null;
  /** What other programs are to have free on the disk. */
  readonly minFree: ByteAmount | null;
  /** How many versions of a package are kept. */
  readonly versions: number | null;
}

/** Without any bound: then nothing is ever removed for room. */
export const KEEP_ALL: KeepingSettings = { keepBytes: null, minFree: null, versions: null };

/** What the disk is like. */
export interface DiskState {
  /** Bytes of all downloads that are here. */
  readonly keptBytes: number;
  /** Bytes that are still to come for those under way. */
  readonly comingBytes: number;
  /** Bytes that may be written to the disk; Infinity where nobody knows. */
  readonly freeBytes: number;
  /** Bytes of the disk, used or not. */
  readonly diskBytes: number;
}

/** Whether anything may be removed for room at all. */
export function isBounded({ keepBytes, minFree }: KeepingSettings): boolean {
  return keepBytes !== null || minFree !== null;
}

/** How many bytes have to stay free; 0 for none. */
export function minFreeBytes({ minFree }: KeepingSettings, diskBytes: number): number {
  if (minFree === null) return 0;
  if (minFree.kind === "bytes") return minFree.bytes;
  return Number.isFinite(diskBytes) ? Math.ceil(diskBytes * minFree.percent / 100) : 0;
}

/** How much has to go before `neededBytes` may come, so that no high mark is passed; 0 or less: nothing. */
export function bytesOverHigh(
  settings: KeepingSettings,
  disk: DiskState,
  neededBytes: number,
): number {
  const { keepBytes } = settings;
  const comingBytes = disk.comingBytes + neededBytes;
  const overQuota = keepBytes === null ? -Infinity : disk.keptBytes + comingBytes - keepBytes;
  const leastFree = minFreeBytes(settings, disk.diskBytes);
  return Math.max(overQuota, leastFree + comingBytes - disk.freeBytes);
}

/** How much has to go until the low marks are met, what is on its way included. */
export function bytesOverLow(settings: KeepingSettings, disk: DiskState): number {
  const { keepBytes, minFree } = settings;
  const low = keepBytes === null ? null : Math.floor(keepBytes * limits.keepLowPercent / 100);
  const overQuota = low === null ? -Infinity : disk.keptBytes + disk.comingBytes - low;
  if (minFree === null) return overQuota;
  const leastFree = minFreeBytes(settings, disk.diskBytes);
  const wantedFree = leastFree + Math.ceil(leastFree * (100 - limits.keepLowPercent) / 100);
  return Math.max(overQuota, wantedFree + disk.comingBytes - disk.freeBytes);
}
