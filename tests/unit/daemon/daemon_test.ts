import { assert, assertEquals } from "@std/assert";
import { silentLogger } from "../../../src/base/log.ts";
import { bulkTurns } from "../../../src/base/rates/bulk_turns.ts";
import { NO_RATES } from "../../../src/base/rates/rate_settings.ts";
import { limits } from "../../../src/base/limits.ts";
import { KEEP_ALL } from "../../../src/core/keeping/disk_marks.ts";
import { startDaemon } from "../../../src/daemon/daemon.ts";
import { TempDir } from "../store/store_fixture.ts";

Deno.test({
  name: "startDaemon() has sockets looked at after full turns, until it stops",
  // A look at its folders may still be under way, which harms nobody.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: looksAtSockets,
});

async function looksAtSockets() {
  using dir = new TempDir();
  const before = bulkTurns.endFull;
  const any = { host: "127.0.0.1", port: 0 };
  const daemon = await startDaemon({
    dataDir: dir.join("data"),
    log: { ...silentLogger, level: "error" },
    node: any,
    client: any,
    srvNames: [],
    discover: [],
    shares: [],
    gateway: undefined,
    syncDbDir: undefined,
    pacmanConfPath: dir.join("pacman.conf"),
    isReachable: true,
    network: "test",
    networkKey: undefined,
    otherKeys: [],
    ttl: limits.ttlDefault,
    linksMin: 0,
    linksMax: 1,
    acceptBytes: 0,
    relaysFiles: false,
    keeping: KEEP_ALL,
    uploadsLoaded: 1,
    mirrorDelayMs: null,
    peers: [],
    site: "",
    directories: [],
    rates: NO_RATES,
  });
  try {
    assert(bulkTurns.endFull !== before);
  } finally {
    await daemon.stop();
  }
  assertEquals(bulkTurns.endFull, before);
}
