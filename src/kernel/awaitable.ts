/** A value that is here, or that will be. */
export type Awaitable<T> = T | Promise<T>;

/** Goes on with a value, at once when it is here: what need not wait costs no promise. */
export function after<T, Result>(
  value: Awaitable<T>,
  next: (value: T) => Awaitable<Result>,
): Awaitable<Result> {
  return value instanceof Promise ? value.then(next) : next(value);
}
