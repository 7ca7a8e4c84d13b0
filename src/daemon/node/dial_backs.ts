/**
 * Whether others can connect to a node: it asks those that it has links with to dial it back, and
 * answers the same question. A node is only ever dialled at the host from which it asks.
 */

import type { HostPort } from "../../base/address.ts";
import { HostRateLimit } from "../../base/rate_limit.ts";
import { limits } from "../../base/limits.ts";
import type { Connection } from "../../net/connection.ts";
import { withDeadline } from "../../net/deadline.ts";
import { expectMessage, initiate, RefusedError, type RemoteIdentity } from "../../net/handshake.ts";
import { linkProblemOf } from "../../net/link_problem.ts";
import { dialNode, type OldVersions } from "../../net/version_fallback.ts";
import { DIAL_BACK_ANSWERS, type DialBackAnswer } from "../../wire/directory_messages.ts";
import { onlyKinds } from "../../wire/framer.ts";
import { formatAddress } from "../../wire/host.ts";
import { NODE_VERSION_FLIGHTS } from "../../wire/messages.ts";
import type { ReachReport } from "../../wire/reports.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import type { Links } from "./links.ts";

/** Dials those back that ask for it. */
export class DialBacks {
  readonly #context: NodeContext;
  readonly #rates = new HostRateLimit({
    perSecond: limits.dialBacksPerMinuteMax / 60,
    burst: limits.dialBacksPerMinuteMax,
    hostsMax: limits.questionHostsMax,
  });
  #underWay = 0;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /** Whether the one that asks can be dialled. Never rejects. */
  async answer(
    { remote: { host } }: Connection,
    { nodeId, listenPort: port }: RemoteIdentity,
  ): Promise<DialBackAnswer> {
    const { clock } = this.#context;
    const isFull = this.#underWay >= limits.dialBacksMax || !this.#rates.take(host, clock.nowMs());
    if (port === 0 || isFull) return "busy";
    this.#underWay++;
    try {
      return await this.#dial({ host, port }) === nodeId ? "reached" : "other-node";
    } catch (error) {
      return this.#answerOf(error);
    } finally {
      this.#underWay--;
    }
  }

  async #dial(address: HostPort): Promise<RemoteIdentity["nodeId"]> {
    const { connections, identity } = this.#context;
    const connection = await connections.dial(address, { isGiven: true });
    try {
      return (await initiate(connection, { identity, purpose: "directory" })).nodeId;
    } finally {
      connection.close();
    }
  }

  #answerOf(error: unknown): DialBackAnswer {
    if (error instanceof RefusedError) return error.refusal === "busy" ? "reached" : "other-node";
    const { code } = linkProblemOf(error, { ...this.#context.identity, what: "node" });
    return DIAL_BACK_ANSWERS.find((answer) => answer === code) ?? "failed";
  }
}

/** How some of the nodes that it has links with, each of another host, could dial this one. */
export async function askDialBacks(
  context: NodeContext,
  { links, oldVersions }: { readonly links: Links; readonly oldVersions: OldVersions },
): Promise<ReachReport[]> {
  // It tells everybody that it accepts no connections.
  if (context.identity.listenPort === 0) return [];
  const byHost = new Map(
    [...links.overlay.neighbours.links()]
      .filter(({ listenPort }) => listenPort !== 0)
      .map((link) => [link.host, link]),
  );
  const asked = [...byHost.values()].slice(0, limits.dialBacksAskedMax);
  return await Promise.all(asked.map(async ({ nodeId, host, listenPort: port }) => ({
    peer: formatAddress(host, port),
    nodeId,
    answer: await ask(context, { host, port }, oldVersions),
  })));
}

/** One that cannot be asked says nothing of this node. */
async function ask(
  context: NodeContext,
  address: HostPort,
  oldVersions: OldVersions,
): Promise<DialBackAnswer> {
  const { clock, connections, identity } = context;
  let connection: Connection | undefined;
  try {
    const dialled = await dialNode(connections, address, {
      identity,
      purpose: "directory",
      version: NODE_VERSION_FLIGHTS,
      fallback: false,
      oldVersions,
      nowMs: clock.nowMs(),
      isGiven: true,
      first: () => [{ kind: "dial-back-query" }],
    });
    const asked = connection = dialled.connection;
    const what = "Cannot ask to be dialled back";
    asked.setGate(onlyKinds(what, ["dial-back-report"]));
    const hear = async () => expectMessage(await asked.receiveOne(), "dial-back-report").answer;
    return await withDeadline(asked, what, hear, { timeoutMs: limits.pendingDialMs });
  } catch {
    return "busy";
  } finally {
    connection?.close();
  }
}
