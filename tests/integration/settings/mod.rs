//! The settings file.

pub(crate) mod commands;
mod faults;
mod services;
mod values;

use std::path::Path;

use tailor_idp::settings::{Settings, SettingsError};

fn parse(text: &str) -> Result<Settings, SettingsError> {
    Settings::parse(text, Path::new("tailor-idp.toml"))
}

/// The errors of invalid settings, as printed.
fn faults(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}
