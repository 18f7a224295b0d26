/** How Sluice names itself to upstreams and operators. */
export const PRODUCT = { name: "sluice", title: "Sluice", version: "0.1.0" } as const;
