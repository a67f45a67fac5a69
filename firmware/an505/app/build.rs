//! Tells the linker where the application lies. Behind its memory is what outlives a restart.

use std::path::PathBuf;
use std::{env, fs, io};

const MEMORY: &str = "MEMORY {
    FLASH : ORIGIN = 0x10010400, LENGTH = 0x6dc00
    RAM : ORIGIN = 0x38000000, LENGTH = 0x30000
}";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("memory.x"), MEMORY)?;
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}
