import { assertEquals, assertStringIncludes } from "@std/assert";
import { Registry } from "prom-client";
import { type Family, register } from "../../../src/metrics/families.ts";

interface Figures {
  readonly links: number;
  readonly bytes: Record<string, number>;
  readonly gateway?: number;
}

const FAMILIES: readonly Family<Figures>[] = [
  { kind: "gauge", name: "x_links", help: "Links.", read: ({ links }) => links },
  { kind: "gauge", name: "x_gateway", help: "Gateway.", read: ({ gateway }) => gateway },
  {
    kind: "counter",
    name: "x_bytes_total",
    help: "Bytes.",
    label: "source",
    read: ({ bytes }) => bytes,
  },
];

/** The lines that are no comments. */
async function values(registry: Registry): Promise<string[]> {
  const text = await registry.metrics();
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

Deno.test("register() has figures read when they are asked for, each under its help", async () => {
  const registry = new Registry();
  let figures: Figures | undefined = { links: 3, bytes: { peer: 5, mirror: 0 }, gateway: 1 };
  register(registry, FAMILIES, () => figures);
  assertEquals(await values(registry), [
    "x_links 3",
    "x_gateway 1",
    'x_bytes_total{source="peer"} 5',
    'x_bytes_total{source="mirror"} 0',
  ]);
  assertStringIncludes(
    await registry.metrics(),
    "# HELP x_bytes_total Bytes.\n# TYPE x_bytes_total counter\n",
  );
  figures = { links: 0, bytes: { peer: 7 } };
  assertEquals(await values(registry), ["x_links 0", 'x_bytes_total{source="peer"} 7']);
  figures = undefined;
  assertEquals(await values(registry), [], "a service that does not run has none");
});

Deno.test("register() lets no counter fall", async () => {
  const registry = new Registry();
  let bytes = 0;
  register(registry, FAMILIES, () => ({ links: 0, bytes: { peer: bytes } }));
  const heard: string[] = [];
  for (bytes of [10, 4, 12]) heard.push((await values(registry)).at(-1)!);
  assertEquals(heard.map((line) => Number(line.split(" ")[1])), [10, 10, 12]);
});
