/** Signals that a command listens to. */

/**
 * Calls `run` with each of these signals that comes, until it is disposed of; then the system's own
 * way applies again. Windows has no other than SIGINT.
 */
export function onSignals<S extends Deno.Signal>(
  signals: readonly S[],
  run: (signal: S) => void,
): Disposable {
  const known = Deno.build.os === "windows" ? signals.filter((one) => one === "SIGINT") : signals;
  const listeners = known.map((signal) => [signal, () => run(signal)] as const);
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return {
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners.splice(0)) {
        Deno.removeSignalListener(signal, listener);
      }
    },
  };
}
