/** Limits of the port for monitoring, each with its reason. */

import { KIB } from "./sizes.ts";

export const metricsLimits = {
  /** Connections at once: a scraper needs one, a person some. One more ends the oldest, never itself. */
  metricsConnectionsMax: 64,
  /** How long one may take, from its first byte to its last: as long as Prometheus waits by default. */
  metricsConnectionMs: 10_000,
  /** The head of a request: that of Prometheus has 300 bytes, that of a browser 2 KiB. */
  metricsHeadBytesMax: 8 * KIB,
  /** How long the figures that were read last are given again: as many scrapers cost as much as one. */
  metricsTextMs: 250,
  /** When its port cannot be had again, it is tried again after this. */
  metricsPauseMs: 500,
  /**
   * When nobody has connected for so long, its port is opened anew: the runtime stops accepting, and
   * says nothing, when the process could open no file once. Not a multiple of any usual interval
   * between scrapes, which would find the port closed for that moment again and again.
   */
  metricsQuietMs: 47_000,
  /** How often the page is told what changed: as often as a person takes in. */
  pageBeatMs: 1_000,
  /** Pages at once: some persons with some tabs. Each costs a connection and the room of one state. */
  pageStreamsMax: 32,
  /** A page that takes nothing for so long is asleep, or gone; it comes back by itself. */
  pageStuckMs: 30_000,
  /** When a page that found no room may ask again. */
  pageRetrySeconds: 10,
  /** How often the event loop is looked at: what holds it up for as long is seen for certain. */
  eventLoopBeatMs: 100,
} as const;
