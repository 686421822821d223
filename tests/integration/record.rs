//! `run --record`.

use std::fs;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{End, program};

/// Runs a script. Returns the record without values that differ from run to run.
fn record(arguments: Value) -> (Value, End) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("main.js");
    let text = "export default ({ fail }) => {
      console.warn('seen');
      if (fail) throw new RangeError('refused');
      return { n: 1 };
    };";
    fs::write(&path, text).unwrap();
    let end =
        End::of(program().arg("run").arg(&path).args(["--no-config", "--record", "--arg", &arguments.to_string()]));
    let mut record = end.json();
    let fields = record.as_object_mut().unwrap();
    for moment in ["startedAt", "finishedAt"] {
        let moment = fields.remove(moment).unwrap();
        moment.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    let usage = fields.remove("usage").unwrap();
    assert!(usage["peakHeapBytes"].as_u64() > Some(0), "{usage}");
    let logs = fields.remove("logs").unwrap();
    let logs: Vec<&str> = logs.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(logs.len() == 1 && logs[0].ends_with(" WARN seen"), "{logs:?}");
    if let Some(stack) = record.get_mut("error").and_then(|error| error.as_object_mut()?.remove("stackTrace")) {
        assert!(stack.as_str().unwrap().starts_with("RangeError: refused\n    at "), "{stack}");
    }
    (record, end)
}

#[test]
fn record_replaces_result_on_stdout() {
    let (record, end) = record(json!({}));
    assert_eq!(record, json!({ "status": "SUCCESS", "result": { "n": 1 }, "errorKind": "NONE" }));
    assert_eq!(end.code, Some(0));
}

#[test]
fn record_of_failure_has_error_and_exit_code_is_1() {
    let (record, end) = record(json!({ "fail": true }));
    let error = json!({ "name": "RangeError", "message": "refused" });
    let expected = json!({ "status": "FAILED", "result": null, "error": error, "errorKind": "USER_RUNTIME" });
    assert_eq!(record, expected);
    assert_eq!(end.code, Some(1));
    assert!(end.stderr.contains("RangeError: refused"), "{end:#?}");
}
