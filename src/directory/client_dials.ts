/**
 * Does at clients what the index of a directory asks for, each in its turn, and tells the index what
 * came of it. What is said on a connection is in `dial_backs.ts`.
 */

import type { HostPort } from "../base/address.ts";
import { messageOf, type OfKind } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { ClientKey, DirectoryEffect } from "../core/directory/directory_events.ts";
import { sessionOf } from "../core/directory/directory_events.ts";
import { formatAddress } from "../wire/host.ts";
import {
  askFiles,
  checkClient,
  type CheckOutcome,
  type DialBackServer,
  type DialledClient,
  requestUpload,
} from "./dial_backs.ts";
import { DialQueue } from "./dial_queue.ts";
import type { DirectoryRun } from "./session.ts";

/** An effect that has a client dialled. */
type DialEffect = OfKind<DirectoryEffect, "check" | "ask-files" | "request-upload">;
type DialEffectOf<K extends DialEffect["kind"]> = OfKind<DialEffect, K>;

/** The dials of one run. */
export class ClientDials {
  readonly #run: DirectoryRun;
  readonly #dialler: DialBackServer;
  readonly #queue = new DialQueue({
    activeMax: limits.directoryDialsMax,
    activePerHostMax: limits.directoryDialsPerHostMax,
    waitingMax: limits.directoryClientsMax,
    waitingPerHostMax: limits.directoryClientsPerHostMax,
  });

  constructor(run: DirectoryRun, dialler: DialBackServer) {
    this.#run = run;
    this.#dialler = dialler;
  }

  /** Drops what waits for its turn, and dials nobody any more. */
  close(): void {
    this.#queue.close();
  }

  check({ client, ...address }: DialEffectOf<"check">): void {
    const { port } = address;
    const isTaken = this.#dial(client, address, async (dialled) => {
      const outcome = await checkClient(this.#dialler, dialled);
      this.#note(outcome, address);
      const load = outcome.kind === "proved" ? { load: outcome.load } : {};
      this.#run.step({ kind: "checked", client, port, outcome: outcome.kind, ...load });
    });
    if (!isTaken) this.#run.step({ kind: "checked", client, port, outcome: "unknown" });
  }

  askFiles({ client, ...address }: DialEffectOf<"ask-files">): void {
    this.#dial(client, address, async (dialled) => {
      const outcome = await askFiles(this.#dialler, dialled, (files, last) => {
        this.#run.step({ kind: "files-heard", client, files, last });
      });
      this.#note(outcome, address);
    });
  }

  requestUpload({ client, file, ...address }: DialEffectOf<"request-upload">): void {
    const { root } = file.file;
    const isTaken = this.#dial(client, address, async (dialled) => {
      const answer = await requestUpload(this.#dialler, dialled, file);
      const peer = label(address);
      this.#run.log.debug("asked a client to take a file", { peer, root, answer });
      this.#run.step({ kind: "upload-answered", client, root, answer });
    });
    if (!isTaken) this.#run.step({ kind: "upload-answered", client, root, answer: "unreachable" });
  }

  /** Has a client dialled when its turn comes; false when too many wait already. */
  #dial(
    client: ClientKey,
    { host, port }: HostPort,
    exchange: (client: DialledClient) => Promise<void>,
  ): boolean {
    const dialled = { address: { host, port }, session: sessionOf(client) };
    return this.#queue.add({
      client,
      host,
      run: async () => {
        // It may have gone while it waited for its turn.
        if (this.#run.index.filesListed(client) !== undefined) await exchange(dialled);
      },
    });
  }

  #note(outcome: CheckOutcome, address: HostPort): void {
    const { log } = this.#run;
    const peer = label(address);
    if ("error" in outcome) {
      log.debug("cannot dial a client", { peer, error: messageOf(outcome.error) });
    } else if (outcome.kind === "proved") {
      log.debug("a client proved its address", { peer });
    } else {
      // The index has it logged where a person sees it.
      log.debug("another node answers for a client", { peer });
    }
  }
}

function label({ host, port }: HostPort): string {
  return formatAddress(host, port);
}
