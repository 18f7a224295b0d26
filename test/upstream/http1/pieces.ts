/** The text's bytes, in pieces that end before each of the given places. */
export function cutAt(text: string, places: readonly number[]): Buffer[] {
  const bounds = [0, ...places, text.length];
  return bounds.slice(1).map((end, index) => Buffer.from(text.slice(bounds[index], end), "latin1"));
}

/** The text's bytes in every possible pair of pieces, or trio of pieces. */
export function* eachCut(text: string, cuts: 1 | 2): Generator<Buffer[]> {
  for (let first = 0; first <= text.length; first++) {
    if (cuts === 1) yield cutAt(text, [first]);
    else for (let second = first; second <= text.length; second++) yield cutAt(text, [first, second]);
  }
}
