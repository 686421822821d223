//! The settings file: what it says, and everything that can be wrong with one.

mod commands;
mod faults;
mod services;
mod values;

use std::path::Path;

use tailor_idp::settings::{Settings, SettingsError};

fn parse(text: &str) -> Result<Settings, SettingsError> {
    Settings::parse(text, Path::new("tailor-idp.toml"))
}

/// Everything that is wrong with the text, as it is printed.
fn faults(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}
