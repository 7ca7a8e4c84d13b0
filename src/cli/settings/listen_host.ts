/** The host that stands for all addresses of this machine. */

/**
 * `::` where a socket on it takes IPv4 connections too, else `0.0.0.0`. It is tried out, because a
 * machine may have IPv6 switched off; on Windows such a socket takes IPv6 connections only.
 */
export function anyHost(): string {
  if (Deno.build.os === "windows") return "0.0.0.0";
  try {
    Deno.listen({ hostname: "::", port: 0 }).close();
    return "::";
  } catch {
    return "0.0.0.0";
  }
}
