//! Spans of operations, for logs.

use std::fmt::Debug;
use std::sync::Arc;

use parking_lot::Mutex;
use pretty_assertions::assert_eq;
use tailor_idp_core::{CreateUser, IdentityProvider, Permission, Router, UserKey};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::fixture::{TestDirectory, host, router};

/// Records the fields of the spans of this crate.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Vec<String>>>>);

#[derive(Default)]
struct Fields(Vec<String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push(format!("{field}={value:?}"));
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("tailor_idp_core") && *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        self.0.lock().push(fields.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

async fn call(idp: &Router) {
    idp.user(&host(), UserKey::Id("ana-id")).await.unwrap();
    let request = CreateUser { name: "dee@example.com".into(), ..CreateUser::default() };
    idp.create_user(&host().execution_id("execution 1"), request).await.unwrap();
}

#[tokio::test]
async fn operations_have_spans_with_namespace_and_execution() {
    let spans = Spans::default();
    let guard = tracing::subscriber::set_default(spans.clone());
    // A call site that another thread is the first to reach takes that thread's word that nobody listens: reach all, then ask again.
    call(&router(&TestDirectory::complete(), Permission::allow_all())).await;
    tracing::callsite::rebuild_interest_cache();
    spans.0.lock().clear();
    call(&router(&TestDirectory::complete(), Permission::allow_all())).await;
    drop(guard);
    let expected = [
        vec![r#"name="user""#, "namespace=users"],
        vec![r#"name="create_user""#, "namespace=users", r#"execution_id="execution 1""#],
    ];
    assert_eq!(*spans.0.lock(), expected);
}
