import { tcpTransport } from "../../../src/net/tcp_transport.ts";
import { MemoryTransport } from "../../support/memory_transport.ts";
import { testTransport } from "./transport_conformance.ts";

testTransport({
  name: "MemoryTransport",
  make: () => new MemoryTransport(),
  silent: (transport) =>
    Promise.resolve({
      address: (transport as MemoryTransport).silentAddress(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
});

testTransport({
  name: "tcpTransport",
  make: () => tcpTransport,
  async silent() {
    // A listener that never accepts and whose backlog is full: the system answers nobody else.
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
    const { hostname, port } = listener.addr;
    const filling: Deno.Conn[] = [];
    for (;;) {
      const signal = AbortSignal.timeout(500);
      const conn = await Deno.connect({ hostname, port, signal }).catch(() => undefined);
      if (conn === undefined) break;
      filling.push(conn);
    }
    return {
      address: { host: hostname, port },
      [Symbol.asyncDispose]() {
        for (const conn of filling) conn.close();
        listener.close();
        return Promise.resolve();
      },
    };
  },
});
