//! imgtool and this crate make and take the same images, some thousands of them, in both directions.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's failure is its report"
)]

mod rig;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use image::{Image, KeyId, Keyring, Magic, PublicKey, Signature, Swap, Trailer, digest};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rig::{Plan, finished, judged, plans};
use serde_json::{Value, json};

const IMAGES: usize = 2000;

/// imgtool, waiting for requests.
struct Imgtool {
    process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    keys: Vec<PublicKey>,
}

impl Imgtool {
    fn start() -> Self {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let python = target.parent().unwrap().join("imgtool/bin/python");
        assert!(python.exists(), "{} is missing: run scripts/install", python.display());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/imgtool_peer.py");
        let mut process = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ask = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut imgtool = Self { process, ask, answers, keys: Vec::new() };
        let keys = imgtool.ask(json!({"ask": "keys"}));
        for key in keys["keys"].as_array().unwrap() {
            let public = PublicKey::from_spki(&bytes(&key["spki"])).unwrap();
            assert_eq!(public.id(), KeyId(bytes(&key["id"]).try_into().unwrap()));
            imgtool.keys.push(public);
        }
        imgtool
    }

    fn ask(&mut self, request: Value) -> Value {
        writeln!(self.ask, "{request}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer)
            .unwrap_or_else(|_| panic!("no answer about {}", request["ask"]))
    }

    fn keyring(&self) -> Keyring {
        Keyring::new(&self.keys).unwrap()
    }

    fn sign(&mut self, plan: &Plan, key: Option<usize>, more: Value) -> Vec<u8> {
        let dependencies: Vec<_> = plan
            .dependencies
            .iter()
            .map(|dependency| json!([dependency.image, dependency.at_least.to_string()]))
            .collect();
        let revoked: Vec<_> = plan.revoked_keys.iter().map(|key| hex(&key.0)).collect();
        let mut request = json!({
            "ask": "sign",
            "body": hex(&plan.body),
            "version": plan.version.to_string(),
            "header_size": plan.header_size,
            "address": plan.address,
            "security_counter": plan.security_counter,
            "dependencies": dependencies,
            "revoked_keys": revoked,
            "key": key,
        });
        let more = more.as_object().cloned().unwrap_or_default();
        request.as_object_mut().unwrap().extend(more);
        bytes(&self.ask(request)["image"])
    }

    fn verify(&mut self, image: &[u8], key: usize) -> Value {
        self.ask(json!({"ask": "verify", "image": hex(image), "key": key}))
    }
}

impl Drop for Imgtool {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The same plans at every run.
fn some_plans(count: usize) -> impl Iterator<Item = Plan> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(move |_| plans().new_tree(&mut runner).unwrap().current())
}

#[test]
fn what_imgtool_signs_is_read_and_verified_here() {
    let mut imgtool = Imgtool::start();
    let keyring = imgtool.keyring();
    for (number, plan) in some_plans(IMAGES).enumerate() {
        let key = number % imgtool.keys.len();
        let signed = imgtool.sign(&plan, Some(key), json!({}));
        assert_eq!(judged(&signed, &keyring), Ok(key), "{plan:?}");
        let image = Image::read(&mut &signed[..]).unwrap();
        assert_eq!(image.header.version, plan.version);
        assert_eq!(image.security_counter, plan.security_counter.unwrap_or_default());
        assert!(image.dependencies.iter().eq(&plan.dependencies), "{plan:?}");
        assert!(image.revoked_keys.iter().eq(&plan.revoked_keys), "{plan:?}");
        assert_eq!(usize::try_from(image.length).unwrap(), signed.len());
        let unsigned = plan.unsigned();
        assert_eq!(signed[..unsigned.len()], unsigned, "made here is made there: {plan:?}");
    }
}

#[test]
fn what_is_built_here_and_signed_elsewhere_imgtool_verifies() {
    let mut imgtool = Imgtool::start();
    let keyring = imgtool.keyring();
    for (number, plan) in some_plans(IMAGES).enumerate() {
        let key = number % imgtool.keys.len();
        let unsigned = plan.unsigned();
        let digest = digest(&unsigned);
        let signed = imgtool.ask(json!({"ask": "sign-digest", "digest": hex(&digest), "key": key}));
        let signature = Signature::new(imgtool.keys[key].id(), &bytes(&signed["signature"]));
        let image = finished(unsigned, &[signature.unwrap()]);
        assert_eq!(judged(&image, &keyring), Ok(key), "{plan:?}");
        let said = imgtool.verify(&image, key);
        let version = plan.version;
        assert_eq!(said["result"], "OK", "{plan:?}");
        assert_eq!(said["digest"], hex(&digest));
        let [major, minor] = [version.major, version.minor].map(u32::from);
        let of = [major, minor, version.revision.into(), version.build];
        assert_eq!(said["version"], json!(of));
        assert_ne!(imgtool.verify(&image, (key + 1) % 3)["result"], "OK");
    }
}

#[test]
fn what_imgtool_refuses_is_refused_here() {
    let mut imgtool = Imgtool::start();
    let keyring = imgtool.keyring();
    let mut runner = TestRunner::deterministic();
    for plan in some_plans(IMAGES) {
        let mut image = imgtool.sign(&plan, Some(0), json!({}));
        let place = (0..image.len() * 8).new_tree(&mut runner).unwrap().current();
        image[place / 8] ^= 1 << (place % 8);
        // imgtool looks at less: not at flags, lengths of values or what else there is.
        if imgtool.verify(&image, 0)["result"] != "OK" {
            assert!(judged(&image, &keyring).is_err(), "bit {place} of {plan:?}");
        }
    }
}

#[test]
fn an_image_that_imgtool_left_unsigned_is_completed_here() {
    let mut imgtool = Imgtool::start();
    let keyring = imgtool.keyring();
    for plan in some_plans(100) {
        let mut image = imgtool.sign(&plan, None, json!({}));
        assert_eq!(judged(&image, &keyring), Err(image::Refusal::NotSigned));
        let read = Image::read(&mut &image[..]).unwrap();
        image.truncate(read.signed_length.try_into().unwrap());
        let digest = digest(&image);
        let signed = imgtool.ask(json!({"ask": "sign-digest", "digest": hex(&digest), "key": 1}));
        let signature = Signature::new(imgtool.keys[1].id(), &bytes(&signed["signature"]));
        let image = finished(image, &[signature.unwrap()]);
        assert_eq!(judged(&image, &keyring), Ok(1));
        assert_eq!(imgtool.verify(&image, 1)["result"], "OK");
    }
}

#[test]
fn the_trailer_that_imgtool_pads_with_is_read_here() {
    let mut imgtool = Imgtool::start();
    let plan = Plan::of("1.2.3");
    let (slot, size) = (0x8000, Trailer::LENGTH);
    for confirm in [false, true] {
        let more = json!({"pad": true, "confirm": confirm, "slot_size": slot});
        let image = imgtool.sign(&plan, Some(0), more);
        assert_eq!(image.len(), slot);
        let last = image.last_chunk::<{ Trailer::LENGTH }>().unwrap();
        let trailer = Trailer::parse(last);
        let expected =
            Trailer { magic: Magic::Good, image_ok: confirm, copy_done: false, swap: Swap::None };
        assert_eq!(trailer, expected);
        assert_eq!(trailer.to_bytes()[..], image[slot - size..]);
        // Behind an image there may be anything.
        assert_eq!(judged(&image, &imgtool.keyring()), Ok(0));
    }
}
