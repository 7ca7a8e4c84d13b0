import { assertEquals, assertStringIncludes } from "@std/assert";
import { EnvironmentError, PeerFault } from "../../../src/base/errors.ts";
import { RefusedError } from "../../../src/net/handshake.ts";
import { type Dialler, linkProblemOf } from "../../../src/net/link_problem.ts";
import { tcpTransport } from "../../../src/net/tcp_transport.ts";

const OPEN: Dialler = { what: "node", network: "home", networkKey: undefined };
const KEYED: Dialler = { ...OPEN, networkKey: new Uint8Array(32) };

function unreachable(text: string): EnvironmentError {
  return new EnvironmentError("unreachable", `Cannot connect to 10.0.0.1:8048: ${text}`);
}

Deno.test("linkProblemOf() names the cause in words that fit it", () => {
  const closed = new EnvironmentError("unreachable", "The other side closed the connection");
  const reset = new EnvironmentError("unreachable", "The connection broke: reset by peer");
  const cases: [error: unknown, dialler: Dialler, code: string, text: string][] = [
    [unreachable("Connection refused (os error 111)"), OPEN, "refused", "nothing listens there"],
    [unreachable("no answer within 4000 ms"), OPEN, "no-answer", "a firewall"],
    [unreachable("Connection timed out (os error 110)"), OPEN, "no-answer", "a firewall"],
    [unreachable("No route to host (os error 113)"), OPEN, "no-route", "no way to it"],
    [unreachable("Network is unreachable (os error 101)"), OPEN, "no-route", "no way to it"],
    [
      unreachable("failed to lookup address information: Name or service not known"),
      ...[OPEN, "name-not-found", "nobody knows"] as const,
    ],
    [
      unreachable("failed to lookup address information: Temporary failure in name resolution"),
      ...[OPEN, "no-name-server", "no name server"] as const,
    ],
    [unreachable("Strange (os error 5)"), OPEN, "other", "Strange"],
    [closed, OPEN, "hung-up", "it wants a network key, and this node has none"],
    [reset, KEYED, "hung-up", "it has no network key, or another key or network than this node"],
    [new RefusedError("wrong-network"), OPEN, "wrong-network", 'not of the network "home"'],
    [new RefusedError("wrong-network"), KEYED, "wrong-network", "while this node has one"],
    [new RefusedError("self"), OPEN, "self", "this node itself"],
    [new RefusedError("self", { isClone: true }), OPEN, "cloned-id", "remove node.id"],
    [new RefusedError("not-supported"), OPEN, "not-supported", "--directory"],
    [new PeerFault("wrong-magic", "x"), OPEN, "no-pacsrv", "no pacsrv node"],
    [new PeerFault("wrong-key", "x"), KEYED, "wrong-key", "another network key"],
    [
      new PeerFault("wrong-network", 'Cannot shake hands: network "a" is not "home"'),
      ...[OPEN, "wrong-network", 'network "a" is not "home"'] as const,
    ],
    [new Error("odd"), OPEN, "other", "odd"],
  ];
  for (const [error, dialler, code, text] of cases) {
    const problem = linkProblemOf(error, dialler);
    assertEquals(problem.code, code, problem.text);
    assertStringIncludes(problem.text, text);
  }
});

Deno.test("linkProblemOf() knows what this system says of a port that nobody listens on", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const error = await tcpTransport.dial({ host: "127.0.0.1", port }, { timeoutMs: 5_000 })
    .catch((error) => error);
  assertEquals(linkProblemOf(error, OPEN).code, "refused");
});
