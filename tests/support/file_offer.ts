/** An offer of a small file, for tests that do not look into it. */

import type { Root } from "../../src/base/ids.ts";
import type { FileOffer } from "../../src/wire/structures.ts";

export const SMALL_OFFER: FileOffer = {
  root: "ab".repeat(32) as Root,
  name: "f",
  type: "",
  sizeBytes: 5,
  chunksHave: 1,
  whole: true,
};
