/** The settings of a daemon: flags over the configuration file over the defaults, all checked. */

import { resolve } from "node:path";
import type { HostPort } from "../../base/address.ts";
import { UsageError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { parseUrl, withoutSecrets } from "../../base/mirror_url.ts";
import type { GatewayConfig } from "../../daemon/config.ts";
import { parseAddress } from "../address.ts";
import type { Arguments } from "../arguments.ts";
import { defaultDataDir } from "./data_dir.ts";
import {
  GATEWAY_PORT,
  type NetworkSettings,
  NODE_PORT,
  readClientAddress,
  readNetworkSettings,
} from "./network_settings.ts";
import { type LogSettings, readLogSettings, withConfig } from "./service_settings.ts";
import { parseBytes, parseSecondsUpTo, parseWhole } from "../values.ts";

/** What `pacsrv daemon` runs with. All paths are absolute. */
export interface DaemonSettings extends NetworkSettings, LogSettings {
  readonly dataDir: string;
  readonly client: HostPort;
  readonly shares: readonly string[];
  /** Links below which nodes are dialled that nobody named, and the most there may be. */
  readonly linksMin: number;
  readonly linksMax: number;
  /** Bytes that all downloads may come to with files that others ask this node to take. */
  readonly acceptBytes: number;
  /** Uploads at once with which the node counts as fully loaded. */
  readonly uploadsLoaded: number;
  /** Undefined without a gateway. */
  readonly gateway: GatewayConfig | undefined;
  /** The directory with the databases of pacman's repositories, if they are to be trusted. */
  readonly syncDbDir: string | undefined;
}

/**
 * Reads all of it, the files that it names included.
 *
 * @throws {UsageError} for what is wrong in flags or file.
 * @throws {EnvironmentError} when a file cannot be read.
 */
export async function readDaemonSettings(given: Arguments): Promise<DaemonSettings> {
  const args = await withConfig(given);
  const syncDbDir = args.text("sync-db");
  return {
    ...await readNetworkSettings(args, { nodePort: NODE_PORT }),
    dataDir: resolve(args.text("data") ?? systemDataDir()),
    client: readClientAddress(args),
    shares: args.list("share").map((path) => resolve(path)),
    ...readLinkBounds(args),
    acceptBytes: parseBytes(args.text("accept-uploads") ?? "", args.origin("accept-uploads")),
    uploadsLoaded: parseWhole(args.text("max-load") ?? "", args.origin("max-load"), {
      min: 1,
      max: limits.uploadsLoadedMax,
    }),
    gateway: readGateway(args),
    syncDbDir: syncDbDir === undefined ? undefined : resolve(syncDbDir),
    ...readLogSettings(args),
  };
}

function readGateway(args: Arguments): GatewayConfig | undefined {
  const mirrors = args.list("mirror").map((text) => readMirror(text, args.origin("mirror")));
  if (mirrors.length > limits.mirrorsMax) {
    throw new UsageError(
      `Cannot use ${mirrors.length} mirrors: at most ${limits.mirrorsMax} are asked`,
    );
  }
  const waitText = args.text("gateway-wait") ?? "";
  const waitMs = parseSecondsUpTo(waitText, args.origin("gateway-wait"), limits.gatewayWaitMsMax);
  const text = args.text("gateway");
  if (text === undefined) {
    // Not a word of it would be true without one.
    const idle = ["mirror", "gateway-wait"].find((name) => args.isSet(name));
    if (idle === undefined) return undefined;
    throw new UsageError(
      `Cannot use ${args.origin(idle)} without --gateway: it is for the gateway`,
      {
        hint: `Name a port for HTTP: --gateway 127.0.0.1:${GATEWAY_PORT}`,
      },
    );
  }
  const defaults = { host: "127.0.0.1", port: GATEWAY_PORT };
  return {
    listen: parseAddress(text, { what: args.origin("gateway"), defaults }),
    mirrors,
    waitMs,
  };
}

/** A mirror as a mirrorlist has it, with `$repo` and `$arch` left as they are. */
function readMirror(text: string, what: string): string {
  parseUrl(text, { what, schemes: ["http", "https"] });
  if (/[?#]/.test(text)) {
    throw new UsageError(
      `Cannot use ${what} ${JSON.stringify(withoutSecrets(text))}: it has a query or a fragment`,
      { hint: "Write it as in a mirrorlist: https://mirror.example.org/$repo/os/$arch" },
    );
  }
  return text;
}

function readLinkBounds(args: Arguments): { linksMin: number; linksMax: number } {
  const read = (name: string, range: { min: number; max: number }) =>
    parseWhole(args.text(name) ?? "", args.origin(name), range);
  const linksMin = read("min-connections", { min: 0, max: limits.linksCeiling });
  const linksMax = read("max-connections", { min: 1, max: limits.linksCeiling });
  if (linksMin <= linksMax) return { linksMin, linksMax };
  // The default must not stand in the way of a small maximum.
  if (args.isSet("min-connections")) {
    throw new UsageError(
      `Cannot use ${args.origin("min-connections")} ${linksMin}: it is above ` +
        `${args.origin("max-connections")} ${linksMax}`,
    );
  }
  return { linksMin: linksMax, linksMax };
}

function systemDataDir(): string {
  return defaultDataDir({
    os: Deno.build.os,
    uid: Deno.build.os === "windows" ? null : Deno.uid(),
    env: (name) => Deno.env.get(name),
  });
}
