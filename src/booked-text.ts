import type { Booked } from "#domain/booked.ts";

/** Stands before amounts that JSON has no number for. */
const AMOUNT = "n:";

/** A booking as text, for other nodes. */
export function bookedText(booked: Booked): string {
  return JSON.stringify(booked, (_, value: unknown) =>
    typeof value === "bigint" ? `${AMOUNT}${value}` : value,
  );
}

/** A booking from the text that another node has sent. */
export function bookedOf(text: string): Booked {
  return JSON.parse(text, (_, value: unknown) =>
    typeof value === "string" && value.startsWith(AMOUNT) ? BigInt(value.slice(AMOUNT.length)) : value,
  ) as Booked;
}
