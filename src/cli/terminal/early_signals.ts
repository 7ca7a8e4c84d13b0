/**
 * Keeps signals that come before the command that answers them is loaded: else the system ends the
 * process by them. It imports nothing, so that it stands before all else.
 */

/** The commands that run until a signal, and end well by one. */
const SERVICES: readonly (string | undefined)[] = ["daemon", "directory"];

/** Whether a command is one of these. */
export function isService(command: string): boolean {
  return SERVICES.includes(command);
}

/** Begins to keep signals if the words of the command line may be those of such a command. */
export function keepEarlySignals(words: readonly string[]) {
  if (!mayBeService(words)) return undefined;
  const came = new Set<Deno.Signal>();
  const signals: readonly Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  const listeners = signals.map((signal) => [signal, () => void came.add(signal)] as const);
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return {
    release(): readonly Deno.Signal[] {
      for (const [signal, listener] of listeners.splice(0)) {
        Deno.removeSignalListener(signal, listener);
      }
      return [...came];
    },
  };
}

// Flags may stand before the command. Which take a value is not known here, so that a flag's value
// may be taken for the command: then the signals are kept until the command is found.
function mayBeService([first, ...others]: readonly string[]): boolean {
  if (SERVICES.includes(first)) return true;
  return first?.startsWith("-") === true && others.some((word) => SERVICES.includes(word));
}
