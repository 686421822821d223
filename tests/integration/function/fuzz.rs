//! Property tests: random JavaScript values as results of handlers and as arguments of client methods.
//!
//! `PROPTEST_CASES=100000 cargo test --test integration fuzz` runs more cases.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tailor_idp::function::{ErrorKind, FunctionRuntime, Invocation, Isolation, Script};

use super::{idp, script};

/// JavaScript that builds a value from its JSON description. `{ "$": kind, … }` describes values that JSON cannot represent.
const BUILD: &str = r#"
const build = (node, open = []) => {
  if (node === null || typeof node !== "object") return node;
  if (Array.isArray(node)) {
    const array = [];
    for (const item of node) array.push(build(item, [...open, array]));
    return array;
  }
  switch (node.$) {
    case undefined: {
      const object = {};
      for (const [key, value] of Object.entries(node)) {
        Object.defineProperty(object, key, {
          value: build(value, [...open, object]), enumerable: true, writable: true, configurable: true,
        });
      }
      return object;
    }
    case "undefined": return undefined;
    case "number": return [NaN, Infinity, -Infinity, -0, 2 ** 53, 1e300, 5e-324][node.of % 7];
    case "bigint": return BigInt(node.of);
    case "symbol": return Symbol("s");
    case "function": return () => build(node.of);
    case "promise": return Promise.resolve(1);
    case "surrogate": return "a\ud800b";
    case "getter": return { get a() { return build(node.of, open); } };
    case "throws": return { get a() { throw new TypeError("getter"); } };
    case "toJSON": return { toJSON() { return build(node.of, open); } };
    case "proxy": {
      const target = build(node.of, open);
      return target !== null && typeof target === "object" ? new Proxy(target, {}) : target;
    }
    case "revoked": { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; }
    case "cycle": return open[node.of % Math.max(open.length, 1)] ?? null;
    case "date": return new Date(node.of * 1e9);
    case "boxed": return Object(build(node.of, open) ?? null);
    case "gaps": { const array = []; array.length = node.of % 9; array[2] = 1; return array; }
    case "bytes": return new Uint8Array(node.of % 9);
    case "map": return new Map([[1, 2]]);
    case "null-prototype": return Object.assign(Object.create(null), { a: build(node.of, open) });
    case "text": try { return String(build(node.of ?? 1, open)); } catch { return "no text"; }
  }
};
"#;

/// Descriptions of any value that a script can have.
fn description() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[a-z]{0,8}", "\\PC{0,8}", Just("__proto__".to_owned()), Just("toJSON".to_owned())];
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        // JavaScript prints larger integers with fewer digits.
        (-9_007_199_254_740_991..=9_007_199_254_740_991_i64).prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        text.clone().prop_map(|value| json!(value)),
        (0_u32..9).prop_flat_map(|of| {
            let kinds = [
                "undefined",
                "number",
                "bigint",
                "symbol",
                "promise",
                "surrogate",
                "throws",
                "revoked",
                "cycle",
                "date",
                "gaps",
                "bytes",
                "map",
            ];
            proptest::sample::select(kinds.to_vec()).prop_map(move |kind| json!({ "$": kind, "of": of }))
        }),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let kinds = vec!["function", "getter", "toJSON", "proxy", "boxed", "null-prototype", "text"];
        let key = prop_oneof!["[a-z]{0,4}", "\\PC{0,4}"].prop_filter("stands for a kind", |key| key != "$");
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((key, inner.clone()), 0..6).prop_map(|members| members.into_iter().collect()),
            (proptest::sample::select(kinds), inner).prop_map(|(kind, of)| json!({ "$": kind, "of": of })),
        ]
    })
}

/// Compares as JavaScript does: numbers as doubles, members in order.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let mut members = one.iter().zip(other);
            one.len() == other.len() && members.all(|(one, other)| one.0 == other.0 && is_same(one.1, other.1))
        }
        _ => one == other,
    }
}

/// Runs the script with random descriptions in reused isolates.
fn check(
    script: &Script,
    judge: impl Fn(&Value, &FunctionRuntime, Result<Value, (ErrorKind, String)>) -> Result<(), TestCaseError>,
) {
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let idp = tokio.block_on(idp());
    let runtime = FunctionRuntime::builder(Arc::new(idp)).isolation(Isolation::reuse()).build();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400);
    let outcome = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() }).run(
        &description(),
        |description| {
            let execution = tokio.block_on(runtime.run(script, Invocation::new(description.clone())));
            judge(&description, &runtime, execution.result.map_err(|error| (error.kind, error.to_string())))
        },
    );
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn result_matches_json_stringify_or_error_names_position() {
    let returns = script(&format!("{BUILD} export default (description) => build(description)"));
    let stringify = script(&format!(
        "{BUILD} export default async (description) => JSON.stringify(await build(description)) ?? 'null'"
    ));
    let other = tokio::runtime::Runtime::new().unwrap();
    check(&returns, move |description, runtime, result| match result {
        Ok(value) => {
            let json = other.block_on(runtime.run(&stringify, Invocation::new(description.clone())));
            let json: Value = serde_json::from_str(json.result.unwrap().as_str().unwrap()).unwrap();
            prop_assert!(is_same(&value, &json), "{} is not {}", value, json);
            Ok(())
        }
        Err((ErrorKind::UserNonRuntime, message)) => {
            prop_assert!(message.starts_with("TypeError: result"), "{}", message);
            prop_assert!(message.contains(" is not JSON: it is "), "{}", message);
            Ok(())
        }
        // A getter that throws, a revoked proxy, or a proxy of a promise or date, which their methods reject.
        Err((ErrorKind::UserRuntime, message)) => {
            let expected = ["getter", "revoked", "BigInt", "incompatible receiver", "not a Date"];
            prop_assert!(expected.iter().any(|text| message.contains(text)), "{}", message);
            Ok(())
        }
        Err(other) => Err(TestCaseError::fail(format!("{other:?}"))),
    });
}

#[test]
fn client_methods_return_or_reject_with_code_for_any_argument() {
    let text = format!(
        r#"{BUILD}
        const idp = new tailor.idp.Client("builtin-idp");
        const methods = ["users", "user", "userByName", "createUser", "updateUser", "deleteUser",
          "sendPasswordResetEmail", "unenrollMfa"];
        const fields = ["id", "name", "first", "after", "query", "disabled", "userId", "redirectUri", "mfaFactorId"];
        export default async (description) => {{
          const outcomes = [];
          for (const method of methods) {{
            const value = build(description);
            const given = [value];
            for (const field of fields) given.push({{ [field]: value, name: "a@example.com", [field]: value }});
            for (const argument of given) {{
              try {{
                await idp[method](argument);
              }} catch (error) {{
                // Errors of the script's own getters are passed through.
                const own = error instanceof TypeError;
                outcomes.push(own ? "own" : error.code);
              }}
            }}
          }}
          for (const config of [build(description), {{ namespace: build(description) }}]) {{
            try {{ new tailor.idp.Client(config); }} catch (error) {{ outcomes.push(error.name); }}
          }}
          return [...new Set(outcomes.map(String))].sort();
        }};"#
    );
    let known = [
        "own",
        "TypeError",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "FAILED_PRECONDITION",
        "PERMISSION_DENIED",
    ];
    check(&script(&text), |description, _, result| {
        let outcomes = result.map_err(|error| TestCaseError::fail(format!("{error:?}: {description}")))?;
        for outcome in outcomes.as_array().unwrap() {
            prop_assert!(known.contains(&outcome.as_str().unwrap()), "{}", outcomes);
        }
        Ok(())
    });
}
