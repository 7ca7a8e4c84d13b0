// A real browser without a window, for the tests of the page and for its picture: Debian's Chromium,
// driven over its own protocol.

import { type Browser, chromium } from "playwright-core";

const PATHS: readonly string[] = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];

/** Where the browser is; undefined where there is none. */
export function browserPath(): string | undefined {
  return PATHS.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/**
 * Starts the browser.
 *
 * @throws {Error} when there is none.
 */
export async function openBrowser(): Promise<Browser> {
  const executablePath = browserPath();
  if (executablePath === undefined) {
    throw new Error(`Cannot open a browser: none of ${PATHS.join(", ")} is there`);
  }
  // Its sandbox does not work for root; it sees nothing but this machine's own pages.
  return await chromium.launch({ executablePath, args: ["--no-sandbox"] });
}
