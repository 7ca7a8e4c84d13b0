// Waiting with a bound: for a condition, or for any promise. Every wait of the integration tests
// goes through here, so that none of them can hang.

import { messageOf } from "../../../src/base/errors.ts";

/** How long a wait lasts unless its caller says otherwise: much longer than it should ever take. */
export const WAIT_MS = 30_000;
/**
 * In what time something has happened that takes 2 s at the most: a process ends, a signal is heard.
 * Several times as long, since a busy machine is slow at all things; what hangs takes longer still.
 */
export const SOON_MS = 10_000;

/**
 * Asks `predicate` again and again until it gives something other than false, null or undefined.
 * What it throws counts as "not yet".
 *
 * @throws {Error} when it does not within `timeoutMs`; names `what`.
 */
export async function waitUntil<T>(
  predicate: () => T | false | null | undefined | Promise<T | false | null | undefined>,
  options: { readonly what: string; readonly timeoutMs?: number; readonly everyMs?: number },
): Promise<T> {
  const { what, timeoutMs = WAIT_MS, everyMs = 25 } = options;
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    let why = "it was not so";
    try {
      const value = await predicate();
      if (value !== false && value !== null && value !== undefined) return value;
    } catch (error) {
      why = messageOf(error);
    }
    if (performance.now() > endMs) {
      throw new Error(`Waited ${timeoutMs} ms in vain for ${what}: ${why}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/**
 * The promise's value, if it comes in time.
 *
 * @throws {Error} when it does not; names `what`.
 */
export async function within<T>(
  promise: Promise<T>,
  options: { readonly what: string; readonly timeoutMs?: number },
): Promise<T> {
  const { what, timeoutMs = WAIT_MS } = options;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`Waited ${timeoutMs} ms in vain for ${what}`)),
    timeoutMs,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
