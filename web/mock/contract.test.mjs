// What the mock answers is what the contract says.
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import Ajv2020 from "ajv/dist/2020.js";
import { make_server } from "./server.mjs";

const contract = JSON.parse(await readFile(new URL("../../src/http/api/openapi.json", import.meta.url), "utf8"));
const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { int64: true } });
ajv.addSchema(contract, "contract");

const kResult = "2026-11-20-all_reduce";
const kQueries = {
  "/api/v1/overview": "window=1s&history=5", "/api/v1/operations": "limit=5&fields=begin_ns,rank", "/api/v1/collectives": "limit=5&order=newest",
  "/api/v1/aggregates": "by=rank,operation&points=4&from=170000000000", "/api/v1/percentiles": "by=rank&q=50,99.9&from=170000000000", "/api/v1/heatmap": "columns=10&from=170000000000",
  "/api/v1/timeline": "from=170000000000&bins=20&max_operations=10", "/api/v1/events": "severity=warning&limit=3", "/api/v1/profile": "name=decode", "/api/v1/profile/compare": "a=prefill&b=decode",
  "/api/v1/benchmarks/compare": `base=${kResult}&new=2026-11-26-all_reduce`, "/api/v1/alerts/history": "limit=3",
};
const filled = (path) => path.replace("{communicator}", "5f3a9c01b2d4e687").replace("{operation}", "all_reduce").replace("{sequence}", "8000").replace("{id}", kResult).replace("{format}", "csv");

let server, base;
beforeAll(async () => {
  server = make_server({ hang: true });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  base = `http://127.0.0.1:${server.address().port}`;
});
afterAll(() => server.close());

function check(pointer, value) {
  const validate = ajv.getSchema(`contract#${pointer}`) ?? ajv.compile({ $ref: `contract#${pointer}` });
  const ok = validate(value);
  expect(ok ? [] : validate.errors.slice(0, 3)).toEqual([]);
}
const escaped = (path) => path.replaceAll("~", "~0").replaceAll("/", "~1");
const schema_of = (path, method, status) => `/paths/${escaped(path)}/${method}/responses/${status}/content/${escaped("application/json")}/schema`;

describe("the mock", () => {
  const gets = Object.entries(contract.paths).filter(([path, methods]) => methods.get?.responses["200"]?.content?.["application/json"] && path !== "/api/v1/openapi.json");
  it.each(gets.map(([path]) => path))("answers %s as the contract says", async (path) => {
    const response = await fetch(`${base}${filled(path)}?${kQueries[path] ?? ""}`);
    expect(response.status).toBe(200);
    check(schema_of(path, "get", 200), await response.json());
  });
  it("answers what it does not have as an error", async () => {
    const response = await fetch(`${base}/api/v1/nothing`);
    expect(response.status).toBe(404);
    check("/components/schemas/Error", await response.json());
  });
  it("silences, and ends a silence", async () => {
    const response = await fetch(`${base}/api/v1/alerts/silences`, { method: "POST", body: JSON.stringify({ matchers: [{ name: "rule", op: "=", value: "straggler" }], duration_s: 60 }) });
    expect(response.status).toBe(201);
    const silence = await response.json();
    check(schema_of("/api/v1/alerts/silences", "post", 201), silence);
    const ended = await fetch(`${base}/api/v1/alerts/silences/${silence.id}`, { method: "DELETE" });
    expect(ended.status).toBe(204);
  });
  it("changes all keys or none", async () => {
    const refused = await fetch(`${base}/api/v1/config`, { method: "PATCH", body: JSON.stringify({ "overhead.budget": "2 %", "monitor.level": "loud" }) });
    expect(refused.status).toBe(400);
    check("/components/schemas/Error", await refused.json());
    const after = await (await fetch(`${base}/api/v1/config`)).json();
    expect(after.items.find((s) => s.key === "overhead.budget").value).toBe(0.01);
  });
  it("pages through operations without leaving any out", async () => {
    const all = await (await fetch(`${base}/api/v1/operations?from=170000000000&to=170100000000&limit=1000`)).json();
    const seen = [];
    for (let cursor = ""; cursor !== null; ) {
      const page = await (await fetch(`${base}/api/v1/operations?from=170000000000&to=170100000000&limit=7&cursor=${cursor}`)).json();
      seen.push(...page.items);
      cursor = page.next;
    }
    expect(seen).toEqual(all.items);
  });
  it("streams each topic as its resource", async () => {
    const response = await fetch(`${base}/api/v1/stream?topics=overview,session,alerts`);
    const reader = response.body.getReader();
    const seen = new Set();
    let text = "";
    while (seen.size < 3) {
      text += new TextDecoder().decode((await reader.read()).value);
      for (const [, topic, data] of text.matchAll(/event: (\w+)\ndata: (.*)\n\n/g)) {
        if (!seen.has(topic)) check(`/components/schemas/${{ overview: "Overview", session: "Session", alerts: "AlertState" }[topic]}`, JSON.parse(data));
        seen.add(topic);
      }
    }
    await reader.cancel();
    expect([...seen].sort()).toEqual(["alerts", "overview", "session"]);
  });
});
