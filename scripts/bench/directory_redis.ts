// Redis as a directory would use it, over its own client. Every question is one command:
//
//   r:ROOT   hash        name, type, size, SHA-256, whole and partial holders
//   n:NAME   set         the roots that go by the name
//   h:ROOT   sorted set  its holders, by load
//   sorted   sorted set  all names, all of the same score: sorted by name
//
// What takes more than one step (a name to its roots, and on) is a script in the server, so that
// it costs no second round trip. Names that begin in a certain way are a range of `sorted`; for
// a part of a name a plain Redis has nothing but looking at all of them, at which KEYS is fastest.

import { createClient } from "@redis/client";
import type { Asker, Contestant } from "./directory_contestant.ts";
import { type Corpus, HOLDERS_MAX, type Question } from "./directory_corpus.ts";

/** Commands that are on their way together while it is filled. */
const LOADING_MAX = 2_000;

const METADATA_OF_NAMES = `
  local found = {}
  for _, name in ipairs(names) do
    for _, root in ipairs(redis.call('SMEMBERS', 'n:' .. name)) do
      found[#found + 1] = redis.call('HGETALL', 'r:' .. root)
    end
  end
  return found`;
const SCRIPTS = {
  metadata: `local names = { ARGV[1] } ${METADATA_OF_NAMES}`,
  holders: `
    local found = {}
    for _, root in ipairs(redis.call('SMEMBERS', 'n:' .. ARGV[1])) do
      for _, part in ipairs(redis.call('ZRANGE', 'h:' .. root, 0, ARGV[2] - 1, 'WITHSCORES')) do
        found[#found + 1] = part
      end
    end
    return found`,
  prefix: `
    local names = redis.call('ZRANGEBYLEX', 'sorted', '[' .. ARGV[1], '[' .. ARGV[1] .. '\\255')
    ${METADATA_OF_NAMES}`,
  part: `
    local names = redis.call('KEYS', 'n:' .. ARGV[1])
    for i, key in ipairs(names) do names[i] = string.sub(key, 3) end
    ${METADATA_OF_NAMES}`,
} as const;

type Client = ReturnType<typeof newClient>;

/** Redis on a port of this machine. */
export class RedisContestant implements Contestant {
  readonly idleMs = 2_000;
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  async load({ clients }: Corpus): Promise<void> {
    await using cleanup = new AsyncDisposableStack();
    const client = await connected(this.#port);
    cleanup.defer(() => client.destroy());
    const holders = new Map<string, number>();
    for (const { file } of clients.flat()) {
      holders.set(file.root, (holders.get(file.root) ?? 0) + 1);
    }
    let loading: Promise<unknown>[] = [];
    for (const [index, files] of clients.entries()) {
      for (const { file: { root, name, type, sizeBytes, chunksHave }, sha256 } of files) {
        loading.push(
          client.hSet(`r:${root}`, {
            root,
            name,
            type,
            sizeBytes,
            sha256: sha256 ?? "",
            whole: holders.get(root)!,
            part: 0,
          }),
          client.sAdd(`n:${name}`, root),
          client.zAdd("sorted", { score: 0, value: name }),
          client.zAdd(`h:${root}`, { score: 0, value: `127.0.0.1:${index} ${chunksHave}` }),
        );
      }
      if (loading.length >= LOADING_MAX) {
        await Promise.all(loading);
        loading = [];
      }
    }
    await Promise.all(loading);
  }

  async connect(): Promise<Asker> {
    return await RedisAsker.connect(this.#port);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

class RedisAsker implements Asker {
  readonly #client: Client;
  readonly #scripts: Readonly<Record<keyof typeof SCRIPTS, string>>;

  private constructor(client: Client, scripts: Readonly<Record<keyof typeof SCRIPTS, string>>) {
    this.#client = client;
    this.#scripts = scripts;
  }

  static async connect(port: number): Promise<RedisAsker> {
    const client = await connected(port);
    const [metadata, holders, prefix, part] = await Promise.all([
      client.scriptLoad(SCRIPTS.metadata),
      client.scriptLoad(SCRIPTS.holders),
      client.scriptLoad(SCRIPTS.prefix),
      client.scriptLoad(SCRIPTS.part),
    ]);
    return new RedisAsker(client, { metadata, holders, prefix, part });
  }

  async ask({ kind, value }: Question): Promise<number> {
    switch (kind) {
      case "metadata by root":
        return Object.keys(await this.#client.hGetAll(`r:${value}`)).length > 0 ? 1 : 0;
      case "holders by root":
        return (await this.#client.zRangeWithScores(`h:${value}`, 0, HOLDERS_MAX - 1)).length;
      case "metadata by name":
        return await this.#run("metadata", value);
      case "holders by name":
        return await this.#run("holders", value, `${HOLDERS_MAX}`) / 2;
      case "search of a prefix":
        return await this.#run("prefix", value.slice(0, -1));
      case "search of a part":
        return await this.#run("part", value);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    await Promise.resolve();
  }

  /** Runs a script; gives the length of the list that it returns. */
  async #run(script: keyof typeof SCRIPTS, ...args: string[]): Promise<number> {
    const found = await this.#client.evalSha(this.#scripts[script], { arguments: args });
    if (!Array.isArray(found)) throw new Error(`Redis answered ${typeof found} to ${script}`);
    return found.length;
  }
}

async function connected(port: number): Promise<Client> {
  const client = newClient(port);
  // Without a listener an error would end the process; the command that is under way rejects.
  client.on("error", () => {});
  await client.connect();
  return client;
}

function newClient(port: number) {
  return createClient({
    socket: { host: "127.0.0.1", port, reconnectStrategy: false },
    // A timer for each command would only cost it time; the benchmark bounds the whole process.
    commandOptions: { timeout: 0 },
  });
}
