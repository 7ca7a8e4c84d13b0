/** All that moves files between a node and others: what it fetches, serves, pushes and takes. */

import type { PackageIndex } from "../../base/package_index.ts";
import type { StoreChange } from "../../store/files/stored_file.ts";
import type { OldVersions } from "../../net/version_fallback.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { WITHDRAWN } from "../../wire/messages.ts";
import { fileOfRoot } from "../discovery/offers.ts";
import { PushReceiver } from "../push/push_receiver.ts";
import { Pushes } from "../push/pushes.ts";
import type { Flights } from "../crowd/flights.ts";
import type { SwarmContext } from "../swarm/swarm_events.ts";
import type { ConfiguredMirrors } from "../trust/configured_mirrors.ts";
import type { OfferPolicyChange } from "../trust/offer_policy.ts";
import { LoadMeter } from "../upload/load_meter.ts";
import type { Uploads } from "../upload/uploads.ts";
import type { Keeper } from "../keeping/keeper.ts";
import type { Discovery } from "./discovery.ts";
import { Fetches } from "./fetches.ts";

interface TransfersOptions {
  readonly uploads: Uploads;
  readonly discovery: Discovery;
  readonly acceptBytes: number;
  readonly relaysFiles: boolean;
  readonly keeper: Pick<Keeper, "roomBytes">;
  readonly uploadsLoaded: number;
  readonly isAlone: boolean;
  readonly mirrorDelayMs: number | null;
  readonly configuredMirrors: ConfiguredMirrors | undefined;
  readonly trust: PackageIndex | undefined;
  readonly swarmContext: SwarmContext;
  readonly flights: Flights;
  readonly oldVersions: OldVersions;
}

/** The transfers of one node. */
export class Transfers {
  readonly uploads: Uploads;
  readonly fetches: Fetches;
  readonly pushes: Pushes;
  readonly pushReceiver: PushReceiver;
  readonly loadMeter: LoadMeter;
  readonly #context: NodeContext;
  readonly #ends: readonly (() => void)[];

  constructor(context: NodeContext, options: TransfersOptions) {
    const { acceptBytes, discovery, relaysFiles, uploads, uploadsLoaded } = options;
    this.#context = context;
    this.uploads = uploads;
    this.fetches = new Fetches(context, options);
    this.pushes = new Pushes(context, { uploads, directories: discovery.directories });
    this.loadMeter = new LoadMeter({
      uploads,
      uploadsMax: uploadsLoaded,
      room: () => this.pushReceiver.room,
    });
    this.pushReceiver = new PushReceiver(context, {
      accepting: { acceptBytes, relaysFiles },
      loadMeter: this.loadMeter,
      keeper: options.keeper,
      swarms: this.fetches.swarms,
      fetch: (request, how) => this.fetches.fetch(request, how),
    });
    this.#ends = [
      context.store.onChange((change) => this.#storeChanged(change)),
      context.offerPolicy.onChange((change) => this.#offerPolicyChanged(change)),
    ];
  }

  tick(nowMs: number): void {
    this.fetches.tick(nowMs);
    this.uploads.tick(nowMs);
    this.loadMeter.tick(nowMs);
  }

  /** Ends everything that is on its way in; downloads are kept as of now. */
  async stop(): Promise<void> {
    for (const end of this.#ends) end();
    await Promise.all([this.fetches.stop(), this.pushReceiver.stop()]);
  }

  #storeChanged(change: StoreChange): void {
    if (change.kind === "gained") this.uploads.gained(change.root, change.range);
    else if (change.kind === "withdrawn" || change.kind === "discarded") {
      if (this.#context.store.definition(change.root) === undefined) {
        this.uploads.withdraw(change.root, WITHDRAWN);
      }
    }
  }

  /**
   * Requesters that began before a file was contradicted get no more of it. A copy that was fetched,
   * for which only nodes vouched, is removed; what is shared stays where it lies.
   */
  #offerPolicyChanged({ root, verdict }: OfferPolicyChange): void {
    if (verdict !== "contradicted" || fileOfRoot(this.#context, root) !== undefined) return;
    this.uploads.withdraw(root, WITHDRAWN);
    const { store, offerPolicy } = this.#context;
    const files = [...store.definitionsOfRoot(root)];
    const isUseless = files.every((file) => offerPolicy.trustOf(file) === "contradicted") &&
      files.some(({ origin }) => origin === "downloaded");
    if (isUseless && store.history.trustOf(root) === "peers") store.remove(root);
  }
}
