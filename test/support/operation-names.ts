/** Over which threads are asked for their counts. */
export const COUNTS_CHANNEL = "operation-counts";

/** Objects that were made since the counts began, and those that a collection of the young has left. */
export const OBJECTS_MADE = "objects made";
export const OBJECTS_KEPT = "objects kept";

/** How often each operation was done. */
export type OperationCounts = Readonly<Record<string, number>>;
