//! A directory of a host: the one of `examples/embed.rs`.

use std::sync::Arc;

use tailor_idp::idp::Router;
use tailor_idp::settings::Settings;

use self::embed::StaffList;
use super::differences::compare;

#[allow(dead_code, unreachable_pub, reason = "the example is a program with a `main`")]
#[path = "../../../examples/embed.rs"]
mod embed;

fn over_staff_lists(settings: &Settings) -> Router {
    let add = |router: tailor_idp::idp::RouterBuilder, (name, entry): (_, &tailor_idp::settings::NamespaceEntry)| {
        let name: &tailor_idp::idp::NamespaceName = name;
        router.directory(name.clone(), Arc::new(StaffList::default()), entry.settings.clone())
    };
    settings.namespaces.iter().fold(Router::builder(), add).build()
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_scripts_over_a_directory_of_a_host_differ_only_as_written_down() {
    compare("host", &[], async |case| case.run(over_staff_lists(&case.settings)).await).await;
}
