//! Debugging `tailor-idp run` over the inspector protocol.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};
use url::Url;

use crate::live_program::{LiveProgram, READ_TIMEOUT};
use crate::support::{End, program};

const GREETING: &str = r#"const greeting = "hello";
export default async (args) => {
  const name = args.name;
  const text = `${greeting} ${name}`;
  console.log(text);
  return text;
};
"#;

/// A client of the inspector protocol.
struct Debugger {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    events: VecDeque<Value>,
}

impl Debugger {
    fn attach(url: &str) -> Self {
        let address = Url::parse(url).unwrap().socket_addrs(|| None).unwrap()[0];
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
        let (socket, _) = tungstenite::client(url, stream).unwrap();
        Self { socket, last_id: 0, events: VecDeque::new() }
    }

    fn receive(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let message = json!({ "id": id, "method": method, "params": params });
        self.socket.send(Message::text(message.to_string())).unwrap();
        loop {
            let message = self.receive();
            if message["id"] == json!(id) {
                assert!(message["error"].is_null(), "{method}: {message:#}");
                return message["result"].clone();
            }
            self.events.push_back(message);
        }
    }

    /// Waits for the next event with this name. Drops other events.
    fn event(&mut self, method: &str) -> Value {
        loop {
            let event = self.events.pop_front().unwrap_or_else(|| self.receive());
            if event["method"] == method {
                return event["params"].clone();
            }
        }
    }

    /// Waits for a pause. Returns its line, counted from 0, and the id of the call frame.
    fn paused(&mut self) -> (u64, String) {
        let paused = self.event("Debugger.paused");
        let frame = &paused["callFrames"][0];
        (frame["location"]["lineNumber"].as_u64().unwrap(), frame["callFrameId"].as_str().unwrap().to_owned())
    }

    fn value_of(&mut self, frame: &str, expression: &str) -> Value {
        let params = json!({ "callFrameId": frame, "expression": expression });
        self.call("Debugger.evaluateOnCallFrame", params)["result"]["value"].clone()
    }
}

/// Starts the program with the script. Returns the URL for debuggers too.
fn start(script: &Path, arguments: &[&str]) -> (LiveProgram, String) {
    let mut command = program();
    command.arg("run").arg(script).args(["--no-config", "--arg", r#"{ "name": "Ana" }"#]).args(arguments);
    let mut program = LiveProgram::start(&mut command);
    let url = url_of(&mut program);
    (program, url)
}

fn url_of(program: &mut LiveProgram) -> String {
    program.line("Debugger listening on ").rsplit(' ').next().unwrap().to_owned()
}

fn script(name: &str, text: &str) -> (TempDir, std::path::PathBuf, Url) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().canonicalize().unwrap().join(name);
    fs::write(&path, text).unwrap();
    let url = Url::from_file_path(&path).unwrap();
    (folder, path, url)
}

#[test]
fn debugger_breaks_evaluates_and_steps_without_time_limit() {
    let (_folder, path, url) = script("main.js", GREETING);
    let (mut program, ws) = start(&path, &["--inspect-brk=127.0.0.1:0", "--timeout", "1ms"]);
    let mut debugger = Debugger::attach(&ws);
    debugger.call("Runtime.enable", json!({}));
    debugger.call("Debugger.enable", json!({}));
    let breakpoint = json!({ "lineNumber": 3, "url": url.as_str() });
    debugger.call("Debugger.setBreakpointByUrl", breakpoint);
    debugger.call("Runtime.runIfWaitingForDebugger", json!({}));
    assert_eq!(debugger.paused().0, 0, "the first statement");
    debugger.call("Debugger.resume", json!({}));
    let (line, frame) = debugger.paused();
    assert_eq!(line, 3, "the breakpoint");
    assert_eq!(debugger.value_of(&frame, "name + '!'"), "Ana!");
    // A debugger's console may evaluate code; a script may not.
    let evaluate = json!({ "expression": "[1, 2].length + 1" });
    assert_eq!(debugger.call("Runtime.evaluate", evaluate)["result"]["value"], 3);
    debugger.call("Debugger.stepOver", json!({}));
    let (line, frame) = debugger.paused();
    assert_eq!(line, 4, "the next statement");
    assert_eq!(debugger.value_of(&frame, "text"), "hello Ana");
    let eval = "(() => { try { return eval('1') } catch (error) { return error.name } })()";
    assert_eq!(debugger.value_of(&frame, eval), "EvalError", "scripts cannot use eval");
    debugger.call("Debugger.resume", json!({}));
    assert_eq!(debugger.event("Runtime.consoleAPICalled")["args"][0]["value"], "hello Ana");
    debugger.event("Runtime.executionContextDestroyed");
    debugger.socket.close(None).unwrap();
    program.line("\"hello Ana\"");
    assert_eq!(program.end(), Some(0));
}

#[test]
fn debugger_gets_source_map_of_typescript() {
    let text = "type Args = { name: string };\n\nexport default (args: Args): string => {\n  return args.name;\n};\n";
    let (_folder, path, url) = script("main.ts", text);
    let (program, ws) = start(&path, &["--inspect-wait=127.0.0.1:0"]);
    let mut debugger = Debugger::attach(&ws);
    debugger.call("Debugger.enable", json!({}));
    debugger.call("Runtime.runIfWaitingForDebugger", json!({}));
    let parsed = loop {
        let parsed = debugger.event("Debugger.scriptParsed");
        if parsed["url"] == url.as_str() {
            break parsed;
        }
    };
    let map = sourcemap_of(parsed["sourceMapURL"].as_str().unwrap());
    assert_eq!(map["sources"], json!([url.as_str()]));
    assert_eq!(map["sourcesContent"], json!([text]));
    // The program exits while the debugger is connected.
    assert_eq!(program.end(), Some(0));
    drop(debugger);
}

fn sourcemap_of(data_url: &str) -> Value {
    use base64::Engine;
    let base64 = data_url.split_once(";base64,").unwrap().1;
    serde_json::from_slice(&base64::engine::general_purpose::STANDARD.decode(base64).unwrap()).unwrap()
}

/// Sends a request with this `Host` to the debuggers' port. Returns status and body.
fn get(ws: &str, path: &str, host: &str) -> (u16, String) {
    let address = Url::parse(ws).unwrap().socket_addrs(|| None).unwrap()[0];
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn inspector_lists_script_and_rejects_foreign_hosts() {
    let (_folder, path, url) = script("main.js", GREETING);
    let (_program, ws) = start(&path, &["--inspect-brk=127.0.0.1:0"]);
    let (status, list) = get(&ws, "/json/list", "localhost");
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((status, &list[0]["url"]), (200, &json!(url.as_str())));
    let id = ws.rsplit('/').next().unwrap();
    assert_eq!(list[0]["id"], id);
    let (status, version) = get(&ws, "/json/version", "127.0.0.1");
    let version: Value = serde_json::from_str(&version).unwrap();
    assert_eq!((status, &version["Browser"]), (200, &json!(concat!("tailor-idp/", env!("CARGO_PKG_VERSION")))));
    assert_eq!(get(&ws, "/json/list", "rebound.example.com").0, 400);
    assert_eq!(get(&ws, &format!("/{id}"), "rebound.example.com").0, 400);
}

#[test]
fn file_change_ends_pause() {
    let (_folder, path, _) = script("main.js", GREETING);
    let (mut program, ws) = start(&path, &["--inspect-brk=127.0.0.1:0", "--watch"]);
    // The program waits for a debugger.
    fs::write(&path, format!("{GREETING}// changed")).unwrap();
    program.line("running again");
    let next = url_of(&mut program);
    assert_ne!(next, ws);
    let mut debugger = Debugger::attach(&next);
    debugger.call("Debugger.enable", json!({}));
    debugger.call("Runtime.runIfWaitingForDebugger", json!({}));
    debugger.paused();
    // The program is paused.
    fs::write(&path, GREETING).unwrap();
    program.line("running again");
    let mut debugger = Debugger::attach(&url_of(&mut program));
    debugger.call("Runtime.runIfWaitingForDebugger", json!({}));
    program.line("\"hello Ana\"");
}

#[test]
fn inspected_program_runs_without_debugger() {
    let (_folder, path, _) = script("main.js", GREETING);
    let (mut program, _) = start(&path, &["--inspect=127.0.0.1:0"]);
    program.line("\"hello Ana\"");
    assert_eq!(program.end(), Some(0));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("--inspect={}", taken.local_addr().unwrap());
    let end = End::of(program_with(&path).arg(address));
    assert_eq!(end.code, Some(2), "{end:#?}");
    assert!(end.stderr.contains("cannot listen on 127.0.0.1:"), "{end:#?}");
}

#[test]
fn inspected_program_keeps_memory_limit() {
    let (_folder, path, _) = script("main.js", "export default () => { for (const all = []; ; ) all.push([1]); };");
    let (mut program, _) = start(&path, &["--inspect=127.0.0.1:0"]);
    program.line("Memory limit exceeded");
    assert_eq!(program.end(), Some(1));
}

#[cfg(unix)]
#[test]
fn interrupt_ends_paused_program() {
    let (_folder, path, _) = script("main.js", GREETING);
    let (program, ws) = start(&path, &["--inspect-brk=127.0.0.1:0"]);
    let mut debugger = Debugger::attach(&ws);
    debugger.call("Debugger.enable", json!({}));
    debugger.call("Runtime.runIfWaitingForDebugger", json!({}));
    debugger.paused();
    program.interrupt();
    assert_eq!(program.end(), None, "no exit code: the signal ends it");
}

fn program_with(script: &Path) -> std::process::Command {
    let mut program = program();
    program.arg("run").arg(script).arg("--no-config");
    program
}
