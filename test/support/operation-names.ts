/** Over which threads are asked for their counts. */
export const COUNTS_CHANNEL = "operation-counts";

/** How often each operation was done. */
export type OperationCounts = Readonly<Record<string, number>>;
