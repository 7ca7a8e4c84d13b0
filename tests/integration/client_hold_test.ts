// A client of a gateway without a mirror, which cannot wait until a big package has come and was checked:
// it is given what several nodes vouch for as it comes, and hears early where it would wait in vain.

import { assert, assertEquals, assertLess } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { TempDir } from "./support/files.ts";
import { Machine } from "./support/machine.ts";
import { Mirror } from "./support/mirror.ts";
import { type Behaviour, holdFile, RawHolder } from "./support/raw_holder.ts";
import { type BuiltPackage, Repository } from "./support/repository.ts";

/** A repository, and a machine that knows its databases and has no mirror. */
async function scene(cleanup: AsyncDisposableStack, names: readonly string[]) {
  const dir = cleanup.use(await TempDir.make());
  const repository = await Repository.build(dir.path, {
    packages: names.map((name) => ({ name, payloadBytes: 6_000_000 })),
  });
  const mirror = cleanup.use(Mirror.start(dir.path));
  const machine = cleanup.use(await Machine.start({ behind: [mirror] }));
  await machine.pacman.must("-Sy");
  await machine.knows(names.length);
  return { repository, machine };
}

async function holderOf({ fileName, path }: BuiltPackage, machine: Machine, behaviour: Behaviour) {
  const file = holdFile(fileName, await Deno.readFile(path));
  return await RawHolder.start(machine.daemon.node, file, { behaviour });
}

Deno.test("gateway streams a package that two nodes vouch for before all of it has come", async () => {
  await using cleanup = new AsyncDisposableStack();
  const { repository, machine } = await scene(cleanup, ["wanted"]);
  const built = repository.package("wanted");
  const goOn = Promise.withResolvers<void>();
  for (let i = 0; i < 2; i++) {
    const onRequest: Behaviour["onRequest"] = async (range, { serve, served }) => {
      if (served > 1) await goOn.promise;
      serve(range);
    };
    cleanup.use(await holderOf(built, machine, { onRequest }));
  }
  await machine.daemon.linked(2);
  const answer = await fetch(`${machine.url}${built.url}`);
  assertEquals(answer.status, 200);
  const reader = answer.body!.getReader();
  const first = await reader.read();
  assert(!first.done && first.value.length > 0);
  let bytes = first.value.length;
  goOn.resolve();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    bytes += next.value.length;
  }
  assertEquals(bytes, built.sizeBytes);
  assertEquals((await machine.daemon.list()).map(({ trust }) => trust), ["sync-db"]);
});

Deno.test("gateway says soon that a package comes too slowly, or comes no more", async () => {
  await using cleanup = new AsyncDisposableStack();
  const { repository, machine } = await scene(cleanup, ["slow", "gone"]);
  const slow = await holderOf(repository.package("slow"), machine, {
    onRequest(range, { serve, served }) {
      // The rest never comes.
      if (served < 2) serve(range);
    },
  });
  cleanup.use(slow);
  const isAsked = Promise.withResolvers<void>();
  await using gone = await holderOf(repository.package("gone"), machine, {
    onRequest: () => isAsked.resolve(),
  });
  await machine.daemon.linked(2);
  const ask = async (name: string) => {
    const beganMs = performance.now();
    const { status, bytes } = await machine.curl(repository.package(name).url);
    assertEquals([status, bytes], [404, 0], name);
    assertLess(performance.now() - beganMs, limits.gatewayHoldMs, name);
  };
  await ask("slow");
  const asked = ask("gone");
  await isAsked.promise;
  await gone[Symbol.asyncDispose]();
  await asked;
});
