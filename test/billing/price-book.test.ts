import { describe, expect, test } from "bun:test";
import { PriceBook } from "#billing/price-book.ts";
import { costOf } from "#billing/prices.ts";
import { unpricedFault } from "#billing/unpriced.ts";
import type { Platform } from "#domain/platform.ts";
import { DEFAULT_SETTINGS, type PriceOverride, type RuntimeSettings } from "#domain/settings.ts";
import { Shuffle } from "../coordination/shuffle.ts";
import { costIn, type Tokens, usageOf } from "./usages.ts";

const ONE = 1_000_000_000n;
const USD = 1_000_000_000n;
const NOW = Date.parse("2026-11-01T12:00:00Z");
const MILLION_EACH: Tokens = [1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000];

const entry = (model: string, input: bigint, rest: Partial<PriceOverride> = {}): PriceOverride => ({
  model,
  inputNanos: input,
  outputNanos: input * 5n,
  cacheWrite5mNanos: undefined,
  cacheWrite1hNanos: undefined,
  cacheReadNanos: undefined,
  requestNanos: undefined,
  ...rest,
});

function bookWith(changes: Partial<RuntimeSettings>, atMs = NOW): PriceBook {
  const settings = { ...DEFAULT_SETTINGS, ...changes };
  return new PriceBook({ settings: () => settings, clock: { now: () => atMs } });
}

/** What a million input tokens cost, without any tier. */
function inputPrice(book: PriceBook, model: string, platform: Platform = "anthropic"): bigint | undefined {
  return book.priceOf(platform, model)?.input[0].nanosPerMtok;
}

describe("prices of the settings", () => {
  test("count before the catalogue's, the exact name before a pattern, the longest pattern first", () => {
    const book = bookWith({
      model_prices: [
        entry("claude-*", 1n),
        entry("claude-opus-*", 2n),
        entry("claude-opus-4-6", 3n),
        entry("new-*", 4n),
      ],
    });
    expect(inputPrice(book, "claude-haiku-4-5")).toBe(1n);
    expect(inputPrice(book, "claude-opus-9")).toBe(2n);
    expect(inputPrice(book, "claude-opus-4-6-20270101")).toBe(2n);
    expect(inputPrice(book, "claude-opus-4-6")).toBe(3n);
    expect(inputPrice(book, "new-model")).toBe(4n);
    expect(inputPrice(book, "newer")).toBeUndefined();
  });

  test("hold in whatever case a client writes the name, so that none escapes its price", () => {
    const book = bookWith({ model_prices: [entry("Claude-Opus-4-6", 3n)] });
    expect(inputPrice(book, " CLAUDE-opus-4-6 ")).toBe(3n);
  });

  test("of any other model hold only for those that nothing else knows", () => {
    const anyOther = [entry("*", 7n), entry("mine-*", 8n)];
    for (const rule of ["refuse", "family_max"] as const) {
      const book = bookWith({ model_prices: anyOther, unknown_model_price: rule });
      expect(inputPrice(book, "claude-opus-4-5")).toBe(5n * USD);
      expect(inputPrice(book, "mine-1")).toBe(8n);
      expect(inputPrice(book, "claude-opus-99")).toBe(7n);
    }
  });

  test("have the usual shares of the input price where the cache has none of its own", () => {
    const usual = bookWith({ model_prices: [entry("m", 4n * USD)] });
    expect(costIn(usual, ["anthropic", "m"], usageOf(MILLION_EACH), ONE)).toBe(
      (4n + 20n + 5n + 8n) * USD + 400_000_000n,
    );
    const own = { cacheWrite5mNanos: 1n * USD, cacheWrite1hNanos: 2n * USD, cacheReadNanos: 0n };
    const stated = bookWith({ model_prices: [entry("m", 4n * USD, own)] });
    expect(costIn(stated, ["anthropic", "m"], usageOf(MILLION_EACH), ONE)).toBe((4n + 20n + 1n + 2n) * USD);
  });

  test("for each request are added once, and not to one that used nothing", () => {
    const book = bookWith({ model_prices: [entry("m", 0n, { requestNanos: 12_345n })] });
    expect(costIn(book, ["anthropic", "m"], usageOf(MILLION_EACH), ONE)).toBe(12_345n);
    expect(costIn(book, ["anthropic", "m"], usageOf([0, 1, 0, 0, 0]), 2n * ONE)).toBe(24_690n);
    expect(costIn(book, ["anthropic", "m"], usageOf([0, 0, 0, 0, 0]), ONE)).toBe(0n);
  });

  test("never change what another model costs", () => {
    const before = bookWith({}).priceOf("anthropic", "claude-opus-4-5");
    const book = bookWith({ model_prices: [entry("claude-opus-4-6", 1n)] });
    expect(inputPrice(book, "claude-opus-4-6")).toBe(1n);
    expect(book.priceOf("anthropic", "claude-opus-4-5")).toEqual(before as never);
  });
});

describe("a model that nothing has a price for", () => {
  test("has none, which is not the same as a price of nothing", () => {
    const book = bookWith({});
    expect(book.priceOf("anthropic", "made-up-model")).toBeUndefined();
    expect(costIn(book, ["anthropic", "made-up-model"], usageOf(MILLION_EACH), ONE)).toBeUndefined();
    expect(costIn(book, ["anthropic", "made-up-model"], usageOf(MILLION_EACH), 0n)).toBeUndefined();
    expect(book.priceOf("anthropic", "claude-sonnet-4-6")).toBeDefined();
  });

  const GUESSES: [model: string, like: string][] = [
    ["claude-opus-9", "claude-opus-4-1"],
    ["claude-haiku-6", "claude-haiku-4-5"],
    ["claude-haiku-5-5-20261001", "claude-haiku-4-5"],
    ["Claude-Sonnet-5-5", "claude-sonnet-4-5"],
    ["claude-fable-6", "claude-fable-5"],
    ["something-else", "claude-opus-4-1"],
    ["", "claude-opus-4-1"],
  ];
  test.each(GUESSES)(
    "'%s' costs as much as %s where the dearest of the family is asked for",
    (model, like) => {
      const book = bookWith({ unknown_model_price: "family_max" });
      expect(book.priceOf("anthropic", model)).toEqual(book.priceOf("anthropic", like) as never);
    },
  );

  test("the dearest is looked for on the platform that was asked", () => {
    const book = bookWith({ unknown_model_price: "family_max" });
    const [opus, sonnet, gemini] = ["claude-opus-9", "claude-sonnet-9", "gemini-99"].map((model) =>
      inputPrice(book, model, "antigravity"),
    );
    expect([opus, sonnet]).toEqual([15n * USD, 3n * USD]);
    expect(gemini).not.toBe(opus);
    expect(book.priceOf("openai", "claude-opus-9")).toBeDefined();
  });

  test("the refusal names the model, shortened, and both settings", () => {
    const fault = unpricedFault("x".repeat(5_000));
    expect([fault.status, fault.code, fault.source]).toEqual([400, "billing.model_unpriced", "client"]);
    expect(fault.publicMessage).toContain(`${"x".repeat(100)}… `);
    expect(fault.publicMessage).toContain("model_prices");
    expect(fault.publicMessage).toContain("unknown_model_price");
    expect(fault.publicMessage.length).toBeLessThan(400);
  });
});

describe("a price", () => {
  test("changes with the settings and at its date, and not for a request that kept it", () => {
    let settings: RuntimeSettings = DEFAULT_SETTINGS;
    let nowMs = Date.parse("2026-03-12T23:59:59Z");
    const book = new PriceBook({ settings: () => settings, clock: { now: () => nowMs } });
    const long = usageOf([300_000, 0, 0, 0, 0]);
    const kept = book.priceOf("anthropic", "claude-opus-4-6");
    expect(costIn(book, ["anthropic", "claude-opus-4-6"], long, ONE)).toBe(3n * USD);
    nowMs += 1_000;
    expect(costIn(book, ["anthropic", "claude-opus-4-6"], long, ONE)).toBe((3n * USD) / 2n);
    settings = { ...settings, model_prices: [entry("claude-opus-4-6", USD)] };
    expect(costIn(book, ["anthropic", "claude-opus-4-6"], long, ONE)).toBe((3n * USD) / 10n);
    settings = DEFAULT_SETTINGS;
    expect(costIn(book, ["anthropic", "claude-opus-4-6"], long, ONE)).toBe((3n * USD) / 2n);
    expect(kept && costOf(kept, long, ONE)).toBe(3n * USD);
  });

  test("is the same however many other models were asked for before", () => {
    const book = bookWith({ unknown_model_price: "family_max" });
    const first = book.priceOf("anthropic", "claude-haiku-4-5");
    for (let index = 0; index < 2_500; index++) book.priceOf("anthropic", `claude-haiku-4-5-${index}x`);
    expect(book.priceOf("anthropic", "claude-haiku-4-5")).toEqual(first as never);
    expect(book.priceOf("anthropic", "x".repeat(100_000))).toEqual(
      book.priceOf("anthropic", "claude-opus-4-1") as never,
    );
  });
});

describe("a cost", () => {
  test("is nothing at a multiplier of zero, and exact at any other", () => {
    const shuffle = new Shuffle(11);
    const book = bookWith({ model_prices: [entry("m", 1_234_567n)] });
    for (let run = 0; run < 500; run++) {
      const tokens = Array.from({ length: 5 }, () => shuffle.below(100_000)) as unknown as Tokens;
      const multiplier = BigInt(shuffle.below(2_000_000_000));
      const [input, output, write5m, write1h, read] = tokens.map(BigInt) as [
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
      ];
      const exact =
        (input * 1_234_567n +
          output * 6_172_835n +
          write5m * 1_543_209n +
          write1h * 2_469_134n +
          read * 123_457n) *
        multiplier;
      const scale = 1_000_000n * ONE;
      const cost = costIn(book, ["anthropic", "m"], usageOf(tokens), multiplier) ?? -1n;
      const error = cost * scale - exact;
      expect(error <= scale / 2n && error > -scale / 2n).toBe(true);
      expect(costIn(book, ["anthropic", "m"], usageOf(tokens), 0n)).toBe(0n);
    }
  });

  test("is rounded once, at the end, and halves go up", () => {
    // A tenth of a nano-dollar a token: ten kinds of rounding in between would each lose it.
    const book = bookWith({ model_prices: [entry("m", 100_000n)] });
    const cost = (input: number) => costIn(book, ["anthropic", "m"], usageOf([input, 0, 0, 0, 0]), ONE);
    expect([4, 5, 14, 15, 25].map(cost)).toEqual([0n, 1n, 1n, 2n, 3n]);
  });

  test("counts cache writes without a stated lifetime as those of five minutes", () => {
    const book = bookWith({});
    const unsplit = { ...usageOf([0, 0, 0, 100, 0]), cacheCreationTokens: 1_000 };
    expect(costIn(book, ["anthropic", "claude-haiku-4-5"], unsplit, ONE)).toBe(900n * 1_250n + 100n * 2_000n);
  });
});
