import { fileURLToPath } from "node:url";
import { type AnyElysia, Elysia } from "elysia";
import { describeApp } from "#http/openapi.ts";
import { PRODUCT } from "#kernel/product.ts";

/** The only files of the package that are served, by name, with their media types. */
const PACKAGE_ASSETS = {
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "swagger-ui.css": "text/css; charset=utf-8",
  "favicon-32x32.png": "image/png",
} as const;

/** Assets change with the version only, so a day is short enough. */
const CACHE_CONTROL = "public, max-age=86400";

/** Everything comes from this host. The UI writes style attributes and shows its icons from data URLs. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${PRODUCT.title} API</title>
<link rel="icon" type="image/png" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script>
</body>
</html>
`;

/** The validator that the UI would otherwise ask is another host. */
const START_SCRIPT = `SwaggerUIBundle({
  url: "/docs/json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
`;

/** `/docs`, the Swagger UI, and `/docs/json`, the OpenAPI document of an app. Nothing is loaded from another host. */
export function docsRoutes(described: AnyElysia) {
  let document: Promise<string> | undefined;
  const app = new Elysia({ name: "routes.docs", detail: { hide: true } })
    .get("/docs", () =>
      respondText(PAGE, "text/html; charset=utf-8", {
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
      }),
    )
    .get("/docs/json", async () => {
      document ??= describeApp(described);
      return respondText(await document, "application/json");
    })
    .get("/docs/assets/start.js", () =>
      respondText(START_SCRIPT, "text/javascript; charset=utf-8", { "cache-control": CACHE_CONTROL }),
    );
  for (const [name, type] of Object.entries(PACKAGE_ASSETS)) {
    const path = fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`));
    app.get(`/docs/assets/${name}`, () => {
      const headers = { "content-type": type, "cache-control": CACHE_CONTROL };
      return new Response(Bun.file(path), { headers });
    });
  }
  return app;
}

function respondText(text: string, type: string, headers: Record<string, string> = {}): Response {
  return new Response(text, { headers: { "content-type": type, ...headers } });
}
