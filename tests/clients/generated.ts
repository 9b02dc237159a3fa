// Value the houses of a file with the generated client: node generated.js HOST:PORT HOUSES

import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./town.js";

type House = components["schemas"]["House"];

const [address, file] = process.argv.slice(2);
const houses: House[] = JSON.parse(readFileSync(file, "utf-8"));
const client = createClient<paths>({ baseUrl: `http://${address}` });

const rows = houses.map((house, n) => ({ ...house, reference: `ts ${n}` }));
const { data, error } = await client.POST("/v1/valuations", {
  body: { rows, interval: 0.8, save: true },
});
if (error) throw new Error(error.detail);
const prices: (number | undefined)[] = data.valuations.map((entry) => entry?.predicted_price);
if (data.valuations[1]?.reference !== "ts 1") throw new Error("The reference is not returned.");

const wrong = await client.POST("/v1/valuations", { body: { rows: [], comparables: 99 } });
if (wrong.error?.code !== "invalid_request") throw new Error("A problem has no code.");
const model = await client.GET("/v1/model");
if (model.data?.model_version !== data.model_version) throw new Error("Not the same version.");
console.log(JSON.stringify(prices));

const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
const sale = { reference: "ts 1", sold_on: tomorrow, price: prices[1] ?? 0 };
const added = await client.POST("/v1/outcomes", { body: { rows: [sale] } });
const outcome = added.data?.outcomes[0];
if (outcome?.state !== "matched" || outcome.record !== data.valuations[1].record)
  throw new Error("The later price has not found its valuation.");

const columns = Object.keys(houses[0]);
const cells = houses.map((house) => columns.map((name) => house[name as keyof House]));
const valued = await client.POST("/v1/valuations.csv", {
  body: [columns, ...cells].map((line) => line.join(",") + "\n").join(""),
  bodySerializer: (body) => body as string,
  headers: { "Content-Type": "text/csv" },
  parseAs: "text",
});
if (!valued.data) throw new Error(valued.error?.detail);
const [header, ...lines] = valued.data.trim().split(/\r?\n/).map((line) => line.split(","));
console.log(JSON.stringify(lines.map((line) => Number(line[header.indexOf("predicted_price")]))));
