/** Every platform an account can belong to. One provider folder per member that is built. */
export const PLATFORMS = ["anthropic", "gemini", "antigravity", "openai"] as const;

/** Who runs the model. */
export type Platform = (typeof PLATFORMS)[number];

/** The wire language a client speaks. Not the same thing as a platform. */
export type Dialect = "anthropic" | "gemini" | "openai";
