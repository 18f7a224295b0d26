/** How each task ended; never rejects. The reason is empty where it went well. */
export async function settled(tasks: readonly Promise<unknown>[]) {
  const results = await Promise.allSettled(tasks);
  return results.map((result) => ({
    status: result.status,
    reason: result.status === "rejected" && result.reason instanceof Error ? result.reason.message : "",
  }));
}
