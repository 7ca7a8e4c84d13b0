// The picture of the page: a browser's view of the daemons of page_scene.ts.

import { openBrowser } from "../browser.ts";
import { rootPath } from "../std_source.ts";
import { PageScene } from "./page_scene.ts";

const OUTPUT = "scripts/picture/page.png";
/** Until each source has given something that can be seen. */
const LOOK_MS = 8_000;

/** Takes it, and writes it. */
export async function makePagePicture(): Promise<void> {
  await using scene = await PageScene.start({ isBusy: true });
  await using browser = await openBrowser();
  const page = await browser.newPage({ viewport: { width: 1200, height: 1340 } });
  await page.goto(scene.url);
  await page.locator("#coming .sources li").nth(2).waitFor();
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  await page.screenshot({ path: rootPath(OUTPUT) });
  console.log(OUTPUT);
}
