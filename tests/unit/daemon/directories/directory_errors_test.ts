import { assert } from "@std/assert";
import { EnvironmentError, PeerFault } from "../../../../src/base/errors.ts";
import { directoryErrorText } from "../../../../src/daemon/directories/directory_errors.ts";
import { RefusedError } from "../../../../src/net/handshake.ts";

Deno.test("directoryErrorText() says what is wrong with a directory in short", () => {
  const closed = new EnvironmentError("unreachable", "The other side closed the connection");
  const cases: [error: unknown, text: string][] = [
    [
      new EnvironmentError("unreachable", "Cannot connect to [::1]:9: Refused (os error 111)"),
      "Refused",
    ],
    [closed, "it closed the connection: it may be no directory, have another network key"],
    [new RefusedError("wrong-network"), "it is of another network"],
    [new RefusedError("busy"), "it refuses: busy"],
    [
      new PeerFault("wrong-magic", "Cannot shake hands: the other side is not a pacsrv node"),
      "the other side is not a pacsrv node",
    ],
  ];
  for (const [error, text] of cases) assert(directoryErrorText(error).startsWith(text), text);
});
