//! A file that `scripts/web` added or took away is noticed; the embedding itself watches those it knows.

fn main() {
    println!("cargo:rerun-if-changed=dist");
}
