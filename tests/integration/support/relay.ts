// A connection between two parts of a network that a test cuts and mends: what comes at its port goes
// on to another address while it is open.

/** What becomes of bytes on their way; `isBack` says whether they go to who dialled. */
export type OnTheWay = (
  bytes: Uint8Array<ArrayBuffer>,
  way: { readonly isBack: boolean },
) => Uint8Array<ArrayBuffer>;

/** Passes connections on; disposing ends it and all of them. */
export class Relay implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #work = new Set<Promise<void>>();
  readonly #to: Deno.ConnectOptions;
  readonly #onTheWay: OnTheWay;
  #isOpen: boolean;

  /** @param to HOST:PORT of where connections lead. */
  constructor(
    to: string,
    options: {
      readonly isOpen: boolean;
      readonly onTheWay?: OnTheWay;
      /**
       * Another host of the loopback network, with the port of the other side: who is linked this way
       * takes that for the other side's address, and dials it this way too.
       */
      readonly host?: string;
    },
  ) {
    this.#onTheWay = options.onTheWay ?? ((bytes) => bytes);
    const [hostname, port] = to.split(":");
    this.#to = { hostname: hostname!, port: Number(port) };
    const { host } = options;
    this.#listener = host === undefined
      ? Deno.listen({ hostname: "127.0.0.1", port: 0 })
      : Deno.listen({ hostname: host, port: Number(port) });
    this.#isOpen = options.isOpen;
    this.#track(async () => {
      for await (const connection of this.#listener) {
        if (this.#isOpen) this.#track(() => this.#pass(connection));
        else connection.close();
      }
    });
  }

  /** HOST:PORT. */
  get address(): string {
    const { hostname, port } = this.#listener.addr;
    return `${hostname}:${port}`;
  }

  /** Passes on what comes from now on. */
  mend(): void {
    this.#isOpen = true;
  }

  /** Breaks all connections, and takes no others. */
  cut(): void {
    this.#isOpen = false;
    for (const connection of this.#connections) this.#close(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#listener.close();
    await Promise.all(this.#work);
  }

  async #pass(near: Deno.TcpConn): Promise<void> {
    this.#connections.add(near);
    let far: Deno.TcpConn | undefined;
    try {
      far = await Deno.connect(this.#to);
      this.#connections.add(far);
      if (!this.#isOpen) return;
      await Promise.all([
        near.readable.pipeThrough(this.#passing({ isBack: false })).pipeTo(far.writable),
        far.readable.pipeThrough(this.#passing({ isBack: true })).pipeTo(near.writable),
      ]);
    } catch {
      /* One of the sides has ended it, or it was cut. */
    } finally {
      this.#close(near);
      if (far !== undefined) this.#close(far);
    }
  }

  #passing(
    way: { readonly isBack: boolean },
  ): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
    return new TransformStream({
      transform: (bytes, controller) => controller.enqueue(this.#onTheWay(bytes, way)),
    });
  }

  #close(connection: Deno.TcpConn): void {
    this.#connections.delete(connection);
    try {
      connection.close();
    } catch { /* It is closed. */ }
  }

  #track(work: () => Promise<void>): void {
    const running: Promise<void> = work().finally(() => this.#work.delete(running));
    this.#work.add(running);
  }
}
