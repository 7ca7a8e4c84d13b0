// Names for what the whole machine shares, such as network namespaces. Files that are tested side by side
// are in one process, and each has modules of its own: neither its id nor a counter tells them apart.

/** Eight hexadecimal digits that nobody else has. */
export function uniqueId(): string {
  return crypto.randomUUID().slice(0, 8);
}
