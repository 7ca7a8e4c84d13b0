/** What fellows tell each other, as the policy of a crowd has it and as it goes over the wire. */

import { unreachable } from "../../base/errors.ts";
import { ID_BYTES, type NodeId } from "../../base/ids.ts";
import type { FellowAddress, FellowMessage } from "../../core/crowd/crowd_events.ts";
import { isSharedMeaning } from "../../wire/host.ts";
import type { Message } from "../../wire/messages.ts";
import type { NamedFellow } from "../../wire/structures.ts";

/** Stands for an origin that nobody knows. */
const NOBODY = "0".repeat(2 * ID_BYTES) as NodeId;

/** The message on the wire. */
export function wireMessageOf(message: FellowMessage): Message {
  switch (message.kind) {
    case "report":
      return { kind: "stripes", ...message.report };
    case "fellows":
      return {
        kind: "fellows",
        fellows: message.fellows.map(({ nodeId, address }) => ({
          nodeId,
          host: address?.host ?? "",
          port: address?.port ?? 0,
        })),
      };
    case "announce":
      return { kind: "gained", origin: message.origin ?? NOBODY, ranges: message.ranges };
    default:
      return unreachable(message);
  }
}

/**
 * What a message on the wire says; undefined when it is none of fellows. Addresses that mean nothing
 * here are left out; `linkHost` is the one that the message comes from.
 */
export function fellowMessageOf(message: Message, linkHost: string): FellowMessage | undefined {
  switch (message.kind) {
    case "stripes": {
      const { nodeId, sequence, reads, isWhole, claims } = message;
      return { kind: "report", report: { nodeId, sequence, reads, isWhole, claims } };
    }
    case "fellows":
      return {
        kind: "fellows",
        fellows: message.fellows.map((fellow) => addressOf(fellow, linkHost)),
      };
    case "gained": {
      const { origin, ranges } = message;
      return { kind: "announce", origin: origin === NOBODY ? null : origin, ranges };
    }
    default:
      return undefined;
  }
}

function addressOf({ nodeId, host, port }: NamedFellow, linkHost: string): FellowAddress {
  const isDialled = port !== 0 && isSharedMeaning(host, linkHost);
  return { nodeId, address: isDialled ? { host, port } : null };
}
