//! Runs function scripts that manage users through `tailor.idp`, anywhere: in sandboxed V8 isolates, over a real
//! user store.
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
//! A host opens a store, puts an identity provider over it, and runs scripts:
//!
//! ```
//! use std::sync::Arc;
//! use tailor_idp::function::{FunctionRuntime, Invocation, Script};
//! use tailor_idp::idp::{Idp, NamespaceName, NamespaceSettings, Permission};
//! use tailor_idp::store::SqliteDatabase;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let name = NamespaceName::new("builtin-idp")?;
//! let store = SqliteDatabase::in_memory()?.namespace(&name).await?; // or SqliteDatabase::open("users.db")
//! let idp = Idp::builder().namespace(name, Arc::new(store), NamespaceSettings::default().permission(Permission::allow_all())).build();
//!
//! let runtime = FunctionRuntime::builder(Arc::new(idp)).build();
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
//! A host that has a [`JsRuntime`](deno_core::JsRuntime) of its own adds the extension to it, and its scripts have
//! the same client: see [`extension`].
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`function`] | running a script: isolate, module, handler, result, log |
//! | [`extension`] | the bridge to JavaScript: ops, values, errors |
//! | [`idp`] | the rules: the eight operations, permission, names, passwords, signing in, resets |
//! | [`mail`] | sending password-reset mails |
//! | `server` | the HTTP server for password-reset pages |
//! | [`settings`] | the settings file: reading it, and everything that is wrong with one |
//! | [`store`] | where users live: the store's interface, and SQLite |
//! | [`events`] | telling others of changes: readers, webhooks |

#[cfg(all(feature = "v8", feature = "quickjs"))]
compile_error!("one engine, please: `quickjs` goes with `--no-default-features`");
#[cfg(not(any(feature = "v8", feature = "quickjs")))]
compile_error!("an engine, please: `--features v8`, or `--features quickjs` for a preview");

mod backoff;
pub mod events;
pub mod extension;
pub mod function;
pub mod idp;
pub mod mail;
#[cfg(feature = "server")]
pub mod server;
pub mod settings;
pub mod store;

/// The engine's crate, in the version that [`extension`] is made for.
pub use deno_core;

/// The TypeScript declarations of what function scripts can use beside the web's own APIs: `tailor.d.ts`.
pub const TYPES: &str = include_str!("../js/tailor.d.ts");

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The guide's program runs.
#[cfg(doctest)]
#[doc = include_str!("../docs/sign-in.md")]
struct SignInGuide;

/// The guide's program runs.
#[cfg(doctest)]
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
