/** The name of a link inside one node. It never travels. */

/**
 * A link between this node and another, numbered by whoever owns the connections. A number is
 * never given twice in the life of a process, so a stale one can only mean a link that is gone.
 */
export type LinkId = number;
