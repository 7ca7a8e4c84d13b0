/** Why an HTTP server cannot listen, in words for a person. */

import type { HostPort } from "../base/address.ts";
import { EnvironmentError, messageOf } from "../base/errors.ts";
import { formatAddress } from "../wire/host.ts";

/**
 * The error of a server of the runtime, or of its `node:http`.
 *
 * @param inUseHint What to do when the port is in use.
 */
export function listenError(
  cause: unknown,
  { host, port }: HostPort,
  { inUseHint }: { readonly inUseHint: string },
): EnvironmentError {
  const where = formatAddress(host, port);
  const code = (cause as { readonly code?: unknown } | null)?.code;
  if (cause instanceof Deno.errors.AddrInUse || code === "EADDRINUSE") {
    return new EnvironmentError("in-use", `Cannot listen on ${where}: the port is in use`, {
      hint: inUseHint,
      cause,
    });
  }
  const isForbidden = cause instanceof Deno.errors.PermissionDenied || code === "EACCES";
  return new EnvironmentError(
    isForbidden ? "no-permission" : "unreachable",
    `Cannot listen on ${where}: ${messageOf(cause)}`,
    { hint: "The host must be an address of this machine, the port free, from 1024 on.", cause },
  );
}
