/**
 * Holds what moves files to the rates that a person set: gives each connection its flow, wakes those
 * whose turn it is, and follows the settings, the clock on the wall and the machine's networks. Who
 * has a turn when is decided in `core/rates`.
 */

import { lookup } from "node:dns/promises";
import type { OwnNetwork } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { networkOf } from "../../base/rate_limit.ts";
import type { Pace, Paces } from "../../base/rates/pace.ts";
import {
  NO_RATES,
  RATE_KINDS,
  type RateKind,
  type Rates,
  type RateSettings,
} from "../../base/rates/rate_settings.ts";
import { LineClasses } from "../../core/rates/line_classes.ts";
import { RateShare, type ShareFlow } from "../../core/rates/rate_share.ts";
import { isIp, isLoopback } from "../../wire/host.ts";
import type { RatesReport } from "../../wire/reports.ts";
import { areSameRates, ratesAt, ratesReport } from "./rates_in_force.ts";

interface RateLimiterOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The networks that this machine is attached to. */
  readonly ownNetworks: () => readonly OwnNetwork[];
}

/** The rates of one node. */
export class RateLimiter implements Paces {
  readonly #options: RateLimiterOptions;
  readonly #flows = new Set<Flow>();
  /** By kind, and network if that has a rate of its own. */
  readonly #shares = new Map<string, TimedShare>();
  readonly #hosts: HostAddresses;
  #settings: RateSettings = NO_RATES;
  #rates: Rates = NO_RATES.rates;
  #classes = new LineClasses([], []);
  #networksMs = -Infinity;

  constructor(options: RateLimiterOptions) {
    this.#options = options;
    this.#hosts = new HostAddresses(options.clock, (name) => this.#resolved(name));
  }

  /** Other settings hold from now on, for what is under way too. */
  apply(settings: RateSettings): void {
    this.#settings = settings;
    const { clock } = this.#options;
    this.#rates = ratesAt(settings, clock.unixMs()).rates;
    this.#networksMs = -Infinity;
    this.#readNetworks(clock.nowMs());
    this.#refresh();
  }

  /** Lets time pass: another part of the schedule may hold, or the machine be elsewhere. */
  tick(nowMs: number): void {
    if (!this.#isAnyLimited) return;
    const { clock, log } = this.#options;
    const { rates, part } = ratesAt(this.#settings, clock.unixMs());
    const isChanged = !areSameRates(rates, this.#rates);
    this.#rates = rates;
    const isElsewhere = this.#readNetworks(nowMs);
    if (isChanged) log.info("other rates hold from now on", { ...rates, schedule: part ?? "none" });
    if (isChanged || isElsewhere) this.#refresh();
  }

  /** What holds now. */
  report(): RatesReport {
    return ratesReport(this.#settings, this.#options.clock.unixMs());
  }

  bytesAhead(host: string): number | null {
    if (!this.#isAnyLimited) return null;
    const { key, rate } = this.#rateOf({ kind: "mirror", host });
    if (rate === null) return null;
    const flows = Math.max(1, this.#shares.get(key)?.flows ?? 0);
    return Math.max(limits.rateAskBytesMin, Math.floor(rate * limits.rateAskMs / 1_000 / flows));
  }

  flow(
    kind: RateKind,
    { host, peer }: { readonly host: string; readonly peer: string },
  ): Pace {
    const who = kind === "mirror" ? peer : isLoopback(host) ? `${host} ${peer}` : networkOf(host);
    const flow: Flow = new Flow(kind, host, who, () => void this.#flows.delete(flow));
    this.#flows.add(flow);
    flow.moveTo(this.#shareOf(flow));
    return flow;
  }

  get #isAnyLimited(): boolean {
    const { rates, networks, schedule } = this.#settings;
    return schedule.length > 0 || networks.length > 0 ||
      RATE_KINDS.some((kind) => rates[kind] !== null);
  }

  /** Whether they changed; looks now and then. */
  #readNetworks(nowMs: number): boolean {
    if (!this.#isAnyLimited || nowMs - this.#networksMs < limits.ownNetworksMs) return false;
    this.#networksMs = nowMs;
    this.#classes = new LineClasses(this.#settings.networks, this.#options.ownNetworks());
    return true;
  }

  #refresh(): void {
    const nowMs = this.#options.clock.nowMs();
    const rates = new Map<string, number>();
    for (const flow of this.#flows) {
      const { key, rate } = this.#rateOf(flow);
      if (rate !== null) rates.set(key, rate);
    }
    for (const [key, share] of this.#shares) {
      const rate = rates.get(key);
      if (rate !== undefined) share.setRate(rate, nowMs);
    }
    for (const flow of this.#flows) flow.moveTo(this.#shareOf(flow));
    for (const [key, share] of this.#shares) {
      if (rates.has(key)) continue;
      share.end();
      this.#shares.delete(key);
    }
  }

  #rateOf(
    { kind, host }: Pick<Flow, "kind" | "host">,
  ): { readonly key: string; readonly rate: number | null } {
    if (!this.#isAnyLimited) return { key: kind, rate: null };
    const found = this.#classes.classOf(this.#hosts.addressOf(host));
    switch (found.kind) {
      case "free":
        return { key: kind, rate: null };
      case "line":
        return { key: kind, rate: this.#rates[kind] };
      case "network":
        return { key: `${kind} ${found.network.text}`, rate: found.network.rule as number };
    }
  }

  #shareOf(flow: Flow): TimedShare | null {
    const { key, rate } = this.#rateOf(flow);
    if (rate === null) return null;
    let share = this.#shares.get(key);
    if (share === undefined) {
      share = new TimedShare(rate, this.#options.clock);
      this.#shares.set(key, share);
    }
    return share;
  }

  #resolved(name: string): void {
    for (const flow of this.#flows) if (flow.host === name) flow.moveTo(this.#shareOf(flow));
  }
}

/** Addresses of mirrors that are named; a name counts as the line until it is looked up. */
class HostAddresses {
  readonly #known = new BoundedMap<string, { readonly address: string; readonly atMs: number }>(
    limits.rateHostsMax,
  );
  readonly #clock: Clock;
  readonly #resolved: (name: string) => void;

  constructor(clock: Clock, resolved: (name: string) => void) {
    this.#clock = clock;
    this.#resolved = resolved;
  }

  addressOf(host: string): string {
    const name = host.replace(/^\[|\]$/g, "");
    if (isIp(name) || name.includes("%")) return name;
    const known = this.#known.get(name);
    const nowMs = this.#clock.nowMs();
    if (known !== undefined && nowMs - known.atMs < limits.rateHostMs) return known.address;
    const before = known?.address ?? "";
    this.#known.set(name, { address: before, atMs: nowMs });
    lookup(name).then(({ address }) => {
      if (address === before) return;
      this.#known.set(name, { address, atMs: this.#clock.nowMs() });
      this.#resolved(host);
    }).catch(() => {/* Then it stays what it is taken for. */});
    return before;
  }
}

/** A share whose turns come when they are due. */
class TimedShare {
  readonly #share: RateShare;
  readonly #clock: Clock;
  readonly #flows = new Map<ShareFlow, (bytes: number) => void>();
  #timer: Timer | null = null;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#share = new RateShare(bytesPerSecond);
    this.#clock = clock;
  }

  get bytesPerSecond(): number {
    return this.#share.bytesPerSecond;
  }

  /** How many there are. */
  get flows(): number {
    return this.#flows.size;
  }

  setRate(bytesPerSecond: number, nowMs: number): void {
    if (bytesPerSecond === this.#share.bytesPerSecond) return;
    this.#share.setRate(bytesPerSecond, nowMs);
    this.#giveTurns();
  }

  /** `given` is called for each turn. */
  open(peer: string, given: (bytes: number) => void): ShareFlow {
    const flow = this.#share.open(peer);
    this.#flows.set(flow, given);
    return flow;
  }

  close(flow: ShareFlow): void {
    this.#flows.delete(flow);
    this.#share.close(flow);
  }

  wait(flow: ShareFlow): void {
    this.#share.wait(flow);
    // With a timer set, the next turn is later than now.
    if (this.#timer === null) this.#giveTurns();
  }

  used(flow: ShareFlow, bytes: number): void {
    this.#share.used(flow, bytes, this.#clock.nowMs());
  }

  isHeld(flow: ShareFlow): boolean {
    return this.#share.isHeld(flow, this.#clock.nowMs());
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #giveTurns(): void {
    this.end();
    const nowMs = this.#clock.nowMs();
    for (let turn = this.#share.next(nowMs); turn !== undefined; turn = this.#share.next(nowMs)) {
      this.#flows.get(turn.flow)?.(turn.bytes);
    }
    const { wakeMs } = this.#share;
    if (wakeMs === Infinity) return;
    this.#timer = this.#clock.after(Math.max(0, wakeMs - nowMs), () => this.#giveTurns());
  }
}

/** The pace of one connection. */
class Flow implements Pace {
  readonly kind: RateKind;
  readonly host: string;
  readonly #peer: string;
  readonly #closed: () => void;
  #share: TimedShare | null = null;
  #flow: ShareFlow | null = null;
  #waiting: ((bytes: number) => void) | null = null;
  #isClosed = false;

  constructor(kind: RateKind, host: string, peer: string, closed: () => void) {
    this.kind = kind;
    this.host = host;
    this.#peer = peer;
    this.#closed = closed;
  }

  get isLimited(): boolean {
    return this.#share !== null;
  }

  get bytesPerSecond(): number | null {
    return this.#share?.bytesPerSecond ?? null;
  }

  get isWaiting(): boolean {
    return this.#waiting !== null;
  }

  get isHeld(): boolean {
    return this.#share?.isHeld(this.#flow!) ?? false;
  }

  turn(): Promise<number> {
    if (this.#share === null || this.#isClosed) return Promise.resolve(Infinity);
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#waiting = resolve;
    this.#share.wait(this.#flow!);
    return promise;
  }

  used(bytes: number): void {
    this.#share?.used(this.#flow!, bytes);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.moveTo(null);
    this.#closed();
  }

  /** Another rate holds for it, or none; what waits goes on waiting there. */
  moveTo(share: TimedShare | null): void {
    if (share === this.#share) return;
    if (this.#flow !== null) this.#share!.close(this.#flow);
    this.#share = share;
    this.#flow = share?.open(this.#peer, (bytes) => this.#given(bytes)) ?? null;
    if (this.#waiting === null) return;
    if (share === null) this.#given(Infinity);
    else share.wait(this.#flow!);
  }

  #given(bytes: number): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.(bytes);
  }
}
