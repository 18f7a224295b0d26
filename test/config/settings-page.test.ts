import { expect, test } from "bun:test";
import { renderSettings } from "#config/render-settings.ts";
import { renderRuntimeSettings } from "#domain/render-settings.ts";

test("the pages of settings say what the code reads", async () => {
  expect(await Bun.file("docs/settings.md").text()).toBe(renderSettings());
  expect(await Bun.file("docs/runtime-settings.md").text()).toBe(renderRuntimeSettings());
});
