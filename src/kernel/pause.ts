/** Waits for so many milliseconds, or until the signal aborts. False: it aborted. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const end = (isOver: boolean): void => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    resolve(isOver);
  };
  const onAbort = (): void => end(false);
  const timer = setTimeout(end, milliseconds, true);
  signal.addEventListener("abort", onAbort);
  return promise;
}
