/** What one node tells the others: a row that has changed, or what was booked. */
export type Topic = "change" | "booked";

/**
 * Tells things to all threads of all other nodes. Nobody is sure to hear: whoever has to know looks again by itself
 * now and then.
 */
export interface Broadcast {
  tell(topic: Topic, text: string): void;
  /** Told of what other nodes tell. */
  onHeard: ((topic: Topic, text: string) => void) | undefined;
}
