import { createHash, timingSafeEqual } from "node:crypto";
import type { HeaderRecord } from "#kernel/headers.ts";
import type { Secret } from "#kernel/secret.ts";
import { bearerToken } from "./presented-key.ts";

/** Whether a request carries the admin token, compared in constant time. */
export function hasAdminToken(headers: HeaderRecord, token: Secret): boolean {
  const presented = bearerToken(headers);
  return (
    presented !== undefined && presented !== "" && timingSafeEqual(digest(presented), digest(token.reveal()))
  );
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
