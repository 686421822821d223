//! Linker flags of Node.js addons.

fn main() {
    napi_build::setup();
}
