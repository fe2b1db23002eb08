// OpenAI's Node SDK against a server: prints one JSON object of what came back.
// Arguments: base URL, key.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "hello" }];
const model = "gpt-4o";
const seen = {};

const chat = await client.chat.completions.create({ model, messages, max_tokens: 5 });
seen.chat = [chat.choices[0].finish_reason, chat.usage.completion_tokens];

let text = "";
let last = null;
const stream = await client.chat.completions.create({
  model, messages, stream: true, stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta?.content ?? "";
  last = chunk;
}
seen.stream = [text.length > 0, last.usage.completion_tokens];

const plain = await client.completions.create({ model, prompt: "x", max_tokens: 3 });
seen.completion = plain.choices[0].finish_reason;

const response = await client.responses.create({ model, input: "x", max_output_tokens: 4 });
seen.response = [response.output_text.length > 0, response.usage.output_tokens];
const types = [];
for await (const event of await client.responses.create({ model, input: "x", stream: true })) {
  types.push(event.type);
}
seen.events = [types[0], types.at(-1)];

seen.models = (await client.models.list()).data.map((found) => found.id);
seen.retrieved = (await client.models.retrieve(model)).id;

const errors = {};
const attempts = {
  missing: () => client.chat.completions.create({ model: "nothing", messages }),
  long: () => client.completions.create({ model, prompt: "x".repeat(9000) }),
  key: () => new OpenAI({ baseURL, apiKey: "cl-wrong", maxRetries: 0 }).models.list(),
  broken: async () => {
    const broken = await client.chat.completions.create({
      model, stream: true, messages: [{ role: "user", content: "please-fail" }],
    });
    for await (const chunk of broken) void chunk;
  },
};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    errors[name] = null;
  } catch (error) {
    errors[name] = [error.constructor.name, error.code ?? null];
  }
}
seen.errors = errors;
console.log(JSON.stringify(seen));
