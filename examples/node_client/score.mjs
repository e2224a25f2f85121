// Scores the rows of a JSON-lines file with an exported model: node score.mjs MODEL.onnx ROWS.jsonl
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";

const [model, data] = process.argv.slice(2);
const session = await ort.InferenceSession.create(readFileSync(model));
const rows = readFileSync(data, "utf8").trim().split("\n").map((line) => JSON.parse(line));
const feeds = {};
for (const { name, type } of session.inputMetadata) {
  if (name === "target_fpr" || name === "explain") continue; // optional
  const values = rows.map((row) => row[name]);
  const cells = type === "string" ? values.map((v) => v ?? "") : Float64Array.from(values, (v) => v ?? NaN);
  feeds[name] = new ort.Tensor(type, cells, [rows.length, 1]);
}
const { anomaly_score, p_value, is_anomaly } = await session.run(feeds);
for (let i = 0; i < rows.length; i++) {
  const found = [anomaly_score.data[i], p_value.data[i], Boolean(is_anomaly.data[i])];
  console.log(JSON.stringify({ anomaly_score: found[0], p_value: found[1], is_anomaly: found[2] }));
}
