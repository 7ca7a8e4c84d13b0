/**
 * Giving a file to another node that did not ask for it. It says whether it takes the file; if so,
 * it fetches it over the connection that the push opened. Which node, is the affair of the caller.
 */

import type { HostPort } from "../../base/address.ts";
import { EnvironmentError, messageOf, PeerFault } from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { withDeadline } from "../../net/deadline.ts";
import { RefusedError } from "../../net/handshake.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import { onlyKinds } from "../../wire/gate.ts";
import { formatAddress } from "../../wire/host.ts";
import type { PushReport } from "../../wire/reports.ts";
import { listedFile, offerMessage, type OfferSource } from "../discovery/offers.ts";
import { type AskedPeer, askUpload, type QuestionAsker } from "./peer_questions.ts";
import type { Uploads } from "../upload/uploads.ts";

/** First and longest pause before a node is asked again whether it has the file whole by now. */
const ASK_AGAIN_MS_MIN = 50;
const ASK_AGAIN_MS_MAX = 2_000;

/** What giving needs of the node that gives. */
export interface PushHost extends QuestionAsker, OfferSource {
  readonly uploads: Uploads;
  readonly log: Logger;
}

/**
 * Gives `file` to the node at `address`. Yields what it answers, and if it takes the file, how that
 * ended: "done" when it says that it has it whole. Never throws for what the other side does.
 */
export async function* push(
  host: PushHost,
  file: FileDefinition,
  to: { readonly address: HostPort; readonly signal: AbortSignal },
): AsyncGenerator<PushReport> {
  const { address, signal } = to;
  const { name, root } = file;
  const peer = formatAddress(address.host, address.port);
  const listed = listedFile(host.store, file);
  const report = (nodeId: NodeId | null, result: string, bytes: number): PushReport => {
    host.log.info("push", { name, root, peer, result, bytes });
    return { peer, nodeId, name, root, result, bytes };
  };
  let asked: Awaited<ReturnType<typeof askUpload>>;
  try {
    asked = await askUpload(host, address, { file: listed, serves: true, signal });
  } catch (error) {
    host.log.info("cannot ask a node to take a file", { name, peer, error: messageOf(error) });
    yield report(null, resultOf(error), 0);
    return;
  }
  using peerAsked = asked;
  const { nodeId } = peerAsked.remote;
  yield report(nodeId, peerAsked.answer, 0);
  if (peerAsked.answer !== "accepted") return;
  let bytes = 0;
  try {
    bytes = await give(host, file, peerAsked);
  } catch (error) {
    host.log.info("cannot give a file", { name, peer, error: messageOf(error) });
  }
  const isThere = await hasIt(() =>
    askUpload(host, address, { file: listed, serves: false, signal })
  );
  yield report(nodeId, isThere ? "done" : "failed", bytes);
}

/** What came of a node that could not be asked. */
function resultOf(error: unknown): string {
  if (error instanceof RefusedError && error.refusal === "self") return "self";
  const isThere = error instanceof RefusedError || error instanceof PeerFault ||
    error instanceof EnvironmentError && error.code !== "unreachable";
  return isThere ? "refused" : "unreachable";
}

/** Offers the file, and serves it if it is wanted; returns how many bytes of it were given. */
async function give(
  { store, uploads }: PushHost,
  file: FileDefinition,
  { connection, remote }: AskedPeer,
): Promise<number> {
  connection.setGate(onlyKinds("Cannot give a file", ["want", "enough"]));
  const answer = await withDeadline(connection, "Cannot give a file", async () => {
    connection.send(offerMessage(store, file, { listing: false }));
    return await connection.receiveOne();
  });
  if (answer.kind !== "want" || answer.root !== file.root) return 0;
  return await uploads.serve(connection, remote, { root: file.root, isPushed: true });
}

/**
 * Whether the other side has the file whole, once it knows: while the file is on its way to it, or
 * too many ask it something, it says that it is busy.
 */
async function hasIt(
  ask: () => Promise<AskedPeer & { readonly answer: string }>,
): Promise<boolean> {
  const endMs = performance.now() + limits.pushSettleMs;
  let pauseMs = ASK_AGAIN_MS_MIN;
  for (;;) {
    try {
      using peer = await ask();
      if (peer.answer === "have") return true;
      if (peer.answer !== "busy") return false;
    } catch (error) {
      // Else it has gone, or this node stops: nobody says that the file is there.
      if (!(error instanceof RefusedError && error.refusal === "busy")) return false;
    }
    if (performance.now() > endMs) return false;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(ASK_AGAIN_MS_MAX, 2 * pauseMs);
  }
}
