/** Something that can be on one {@link Roster} at a time. */
export interface Rostered {
  /** Where it stands on its roster; {@link NOT_ROSTERED} while it is on none. Only the roster writes it. */
  rosterPlace: number;
}

/** The place of what is on no roster. */
export const NOT_ROSTERED = -1;

/**
 * Who is here now, in no order, for members that come and go with every request.
 *
 * A `Set` would do, were it not for the garbage collector: a set that members pass through replaces its table
 * again and again, each old table points to the next, and once one of them has grown old a collection of the
 * young takes all that the later ones ever held for alive. Here a member that leaves is held by nothing.
 */
export class Roster<Member extends Rostered> {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  add(member: Member): void {
    member.rosterPlace = this.#members.push(member) - 1;
  }

  /** Whether it was here. */
  remove(member: Member): boolean {
    const place = member.rosterPlace;
    if (place === NOT_ROSTERED) return false;
    member.rosterPlace = NOT_ROSTERED;
    const last = this.#members.pop();
    if (last === undefined || last === member) return true;
    this.#members[place] = last;
    last.rosterPlace = place;
    return true;
  }

  /** Those who are here now; it stays as it is whoever comes or goes. */
  members(): readonly Member[] {
    return [...this.#members];
  }
}
