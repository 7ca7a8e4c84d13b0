/** Files that share a rate: real answers of real servers, held back by a node's own limiter. */

import { assert } from "@std/assert";
import { networkAround, parsePlain } from "../../../src/base/address.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { NO_RATES } from "../../../src/base/rates/rate_settings.ts";
import { RateLimiter } from "../../../src/daemon/rates/rate_limiter.ts";
import { type MirrorFile, Mirrors } from "../../../src/http/mirrors.ts";
import { FileServer, SHORT } from "../net/mirror_fixture.ts";
import { content } from "../store/store_fixture.ts";

const PERIOD_BYTES = 3_000_000;
const BYTES = content(PERIOD_BYTES, 1);

Deno.test("MirrorFile shares a rate evenly with other files, however many answers each has", async () => {
  const rates = new RateLimiter({ clock: systemClock, log: silentLogger, ownNetworks: () => [] });
  const network = networkAround(parsePlain("127.0.0.1")!, 8);
  rates.apply({
    ...NO_RATES,
    rates: { ...NO_RATES.rates, mirror: 6_000_000 },
    networks: [{ network, text: "127.0.0.0/8", rule: "line" }],
  });
  await using server = new FileServer(BYTES);
  using mirrors = new Mirrors({ log: silentLogger, timeouts: SHORT, rates });
  const over = new AbortController();
  const had = new Map<MirrorFile, number>();
  let bytes = 0;
  const reads = async (file: MirrorFile) => {
    while (!over.signal.aborted) {
      using body = await file.open({ offset: 0 }, over);
      for (let data = await body.read(); data !== null; data = await body.read()) {
        bytes += data.length;
        had.set(file, (had.get(file) ?? 0) + data.length);
        if (bytes >= PERIOD_BYTES) over.abort();
      }
    }
  };
  const [one, many] = [mirrors.file([server.url()]), mirrors.file([server.url()])];
  const all = [one, many, many, many, many].map((file) => reads(file));
  await Promise.allSettled(all);
  rates.apply(NO_RATES);
  const part = had.get(one)! / bytes;
  assert(Math.abs(part - 0.5) < 0.1, `${part} of ${bytes} bytes`);
});
