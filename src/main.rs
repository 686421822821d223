//! The program: `tailor-idp`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    tailor_idp::function::worker_entry();
    cli::main()
}
