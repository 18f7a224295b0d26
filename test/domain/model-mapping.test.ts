import { expect, test } from "bun:test";
import { mappedModel } from "#domain/model-mapping.ts";

const mapping = {
  "claude-sonnet-4-6": "exact",
  "claude-*": "short pattern",
  "claude-sonnet-*": "long pattern",
  "as-asked-*": "as-asked-*",
};

test("without a mapping every model is sent as asked", () => {
  expect(mappedModel(undefined, "anything")).toBe("anything");
});

test("an exact name wins over every pattern, a longer pattern over a shorter one", () => {
  expect(mappedModel(mapping, "claude-sonnet-4-6")).toBe("exact");
  expect(mappedModel(mapping, "claude-sonnet-9")).toBe("long pattern");
  expect(mappedModel(mapping, "claude-opus-9")).toBe("short pattern");
});

test("a pattern as the target sends the model as asked", () => {
  expect(mappedModel(mapping, "as-asked-1")).toBe("as-asked-1");
});

test("what no name and no pattern covers is not supported, not even a name of every object", () => {
  expect(mappedModel(mapping, "gpt-5")).toBeUndefined();
  expect(mappedModel(mapping, "constructor")).toBeUndefined();
  expect(mappedModel({}, "claude-sonnet-4-6")).toBeUndefined();
});
