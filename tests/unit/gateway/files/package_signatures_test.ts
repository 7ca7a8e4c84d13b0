import { assertEquals } from "@std/assert";
import { FetchFailure } from "../../../../src/base/errors.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { bytesOf, curl, ended, type Played, PlayedGateway } from "../gateway_fixture.ts";

const NAME = "linux-6.9-1-x86_64.pkg.tar.zst";
const PATH = `/core/os/x86_64/${NAME}`;
const PACKAGE = new Uint8Array(50_000).fill(7);
const SIGNATURE = new Uint8Array(119).fill(8);
const PACMAN = { headers: { "user-agent": "pacman/7.0.0 (Linux x86_64) libalpm/15.0.0" } };
const NOWHERE = new FetchFailure("notFound", "Nobody has it");
const refused = (status: number) =>
  new FetchFailure(status === 404 ? "notFound" : "failed", "Cannot fetch it", {
    upstream: { status, retryAfter: null },
  });

/** Who gave what is no mirror's. */
const PEER = { nodeId: "1".repeat(32) as NodeId, peer: "192.0.2.1:1", bytes: 1, strikes: 0 };

/** A gateway whose packages are at a peer, and whose signatures are, or fail. */
function gatewayWith(signature: Uint8Array | Error, played: Played = {}): PlayedGateway {
  return PlayedGateway.start({
    ...played,
    play(fetch) {
      if (!fetch.request.name.endsWith(".sig")) fetch.found(PACKAGE.length).end(PACKAGE);
      else if (signature instanceof Error) fetch.fail(signature);
      else fetch.found(signature.length).end(signature);
    },
  });
}

async function statusOf(coming: Promise<Response>): Promise<number> {
  const answer = await coming;
  await answer.body?.cancel();
  return answer.status;
}

Deno.test("PackageSignatures has pacman given a package with its signature, or neither", async () => {
  const mirrors = ["http://127.0.0.1:9/$repo/os/$arch"];
  const cases: readonly [signature: Uint8Array | Error, mirrors: readonly string[], number][] = [
    [SIGNATURE, [], 200],
    [NOWHERE, [], 404],
    [new Uint8Array(20_000), [], 404],
    [SIGNATURE, mirrors, 200],
    // A mirror that has none says that the package is not signed.
    [refused(404), mirrors, 200],
    [refused(502), mirrors, 502],
    [refused(403), mirrors, 403],
  ];
  for (const [signature, mirrors, status] of cases) {
    await using gateway = gatewayWith(signature, { mirrors });
    const answer = await gateway.get(PATH, PACMAN);
    const what = `${signature} ${mirrors}`;
    assertEquals(answer.status, status, what);
    const bytes = await bytesOf(answer);
    if (status === 200) assertEquals(bytes, PACKAGE, what);
    assertEquals(gateway.fetches.map(({ request }) => request.name), [NAME, `${NAME}.sig`]);
    const expected = mirrors.map(() => `http://127.0.0.1:9${PATH}.sig`);
    assertEquals(gateway.fetches[1]!.request.mirrors, expected);
  }
});

Deno.test("PackageSignatures gives nobody a package again whose signature only nodes vouch for", async () => {
  const trusted = [{
    name: NAME,
    repository: "core",
    sizeBytes: PACKAGE.length,
    sha256: "cd".repeat(32),
  }];
  await using gateway = gatewayWith(SIGNATURE, { trusted, isProven: () => false });
  const statuses: number[] = [];
  for (const path of [PATH, `${PATH}.sig`, PATH]) {
    const answer = await gateway.get(path, PACMAN);
    await bytesOf(answer);
    statuses.push(answer.status);
  }
  assertEquals(statuses, [200, 200, 404]);
  // The other clients are not kept from a signature that may well be good.
  const agent = PACMAN.headers["user-agent"];
  const { stdout } = await curl(
    ...["--interface", "127.0.0.2", "-A", agent, "-o", "/dev/null", "-w", "%{http_code}"],
    gateway.url(PATH),
  );
  assertEquals(new TextDecoder().decode(stdout), "200");
});

Deno.test("PackageSignatures has mirrors alone give a signature that a client came back for", async () => {
  let isProven = false;
  const known = { name: NAME, repository: "core", sizeBytes: PACKAGE.length };
  await using gateway = PlayedGateway.start({
    trusted: [{ ...known, sha256: "cd".repeat(32) }],
    mirrors: ["http://127.0.0.1:9"],
    isProven: () => isProven,
    play(fetch) {
      isProven ||= fetch.mirrorsAlone;
      const bytes = fetch.request.name === NAME ? PACKAGE : SIGNATURE;
      fetch.found(bytes.length).end(bytes, { sources: [PEER] });
    },
  });
  for (const path of [PATH, `${PATH}.sig`, PATH, `${PATH}.sig`]) {
    const answer = await gateway.get(path, PACMAN);
    assertEquals([answer.status, (await bytesOf(answer)).length > 0], [200, true]);
  }
  const alone = gateway.fetches.filter(({ mirrorsAlone }) => mirrorsAlone);
  assertEquals(alone.map(({ request }) => request.name), [`${NAME}.sig`]);
});

Deno.test("PackageSignatures takes the signature that the database holds, and asks nobody for it", async () => {
  const sha256 = "cd".repeat(32);
  const known = { repository: "core", sizeBytes: SIGNATURE.length, sha256, bytes: SIGNATURE };
  await using gateway = gatewayWith(NOWHERE, { trusted: [{ ...known, name: `${NAME}.sig` }] });
  const answer = await gateway.get(PATH, PACMAN);
  assertEquals([answer.status, await bytesOf(answer)], [200, PACKAGE]);
  const whole = await gateway.get(`${PATH}.sig`, PACMAN);
  assertEquals([whole.status, await bytesOf(whole)], [200, SIGNATURE]);
  const part = await gateway.get(`${PATH}.sig`, { headers: { range: "bytes=9-11" } });
  assertEquals([part.status, await bytesOf(part)], [206, SIGNATURE.subarray(9, 12)]);
  assertEquals(part.headers.get("content-range"), `bytes 9-11/${SIGNATURE.length}`);
  const head = await gateway.get(`${PATH}.sig`, { method: "HEAD" });
  assertEquals(head.headers.get("content-length"), `${SIGNATURE.length}`);
  assertEquals(gateway.fetches.map(({ request }) => request.name), [NAME]);
});

Deno.test("PackageSignatures looks for none where nobody asks for one", async () => {
  for (const [path, options] of [[PATH, {}], [`/own/os/x86_64/${NAME}`, PACMAN]] as const) {
    await using gateway = gatewayWith(NOWHERE, { unsigned: ["own"] });
    const answer = await gateway.get(path, options);
    assertEquals([answer.status, await bytesOf(answer)], [200, PACKAGE]);
    assertEquals(gateway.fetches.length, 1);
  }
});

Deno.test("PackageSignatures looks for none while nobody has the package", async () => {
  const clock = new ManualClock();
  await using gateway = PlayedGateway.start({ clock });
  const answer = gateway.get(PATH, PACMAN);
  await gateway.fetch(0);
  assertEquals(await statusOf(ended(answer, clock)), 404);
  assertEquals(gateway.fetches.length, 1);
});

Deno.test("PackageSignatures gives a package up whose signature nobody gives in time", async () => {
  const clock = new ManualClock();
  await using gateway = PlayedGateway.start({ clock });
  const answer = gateway.get(PATH, PACMAN);
  const fetch = await gateway.fetch(0);
  fetch.found(PACKAGE.length).readable(PACKAGE).release({ first: 0, count: 4 });
  await gateway.fetch(1);
  assertEquals(await statusOf(ended(answer, clock)), 404);
  assertEquals(gateway.fetches.map(({ signal }) => signal.aborted), [true, true]);
});

Deno.test("PackageSignatures takes a mirror that gives a package to give its signature", async () => {
  await using gateway = PlayedGateway.start({ mirrors: ["http://127.0.0.1:9"] });
  const coming = gateway.get(PATH, PACMAN);
  const fetch = await gateway.fetch(0);
  fetch.readable(PACKAGE).release({ first: 0, count: 4 });
  await gateway.fetch(1);
  const answer = await coming;
  assertEquals([answer.status, await bytesOf(answer)], [200, PACKAGE]);
});
