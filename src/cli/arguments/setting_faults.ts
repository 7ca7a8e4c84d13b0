/**
 * Which setting an error is about. A check throws at the first error; who looks for all of them
 * takes the setting away that is at fault, and checks again.
 */

/** What is at fault. */
interface SettingFault {
  /** The flag or key; undefined where the file as a whole is meant. */
  readonly key?: string;
  /** The one of several values. */
  readonly text?: string;
  /** The setting with which it does not go together, while it may be right by itself. */
  readonly beside?: string;
  /** Its line in the configuration file, from 1, where that is known. */
  readonly line?: number | undefined;
}

const faults = new WeakMap<object, SettingFault>();

/** The same error, which is about a setting from now on. */
export function about<E extends object>(fault: SettingFault, error: E): E {
  if (!faults.has(error)) faults.set(error, fault);
  return error;
}

/** What an error is about; undefined where that is not known. */
export function faultOf(error: unknown): SettingFault | undefined {
  return typeof error === "object" && error !== null ? faults.get(error) : undefined;
}

/** Checks a setting; what is thrown is about it. */
export function blaming<T>(fault: SettingFault, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof Error ? about(fault, error) : error;
  }
}
