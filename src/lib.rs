//! Runs function scripts that manage users through `tailor.idp`, anywhere: in sandboxed V8 isolates, over a real user store.
//!
//! A function script is an ES module with a handler:
//!
//! ```js
//! export default async (args) => {
//!   const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
//!   return await idp.createUser({ name: args.email, password: args.password });
//! };
//! ```
//!
//! A host opens a store, puts a router with the namespace's rules over it, and runs scripts:
//!

#![cfg_attr(
    not(all(target_os = "linux", feature = "v8")),
    allow(dead_code, unused_imports, reason = "parts of worker processes, which need Linux and V8")
)]
#![cfg_attr(feature = "sqlite", doc = "```")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! use std::sync::Arc;
//! use tailor_idp::function::{FunctionRuntime, Invocation, Script};
//! use tailor_idp::idp::store::SqliteDatabase;
//! use tailor_idp::idp::{NamespaceName, NamespaceSettings, Permission, Router};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let name = NamespaceName::new("builtin-idp")?;
//! let store = SqliteDatabase::in_memory()?.namespace(&name).await?; // or SqliteDatabase::open("users.db")
//! let settings = NamespaceSettings::default().permission(Permission::allow_all());
//! let router = Router::builder().namespace(name, Arc::new(store), settings).build();
//!
//! let runtime = FunctionRuntime::builder(Arc::new(router)).build();
//! let script = Script::new("file:///hello.js".parse()?, r#"
//!     export default async ({ email }) => {
//!       const idp = new tailor.idp.Client("builtin-idp");
//!       const { name } = await idp.createUser({ name: email });
//!       return name;
//!     };
//! "#);
//! let execution = runtime.run(&script, Invocation::new(serde_json::json!({ "email": "Ana@example.com" }))).await;
//! assert_eq!(execution.result?, "ana@example.com");
//! # Ok(()) }
//! ```
//!
//! A host with its own [`JsRuntime`](deno_core::JsRuntime) adds the extension to it, and its scripts have the same client: see
//! [`extension`].
//!
//! | module | responsibility |
//! | --- | --- |
//! | [`function`] | Executing scripts: isolates, modules, limits, results, logs |
//! | [`extension`] | The bridge to JavaScript: ops, conversion of values and errors |
//! | [`idp`] | The identity side (package `tailor-idp-core`): namespaces, rules, directories, stores, sign-in, mails, events |
//! | `settings` | The settings file `tailor-idp.toml` (feature `settings`) |
//! | `server` | The HTTP server for password-reset pages (feature `server`) |

#[cfg(all(feature = "v8", feature = "quickjs"))]
compile_error!("the features `v8` and `quickjs` exclude each other: use `--no-default-features` with `quickjs`");
#[cfg(not(any(feature = "v8", feature = "quickjs")))]
compile_error!("an engine is required: `--features v8`, or `--features quickjs` for a preview");

pub mod extension;
pub mod function;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "settings")]
pub mod settings;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod terminal;

/// The crate of the JavaScript engine, in the version of [`extension`].
pub use deno_core;
/// The identity side: the package `tailor-idp-core`, which has no JavaScript engine.
pub use tailor_idp_core as idp;

/// The TypeScript declarations of the platform APIs that function scripts can use: `tailor.d.ts`.
pub const TYPES: &str = include_str!("../js/tailor.d.ts");

/// The README's program compiles.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The guide's program runs. It needs the crates `secrecy` and `totp-rs`, which `cli` enables.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../docs/sign-in.md")]
struct SignInGuide;

/// The guide's program runs.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../docs/import.md")]
struct ImportGuide;

/// The guide's program compiles.
#[cfg(all(doctest, feature = "inspector"))]
#[doc = include_str!("../docs/debugging.md")]
struct DebuggingGuide;

/// The guide's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../docs/runtime.md")]
struct RuntimeGuide;
