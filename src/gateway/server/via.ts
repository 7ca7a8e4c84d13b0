/**
 * The Via header (RFC 9110, 7.6.3): through which gateways a request came. By it one sees that its
 * own request came back to it, since gateways can be set up as mirrors of each other.
 */

import { limits } from "../../base/limits.ts";

/** Through whom a request came, each as "1.1 WHO": at most one more than there may be. */
export function readVia(headers: Headers): readonly string[] {
  const text = headers.get("via") ?? "";
  return text.split(",", limits.gatewayViaMax + 1)
    .map((one) => one.replaceAll(/[^\x20-\x7e]/g, "").trim().slice(0, limits.gatewayViaBytesMax))
    .filter((one) => one !== "");
}

/** Why a request is not answered that came this way to the gateway that calls itself `own`. */
export function loopProblem(via: readonly string[], own: string): string | undefined {
  if (via.some((one) => one.split(/ +/)[1] === own)) {
    return "it came from this gateway: a mirror of it has it as a mirror";
  }
  if (via.length > limits.gatewayViaMax) {
    return `it passed more than ${limits.gatewayViaMax} gateways`;
  }
  return undefined;
}

/** What to tell a mirror of a request that came this way. */
export function viaWith(via: readonly string[], own: string): readonly string[] {
  return [...via, `1.1 ${own}`];
}
