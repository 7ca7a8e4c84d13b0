// A directory with clients that say what a test wants them to say; time is a number.

import { assert, assertEquals } from "@std/assert";
import { chunkCount } from "../../../src/base/geometry.ts";
import type { NodeId, Root, SessionId } from "../../../src/base/ids.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { Directory } from "../../../src/core/directory/directory.ts";
import {
  type ClientKey,
  clientKey,
  type Denial,
  type DirectoryEffect,
  type DirectoryEvent,
  type DirectoryOptions,
  type Listed,
} from "../../../src/core/directory/directory_events.ts";
import type { Holder, KnownFile, ListedFile, Load } from "../../../src/wire/structures.ts";

export const REFRESH_MS = 30_000;
export const IDLE: Load = { uploads: 0, uploadsMax: 32, bytesPerSecond: 0, acceptBytes: 0 };
export const ASKER = { asker: "192.0.2.250", askerNode: "f".repeat(32) as NodeId };

export const rootOf = (number: number) => number.toString(16).padStart(64, "0") as Root;
export const nodeOf = (number: number) => number.toString(16).padStart(32, "0") as NodeId;
export const sessionOf = (number: number) =>
  `5${number.toString(16).padStart(31, "0")}` as SessionId;

/** A file that is there whole, or `chunksHave` chunks of it. */
export function fileOf(
  number: number,
  more: {
    readonly name?: string;
    readonly sizeBytes?: number;
    readonly chunksHave?: number;
    readonly sha256?: string;
  } = {},
): ListedFile {
  const { name = `file-${number}.bin`, sizeBytes = 1_000_000 } = more;
  const chunks = chunkCount(sizeBytes);
  const { chunksHave = chunks } = more;
  const whole = chunksHave === chunks;
  return {
    file: { root: rootOf(number), name, type: "bin", sizeBytes, chunksHave, whole },
    sha256: more.sha256 ?? null,
  };
}

/** One client; its number gives host, session and node id. */
export interface TestClient {
  readonly key: ClientKey;
  readonly host: string;
  readonly nodeId: NodeId;
  port: number;
  sequence: number;
  load: Load;
}

/** A directory, its time, and all effects that nobody took yet. */
export class DirectoryFixture {
  readonly directory: Directory;
  nowMs = 1_000;

  constructor(options: Partial<DirectoryOptions> = {}) {
    this.directory = new Directory({
      random: seededRandom(7),
      replicas: 3,
      refreshMs: REFRESH_MS,
      queriesPerSecond: 1_000_000,
      ...options,
    });
  }

  client(
    number: number,
    more: { readonly host?: string; readonly port?: number; readonly load?: Partial<Load> } = {},
  ): TestClient {
    const { host = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`, port = 8046 } =
      more;
    return {
      key: clientKey(host, sessionOf(number)),
      host,
      nodeId: nodeOf(number),
      port,
      sequence: 0,
      load: { ...IDLE, ...more.load },
    };
  }

  step(event: DirectoryEvent): DirectoryEffect[] {
    return this.directory.step(event, this.nowMs);
  }

  refresh(client: TestClient, how: { whole: boolean; filesListed?: number }): DirectoryEffect[] {
    const { key, host, nodeId, port, load } = client;
    const sequence = ++client.sequence;
    const { whole, filesListed = 0 } = how;
    return this.step({
      kind: "refresh",
      client: key,
      host,
      port,
      nodeId,
      sequence,
      load,
      whole,
      filesListed,
    });
  }

  end(client: TestClient): Listed | Denial {
    return answerIn(this.step({ kind: "batch-end", client: client.key }));
  }

  /** A whole list in one go; the client is not checked by it. */
  list(client: TestClient, files: readonly ListedFile[]): Listed | Denial {
    this.refresh(client, { whole: true });
    this.step({ kind: "advertise", client: client.key, files });
    return this.end(client);
  }

  /** Changes in one go, by a client that knows how much it has listed. */
  change(
    client: TestClient,
    change: { readonly added?: readonly ListedFile[]; readonly removed?: readonly ListedFile[] },
  ): Listed | Denial {
    const filesListed = this.directory.filesListed(client.key) ?? 0;
    this.refresh(client, { whole: false, filesListed });
    const removed = (change.removed ?? []).map(({ file: { root, name } }) => ({ root, name }));
    this.step({ kind: "advertise", client: client.key, files: change.added ?? [] });
    this.step({ kind: "remove", client: client.key, files: removed });
    return this.end(client);
  }

  checked(
    client: TestClient,
    outcome: "proved" | "wrong" | "unreachable",
  ): DirectoryEffect[] {
    return this.step({ kind: "checked", client: client.key, port: client.port, outcome });
  }

  /** A client that listed `files` and proved itself. */
  join(client: TestClient, files: readonly ListedFile[] = []): TestClient {
    this.list(client, files);
    this.checked(client, "proved");
    return client;
  }

  tick(): DirectoryEffect[] {
    return this.step({ kind: "tick" });
  }

  metadata(value: string, by: "name" | "root" = "name"): KnownFile[] {
    return known(
      this.directory.metadata({ sought: { by, value }, asker: ASKER.asker }, this.nowMs),
    );
  }

  holders(
    value: string,
    more: { readonly by?: "name" | "root"; readonly max?: number; readonly node?: number } = {},
  ): Holder[] {
    const { by = "name", max = 16 } = more;
    const askerNode = more.node === undefined ? ASKER.askerNode : nodeOf(more.node);
    const question = { sought: { by, value }, max, asker: ASKER.asker, askerNode };
    return known(this.directory.holders(question, this.nowMs));
  }

  search(glob: string, max = 100): KnownFile[] {
    return known(this.directory.search({ glob, max, asker: ASKER.asker }, this.nowMs));
  }

  /** The numbers of the nodes that are named. */
  holderNumbers(...args: Parameters<DirectoryFixture["holders"]>): number[] {
    return this.holders(...args).map(({ nodeId }) => Number.parseInt(nodeId, 16))
      .sort((a, b) => a - b);
  }
}

/** The one answer among effects. */
export function answerIn(effects: readonly DirectoryEffect[]): Listed | Denial {
  const answers = effects.filter((effect) => effect.kind === "answer");
  assertEquals(answers.length, 1);
  return answers[0]!.answer;
}

/** What is not a refusal. */
export function known<T>(answer: readonly T[] | Denial): T[] {
  assert(Array.isArray(answer), JSON.stringify(answer));
  return answer;
}
