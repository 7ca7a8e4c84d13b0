// What is computed from samples: medians, percentiles, ratios round by round. Pure numbers.

/**
 * The middle value; of an even count, the mean of the two in the middle.
 *
 * @throws {RangeError} when there is none.
 */
export function median(values: readonly number[]): number {
  const sorted = sortedCopy(values);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The smallest value that at least `share` of all values do not exceed (nearest rank).
 *
 * @param share Above 0 and at most 1: 0.99 for p99.
 * @throws {RangeError} when there is none.
 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = sortedCopy(values);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

/** `of[i] / by[i]` for each round that both have: what one took against the other, side by side. */
export function ratios(of: readonly number[], by: readonly number[]): number[] {
  return of.slice(0, by.length).map((value, i) => value / by[i]!);
}

function sortedCopy(values: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError("Cannot take a median: there are no samples");
  return [...values].sort((a, b) => a - b);
}
