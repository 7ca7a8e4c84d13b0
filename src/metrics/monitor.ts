/**
 * The monitoring of one service, from before its start until after its end: opens the port, says
 * whether the service is ready, and reads its figures when they are asked for.
 */

import { Registry } from "prom-client";
import type { HostPort } from "../base/address.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import { formatAddress } from "../wire/host.ts";
import { type Family, register } from "./families.ts";
import { Health } from "./health.ts";
import { MetricsServer } from "./metrics_server.ts";
import { type PageState, StateStreams } from "./page/state_streams.ts";
import { registerProcess } from "./process_families.ts";

/** Where a service is monitored. */
export interface MonitorConfig {
  readonly listen: HostPort;
  /** Names that the port answers to, beside addresses and those of the machine; in lower case. */
  readonly names: readonly string[];
}

/** A service that runs. */
export interface MonitoredService {
  /** Why it cannot do its work just now; undefined when it can. */
  problem(): string | undefined;
  /** What it knows at this moment; cheap, whatever it has. */
  figures(): unknown;
}

type FiguresOf<S extends MonitoredService> = ReturnType<S["figures"]>;

/** What monitors are told of services of a kind. */
export interface MonitoredKind<S extends MonitoredService> {
  readonly families: readonly Family<FiguresOf<S>>[];
  /** What the page shows of it, by sections; without it there is no page. */
  readonly page?: (service: S) => Promise<PageState>;
  /** Has `registry` write also what is not of one moment. */
  observe?(registry: Registry, service: S): void;
}

/** The monitoring of one service. */
export class Monitor<S extends MonitoredService> implements AsyncDisposable {
  readonly #health = new Health();
  readonly #registry = new Registry();
  readonly #kind: MonitoredKind<S>;
  readonly #clock: Clock;
  readonly #loop: Disposable;
  #service: S | undefined;
  #figures: FiguresOf<S> | undefined;
  #last: { readonly atMs: number; readonly text: Promise<string> } | undefined;
  #server: MetricsServer | undefined;
  #streams: StateStreams | undefined;

  private constructor(kind: MonitoredKind<S>, clock: Clock) {
    this.#kind = kind;
    this.#clock = clock;
    this.#loop = registerProcess(this.#registry, { health: this.#health });
    register(this.#registry, kind.families, () => this.#figures);
  }

  /**
   * Opens the port for a service that is still to start.
   *
   * @throws {EnvironmentError} with a hint when the port cannot be had.
   */
  static async open<S extends MonitoredService>(
    { listen, names }: MonitorConfig,
    { log, kind, clock = systemClock }: {
      readonly log: Logger;
      readonly kind: MonitoredKind<S>;
      readonly clock?: Clock;
    },
  ): Promise<Monitor<S>> {
    const monitor = new Monitor(kind, clock);
    if (kind.page !== undefined) {
      monitor.#streams = new StateStreams({
        clock,
        read: () => monitor.#readPage(),
        failed: (error) => log.warn("cannot show the page", { error: messageOf(error) }),
      });
    }
    try {
      monitor.#server = await MetricsServer.open({
        listen,
        names,
        log,
        clock,
        health: monitor.#health,
        metrics: () => monitor.#metrics(),
        streams: monitor.#streams,
      });
    } catch (error) {
      await monitor[Symbol.asyncDispose]();
      throw error;
    }
    log.info("answers monitors", {
      metrics: formatAddress(monitor.address.host, monitor.address.port),
    });
    return monitor;
  }

  /** Where it listens, the real port included. */
  get address(): HostPort {
    return this.#server!.address;
  }

  /** The service runs. */
  started(service: S): void {
    this.#service = service;
    this.#kind.observe?.(this.#registry, service);
    this.#health.started(() => service.problem());
  }

  /** The service is about to end: nothing more is read of it. */
  stopping(): void {
    this.#health.stopping();
    this.#service = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#loop[Symbol.dispose]();
    this.#streams?.[Symbol.dispose]();
    await this.#server?.[Symbol.asyncDispose]();
  }

  /** The page says why there is nothing to see while the service does not run. */
  async #readPage(): Promise<PageState> {
    const service = this.#service;
    const problem = this.#health.problem ?? null;
    return service === undefined ? { problem } : { problem, ...await this.#kind.page!(service) };
  }

  async #metrics(): Promise<{ text: string; type: string }> {
    const nowMs = this.#clock.nowMs();
    if (this.#last === undefined || nowMs - this.#last.atMs >= limits.metricsTextMs) {
      this.#last = { atMs: nowMs, text: this.#read() };
    }
    return { text: await this.#last.text, type: this.#registry.contentType };
  }

  async #read(): Promise<string> {
    this.#figures = this.#service?.figures() as FiguresOf<S> | undefined;
    return await this.#registry.metrics();
  }
}
