/** The C library under the name that every system of its kind knows it by. */
export const C_LIBRARY = process.platform === "darwin" ? "libSystem.dylib" : "libc.so.6";
