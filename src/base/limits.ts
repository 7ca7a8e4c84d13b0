/**
 * Every limit, with its reason. What a peer, a client, a file or a person can make grow has its
 * bound here and nowhere else: a file for each part of the program in `limits/`, one name for each.
 */

import { baseLimits } from "./limits/base.ts";
import { cliLimits } from "./limits/cli.ts";
import { crowdLimits } from "./limits/crowd.ts";
import { directoryLimits } from "./limits/directory.ts";
import { downloadLimits } from "./limits/download.ts";
import { fetchLimits } from "./limits/fetch.ts";
import { gatewayLimits } from "./limits/gateway.ts";
import { httpLimits } from "./limits/http.ts";
import { keepingLimits } from "./limits/keeping.ts";
import { lanLimits } from "./limits/lan.ts";
import { metricsLimits } from "./limits/metrics.ts";
import { nearnessLimits } from "./limits/nearness.ts";
import { netLimits } from "./limits/net.ts";
import { overlayLimits } from "./limits/overlay.ts";
import { pacmanLimits } from "./limits/pacman.ts";
import { rateLimits } from "./limits/rates.ts";
import { storeLimits } from "./limits/store.ts";
import { transferLimits } from "./limits/transfer.ts";
import { wireLimits } from "./limits/wire.ts";

export const limits = {
  ...baseLimits,
  ...wireLimits,
  ...netLimits,
  ...overlayLimits,
  ...lanLimits,
  ...nearnessLimits,
  ...downloadLimits,
  ...transferLimits,
  ...crowdLimits,
  ...fetchLimits,
  ...directoryLimits,
  ...storeLimits,
  ...keepingLimits,
  ...rateLimits,
  ...httpLimits,
  ...gatewayLimits,
  ...metricsLimits,
  ...pacmanLimits,
  ...cliLimits,
} as const;
