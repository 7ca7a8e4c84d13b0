/** The logger that every layer is handed; where lines go and how they look is the CLI's affair. */

/** Values that go with a line, each under a name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line a call: what happened, in plain words, and the values beside it. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Swallows everything: for a fetch that must stay silent. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
