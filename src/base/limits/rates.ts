/** Limits of the rates that a person sets, each with its reason. */

export const rateLimits = {
  /** The lowest rate: a chunk in 16 s. Below that others take a node for gone (30 s). */
  rateBytesPerSecondMin: 1_000,
  /** The highest: no line of a machine carries more, and a slip of the unit shows. */
  rateBytesPerSecondMax: 100_000_000_000,
  /** Networks with a rate of their own, and parts of the week: each is looked through. */
  rateNetworksMax: 64,
  scheduledRatesMax: 64,
  /** What one flow may move at a time: so much of the rate, so that timers matter little, */
  rateTurnMs: 20,
  /** and so little that all who wait have had their turn in this time, far below `snubMs`. */
  rateRoundMs: 400,
  /** But no less than is worth a packet, and no more than a frame. */
  rateTurnBytesMin: 512,
  rateTurnBytesMax: 512 * 1024,
  /** What was not used while nobody waited may be made up for: 1 % of ten seconds. */
  rateIdleCreditMs: 100,
  /** The same while somebody waited, as when a timer went off late on a busy machine. */
  rateLateCreditMs: 250,
  /** Over so long it is measured how much of a rate is in use. */
  rateUseMs: 500,
  /** In use so far it holds back who waits for it; below, waits come of bursts. */
  rateHeldPercent: 70,
  /** Who had to wait for a turn within this time is held back. */
  rateHeldMs: 500,
  /** Asked of limited peers at once: what they may give in this time. A round trip takes less. */
  rateInflightMs: 400,
  /**
   * Of mirrors, by all answers together: what is asked for and not read crosses the line at once, and
   * waits in the system. But a request is made for so much at least.
   */
  rateAskMs: 1_000,
  rateAskBytesMin: 128 * 1024,
  /** The machine's own networks are read again so often while anything is limited. */
  ownNetworksMs: 10_000,
  /** Names of mirrors whose addresses are known, and for how long: DNS may change its mind. */
  rateHostsMax: 256,
  rateHostMs: 600_000,
} as const;
