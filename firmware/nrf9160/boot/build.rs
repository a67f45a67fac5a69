//! Tells the linker where the bootloader lies.

use std::path::PathBuf;
use std::{env, fs, io};

const MEMORY: &str = "MEMORY {
    FLASH : ORIGIN = 0x00000000, LENGTH = 32K
    RAM : ORIGIN = 0x20000000, LENGTH = 0x3ff00
}";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("memory.x"), MEMORY)?;
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}
