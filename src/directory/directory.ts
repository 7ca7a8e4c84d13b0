/** Starts a directory server on the system's network, clock and randomness. */

import type { HostPort } from "../base/address.ts";
import { systemClock } from "../base/clock.ts";
import type { NodeId } from "../base/ids.ts";
import { systemRandom } from "../base/random.ts";
import { tcpTransport } from "../net/tcp_transport.ts";
import { formatAddress } from "../wire/host.ts";
import { type DirectoryConfig, DirectoryServer } from "./server.ts";

/** A directory that is ready. */
interface RunningDirectory {
  /** Of this run: after a restart it is another. */
  readonly instance: NodeId;
  /** Where it listens, the real port included. */
  readonly address: HostPort;
  /** Resolves with the reason when the directory cannot go on by itself. */
  readonly failed: Promise<Error>;
  stop(): Promise<void>;
}

/**
 * Starts a directory; it accepts connections when this returns.
 *
 * @throws {EnvironmentError} with a hint when the port cannot be had.
 */
export function startDirectory(config: DirectoryConfig): RunningDirectory {
  const server = new DirectoryServer(config, {
    transport: tcpTransport,
    random: systemRandom,
    clock: systemClock,
  });
  server.start();
  const { run: { instance }, address, failed } = server;
  config.log.info("ready", { directory: formatAddress(address.host, address.port), instance });
  return { instance, address, failed, stop: () => server.stop() };
}
