//! `virtual-board`: a fleet of Connectivity Boards on the host. All of it is in the library.

use std::process::ExitCode;

use clap::Parser;
use virtual_board::cli::{Arguments, run};

#[tokio::main]
async fn main() -> ExitCode {
    run(Arguments::parse()).await
}
