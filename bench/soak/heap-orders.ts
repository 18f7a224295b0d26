/** Over which threads are asked what they hold. */
export const HEAP_CHANNEL = "bench-heap";

/** Kinds of objects that leak when a request is not let go of. */
export const COUNTED = ["Response", "ReadableStream", "AbortSignal"] as const;

/** How many live objects of each kind a thread has. */
export type HeapCounts = Record<(typeof COUNTED)[number], number>;
