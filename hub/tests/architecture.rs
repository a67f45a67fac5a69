//! Keeps the direction of dependencies of the workspace: hub -> actors -> storage -> wire, and the
//! firmware apart from the hub.
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Which crates of ours a crate may use, tests apart.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("wire", &[]),
    ("image", &[]),
    ("bootloader", &["image"]),
    ("guard", &["image"]),
    ("firmware-stories", &["board", "bootloader", "guard", "image"]),
    ("board", &["image", "wire"]),
    ("storage", &["wire"]),
    ("actors", &["image", "storage", "wire"]),
    ("virtual-board", &["board", "wire"]),
    // The demo starts virtual boards as a program of their own.
    ("cellular-hub", &["actors", "image", "storage", "web-ui", "wire"]),
    ("web-ui", &[]),
    ("benches", &["actors", "board", "image", "storage", "virtual-board", "wire"]),
];

/// Which crates of others have one home, and where that is.
const HOMES: [(&str, &[&str]); 10] = [
    ("sled", &["storage"]),
    ("bincode", &["storage", "actors"]),
    ("actix", &["actors", "cellular-hub"]),
    ("actix-web", &["cellular-hub"]),
    ("clap", &["cellular-hub", "virtual-board", "benches", "firmware-stories"]),
    ("toml", &["cellular-hub"]),
    ("rumqttd", &["cellular-hub"]),
    ("rust-embed", &["web-ui"]),
    ("webrtc-dtls", &["virtual-board"]),
    ("criterion", &[]),
];

struct Crate {
    uses: BTreeSet<String>,
    uses_in_tests: BTreeSet<String>,
}

fn workspace() -> BTreeMap<String, Crate> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let names = |of_tests: bool| {
                let dependencies = package["dependencies"].as_array().unwrap().iter();
                dependencies
                    .filter(|dependency| (dependency["kind"] == "dev") == of_tests)
                    .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
                    .collect()
            };
            let name = package["name"].as_str().unwrap().to_owned();
            (name, Crate { uses: names(false), uses_in_tests: names(true) })
        })
        .collect()
}

#[test]
fn our_crates_depend_on_each_other_in_one_direction() {
    let workspace = workspace();
    for (name, of) in &workspace {
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| known == name) else {
            panic!("{name} is new: say in MAY_USE which of our crates it may use");
        };
        for used in of.uses.iter().filter(|used| workspace.contains_key(*used)) {
            assert!(allowed.contains(&used.as_str()), "{name} must not depend on {used}");
        }
    }
}

#[test]
fn nothing_depends_on_the_hub_or_the_benches_even_in_tests() {
    for (name, of) in workspace() {
        for used in of.uses.iter().chain(&of.uses_in_tests) {
            assert!(used != "benches" && used != "cellular-hub", "{name} depends on {used}");
        }
    }
}

#[test]
fn a_crate_with_one_home_is_used_nowhere_else() {
    for (name, of) in workspace() {
        for (outside, homes) in HOMES {
            let at_home = homes.contains(&name.as_str());
            assert!(at_home || !of.uses.contains(outside), "{name} must not use {outside}");
        }
    }
}

#[test]
fn storage_knows_no_runtime_and_no_network() {
    let workspace = workspace();
    for outside in ["tokio", "actix", "actix-rt", "actix-web", "openssl", "rumqttc", "tracing"] {
        let uses = &workspace.get("storage").unwrap().uses;
        assert!(!uses.contains(outside), "storage must not use {outside}");
    }
}
