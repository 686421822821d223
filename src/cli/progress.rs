//! Progress bars on stderr.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for `what`, drawn on terminals only. Without a length it counts.
pub(super) fn bar(length: Option<u64>, what: &'static str) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(length, target).with_message(what);
    let template = match length {
        Some(_) => "{msg:10} [{bar:30}] {percent:>3} %  {elapsed}",
        None => "{msg:10} {pos} users  {elapsed}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
