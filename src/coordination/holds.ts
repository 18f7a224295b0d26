/** What pays: a user's balance, what an API key may cost, or what a subscription still allows. */
export interface Purse {
  readonly kind: "user" | "key" | "subscription";
  readonly id: number;
}

/**
 * What the books say of a purse, whoever asks and for whatever. Amounts are whole nano-dollars, exact up to 2^53, which is nine million dollars.
 *
 * Books that are not the latest are never dangerous: a later revision that any thread has shown counts instead.
 */
export interface PurseBooks {
  /** What no booked cost has used up; negative when overdrawn, `Infinity` when nothing bounds it. */
  readonly availableNanos: number;
  /** Grows with every booking and every adjustment of the purse. */
  readonly revision: number;
}

/** One ask for money, with everything that decides about it. */
export interface HoldRequest {
  readonly purse: Purse;
  readonly requestId: string;
  /** What the request may cost, in nano-dollars. For 0 the books are not looked at. */
  readonly amountNanos: number;
  readonly books: PurseBooks;
  /** From then on the hold counts no more, in milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/**
 * What an ask for money comes to. `unaffordable` the purse has less than that left, `capacity` the table of holds
 * or of purses itself is full. `freeNanos` is what was left at that moment, `heldNanos` what all holds together had
 * set aside and may give back.
 */
export type HoldAnswer =
  | { readonly granted: true; readonly hold: Hold }
  | {
      readonly granted: false;
      readonly refusal: "unaffordable" | "capacity";
      readonly freeNanos: number;
      readonly heldNanos: number;
    };

/** What an ask of several purses comes to: each has given, in the order asked, or none has, because of this one. */
export type HoldsAnswer =
  | { readonly granted: true; readonly holds: readonly Hold[] }
  | ({ readonly index: number } & Exclude<HoldAnswer, { granted: true }>);

/** By how much, and for how long, a hold is to grow. */
export interface HoldGrowth {
  /** In nano-dollars; 0 only puts off the end. */
  readonly moreNanos: number;
  readonly books: PurseBooks;
  /** By how much the purse may be overdrawn for it, all its holds together, in nano-dollars. */
  readonly overdraftNanos: number;
  /** A sooner end than the hold has changes nothing. In milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/** Money that is set aside for one request. */
export interface Hold {
  readonly requestId: string;
  readonly purse: Purse;
  /** As it has grown until now, in nano-dollars. */
  readonly amountNanos: number;
  readonly expiresAtMs: number;
  /** False, and nothing changes, when the purse cannot afford it, or when the hold is settled or has expired. */
  extend(growth: HoldGrowth): boolean | Promise<boolean>;
  /**
   * Ends the hold. What the request has cost counts against the purse from this moment on, in the same step, until
   * {@link Holds.booked} is told of it, and so does the cost of a hold that has expired. A second time is none.
   */
  settle(costNanos: number): void | Promise<void>;
}

/** What one purse paid or has to pay. */
export interface PurseCost {
  readonly purse: Purse;
  readonly costNanos: number;
}

/** What counts against a purse besides what is booked, in nano-dollars. */
export interface PurseStatus {
  readonly heldNanos: number;
  /** Costs of requests that have ended, which are not known to be booked. */
  readonly unbookedNanos: number;
}

/**
 * Sets money aside for requests while they run, so that what is spent and what is held are together never more
 * than what there is, however many requests come at once.
 *
 * What a purse has left is `available - unbooked - held`: what the books say, less what has ended and is not in
 * them yet, less what is under way. A cost leaves `unbooked` in the step that makes known a revision of the books
 * which contains it, so it counts at every moment: twice for a while at worst, never not at all.
 *
 * Each thread answers for its own costs. It settles a hold before the request's record goes to its journal, so
 * that no recorded cost is ever uncounted; who takes over a dead thread's journal counts anew what is in it.
 *
 * Every backend keeps the same promises, and the contract suite holds them to it.
 */
export interface Holds {
  /** Sets money aside if the purse has as much left. */
  take(request: HoldRequest): HoldAnswer | Promise<HoldAnswer>;
  /** Sets money aside in every one of these purses, or in none: one question, however many they are. */
  takeAll(requests: readonly HoldRequest[]): HoldsAnswer | Promise<HoldsAnswer>;
  /**
   * A cost that this thread has settled or counted is in these books, or will never be in any. Told once of each
   * record, alone or summed up with others, with books that are at least as new as the booking.
   */
  booked(cost: PurseCost, books: PurseBooks): void | Promise<void>;
  /**
   * From now on these are all the costs that this thread answers for, those of several records of one purse one
   * after the other. For a thread that begins: what its journal has, before it takes the first hold.
   */
  recount(costs: Iterable<PurseCost>): void | Promise<void>;
  status(purse: Purse): PurseStatus | Promise<PurseStatus>;
}

/** What a node goes by when it decides on its own while other nodes have some of the purse as well. */
export interface HoldTerms {
  /** What they hold and have not booked, in nano-dollars; `-Infinity` where somebody else has granted it. */
  readonly othersNanos: number;
  /** Among so many nodes is divided what is free. */
  readonly sharers: number;
}

/** A hold that one node has noted. */
export interface NodeHold extends Hold {
  extend(growth: HoldGrowth, terms?: HoldTerms): boolean;
  settle(costNanos: number): void;
}
