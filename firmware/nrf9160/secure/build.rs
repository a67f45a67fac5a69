//! Tells the linker where the secure program lies, and where the application may enter it.

use std::path::PathBuf;
use std::{env, fs, io};

const MEMORY: &str = "MEMORY {
    FLASH : ORIGIN = 0x00010200, LENGTH = 0xfe00
    RAM : ORIGIN = 0x20038000, LENGTH = 0x7f00
}";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("memory.x"), MEMORY)?;
    println!("cargo:rustc-link-search={}", out.display());
    // The application is linked against the entrances that the linker writes here.
    let entrances = out.ancestors().nth(3).unwrap_or(&out).join("entrances.o");
    println!("cargo:rustc-link-arg=--cmse-implib");
    println!("cargo:rustc-link-arg=--out-implib={}", entrances.display());
    println!("cargo:rustc-link-arg=--section-start=.gnu.sgstubs=0x1ff00");
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}
