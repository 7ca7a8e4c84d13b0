/** Limits of what a person writes, each with its reason. */

import { KIB } from "./sizes.ts";

export const cliLimits = {
  /** A configuration file is a page of text. */
  configBytesMax: 64 * KIB,
} as const;
