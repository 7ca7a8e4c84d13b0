// The monitoring of a service over its life, asked over HTTP.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { Monitor, type MonitoredKind } from "../../../src/metrics/monitor.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** A service that counts how often it is read. */
class Service {
  reads = 0;

  problem(): string | undefined {
    return undefined;
  }

  figures(): { readonly reads: number } {
    this.reads++;
    return { reads: this.reads };
  }
}

const KIND: MonitoredKind<Service> = {
  families: [{
    kind: "counter",
    name: "pacsrv_reads_total",
    help: "Reads.",
    read: ({ reads }) => reads,
  }],
};

async function open() {
  const clock = new ManualClock();
  const monitor = await Monitor.open<Service>(
    { listen: { host: "127.0.0.1", port: 0 }, names: [] },
    { log: silentLogger, kind: KIND, clock },
  );
  const get = async (path: string) => {
    const { host, port } = monitor.address;
    return await (await fetch(`http://${host}:${port}${path}`)).text();
  };
  /** The lines of the service, and whether it is ready, after what was read last is too old. */
  const figures = async () => {
    await clock.advance(limits.metricsTextMs);
    const text = await get("/metrics");
    return text.split("\n").filter((line) => /^pacsrv_(reads_total|ready) /.test(line));
  };
  return { monitor, get, figures, clock };
}

Deno.test("Monitor tells of a service while it runs, and of the process before and after", async () => {
  const { monitor, get, figures } = await open();
  await using _ = monitor;
  assertEquals(await figures(), ["pacsrv_ready 0"]);
  const service = new Service();
  monitor.started(service);
  assertEquals(await figures(), ["pacsrv_ready 1", "pacsrv_reads_total 1"]);
  monitor.stopping();
  assertEquals(await figures(), ["pacsrv_ready 0"]);
  assertEquals(await get("/readyz"), "not ready: it is stopping\n");
  assertEquals(service.reads, 1, "nothing is read of what ends");
});

Deno.test("Monitor reads a service once for all who ask at about the same time", async () => {
  const { monitor, get, clock } = await open();
  await using _ = monitor;
  const service = new Service();
  monitor.started(service);
  const texts = await Promise.all(Array.from({ length: 20 }, () => get("/metrics")));
  for (const text of texts) assertStringIncludes(text, "pacsrv_reads_total 1\n");
  assertEquals(service.reads, 1);
  await clock.advance(limits.metricsTextMs);
  assertStringIncludes(await get("/metrics"), "pacsrv_reads_total 2\n");
});
