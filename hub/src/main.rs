//! The program `cellular-hub`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::cli::main()
}
