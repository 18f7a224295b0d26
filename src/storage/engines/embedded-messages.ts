/** What the main thread tells the database thread. */
export type ToEmbedded =
  | { readonly kind: "open"; readonly databaseDir: string; readonly socketPath: string }
  | { readonly kind: "close" };

/** What the database thread answers. */
export type FromEmbedded =
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "closed" };
