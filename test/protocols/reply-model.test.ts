import { expect, test } from "bun:test";
import { renameModelOfEvents, renameModelOfMessage } from "#protocols/anthropic/reply-model.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (given: Uint8Array | undefined): string | undefined => given && new TextDecoder().decode(given);

test("a whole answer gets another model name, and keeps every other byte", () => {
  const body =
    '{ "id":"msg", "content":[{"model":"inner","text":"\\"model\\":\\"x\\""}],\n"model" : "real" , "é":1 }';
  expect(text(renameModelOfMessage(bytes(body), "asked"))).toBe(body.replace('"real"', '"asked"'));
});

test("only the message_start of a stream is changed, wherever it stands", () => {
  const data = '{"type":"message_start","message":{"content":[],"model":"real","usage":{"model":"no"}}}';
  const stream = `: hello\n\nevent: ping\ndata: {"model":"no"}\n\nevent: message_start\ndata: ${data}\n\nevent: x\ndata: {"message":{"model":"real"}}\n\n`;
  const renamed = text(renameModelOfEvents(bytes(stream), "asked"));
  expect(renamed).toBe(stream.replace('"real"', '"asked"'));
});

test("CRLF line ends are kept", () => {
  const stream = 'event: message_start\r\ndata: {"message":{"model":"real"}}\r\n\r\n';
  expect(text(renameModelOfEvents(bytes(stream), "a"))).toBe(stream.replace("real", "a"));
});

const START = '{"type":"message_start","message":{"content":[],"model":"real"}}';

test.each([
  ["no space after the colons", `event:message_start\ndata:${START}\n\n`],
  ["no event line", `data: ${START}\n\n`],
  ["neither", `data:${START}\r\n\r\n`],
  ["its data before its name", `data: ${START}\nevent: message_start\n\n`],
  ["its data on several lines", `event: message_start\ndata: ${START.replaceAll(",", ",\ndata: ")}\n\n`],
  [
    "several lines, CRLF and a comment",
    `data:${START.replaceAll(",", ",\r\n: c\r\ndata:\r\ndata:")}\r\n\r\n`,
  ],
])("a message_start is known with %s", (_, event) => {
  const stream = `data: {"type":"ping","message":{"model":"real"}}\n\n: message_start\n\n${event}data: ${START}\n\n`;
  const at = stream.indexOf(event);
  const expected = stream.slice(0, at) + event.replace('"real"', '"asked"') + stream.slice(at + event.length);
  expect(text(renameModelOfEvents(bytes(stream), "asked"))).toBe(expected);
});

test("what names no model is left alone", () => {
  expect(renameModelOfMessage(bytes('{"error":{"model":"x"}}'), "asked")).toBeUndefined();
  expect(renameModelOfEvents(bytes("event: ping\ndata: {}\n\n"), "asked")).toBeUndefined();
  expect(renameModelOfEvents(bytes("event: message_start\ndata: nonsense\n\n"), "asked")).toBeUndefined();
  const across = 'data: {"type":"message_start","message":{"model":{\ndata: }}}\n\n';
  expect(renameModelOfEvents(bytes(across), "asked")).toBeUndefined();
  expect(renameModelOfMessage(bytes("[".repeat(1_000)), "asked")).toBeUndefined();
});
