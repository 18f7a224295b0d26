import { swagger } from "@elysiajs/swagger";
import { type AnyElysia, Elysia } from "elysia";
import { MODELS } from "#http/schemas/models.ts";
import { PRODUCT } from "#kernel/product.ts";

/**
 * Schemas are JSON Schema as the validator reads it, with `null` as a type, which OpenAPI allows since 3.1.
 * Source: https://spec.openapis.org/oas/v3.1.0
 */
const OPENAPI_VERSION = "3.1.0";

const SPEC_PATH = "/openapi.json";

const DOCUMENTATION = {
  info: {
    title: PRODUCT.title,
    version: PRODUCT.version,
    description: "A gateway that pools LLM API accounts behind one address.",
  },
  tags: [
    { name: "gateway", description: "What clients call, with an API key." },
    { name: "groups", description: "Pools of accounts." },
    { name: "accounts", description: "Upstream credentials." },
    { name: "users", description: "Who pays." },
    { name: "subscriptions", description: "Who may spend in which group of subscriptions, and until when." },
    { name: "api-keys", description: "What clients call with." },
    { name: "error-rules", description: "How upstreams' errors are shown to clients." },
    { name: "settings", description: "What can be changed while the gateway runs." },
    { name: "sticky", description: "Which conversation is bound to which account." },
    { name: "requests", description: "How recent requests came by their answers." },
    { name: "usage", description: "What every request used and cost." },
    { name: "operations", description: "Health and metrics." },
  ],
  components: {
    schemas: MODELS,
    securitySchemes: {
      adminToken: { type: "http" as const, scheme: "bearer", description: "ADMIN_TOKEN" },
      apiKeyBearer: { type: "http" as const, scheme: "bearer", description: "An API key" },
      apiKeyHeader: { type: "apiKey" as const, in: "header", name: "x-api-key" },
      googleKeyHeader: { type: "apiKey" as const, in: "header", name: "x-goog-api-key" },
    },
  },
};

/**
 * The OpenAPI document of an app, as JSON.
 *
 * The plugin that writes it also has a page, which loads its scripts from another host. So the plugin lives
 * in an app of its own that never listens and is asked for nothing but the document.
 */
export async function describeApp(app: AnyElysia): Promise<string> {
  const describing = new Elysia()
    .use(app)
    .use(swagger({ documentation: DOCUMENTATION, specPath: SPEC_PATH, provider: "swagger-ui" }));
  await describing.modules;
  const response = await describing.handle(new Request(`http://localhost${SPEC_PATH}`));
  const document = (await response.json()) as object;
  return JSON.stringify({ ...document, openapi: OPENAPI_VERSION });
}
