/** A machine of a simulated crowd that plays no part in it but that of a liar. */

import type { NodeId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { randomBelow } from "../../src/base/random.ts";
import type { FellowMessage, FellowReport } from "../../src/core/crowd/crowd_events.ts";
import type { SimEnd, SimLink } from "./crowd_links.ts";
import type { CrowdRun } from "./crowd_run.ts";
import type { SimFellowPlan } from "./crowd_world.ts";

/** How often it lies anew. */
const LIE_MS = 300;

export class SimLiar implements SimEnd {
  readonly index: number;
  readonly plan: SimFellowPlan;
  readonly nodeId: NodeId;
  readonly links = new Map<number, SimLink>();
  readonly #run: CrowdRun;
  readonly #reports = new Map<NodeId, FellowReport>();
  #report: FellowReport;

  constructor(run: CrowdRun, plan: SimFellowPlan) {
    this.index = plan.index;
    this.plan = plan;
    this.nodeId = plan.nodeId;
    this.#run = run;
    this.#report = {
      nodeId: plan.nodeId,
      sequence: 1,
      reads: "ranges",
      isWhole: false,
      claims: [],
    };
    this.#lieOn();
  }

  get isHere(): boolean {
    return true;
  }

  wants(): boolean {
    return true;
  }

  joined(other: SimEnd): void {
    this.#tell(other.index, { kind: "report", report: this.#report });
    if (this.plan.lie !== "has-all") return;
    const ranges = [{ first: 0, count: this.#run.world.chunks }];
    this.#tell(other.index, { kind: "announce", origin: this.nodeId, ranges });
  }

  left(): void {}

  heard(_from: SimEnd, messages: readonly FellowMessage[]): void {
    for (const message of messages) {
      if (message.kind === "report") this.#reports.set(message.report.nodeId, message.report);
    }
  }

  #lieOn(): void {
    const { random, stripes } = this.#run.world;
    const sequence = this.#report.sequence + 1;
    if (this.plan.lie === "claims") {
      const first = randomBelow(random, stripes);
      const claims = Array.from(
        { length: limits.fellowClaimsMax },
        (_, i) => (first + i) % stripes,
      );
      this.#report = { ...this.#report, sequence, claims: [...new Set(claims)] };
    }
    this.#tellAll({ kind: "report", report: this.#report });
    if (this.plan.lie === "others-gone") {
      const reports = [...this.#reports.values()].filter(({ isWhole }) => !isWhole);
      const report = reports[randomBelow(random, reports.length)];
      if (report !== undefined) this.#sayGone(report);
    }
    this.#run.time.later(LIE_MS, () => this.#lieOn());
  }

  #sayGone(report: FellowReport): void {
    const sequence = report.sequence + 1;
    const gone: FellowReport = { ...report, sequence, reads: "nothing", claims: [] };
    this.#tellAll({ kind: "report", report: gone });
  }

  #tellAll(message: FellowMessage): void {
    for (const index of this.links.keys()) this.#tell(index, message);
  }

  #tell(index: number, message: FellowMessage): void {
    this.links.get(index)?.send(this.index, message);
  }
}
