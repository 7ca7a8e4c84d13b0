// Requests of HTTP/1.1 as they come over one connection; those with a body are refused.

/** The longest head of a request: the clients of the tests send less. */
const HEAD_BYTES_MAX = 64 * 1024;

/** One request. */
export interface HttpRequest {
  readonly method: string;
  /** Path without query, as it was sent. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/** Reads one request after the other. */
export class RequestReader {
  readonly #connection: Deno.Conn;
  readonly #piece = new Uint8Array(8 * 1024);
  #rest = "";

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** The next request; null at the end of the connection. */
  async next(): Promise<HttpRequest | null> {
    for (;;) {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end >= 0) {
        const head = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 4);
        return parseHead(head);
      }
      if (this.#rest.length > HEAD_BYTES_MAX) throw new Error("The head of a request is too long");
      const read = await this.#connection.read(this.#piece);
      if (read === null) return null;
      this.#rest += new TextDecoder("latin1").decode(this.#piece.subarray(0, read));
    }
  }
}

function parseHead(head: string): HttpRequest {
  const [first = "", ...lines] = head.split("\r\n");
  const [method = "", target = ""] = first.split(" ");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  // A client that goes through a proxy names the whole URL.
  const path = (target.startsWith("http://") ? new URL(target).pathname : target).split("?")[0]!;
  return { method, path, headers };
}
