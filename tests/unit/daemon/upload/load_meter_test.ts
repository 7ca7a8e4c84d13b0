import { assert, assertEquals } from "@std/assert";
import { LoadMeter } from "../../../../src/daemon/upload/load_meter.ts";

Deno.test("LoadMeter.load() tells uploads, what was sent lately, and the room that is left", () => {
  const now = { uploads: 3, bytes: 0, room: 500.7 };
  const meter = new LoadMeter({
    uploads: {
      active: () => now.uploads,
      get bytesSent() {
        return now.bytes;
      },
    },
    uploadsMax: 4,
    room: () => now.room,
  });
  meter.tick(0);
  assertEquals(meter.load(0), {
    uploads: 3,
    uploadsMax: 4,
    bytesPerSecond: 0,
    acceptBytes: 500,
  });
  for (let nowMs = 250; nowMs <= 20_000; nowMs += 250) {
    now.bytes += 250_000;
    meter.tick(nowMs);
  }
  assertEquals(meter.load(20_000).bytesPerSecond, 1_000_000);
  // What was sent is forgotten bit by bit.
  for (let nowMs = 20_250; nowMs <= 40_000; nowMs += 250) meter.tick(nowMs);
  assert(meter.load(40_000).bytesPerSecond < 100);
});

Deno.test("LoadMeter.isFull() holds from the load that a person set, and its numbers fit their fields", () => {
  const now = { uploads: 3 };
  const uploads = { active: () => now.uploads, bytesSent: 0 };
  const meter = new LoadMeter({ uploads, uploadsMax: 4, room: () => -1 });
  assert(!meter.isFull(0));
  now.uploads = 4;
  assert(meter.isFull(0));
  now.uploads = 70_000;
  assertEquals(meter.load(0), {
    uploads: 65_535,
    uploadsMax: 4,
    bytesPerSecond: 0,
    acceptBytes: 0,
  });
});
