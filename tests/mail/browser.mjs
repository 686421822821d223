// A walk through the reset page in a headless Chromium, JavaScript switched off, by keyboard alone: as a person without a mouse does.
//
// Arguments: the program, the link, a folder for screenshots, one for the browser's own files. Prints what the accessibility tree shows at each step.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
const [chromium, link, folder, profile] = process.argv.slice(2);
const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe"];
const browser = spawn(chromium, [...flags, `--user-data-dir=${profile}`, "about:blank"], {
  // It reads commands from 3, answers on 4, and ends when we do.
  stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
});
const end = async (code) => {
  // It takes its own processes with it; where it hangs, it is killed.
  const gone = new Promise((resolve) => browser.once("exit", resolve));
  session = undefined;
  send("Browser.close").catch(() => {});
  setTimeout(() => browser.kill("SIGKILL"), 5_000).unref();
  await gone;
  process.exit(code);
};
setTimeout(() => { console.error("the walk takes too long"); end(1); }, 60_000).unref();

const waiting = new Map();
const listeners = new Set();
let last = 0;
let session;
let rest = "";
browser.stdio[4].setEncoding("utf8").on("data", (data) => {
  const messages = (rest + data).split("\0");
  rest = messages.pop();
  for (const text of messages) {
    const message = JSON.parse(text);
    if (message.id) {
      const { resolve, reject } = waiting.get(message.id);
      message.error ? reject(new Error(JSON.stringify(message.error))) : resolve(message.result);
    } else for (const listener of listeners) listener(message);
  }
});
const send = (method, params = {}) =>
  new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    browser.stdio[3].write(`${JSON.stringify({ id: last, method, params, sessionId: session })}\0`);
  });
const { targetInfos } = await send("Target.getTargets");
const { targetId } = targetInfos.find(({ type }) => type === "page");
({ sessionId: session } = await send("Target.attachToTarget", { targetId, flatten: true }));

const requests = [];
listeners.add(({ method, params }) => {
  if (method === "Network.requestWillBeSent") requests.push({ url: params.request.url, headers: params.request.headers });
});
for (const domain of ["Page", "Network", "Accessibility"]) await send(`${domain}.enable`);
await send("Emulation.setScriptExecutionDisabled", { value: true });
await send("Emulation.setFocusEmulationEnabled", { enabled: true });
await send("Emulation.setDeviceMetricsOverride", { width: 600, height: 640, deviceScaleFactor: 1, mobile: false });

const loaded = () =>
  new Promise((resolve) => {
    const listener = ({ method }) => method === "Page.loadEventFired" && (listeners.delete(listener), resolve());
    listeners.add(listener);
  });
const after = async (act) => {
  const done = loaded();
  await act();
  await done;
};
const go = (url) => after(() => send("Page.navigate", { url }));
const type = (text) => send("Input.insertText", { text });
const key = async (key, code, text) => {
  const event = { key, code: key, windowsVirtualKeyCode: code, text };
  await send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", ...event });
  await send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
};
const show = async (step) => {
  // Ahead of the look: `autofocus` takes effect with the first frame, which a screenshot waits for.
  const { data } = await send("Page.captureScreenshot", { format: "png" });
  writeFileSync(join(folder, `${step}.png`), Buffer.from(data, "base64"));
  const { nodes } = await send("Accessibility.getFullAXTree");
  const seen = nodes.filter(({ ignored }) => !ignored);
  const property = (node, name) => node.properties?.find((property) => property.name === name)?.value.value;
  const history = await send("Page.getNavigationHistory");
  console.log(JSON.stringify({
    step,
    url: history.entries[history.currentIndex].url,
    history: history.entries.map(({ url }) => url),
    title: seen[0].name.value,
    headings: seen.filter((node) => node.role.value === "heading").map((node) => `${property(node, "level")} ${node.name.value}`),
    fields: seen.filter((node) => node.role.value === "textbox").map((node) => ({
      name: node.name.value,
      description: node.description?.value ?? "",
      invalid: property(node, "invalid") === "true",
      focused: property(node, "focused") === true,
    })),
  }));
};
const fill = async (password, confirmation) => {
  await type(password);
  await key("Tab", 9);
  await type(confirmation);
  await after(() => key("Enter", 13, "\r"));
};

try {
  await go(link);
  await show("form");
  await fill("short", "short");
  await show("refused");
  await fill("long enough", "something else");
  await show("differs");
  // The focus is in the second field: back to the first.
  await send("Input.dispatchKeyEvent", { type: "rawKeyDown", key: "Tab", code: "Tab", windowsVirtualKeyCode: 9, modifiers: 8 });
  await fill("long enough", "long enough");
  await show("done");
  await go(link);
  await show("gone");
  console.log(JSON.stringify({ requests }));
  await end(0);
} catch (error) {
  console.error(error);
  await end(1);
}
