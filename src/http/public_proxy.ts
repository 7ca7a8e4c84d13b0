/**
 * Connections that go to public addresses only: for redirects. A mirror (origin) says where to go on,
 * and what this machine reaches inside its network, or on itself, is no mirror's to choose.
 *
 * A name may lead anywhere, and elsewhere each time it is looked up. So what counts is the address of
 * the connection that is made: this is a SOCKS 5 proxy (RFC 1928, RFC 1929) in front of the HTTP
 * client, on the loopback address, with a password that nobody else knows. It looks names up itself,
 * and dials the addresses that it has checked.
 */

import { lookup } from "node:dns/promises";
import { toHex } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { readExactly, writeAll } from "../net/transport.ts";
import { isIp, isPublic } from "../wire/host.ts";

const USER = "pacsrv";
/** Answers of RFC 1928. */
const GRANTED = 0, NOT_ALLOWED = 2, UNREACHABLE = 4;

/** Whether a host of a URL is, or may lead, inside this machine's network; names are looked up. */
export async function leadsInside(hostname: string): Promise<boolean> {
  return (await addressesOf(hostname)).some((address) => !isPublic(address));
}

/** The addresses of a host of a URL; none when it is not known. */
async function addressesOf(hostname: string): Promise<string[]> {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (isIp(host)) return [host];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}

/** A proxy that dials public addresses. */
export class PublicProxy implements Disposable {
  readonly #listener: Deno.TcpListener;
  readonly #password = toHex(crypto.getRandomValues(new Uint8Array(16)));
  readonly #open = new Set<Deno.Conn>();
  readonly #isAllowed: (address: string) => boolean;

  /** @param options `isAllowed`: which addresses are dialled; by default public ones. */
  constructor(options: { readonly isAllowed?: (address: string) => boolean } = {}) {
    this.#isAllowed = options.isAllowed ?? isPublic;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#run();
  }

  /** For `Deno.createHttpClient`. */
  get url(): string {
    return `socks5h://${USER}:${this.#password}@127.0.0.1:${this.#listener.addr.port}`;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const one of this.#open) one.close();
    this.#open.clear();
  }

  async #run(): Promise<void> {
    try {
      for await (const client of this.#listener) this.#serve(client);
    } catch { /* It was closed. */ }
  }

  async #serve(client: Deno.Conn): Promise<void> {
    this.#open.add(client);
    let target: Deno.Conn | undefined;
    try {
      const address = await this.#greeted(client);
      if (address === undefined) return;
      const found = await addressesOf(address.host);
      const allowed = found.filter(this.#isAllowed);
      // Nothing of a name that also leads inside: it is made to.
      if (allowed.length === 0 || allowed.length < found.length) {
        return await answer(client, found.length === 0 ? UNREACHABLE : NOT_ALLOWED);
      }
      target = await firstOf(allowed, address.port);
      if (target === undefined) return await answer(client, UNREACHABLE);
      this.#open.add(target);
      await answer(client, GRANTED);
      await Promise.all([
        client.readable.pipeTo(target.writable),
        target.readable.pipeTo(client.writable),
      ]);
    } catch {
      /* One of the two has gone. */
    } finally {
      for (const one of [client, target]) this.#end(one);
    }
  }

  #end(connection: Deno.Conn | undefined): void {
    if (connection === undefined) return;
    this.#open.delete(connection);
    try {
      connection.close();
    } catch { /* It is closed. */ }
  }

  /** Where the client wants to; undefined when it may not, or says nothing that is known here. */
  async #greeted(client: Deno.Conn): Promise<{ host: string; port: number } | undefined> {
    const [, methods] = await readExactly(client, 2);
    if (!(await readExactly(client, methods!)).includes(2)) return undefined;
    await writeAll(client, Uint8Array.of(5, 2));
    const [, userBytes] = await readExactly(client, 2);
    const user = await readText(client, userBytes!);
    const [passwordBytes] = await readExactly(client, 1);
    const password = await readText(client, passwordBytes!);
    const isKnown = user === USER && password === this.#password;
    await writeAll(client, Uint8Array.of(1, isKnown ? 0 : 1));
    if (!isKnown) return undefined;
    const [, command, , kind] = await readExactly(client, 4);
    const host = command === 1 ? await readHost(client, kind!) : undefined;
    if (host === undefined) return undefined;
    const [high, low] = await readExactly(client, 2);
    return { host, port: high! << 8 | low! };
  }
}

async function readHost(client: Deno.Conn, kind: number): Promise<string | undefined> {
  switch (kind) {
    case 1:
      return (await readExactly(client, 4)).join(".");
    case 3: {
      const [bytes] = await readExactly(client, 1);
      return await readText(client, bytes!);
    }
    case 4:
      return (toHex(await readExactly(client, 16)).match(/.{4}/g) ?? []).join(":")
        .replaceAll(/\b0+(?=[0-9a-f])/g, "");
    default:
      return undefined;
  }
}

async function firstOf(addresses: readonly string[], port: number): Promise<Deno.Conn | undefined> {
  for (const hostname of addresses.slice(0, limits.mirrorAddressesMax)) {
    try {
      const signal = AbortSignal.timeout(limits.dialMs);
      return await Deno.connect({ hostname, port, signal } as Deno.ConnectOptions);
    } catch { /* The next one may answer. */ }
  }
  return undefined;
}

async function answer(client: Deno.Conn, code: number): Promise<void> {
  await writeAll(client, Uint8Array.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0));
}

async function readText(client: Deno.Conn, bytes: number): Promise<string> {
  return new TextDecoder().decode(await readExactly(client, bytes));
}
