/** The nearest right word to a wrong one: of commands, flags and configuration keys. */

/** The candidate that `word` was probably meant to be; undefined when none is near. */
export async function suggestion(
  word: string,
  candidates: readonly string[],
): Promise<string | undefined> {
  // Loaded only once something is wrong: a start that goes well does not pay for it.
  const { distance } = await import("fastest-levenshtein");
  let best: string | undefined;
  // A third of the letters may differ, two at least: "sarch", "serach", "netwrok-keyfile". Of three
  // letters only one: with two others it is another word.
  const letters = word.replace(/^-+/, "").length;
  let bestDistance = Math.max(letters > 3 ? 2 : 1, Math.floor(letters / 3)) + 1;
  for (const candidate of candidates) {
    const isBeginning = letters > 2 && candidate.startsWith(word);
    const away = isBeginning ? 0 : distance(word.toLowerCase(), candidate);
    // All letters of a short word replaced is no likeness.
    if (away < bestDistance && away < candidate.replace(/^-+/, "").length) {
      best = candidate;
      bestDistance = away;
    }
  }
  return best;
}
