/** Run as a program: reads the file behind a URL by the mirrors of a node, and prints it. */

import { silentLogger } from "../../../src/base/log.ts";
import { Mirrors } from "../../../src/http/mirrors.ts";

using mirrors = new Mirrors({ log: silentLogger });
const { signal } = new AbortController();
try {
  using body = await mirrors.file([Deno.args[0]!]).open({ offset: 0 }, { signal });
  for (let data = await body.read(); data !== null; data = await body.read()) {
    Deno.stdout.writeSync(data);
  }
} catch (error) {
  Deno.stdout.writeSync(new TextEncoder().encode((error as Error).name));
}
