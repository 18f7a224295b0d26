/** Over which threads are told to begin and to end sampling. */
export const PROFILE_CHANNEL = "bench-profile";

/** What they are told. */
export interface ProfileOrder {
  readonly isStart: boolean;
  /** Where profiles are written at the end. */
  readonly folder: string;
}
