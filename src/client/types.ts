/** The types that callers of the client work with; they live beside the wire format they mirror. */

export type { FetchEvent } from "../wire/fetching.ts";
export type { FetchRequest } from "../wire/fetching.ts";
export type * from "../wire/reports.ts";
