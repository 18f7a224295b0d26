import { describe, expect, test } from "bun:test";
import { calcPrice } from "@pydantic/genai-prices";
import { catalogueModels, cataloguePrice } from "#billing/catalogue.ts";
import { costOf } from "#billing/prices.ts";
import { Shuffle } from "../coordination/shuffle.ts";
import { type Tokens, usageOf } from "./usages.ts";

const ONE = 1_000_000_000n;
const NOW = Date.parse("2026-11-01T12:00:00Z");
const LONG_CONTEXT_BILLED = Date.parse("2026-03-12T23:59:59.999Z");
/** Around where tiers of the catalogue begin, and the ends of what an upstream could report. */
const EDGES = [0, 1, 2, 999, 199_999, 200_000, 200_001, 271_999, 272_000, 1_000_000, 1_000_000_000];

function libraryCost(model: string, [input, output, write5m, write1h, read]: Tokens, atMs: number): bigint {
  const usage = {
    input_tokens: input + write5m + write1h + read,
    output_tokens: output,
    cache_write_tokens: write5m + write1h,
    cache_write_1h_tokens: write1h,
    cache_read_tokens: read,
  };
  const priced = calcPrice(usage, model, { providerId: "anthropic", timestamp: new Date(atMs) });
  return BigInt(Math.round((priced?.total_price ?? Number.NaN) * 1e9));
}

function ownCost(model: string, tokens: Tokens, atMs: number): bigint | undefined {
  const price = cataloguePrice("anthropic", model, atMs)?.price;
  return price && costOf(price, usageOf(tokens), ONE);
}

/** Each edge in each kind alone, pairs that meet an edge only together, and usages at random. */
function grid(): readonly Tokens[] {
  const shuffle = new Shuffle(7);
  const random = (): Tokens => [
    shuffle.below(300_000),
    shuffle.below(90_000),
    shuffle.below(20_000),
    shuffle.below(20_000),
    shuffle.below(250_000),
  ];
  const alone = EDGES.flatMap((n): Tokens[] => [
    [n, 0, 0, 0, 0],
    [0, n, 0, 0, 0],
    [0, 0, n, 0, 0],
    [0, 0, 0, n, 0],
    [0, 0, 0, 0, n],
    [n, n, n, n, n],
  ]);
  const together: Tokens[] = [
    [100_000, 10, 50_000, 25_000, 25_000],
    [100_000, 10, 50_000, 25_000, 25_001],
    [1, 300_000, 0, 0, 199_999],
    [1, 300_000, 0, 0, 200_000],
  ];
  return [...alone, ...together, ...Array.from({ length: 100 }, random)];
}

const MODELS = catalogueModels("anthropic");
const USAGES = grid();

describe("the catalogue", () => {
  test("knows the models of Anthropic", () => {
    expect(MODELS.length).toBeGreaterThan(20);
  });

  test.each([...MODELS])("costs of %s are the library's own to the nano-dollar, at each date", (model) => {
    const wrong = [NOW, LONG_CONTEXT_BILLED].flatMap((atMs) =>
      USAGES.filter((tokens) => ownCost(model, tokens, atMs) !== libraryCost(model, tokens, atMs)),
    );
    expect(wrong).toEqual([]);
  });

  test.each([
    "claude-sonnet-4",
    "claude-sonnet-4-20250514",
    "claude-sonnet-4@20250514",
    "claude-4-sonnet-20250514",
    "claude-sonnet-4-5-20250929",
    "claude-sonnet-4.5",
    "claude-haiku-4-5-20251001",
    "claude-haiku-4-5@20251001",
    "claude-haiku-4-5-latest",
    "claude-4.5-haiku",
    "claude-opus-4-20250514",
    "claude-opus-4-1-20250805",
    "claude-opus-4-5-20251101",
    "claude-opus-5-20260724",
    "claude-3-5-haiku-20241022",
    "claude-3.5-sonnet",
    "claude-3-7-sonnet-latest",
    "claude-3-opus-20240229",
    "claude-3-haiku-20240307",
    "claude-2.1",
    "CLAUDE-Opus-4-6 ",
  ])("%s is the model that the library takes it for", (name) => {
    const tokens: Tokens = [1_000, 500, 200, 100, 300_000];
    expect(ownCost(name, tokens, NOW)).toBe(libraryCost(name, tokens, NOW));
  });

  test.each([
    "claude-opus-4-10",
    "claude-opus-4-50-20280101",
    "claude-opus-4.51",
    "claude-sonnet-5-5",
    "claude-sonnet-5.5-20260929",
    "claude-sonnet-4-57",
    "claude-haiku-4-55",
    "claude-haiku-5",
    "claude-haiku",
    "haiku",
    "my-claude-haiku-4-5",
    "gpt-5",
    "claude",
    "",
  ])("'%s' does not get the price of another version or family", (name) => {
    expect(cataloguePrice("anthropic", name, NOW)).toBeUndefined();
  });

  test("a price that changes at a date is the one of the moment that is asked for", () => {
    const output = (atMs: number) => cataloguePrice("anthropic", "claude-sonnet-4-6", atMs);
    const before = output(LONG_CONTEXT_BILLED);
    const after = output(LONG_CONTEXT_BILLED + 1);
    expect(before?.price.output.map(({ nanosPerMtok }) => nanosPerMtok)).toEqual([
      15_000_000_000n,
      22_500_000_000n,
    ]);
    expect(before?.untilMs).toBe(LONG_CONTEXT_BILLED + 1);
    expect(after?.price.output.map(({ nanosPerMtok }) => nanosPerMtok)).toEqual([15_000_000_000n]);
    expect(output(NOW)?.untilMs).toBe(Number.POSITIVE_INFINITY);
  });

  test("what the catalogue lists without a price for tokens has none, instead of being free", () => {
    expect(cataloguePrice("gemini", "gemma-3", NOW)).toBeUndefined();
    expect(cataloguePrice("openai", "whisper-1", NOW)).toBeUndefined();
    expect(cataloguePrice("openai", "text-embedding-3-small", NOW)).toBeUndefined();
  });

  test("platforms that run models of several vendors have the prices of each", () => {
    const models = ["gemini-2.5-pro", "claude-opus-5-5", "claude-3-opus-latest"];
    expect(catalogueModels("antigravity")).toEqual(expect.arrayContaining(models));
    for (const model of models) expect(cataloguePrice("antigravity", model, NOW)).toBeDefined();
  });
});
