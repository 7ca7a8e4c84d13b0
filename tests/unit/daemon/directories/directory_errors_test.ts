import { assert, assertEquals } from "@std/assert";
import { EnvironmentError, PeerFault } from "../../../../src/base/errors.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import { type Logger, silentLogger } from "../../../../src/base/log.ts";
import { DirectoryErrors } from "../../../../src/daemon/directories/directory_errors.ts";
import { RefusedError } from "../../../../src/net/handshake.ts";
import { denied, listed } from "../../../support/scripted_directory.ts";
import { testContext } from "../../../support/test_node.ts";
import { openStore, TempDir } from "../../store/store_fixture.ts";

const INSTANCE = "ab".repeat(16) as NodeId;

/** Runs `test` with the errors of the directory "d:1", and what was logged of them. */
async function noting(
  test: (errors: DirectoryErrors, lines: readonly string[]) => void,
): Promise<void> {
  using dir = new TempDir();
  const { store } = await openStore(dir.path);
  await using _ = store;
  const lines: string[] = [];
  const note = (message: string) => lines.push(message);
  const log: Logger = { ...silentLogger, info: note, warn: note };
  test(new DirectoryErrors(testContext({ store, log }), "d:1"), lines);
}

Deno.test("DirectoryErrors.last says what is wrong with a directory in short", () =>
  noting((errors) => {
    const closed = new EnvironmentError("unreachable", "The other side closed the connection");
    const cases: [error: unknown, text: string][] = [
      [
        new EnvironmentError("unreachable", "Cannot connect to [::1]:9: Refused (os error 111)"),
        "connection refused",
      ],
      [
        closed,
        "it hangs up when greeted: it wants a network key, and this node has none; or it is no directory",
      ],
      [new RefusedError("wrong-network"), "it is not of the network"],
      [new RefusedError("busy"), "it has as many connections as it takes"],
      [
        new PeerFault("wrong-magic", "Cannot shake hands: the other side is not a pacsrv node"),
        "what answers there is no pacsrv directory",
      ],
    ];
    for (const [error, text] of cases) {
      errors.failed(error);
      assert(errors.last?.reason.startsWith(text), text);
      assertEquals([errors.last?.directory, errors.last?.isFailed], ["d:1", true]);
    }
  }));

Deno.test("DirectoryErrors.last is gone once the directory answers, and a refusal is no failure", () =>
  noting((errors) => {
    assertEquals(errors.last, { directory: "d:1", reason: "no answer yet", isFailed: false });
    errors.failed(new Error("gone"));
    errors.answered(denied(INSTANCE, "queries"));
    assertEquals(errors.last, {
      directory: "d:1",
      reason: "it refuses: queries",
      isFailed: false,
    });
    errors.answered(listed(INSTANCE));
    assertEquals(errors.last, undefined);
  }));

Deno.test("DirectoryErrors logs that it is listed once, and again after a failure", () =>
  noting((errors, lines) => {
    for (let i = 0; i < 3; i++) errors.logListed(listed(INSTANCE));
    errors.logListed(listed(INSTANCE, { reach: "unreachable" }));
    errors.logFailed(new EnvironmentError("unreachable", "Cannot connect to d:1: Refused"));
    errors.logFailed(new EnvironmentError("unreachable", "Cannot connect to d:1: Timed out"));
    errors.logListed(listed(INSTANCE, { reach: "unreachable" }));
    assertEquals(lines, [
      "listed at a directory",
      "listed at a directory",
      "cannot reach a directory",
      "listed at a directory",
    ]);
  }));
