/**
 * The path of a request's URL, as it was sent. Never throws: behind a malformed `Host` header the URL of a
 * request is relative, and parsing it as an absolute one would.
 */
export function pathOf(url: string): string {
  const scheme = url.indexOf("://");
  const start = url.startsWith("/") || scheme === -1 ? 0 : url.indexOf("/", scheme + 3);
  if (start === -1) return "/";
  const end = url.slice(start).search(/[?#]/);
  return end === -1 ? url.slice(start) : url.slice(start, start + end);
}
