import { expect, test } from "bun:test";
import { presentedKey } from "#identity/presented-key.ts";
import { Fault } from "#kernel/fault.ts";
import { recordOf } from "#kernel/headers.ts";

const code = (headers: Record<string, string>, query = ""): string => {
  try {
    return presentedKey(recordOf(new Headers(headers)), query);
  } catch (thrown) {
    return Fault.from(thrown).code;
  }
};

test("a key is taken from the bearer token first, then from either header", () => {
  expect(code({ authorization: "Bearer sk-a", "x-api-key": "sk-b" })).toBe("sk-a");
  expect(code({ authorization: "bearer  sk-a " })).toBe("sk-a");
  expect(code({ "x-api-key": "sk-b", "x-goog-api-key": "sk-c" })).toBe("sk-b");
  expect(code({ "x-goog-api-key": "sk-c" })).toBe("sk-c");
});

test("another scheme is not a key", () => {
  expect(code({ authorization: "Basic abc" })).toBe("auth.key_missing");
  expect(code({ authorization: "Basic abc", "x-api-key": "sk-b" })).toBe("sk-b");
});

test("nothing, blanks and endless keys are refused", () => {
  expect(code({})).toBe("auth.key_missing");
  expect(code({ "x-api-key": "  " })).toBe("auth.key_missing");
  expect(code({ authorization: "Bearer " })).toBe("auth.key_missing");
  expect(code({ "x-api-key": "k".repeat(10_000) })).toBe("auth.key_invalid");
});

test("a key in the query string is refused, even beside one in a header", () => {
  expect(code({ "x-api-key": "sk-b" }, "?key=sk-a")).toBe("auth.key_in_query");
  expect(code({}, "?api_key=sk-a")).toBe("auth.key_in_query");
  expect(code({ "x-api-key": "sk-b" }, "?beta=true&key=")).toBe("sk-b");
});
