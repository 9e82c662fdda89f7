/**
 * Milliseconds between two signs of life to the caller of a tool that waits: below the 60 s after which clients give
 * up.
 */
export const aliveMs = 10_000;
