import { expect, test } from "bun:test";
import { renderSettings } from "#config/render-settings.ts";

test("the page of settings says what the code reads", async () => {
  expect(await Bun.file("docs/settings.md").text()).toBe(renderSettings());
});
