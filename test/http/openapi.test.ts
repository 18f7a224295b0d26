import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { RUNTIME_SETTINGS, type SettingSpec } from "#domain/settings.ts";
import { readerOf } from "#http/admin/reader.ts";
import { MODELS } from "#http/schemas/models.ts";
import { PRODUCT } from "#kernel/product.ts";
import { openStorage } from "#storage/storage.ts";
import { appOver, type TestApp } from "./harness.ts";

// biome-ignore lint/suspicious/noExplicitAny: the document is looked at as the JSON it is.
type Json = any;

interface Described {
  readonly method: string;
  readonly path: string;
  readonly operation: Json;
}

let t: TestApp;
let document: Json;
let operations: Described[];

beforeAll(async () => {
  t = appOver(openStorage("postgres://127.0.0.1:1/none", { connectionsMax: 1 }));
  document = (await t.request("GET", "/docs/json")).json;
  operations = Object.entries<Json>(document.paths).flatMap(([path, item]) =>
    Object.entries<Json>(item).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
});
afterAll(async () => await t?.close());

describe("the OpenAPI document", () => {
  test("names the product and describes every route there is, and no other", () => {
    expect(document.openapi).toBe("3.1.0");
    expect(document.info).toMatchObject({ title: PRODUCT.title, version: PRODUCT.version });
    const routes = t.app.routes
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`)
      .filter((route) => !route.includes(" /docs"));
    expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(routes.sort());
    expect(routes).toContain("POST /v1/messages");
    expect(routes).toContain("GET /admin/usage");
  });

  test("is whole: every operation has words, parameters, answers, and its own id", () => {
    for (const { method, path, operation } of operations) {
      const where = `${method} ${path}`;
      expect([where, typeof operation.summary, typeof operation.description]).toEqual([
        where,
        "string",
        "string",
      ]);
      expect([where, Array.isArray(operation.security), operation.tags?.length]).toEqual([where, true, 1]);
      const inPath = (operation.parameters ?? []).filter((parameter: Json) => parameter.in === "path");
      const names = inPath.map(({ name, required }: Json) => `{${name}}:${required}`);
      expect([where, names]).toEqual([where, (path.match(/\{\w+\}/g) ?? []).map((name) => `${name}:true`)]);
      for (const [status, response] of Object.entries<Json>(operation.responses)) {
        const isDescribed = typeof response.description === "string";
        const hasBody = Object.values<Json>(response.content ?? {}).some(
          ({ schema }) => schema !== undefined,
        );
        expect([where, status, isDescribed, hasBody]).toEqual([where, status, true, status !== "204"]);
      }
    }
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("refers only to what it holds", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
      (match) => match[1] ?? "",
    );
    expect(references.length).toBeGreaterThan(50);
    const missing = references.filter(
      (reference) => reference.split("/").reduce((node, part) => node?.[part], document) === undefined,
    );
    expect(missing).toEqual([]);
    const schemes = operations.flatMap(({ operation }) => operation.security.flatMap(Object.keys));
    expect(schemes.filter((scheme) => document.components.securitySchemes[scheme] === undefined)).toEqual([]);
    expect(JSON.stringify(document)).not.toMatch(/https?:\/\//);
  });

  test("gives examples that its own schemas accept", () => {
    const bodies = operations.flatMap(({ method, path, operation }) => {
      const asked = operation.requestBody?.content["application/json"];
      const answered = operation.responses["200"]?.content?.["application/json"];
      return path.startsWith("/admin/")
        ? [asked, answered]
            .filter((body) => body?.example !== undefined)
            .map((body) => ({ where: `${method} ${path}`, ...body }))
        : [];
    });
    const creates = operations.filter(
      ({ method, path, operation }) =>
        method === "POST" && path.startsWith("/admin/") && operation.requestBody,
    );
    expect(bodies.length).toBeGreaterThan(creates.length);
    const shown = new Set(bodies.map(({ where }) => where));
    expect(creates.filter(({ method, path }) => !shown.has(`${method} ${path}`))).toEqual([]);
    for (const { where, schema, example } of bodies) {
      const items = schema.properties?.data?.items;
      const model = MODELS[(items ?? schema).$ref.split("/").at(-1)] as Parameters<typeof readerOf>[0];
      for (const value of items === undefined ? [example] : example.data) {
        expect([where, readerOf(model)(value)]).toEqual([where, { ok: true, value }]);
      }
    }
  });

  test("shows every setting with its type, its default and what it is for", () => {
    const { properties } = document.components.schemas.Settings;
    expect(Object.keys(properties)).toEqual(Object.keys(RUNTIME_SETTINGS));
    for (const [name, spec] of Object.entries<SettingSpec>(RUNTIME_SETTINGS)) {
      const schema = properties[name];
      expect([name, schema.default, schema.description]).toEqual([name, spec.fallback, spec.why]);
      if ("min" in spec) expect([schema.minimum, schema.maximum]).toEqual([spec.min, spec.max]);
      if (spec.kind === "choice") expect(schema.enum).toEqual(spec.words);
    }
  });

  test("tells the truth about security: without a credential and with a foreign one the answer is 401", async () => {
    for (const { method, path, operation } of operations) {
      const target = path.replaceAll(/\{\w+\}/g, "1");
      const [none, foreign] = [
        await t.request(method, target),
        await t.request(method, target, {
          headers: { authorization: "Bearer sk-foreign", "content-type": "application/json" },
          ...(method === "GET" || method === "DELETE" ? {} : { body: "{}" }),
        }),
      ];
      const statuses = operation.security.length > 0 ? [401, 401] : [200, 200];
      expect([method, path, none.status, foreign.status]).toEqual([method, path, ...statuses]);
    }
  });
});

describe("the documentation page", () => {
  test("and all it loads come from this host", async () => {
    const page = await t.request("GET", "/docs");
    expect(page.headers.get("content-type")).toStartWith("text/html");
    expect(page.text).not.toMatch(/https?:|\/\/\w/);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(page.headers.get("content-security-policy")).not.toMatch(/https?:|\*/);
    const loaded = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(loaded).toHaveLength(4);
    for (const path of loaded) {
      const asset = await t.request("GET", path);
      expect([path, asset.status, asset.text.length > 50]).toEqual([path, 200, true]);
      expect(asset.headers.get("cache-control")).toContain("max-age");
    }
  });

  test("no other page is served in its place, and nothing else of the package", async () => {
    const paths = [
      "/swagger",
      "/swagger/json",
      "/openapi.json",
      "/docs/assets/index.html",
      "/docs/assets/swagger-ui.js",
      "/docs/assets/..%2fpackage.json",
      "/docs/assets/../../package.json",
      "/docs/assets/%2e%2e/package.json",
    ];
    for (const path of paths) expect([path, (await t.request("GET", path)).status]).toEqual([path, 404]);
  });
});
