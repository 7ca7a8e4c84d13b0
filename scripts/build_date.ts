// The date that stands in what is built. It imports nothing.

/** Today, or the date of SOURCE_DATE_EPOCH, by which packagers make the same package twice. */
export function dateOfBuild(): Date {
  const epoch = Number(Deno.env.get("SOURCE_DATE_EPOCH") || NaN);
  return Number.isFinite(epoch) ? new Date(epoch * 1000) : new Date();
}
