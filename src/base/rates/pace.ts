/** How what moves bytes is held to a rate: the view of one connection, or one answer of a mirror. */

/** One flow of the many that share a rate. Whoever moves bytes asks before each piece. */
export interface Pace {
  /** Whether there is a rate now. While there is none, nothing else has to be asked. */
  readonly isLimited: boolean;
  /** Waits for its turn; gives how many bytes may go. Also resolves when the flow is closed. */
  turn(): Promise<number>;
  /** So many bytes went in this turn, fewer or more than it gave. */
  used(bytes: number): void;
  /** Whether it waits for its turn now: that nothing comes is nobody's fault. */
  readonly isWaiting: boolean;
  /** Whether it is slow because of the rate, not of the other side. */
  readonly isHeld: boolean;
  /** Bytes a second that all flows of this rate have together; null: there is none. */
  readonly bytesPerSecond: number | null;
  /** Waits for nothing any more. */
  close(): void;
}

/** Gives flows; where nothing says otherwise, unlimited ones. */
export interface Paces {
  /** How much of a mirror at this host may be asked for at once; null: all of it. */
  bytesAhead(host: string): number | null;
  /**
   * A flow with a host, which is an IP address; of a mirror, its name or address. Flows of one `peer` share
   * what one peer gets: a node, or a file that comes from mirrors.
   */
  flow(
    kind: "upload" | "download" | "mirror",
    to: { readonly host: string; readonly peer: string },
  ): Pace;
}

/** Nothing is limited. */
export const UNLIMITED: Pace = {
  isLimited: false,
  turn: () => Promise.resolve(Infinity),
  used() {},
  isWaiting: false,
  isHeld: false,
  bytesPerSecond: null,
  close() {},
};

/** Limits nothing. */
export const NO_PACES: Paces = { bytesAhead: () => null, flow: () => UNLIMITED };
