import { assertEquals } from "@std/assert";
import { isNotModified, isRangeWanted } from "../../../../src/gateway/server/preconditions.ts";

const ETAG = '"abc"';
const DATE = "Wed, 21 Oct 2015 07:28:00 GMT";
const LATER = "Wed, 21 Oct 2015 07:28:01 GMT";
const EARLIER = "Wed, 21 Oct 2015 07:27:59 GMT";
const BOTH = { etag: ETAG, lastModified: DATE };

Deno.test("isNotModified() compares tags, and dates only without a tag", () => {
  const cases: readonly [Record<string, string>, boolean][] = [
    [{}, false],
    [{ "if-none-match": ETAG }, true],
    [{ "if-none-match": `W/${ETAG}` }, true],
    [{ "if-none-match": `"x", ${ETAG}` }, true],
    [{ "if-none-match": "*" }, true],
    [{ "if-none-match": '"x"' }, false],
    [{ "if-none-match": "abc" }, false],
    [{ "if-modified-since": DATE }, true],
    [{ "if-modified-since": LATER }, true],
    [{ "if-modified-since": EARLIER }, false],
    [{ "if-modified-since": "yesterday" }, false],
    [{ "if-modified-since": "5" }, false],
    [{ "if-none-match": '"x"', "if-modified-since": LATER }, false],
  ];
  for (const [headers, expected] of cases) {
    assertEquals(isNotModified(new Headers(headers), BOTH), expected, JSON.stringify(headers));
  }
});

Deno.test("isNotModified() takes no other date where only the very one will do", () => {
  for (const [date, expected] of [[DATE, true], [LATER, false], [EARLIER, false]] as const) {
    const headers = new Headers({ "if-modified-since": date });
    assertEquals(isNotModified(headers, BOTH, { isExact: true }), expected, date);
  }
});

Deno.test("isNotModified() is false where nothing is known of the file", () => {
  const nothing = { etag: null, lastModified: null };
  for (const header of ["if-none-match", "if-modified-since"]) {
    for (const value of ["*", ETAG, LATER]) {
      assertEquals(isNotModified(new Headers({ [header]: value }), nothing), false);
    }
  }
});

Deno.test("isRangeWanted() takes a part only of the very same file", () => {
  for (
    const [ifRange, expected] of [
      [ETAG, true],
      ['"x"', false],
      [`W/${ETAG}`, false],
      [DATE, true],
      [LATER, false],
      [EARLIER, false],
      ["nonsense", false],
    ] as const
  ) {
    assertEquals(isRangeWanted(new Headers({ "if-range": ifRange }), BOTH), expected, ifRange);
  }
  assertEquals(isRangeWanted(new Headers(), BOTH), true);
  const nothing = { etag: null, lastModified: null };
  assertEquals(isRangeWanted(new Headers({ "if-range": ETAG }), nothing), false);
  assertEquals(isRangeWanted(new Headers({ "if-range": DATE }), nothing), false);
});
