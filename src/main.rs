//! The binary: parse, log, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use orlop::cli::{self, Cli};
use orlop::sys::memory;

fn main() -> ExitCode {
    memory::keep_little();
    // A wrong command line ends here, with clap's own words and exit code 2.
    let command = Cli::parse();
    let runtime = match cli::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return cli::tell(&error.into()),
    };
    let outcome = runtime.block_on(command.run());
    // A thread that hangs in the kernel (a mount, a freeze) must not keep the process from ending.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(failure) => cli::tell(&failure),
    }
}
