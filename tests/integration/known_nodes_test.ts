// Who was met before is found again: after a restart, and after an outage.

import { startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";

Deno.test("a daemon links with whom it met before when the peers it was told of are down", async () => {
  await using dir = await TempDir.make();
  const dataDir = await dir.sub("data");
  await using seed = await startDaemon();
  await using neighbour = await startDaemon({ peers: [seed.node] });
  await seed.linked(1);
  {
    await using before = await startDaemon({ dataDir, peers: [seed.node], linksMin: 2 });
    await before.linked(2);
    await before.stop();
  }
  await seed.stop();
  await using again = await startDaemon({ dataDir, peers: [seed.node], linksMin: 2 });
  await again.linked(1);
  await neighbour.linked(1);
});
