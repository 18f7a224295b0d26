import { expect, test } from "bun:test";
import { PriceBook } from "#billing/price-book.ts";
import { DEFAULT_SETTINGS } from "#domain/settings.ts";
import { nanosToUsd } from "#kernel/money.ts";
import { costIn, type Tokens, usageOf } from "./usages.ts";

/** The table "Model pricing": input, output, cache writes of 5 m and 1 h, and cache hits of each model. */
const MODELS = "https://platform.claude.com/docs/en/about-claude/pricing#model-pricing";
/** The same table as it was when it still listed models that are retired now. */
const EARLIER = "https://docs.anthropic.com/en/docs/about-claude/pricing";
/** What costs more above 200,000 input tokens, and until when it did. */
const LONG = "https://platform.claude.com/docs/en/about-claude/pricing#long-context-pricing";

const NOW = Date.parse("2026-11-01T12:00:00Z");
/** The last moment at which Opus 4.6 and Sonnet 4.6 cost more above 200,000 input tokens. */
const BEFORE = Date.parse("2026-03-12T23:59:59.999Z");

/** Expected: US dollars, worked out from the prices at the source and not by any code of this project. */
const COSTS: [model: string, source: string, atMs: number, tokens: Tokens, usd: string][] = [
  ["claude-haiku-4-5", MODELS, NOW, [1_000, 500, 0, 0, 0], "0.0035"],
  ["claude-haiku-4-5-20251001", MODELS, NOW, [1, 0, 0, 0, 0], "0.000001"],
  ["claude-haiku-4-5", MODELS, NOW, [0, 1, 0, 0, 0], "0.000005"],
  ["claude-haiku-4-5", MODELS, NOW, [17, 4_093, 2_048, 0, 65_536], "0.0295956"],
  ["claude-haiku-4-5", MODELS, NOW, [3, 211, 0, 4_096, 0], "0.00925"],
  ["claude-3-5-haiku-20241022", EARLIER, NOW, [1_000, 500, 0, 0, 0], "0.0028"],
  ["claude-3-5-haiku-latest", EARLIER, NOW, [12_345, 678, 901, 234, 56_789], "0.01840652"],
  ["claude-3-haiku-20240307", EARLIER, NOW, [1_000, 500, 0, 0, 0], "0.000875"],
  ["claude-3-haiku-20240307", EARLIER, NOW, [0, 0, 1_000, 1_000, 1_000], "0.00083"],
  ["claude-3-haiku-20240307", EARLIER, NOW, [1, 1, 1, 1, 1], "0.00000233"],
  ["claude-3-opus-20240229", EARLIER, NOW, [321, 123, 0, 0, 0], "0.01404"],
  ["claude-3-7-sonnet-20250219", EARLIER, NOW, [4_567, 890, 0, 0, 12_000], "0.030651"],
  ["claude-opus-4-20250514", EARLIER, NOW, [2_000, 1_000, 0, 0, 0], "0.105"],
  ["claude-opus-4-1-20250805", MODELS, NOW, [2_000, 1_000, 0, 0, 0], "0.105"],
  ["claude-opus-4-1", MODELS, NOW, [10, 4_000, 1_500, 2_500, 90_000], "0.538275"],
  ["claude-opus-4-1", MODELS, NOW, [1, 1, 1, 1, 1], "0.00014025"],
  ["claude-opus-4-5-20251101", MODELS, NOW, [2_000, 1_000, 0, 0, 0], "0.035"],
  ["claude-opus-4-5", MODELS, NOW, [10, 4_000, 1_500, 2_500, 90_000], "0.179425"],
  ["claude-opus-4-5", MODELS, NOW, [1, 1, 1, 1, 1], "0.00004675"],
  ["claude-opus-4-6", MODELS, NOW, [200_001, 1_000, 0, 0, 0], "1.025005"],
  ["claude-opus-4-6", MODELS, NOW, [900_000, 32_000, 50_000, 0, 40_000], "5.6325"],
  ["claude-opus-4-6", LONG, BEFORE, [200_001, 1_000, 0, 0, 0], "2.03751"],
  ["claude-opus-4-6", LONG, BEFORE, [200_000, 1_000, 0, 0, 0], "1.025"],
  ["claude-opus-4-7", MODELS, NOW, [777, 333, 0, 0, 0], "0.01221"],
  ["claude-opus-4-8", MODELS, NOW, [6, 12_000, 8_000, 0, 500_000], "0.60003"],
  ["claude-opus-5", MODELS, NOW, [123_456, 7_890, 0, 1_234, 5_678], "0.829709"],
  ["claude-opus-5-5", MODELS, NOW, [123_456, 7_890, 0, 1_234, 5_678], "0.6626316"],
  ["claude-opus-5-5", MODELS, NOW, [0, 0, 0, 0, 1_000_000], "0.2"],
  ["claude-fable-5", MODELS, NOW, [50_000, 2_500, 10_000, 5_000, 800_000], "1.65"],
  ["claude-fable-5-1", MODELS, NOW, [50_000, 2_500, 10_000, 5_000, 800_000], "1.05"],
  ["claude-sonnet-4-20250514", EARLIER, NOW, [1_500, 750, 0, 0, 0], "0.01575"],
  ["claude-sonnet-4-5-20250929", LONG, NOW, [200_000, 1_000, 0, 0, 0], "0.615"],
  ["claude-sonnet-4-5-20250929", LONG, NOW, [200_001, 1_000, 0, 0, 0], "1.222506"],
  ["claude-sonnet-4-5", LONG, NOW, [100_000, 1_000, 50_000, 25_000, 25_000], "0.66"],
  ["claude-sonnet-4-5", LONG, NOW, [100_000, 1_000, 50_000, 25_000, 25_001], "1.3125006"],
  ["claude-sonnet-4-5", LONG, NOW, [1, 64_000, 0, 0, 200_000], "1.560006"],
  ["claude-sonnet-4-5", MODELS, NOW, [0, 1, 0, 0, 0], "0.000015"],
  ["claude-sonnet-4-6", MODELS, NOW, [300_000, 2_000, 0, 0, 0], "0.93"],
  ["claude-sonnet-4-6", LONG, BEFORE, [300_000, 2_000, 0, 0, 0], "1.845"],
  ["claude-sonnet-4-6", MODELS, NOW, [9, 1_234, 567, 0, 89_012], "0.04736685"],
  ["claude-sonnet-5", MODELS, NOW, [1_500, 750, 0, 0, 0], "0.0105"],
  ["claude-sonnet-5", MODELS, NOW, [5, 6_789, 1_000, 2_000, 345_678], "0.1475356"],
  ["claude-sonnet-5", MODELS, NOW, [0, 0, 0, 0, 0], "0"],
  ["claude-opus-4-1", MODELS, NOW, [0, 0, 0, 0, 0], "0"],
  ["claude-opus-4-1", MODELS, NOW, [1_000_000_000, 1_000_000_000, 0, 0, 0], "90000"],
  [
    "claude-opus-5",
    MODELS,
    NOW,
    [1_000_000_000, 1_000_000_000, 1_000_000_000, 1_000_000_000, 1_000_000_000],
    "46750",
  ],
  ["claude-haiku-4-5", MODELS, NOW, [1_000_000_000, 0, 0, 0, 1], "1000.0000001"],
  ["claude-fable-5-1", MODELS, NOW, [0, 0, 0, 0, 999_999_999], "249.99999975"],
];

for (const [model, source, atMs, tokens, usd] of COSTS) {
  test(`${model} with ${tokens} tokens costs what is published at ${source}`, () => {
    const book = new PriceBook({ settings: () => DEFAULT_SETTINGS, clock: { now: () => atMs } });
    const nanos = costIn(book, ["anthropic", model], usageOf(tokens), 1_000_000_000n);
    expect(nanos === undefined ? undefined : nanosToUsd(nanos)).toBe(usd);
  });
}

test("the table has at least forty combinations", () => {
  expect(new Set(COSTS.map((row) => JSON.stringify(row))).size).toBeGreaterThanOrEqual(40);
});
