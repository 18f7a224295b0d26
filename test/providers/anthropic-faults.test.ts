import { describe, expect, test } from "bun:test";
import type { FaultCode, RetryVerdict } from "#kernel/fault-codes.ts";
import { readFault, readStreamError } from "#providers/anthropic/faults.ts";
import { answer, envelope } from "./answers.ts";

const ORGANIZATION = envelope("This organization has been disabled.", "invalid_request_error");
const CREDIT = envelope(
  "Your credit balance is too low to access the Anthropic API.",
  "invalid_request_error",
);

describe("an error answer", () => {
  const rows: readonly (readonly [number, object | string, FaultCode, RetryVerdict])[] = [
    [302, "", "upstream.invalid_answer", "other-account"],
    [400, envelope("prompt is too long"), "upstream.rejected", "never"],
    [400, ORGANIZATION, "upstream.forbidden", "other-account"],
    [400, CREDIT, "upstream.credential_rejected", "other-account"],
    [401, "", "upstream.credential_rejected", "other-account"],
    [402, "", "upstream.credential_rejected", "other-account"],
    [403, "", "upstream.forbidden", "other-account"],
    [404, "", "upstream.rejected", "never"],
    [408, "", "upstream.timeout", "other-account"],
    [413, "", "upstream.rejected", "never"],
    [422, "", "upstream.rejected", "never"],
    [429, "", "upstream.rate_limited", "other-account"],
    [500, "", "upstream.unavailable", "other-account"],
    [502, "", "upstream.unavailable", "other-account"],
    [503, "", "upstream.unavailable", "other-account"],
    [504, "", "upstream.unavailable", "other-account"],
    [529, "", "upstream.overloaded", "other-account"],
  ];
  test.each(rows)("with status %d and %j is %s, to be tried on %s", (status, body, code, retry) => {
    const given = answer(status, body);
    expect(readFault(given)).toMatchObject({ code, retry, upstream: given });
  });
});

test("what a client wrote cannot talk an account out of use", () => {
  for (const quoted of ["organization has been disabled", "credit balance is too low"]) {
    const message = `messages.0.type: Input tag '${quoted}' does not match`;
    expect(readFault(answer(400, envelope(message)))).toMatchObject({
      code: "upstream.rejected",
      retry: "never",
    });
  }
});

test("a refusal of the request is relayed byte for byte", () => {
  const given = answer(400, '{"error" : "odd  spacing"}', { "request-id": "req_9", server: "hidden" });
  expect(readFault(given).relayed).toEqual({
    status: 400,
    headers: { "content-type": "application/json", "request-id": "req_9" },
    body: given.body,
  });
});

test("refusals at the door and answers that take the request back count as unprocessed, nothing else", () => {
  const unprocessed = [
    ...[401, 402, 403, 429, 529].map((status) => answer(status)),
    answer(400, CREDIT),
    answer(500),
    answer(503),
  ];
  const unknown = [502, 504, 408, 400].map((status) => answer(status));
  expect(unprocessed.map((given) => readFault(given).isUnprocessed)).toEqual(unprocessed.map(() => true));
  expect(unknown.map((given) => readFault(given).isUnprocessed)).toEqual(unknown.map(() => false));
  expect(readStreamError({ type: "overloaded_error", message: "Overloaded" }).isUnprocessed).toBe(false);
});

test("the upstream's retry-after is kept for every fault of its own, up to a week", () => {
  for (const status of [429, 503, 529]) {
    expect(readFault(answer(status, "", { "retry-after": "7" })).retryAfterMs).toBe(7_000);
  }
  expect(readFault(answer(429, "", { "retry-after": "99999999" })).retryAfterMs).toBe(604_800_000);
  expect(readFault(answer(429)).retryAfterMs).toBeUndefined();
});

test("no more than 64 KiB of an answer are kept for judging it", () => {
  const fault = readFault(answer(400, "x".repeat(70_000)));
  expect([fault.upstream?.body.length, fault.relayed?.body.length]).toEqual([65_536, 70_000]);
});

describe("an error within a stream", () => {
  const rows: readonly (readonly [string, FaultCode, number])[] = [
    ["overloaded_error", "upstream.overloaded", 529],
    ["rate_limit_error", "upstream.rate_limited", 429],
    ["authentication_error", "upstream.credential_rejected", 401],
    ["billing_error", "upstream.credential_rejected", 402],
    ["permission_error", "upstream.forbidden", 403],
    ["api_error", "upstream.unavailable", 500],
    ["timeout_error", "upstream.unavailable", 504],
    ["constructor", "upstream.unavailable", 500],
    ["", "upstream.unavailable", 500],
    ["invalid_request_error", "upstream.rejected", 400],
    ["request_too_large", "upstream.rejected", 413],
  ];
  test.each(rows)("of type '%s' is %s", (type, code, status) => {
    expect(readStreamError({ type, message: "words" })).toMatchObject({ code, upstream: { status } });
  });
});
