// A fellow of files in flight (PROTOCOL.md, section 8) that a test plays: it answers the queries of
// daemons for one file as who is just getting that, joins their flights, or is dialled by them, and says
// and gives there what the test has it say and give. It knows the right bytes, and asks no mirror.

import type { ChunkRange } from "../../../src/base/geometry.ts";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { CHUNK_BYTES, chunkCount } from "../../../src/base/geometry.ts";
import type { NodeId, QueryId } from "../../../src/base/ids.ts";
import { flightOfSha256 } from "../../../src/core/crowd/flight_id.ts";
import { Stripes } from "../../../src/core/nearness/stripes.ts";
import { CHUNKS_HEADER_BYTES } from "../../../src/wire/codec.ts";
import type { Message, MessageOf } from "../../../src/wire/messages.ts";
import { sha256Of } from "./files.ts";
import { chunksFrame, type HeldFile, holdFile } from "./raw_holder.ts";
import { RawNode, type RawNodeOptions, type RawPeer } from "./raw_node.ts";
import { WAIT_MS, waitUntil } from "./wait.ts";

/** How often it says that it is there. */
const BEAT_MS = 400;
/** A node that is never heard of, for what nobody read. */
export const NOBODY = "0".repeat(32) as NodeId;

/** What a fellow of the tests says and gives; in each part it is honest by default. */
export interface Lies {
  /** The stripes that it says it has read, as soon as it is connected; none by default. */
  readonly has?: readonly number[];
  /** Whether it gives a chunk wrong to this fellow. */
  readonly isWrong?: (chunk: number, to: NodeId) => boolean;
  /** Who is said to have read a stripe; by default it says that it did. */
  readonly originOf?: (stripe: number, session: FellowSession) => NodeId;
  /** What it says of itself. */
  readonly report?: Partial<MessageOf<"stripes">>;
  /** Answers a request; by default it gives what is asked for, right or wrong. */
  readonly onRequest?: (range: ChunkRange, session: FellowSession) => void;
  /** Called when it is connected, after it said what it has. */
  readonly onJoined?: (session: FellowSession) => void | Promise<void>;
  /** Whether it answers queries; otherwise it only dials, or is dialled. */
  readonly answersQueries?: boolean;
  /** Whether it says nothing at all. */
  readonly isSilent?: boolean;
}

/** One connection with a fellow. */
export class FellowSession {
  readonly peer: RawPeer;
  readonly liar: LyingFellow;
  /** HOST:PORT at which it was dialled; null: it dialled. */
  readonly address: string | null;
  /** What the other side said, but for what it asked. */
  readonly heard: Message[] = [];
  /** Ranges that the other side asked for. */
  readonly requested: ChunkRange[] = [];
  hasEnded = false;
  #beat: ReturnType<typeof setInterval> | undefined;

  constructor(liar: LyingFellow, peer: RawPeer, address: string | null) {
    this.liar = liar;
    this.peer = peer;
    this.address = address;
  }

  /** The other side. */
  get nodeId(): NodeId {
    return this.peer.remote.nodeId;
  }

  /** STRIPES about itself, unless the fields name another node. */
  report(fields: Partial<MessageOf<"stripes">> = {}): void {
    const { node, lies } = this.liar;
    this.peer.send({
      kind: "stripes",
      nodeId: node.nodeId,
      sequence: this.liar.nextSequence(),
      reads: "ranges",
      isWhole: false,
      claims: [],
      ...lies.report,
      ...fields,
    });
  }

  /** GAINED for whole stripes. */
  gained(stripes: readonly number[], origin?: NodeId): void {
    const { liar } = this;
    for (const stripe of stripes) {
      const { nodeId } = liar.node;
      this.peer.send({
        kind: "gained",
        origin: origin ?? liar.lies.originOf?.(stripe, this) ?? nodeId,
        ranges: [liar.stripes.range(stripe)],
      });
    }
  }

  /** Gives chunks, wrong where it lies. */
  give(range: ChunkRange): void {
    const { file, lies } = this.liar;
    const frame = chunksFrame(file, range);
    for (let i = 0; i < range.count; i++) {
      if (lies.isWrong?.(range.first + i, this.nodeId) !== true) continue;
      this.liar.given.wrong++;
      frame[CHUNKS_HEADER_BYTES + i * CHUNK_BYTES]! ^= 0xff;
    }
    this.liar.given.chunks += range.count;
    this.peer.sendFrame(frame);
  }

  /** Waits until the other side has taken it in, and says what it has. */
  async joined(timeoutMs = WAIT_MS): Promise<void> {
    await waitUntil(() => this.heard.some(({ kind }) => kind === "stripes"), {
      what: "the other side to say what it reads",
      timeoutMs,
    });
  }

  /** Waits until the other side has answered what was sent before. */
  async asked(): Promise<void> {
    const rejects = () => this.heard.filter(({ kind }) => kind === "reject").length;
    const before = rejects();
    this.peer.send({ kind: "request", first: this.liar.stripes.chunks - 1, count: 1 });
    await waitUntil(() => rejects() > before, { what: "an answer", everyMs: 2 });
  }

  /** Waits for the end of the connection. */
  async ended(): Promise<void> {
    await waitUntil(() => this.hasEnded, { what: "the connection to end" });
  }

  /** Says what it has, and answers until the connection ends. */
  async run(): Promise<void> {
    const { lies } = this.liar;
    try {
      if (lies.isSilent !== true) {
        this.gained(lies.has ?? []);
        this.report();
        this.#beat = setInterval(() => this.peer.connection.isClosed || this.report(), BEAT_MS);
      }
      await lies.onJoined?.(this);
      for (;;) await this.#answer();
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
    } finally {
      clearInterval(this.#beat);
      this.hasEnded = true;
    }
  }

  async #answer(): Promise<void> {
    const message = await this.peer.receive(600_000);
    if (message.kind === "chunks") return;
    if (message.kind === "bye") return this.peer.close();
    if (message.kind !== "request") return void this.heard.push(message);
    const range = { first: message.first, count: message.count };
    this.requested.push(range);
    const { onRequest } = this.liar.lies;
    if (onRequest === undefined) this.give(range);
    else onRequest(range, this);
  }
}

/** A node that lies to its fellows. */
export class LyingFellow implements AsyncDisposable {
  readonly node: RawNode;
  readonly file: HeldFile;
  readonly sha256: string;
  readonly stripes: Stripes;
  readonly lies: Lies;
  readonly sessions: FellowSession[] = [];
  /** Chunks that it gave. */
  readonly given = { chunks: 0, wrong: 0 };
  /** Nodes that sought the file. */
  queries = 0;
  #sequence = 1;

  private constructor(
    file: HeldFile,
    sha256: string,
    { lies, node }: { readonly lies: Lies; readonly node: RawNodeOptions },
  ) {
    this.file = file;
    this.sha256 = sha256;
    this.lies = lies;
    this.stripes = new Stripes(file.data.length);
    this.node = new RawNode({ ...node, onPeer: (peer) => this.#accepted(peer) });
  }

  /** Links with the daemons at these addresses, for a file that lies at `path`. */
  static async start(
    addresses: readonly string[],
    { path, lies = {}, node = {} }: {
      readonly path: string;
      readonly lies?: Lies;
      readonly node?: RawNodeOptions;
    },
  ): Promise<LyingFellow> {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const file = holdFile(name, await Deno.readFile(path));
    const liar = new LyingFellow(file, await sha256Of(path), { lies, node });
    try {
      for (const address of addresses) {
        const link = await liar.node.dial(address, "link");
        liar.node.run(() => liar.#answerQueries(link, address));
      }
      return liar;
    } catch (error) {
      await liar.node[Symbol.asyncDispose]();
      throw error;
    }
  }

  get nodeId(): NodeId {
    return this.node.nodeId;
  }

  get flight() {
    return flightOfSha256(this.sha256, this.file.data.length);
  }

  nextSequence(): number {
    return ++this.#sequence;
  }

  /** Dials a daemon as a fellow that was told of it. */
  async join(address: string): Promise<FellowSession> {
    const peer = await this.node.dial(address, "fellow", {
      version: 2,
      first: () => [{ kind: "join", flight: this.flight, searchOn: false }],
    });
    const session = this.#session(peer, address);
    this.node.run(() => session.run());
    return session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node[Symbol.asyncDispose]();
  }

  #session(peer: RawPeer, address: string | null): FellowSession {
    const session = new FellowSession(this, peer, address);
    this.sessions.push(session);
    return session;
  }

  async #answerQueries(link: RawPeer, address: string): Promise<void> {
    try {
      for (;;) {
        const { id, sought, hops } = await link.next("query", 600_000);
        // Others' queries come from them, over other links.
        if (sought.by !== "name" || sought.value !== this.file.name || hops > 0) continue;
        this.queries++;
        if (this.lies.answersQueries === false) continue;
        this.node.run(() => this.#callBack(address, id));
      }
    } catch (error) {
      // A ban ends the link.
      if (!(error instanceof EnvironmentError)) throw error;
    }
  }

  /** Calls back whoever made a query that came over the link with this daemon. */
  async #callBack(address: string, id: QueryId): Promise<void> {
    let peer: RawPeer;
    try {
      peer = await this.node.callBack(address, id, { version: 2 });
    } catch {
      // The query is of another node, which another link brings as well.
      return;
    }
    const { file: { name, data }, flight, sha256 } = this;
    peer.send({
      kind: "in-flight",
      flight,
      name,
      type: "",
      sizeBytes: data.length,
      sha256,
      chunksHave: Math.min(chunkCount(data.length), 1),
    }, { kind: "offers-end" });
    const answer = await peer.receive();
    if (answer.kind !== "join") return peer.close();
    await this.#session(peer, address).run();
  }

  async #accepted(peer: RawPeer): Promise<void> {
    if (peer.remote.purpose !== "fellow") return;
    await peer.next("join");
    await this.#session(peer, null).run();
  }
}
