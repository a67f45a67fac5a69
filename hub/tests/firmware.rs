//! Firmware, from the upload to the board: signed in a token and by a key elsewhere, refused, given out
//! block by block over a kill, and rolled out by two people.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use wire::{FirmwareOffer, FirmwareReport, REPORT_MAX, UpdateState};

use crate::rig::api::{Api, Client as Person};
use crate::rig::client::Client;
use crate::rig::coap::{Message, exchange};
use crate::rig::site::Plan;
use crate::rig::{PATIENCE, command};
use crate::trust::Rig;

fn imgtool() -> std::path::PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let imgtool = target.join("imgtool/bin/imgtool");
    assert!(imgtool.exists(), "{} is missing: run scripts/install", imgtool.display());
    imgtool
}

/// What a compiler might have made.
fn body(version: &str) -> Vec<u8> {
    (0..9000_u32)
        .flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes())
        .chain(version.bytes())
        .collect()
}

/// An image that imgtool made and nobody signed, or a key did.
pub(crate) fn make_image(
    folder: &Path,
    name: &str,
    version: &str,
    counter: u32,
    key: Option<&Path>,
) {
    let raw = folder.join("raw.bin");
    fs::write(&raw, body(version)).unwrap();
    let mut sign = Command::new(imgtool());
    sign.args(["sign", "--header-size", "0x200", "--pad-header", "--align", "4"]);
    sign.args(["--slot-size", "0x70000", "--version", version]);
    sign.args(["--security-counter", &counter.to_string()]);
    if let Some(key) = key {
        sign.arg("--key").arg(key);
    }
    let done = sign.arg(&raw).arg(folder.join(name)).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Whether imgtool verifies an image with this key.
fn accepts(image: &Path, key: &Path) -> bool {
    let mut verify = Command::new(imgtool());
    let said = verify.arg("verify").arg("--key").arg(key).arg(image).output().unwrap();
    said.status.success()
}

/// A key of somebody's own, in two files.
fn own_key(rig: &Rig, name: &str) {
    let (private, public) = (format!("{name}.pem"), format!("{name}.pub.pem"));
    let curve = ["-pkeyopt", "ec_paramgen_curve:P-256", "-out", &private];
    rig.program("openssl", &[&["genpkey", "-algorithm", "EC"][..], &curve].concat());
    rig.program("openssl", &["pkey", "-in", &private, "-pubout", "-out", &public]);
}

#[test]
fn imgtool_verifies_what_is_signed_in_a_token_and_what_is_signed_elsewhere() {
    let rig = Rig::with_token();
    rig.hub(&["ca", "init", "--server-name", "hub.example.com"]);
    rig.hub(&["tenant", "add", "acme"]);
    rig.hub(&["key", "new", "firmware"]);
    make_image(&rig.path("."), "a.bin", "1.4.0", 3, None);
    let added = rig.json(&["firmware", "add", "a.bin", "--product", "valve", "--tenant", "acme"]);
    assert_eq!((&added[0]["state"], &added[0]["version"]), (&json!("draft"), &json!("1.4.0")));
    assert_eq!(rig.json(&["firmware", "sign", "1"])[0]["state"], "signed");
    rig.hub(&["firmware", "export", "1", "--out", "a.signed.bin"]);
    fs::write(rig.path("firmware.pem"), rig.hub(&["key", "show", "firmware"])).unwrap();
    assert!(accepts(&rig.path("a.signed.bin"), &rig.path("firmware.pem")));

    // Elsewhere: the digest out, the signature in.
    own_key(&rig, "own");
    assert!(!accepts(&rig.path("a.signed.bin"), &rig.path("own.pub.pem")));
    make_image(&rig.path("."), "b.bin", "1.5.0", 3, None);
    rig.hub(&["firmware", "add", "b.bin", "--product", "valve", "--tenant", "acme"]);
    rig.hub(&["firmware", "digest", "2", "--out", "b.digest"]);
    let sign = ["pkeyutl", "-sign", "-inkey", "own.pem", "-in", "b.digest", "-out", "b.sig"];
    rig.program("openssl", &sign);
    let by_nobody = rig.refused(1, &["firmware", "sign", "2", "--signature", "b.sig"]);
    assert!(by_nobody.contains("none of the 1 keys"), "{by_nobody}");
    rig.hub(&["firmware", "trust", "own", "--public-key", "own.pub.pem"]);
    rig.hub(&["firmware", "sign", "2", "--signature", "b.sig"]);
    rig.hub(&["firmware", "export", "2", "--out", "b.signed.bin"]);
    assert!(accepts(&rig.path("b.signed.bin"), &rig.path("own.pub.pem")));
    let exported = fs::read(rig.path("b.signed.bin")).unwrap();
    let by_imgtool = {
        make_image(&rig.path("."), "b.imgtool.bin", "1.5.0", 3, Some(&rig.path("own.pem")));
        fs::read(rig.path("b.imgtool.bin")).unwrap()
    };
    let unsigned = usize::from(u16::MAX).min(exported.len()) - 200;
    assert_eq!(exported[..unsigned], by_imgtool[..unsigned], "byte for byte but for the signature");

    // The disk has them, and so has a backup.
    rig.hub(&["store", "check"]);
    rig.hub(&["backup", "monday.backup"]);
    rig.hub(&["restore", "monday.backup", "--into", "again"]);
    let blobs = |store: &str| {
        let names = fs::read_dir(rig.path(store).join("files/blobs")).unwrap();
        let mut names: Vec<_> = names.map(|name| name.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let store = if rig.path("store").exists() { "store" } else { "data" };
    assert_eq!((blobs("again"), blobs("again").len()), (blobs(store), 2), "drafts are swept");
    let audit = rig.hub(&["audit", "list", "--json"]);
    for what in ["firmware.add", "firmware.sign", "firmware.trust"] {
        assert!(audit.contains(&format!("\"what\":\"{what}\"")), "{what}: {audit}");
    }
    let blob = rig.path(store).join("files/blobs").join(&blobs(store)[0]);
    fs::write(blob, b"damaged").unwrap();
    let found = rig.refused(1, &["store", "check"]);
    assert!(found.contains("problem"), "{found}");
}

#[test]
fn what_boards_would_refuse_is_refused_at_once_with_the_reason() {
    let rig = Rig::with_token();
    rig.hub(&["ca", "init", "--server-name", "hub.example.com"]);
    rig.hub(&["tenant", "add", "acme"]);
    own_key(&rig, "own");
    own_key(&rig, "foreign");
    rig.hub(&["firmware", "trust", "own", "--public-key", "own.pub.pem"]);
    let (own, foreign) = (rig.path("own.pem"), rig.path("foreign.pem"));
    let here = rig.path(".");
    make_image(&here, "good.bin", "1.4.0", 3, Some(&own));
    make_image(&here, "foreign.bin", "1.5.0", 3, Some(&foreign));
    make_image(&here, "older.bin", "1.3.0", 3, Some(&own));
    make_image(&here, "lower.bin", "1.5.0", 2, Some(&own));
    let mut changed = fs::read(rig.path("good.bin")).unwrap();
    changed[0x300] ^= 1;
    fs::write(rig.path("changed.bin"), changed).unwrap();
    fs::write(rig.path("text.bin"), "no image").unwrap();
    let good = rig.json(&["firmware", "add", "good.bin", "--product", "valve"]);
    assert_eq!(good[0]["state"], "signed");
    for (file, why) in [
        ("foreign.bin", "signed with a key that is not known here"),
        ("changed.bin", "its digest is another one"),
        ("text.bin", "the image is refused"),
        ("older.bin", "1.3.0 is no later"),
        ("good.bin", "1.4.0 is no later"),
        ("lower.bin", "security counter 3, and this one 2"),
    ] {
        let said = rig.refused(1, &["firmware", "add", file, "--product", "valve"]);
        assert!(said.contains(why), "{file}: {said}");
    }
    assert_eq!(rig.json(&["firmware", "list"]).len(), 1);
    // Another product's boards are none of these.
    rig.hub(&["firmware", "add", "older.bin", "--product", "pump"]);
    rig.hub(&["firmware", "withdraw", "1", "--reason", "it leaks"]);
    rig.hub(&["firmware", "add", "older.bin", "--product", "valve"]);
    rig.hub(&["firmware", "distrust", "own"]);
    let said = rig.refused(1, &["firmware", "add", "lower.bin", "--product", "valve"]);
    assert!(said.contains("not known here"), "{said}");
}

/// What a board says, and what it is told.
pub(crate) fn report(
    client: &mut Client,
    id: u16,
    report: &FirmwareReport<'_>,
) -> (String, Vec<u8>) {
    let mut bytes = [0; REPORT_MAX];
    let length = report.encode(&mut bytes).unwrap();
    let ask = Message::post("fw", id, &bytes[..length]).with(12, 60).with(17, 60);
    let answer = exchange(client, &ask, PATIENCE).unwrap().message;
    (answer.dotted(), answer.payload)
}

pub(crate) fn says() -> FirmwareReport<'static> {
    FirmwareReport { product: "valve", hardware: "A", version: (1, 0, 0, 0), ..Default::default() }
}

pub(crate) fn block(client: &mut Client, id: u16, offer: &FirmwareOffer, number: u32) -> Message {
    let name = String::from_utf8(offer.segment().to_vec()).unwrap();
    let ask = Message::request(1, &format!("fw/{name}"), id, &[]).with(23, number << 4 | 6);
    exchange(client, &ask, PATIENCE).unwrap().message
}

#[test]
fn a_board_fetches_a_release_over_a_kill_and_the_rollout_counts_it() {
    let (site, mut hub) = Plan::boards(3).tenants(2).start();
    let here = site.path(".");
    let done = |arguments: &[&str]| command::done(&site, arguments);
    done(&["key", "new", "firmware"]);
    make_image(&here, "a.bin", "1.4.0", 1, None);
    let image = here.join("a.bin");
    let add = ["firmware", "add", image.to_str().unwrap(), "--product", "valve"];
    done(&[&add[..], &["--tenant", "tenant-0"]].concat());
    command::refused(
        &site,
        &["rollout", "add", "r", "--release", "1"],
        1,
        &["only a signed release"],
    );
    done(&["firmware", "sign", "1"]);
    let own: Vec<_> = site.of_tenant("tenant-0");
    let others: Vec<_> = site.of_tenant("tenant-1");
    let connect = |files: &crate::rig::site::BoardFiles| {
        Client::connect(site.listen, &site.root(), &files.identity()).unwrap()
    };
    let mut board = connect(&own[0]);
    assert_eq!(report(&mut board, 1, &says()), ("2.04".into(), vec![]), "nobody wants anything");
    let made = done(&["rollout", "add", "spring", "--release", "1", "--group", "all:rest:100%:0"]);
    assert!(made.contains(&format!("rollout 1: {} boards", own.len())), "{made}");
    assert_eq!(report(&mut board, 2, &says()).1, [0; 0], "not before it is started");
    done(&["rollout", "start", "1"]);
    let (code, offer) = report(&mut board, 3, &says());
    let offer = FirmwareOffer::decode(&offer).unwrap_or_else(|| panic!("{code}"));
    assert_eq!(offer.version, (1, 4, 0, 0));

    let (mut fetched, mut id) = (Vec::new(), 100);
    let blocks = offer.size.div_ceil(1024);
    for number in 0..blocks {
        if number == blocks / 2 {
            // The hub dies, and the board comes again from elsewhere; it goes on where it was.
            drop(hub);
            hub = site.start();
            board = connect(&own[0]);
        }
        id += 1;
        let answer = block(&mut board, id, &offer, number);
        assert_eq!(answer.dotted(), "2.05");
        fetched.extend_from_slice(&answer.payload);
    }
    assert_eq!(storage::FileDigest::of(&fetched).0, offer.digest);
    done(&["firmware", "export", "1", "--out", here.join("out.bin").to_str().unwrap()]);
    assert_eq!(fs::read(here.join("out.bin")).unwrap(), fetched);
    assert_eq!(block(&mut board, 900, &offer, blocks).dotted(), "4.00", "behind its end");
    let mut other = connect(&others[0]);
    assert_eq!(block(&mut other, 1, &offer, 0).dotted(), "4.04", "another tenant's");
    assert_eq!(report(&mut other, 2, &says()).1, [0; 0]);

    let update = offer.digest.first_chunk().copied();
    let battery = FirmwareReport { update, state: UpdateState::AwaitingBattery, ..says() };
    report(&mut board, 901, &battery);
    let boards = done(&["rollout", "boards", "1"]);
    assert!(boards.contains("its battery is too low"), "{boards}");
    report(&mut board, 902, &FirmwareReport { version: offer.version, ..says() });
    let shown: Value = serde_json::from_str(&done(&["rollout", "show", "1", "--json"])).unwrap();
    assert_eq!(shown["groups"][0]["boards"]["succeeded"], 1, "{shown}");
    // The other board of the tenant fails, which is one too many.
    let mut second = connect(&own[1]);
    let (_, second_offer) = report(&mut second, 1, &says());
    assert!(FirmwareOffer::decode(&second_offer).is_some());
    let reverted =
        FirmwareReport { outcome: Some((2, 3, 0)), outcome_version: Some(offer.version), ..says() };
    report(&mut second, 2, &reverted);
    let shown = done(&["rollout", "show", "1"]);
    assert!(
        shown.contains("has stopped itself: 1 boards of group all failed, and 0 may"),
        "{shown}"
    );
    let boards = done(&["rollout", "boards", "1", "--state", "failed"]);
    assert!(boards.contains("did not prove itself"), "{boards}");
    assert_eq!(
        hub.metric("hub_firmware_blocks_total", &[("outcome", "given")]),
        f64::from(blocks - blocks / 2)
    );
    // One that comes signed is given at once as well.
    let (private, public) = (here.join("own.pem"), here.join("own.pub.pem"));
    let openssl = |arguments: &[&str], out: &Path| {
        let ran = Command::new("openssl").args(arguments).arg("-out").arg(out).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], &private);
    openssl(&["pkey", "-pubout", "-in", private.to_str().unwrap()], &public);
    done(&["firmware", "trust", "own", "--public-key", public.to_str().unwrap()]);
    make_image(&here, "b.bin", "1.5.0", 1, Some(&private));
    let image = here.join("b.bin");
    done(&["firmware", "add", image.to_str().unwrap(), "--product", "valve"]);
    let digest = storage::FileDigest::of(&fs::read(&image).unwrap()).0;
    let signed = FirmwareOffer { digest, ..offer };
    assert_eq!(block(&mut second, 950, &signed, 0).dotted(), "2.05");
    // Routes leave these paths to the hub.
    let route = ["route", "add", "fw", "--tenant", "tenant-0", "--upstream", "discard"];
    command::refused(&site, &route, 1, &["the hub itself serves fw"]);
    let malformed = Message::post("fw", 77, b"no cbor").with(12, 60);
    let answer = exchange(&mut second, &malformed, Duration::from_secs(5)).unwrap().message;
    assert_eq!(answer.dotted(), "4.00");
}

#[test]
fn over_the_api_it_takes_two_people_to_sign_and_to_start_a_large_rollout() {
    let api = Api::of(Plan::boards(4).tenants(2).set("approvals", "rollout_boards", 1));
    api.done(&["key", "new", "firmware"]);
    let here = api.site.path(".");
    make_image(&here, "a.bin", "1.4.0", 1, None);
    let image = fs::read(here.join("a.bin")).unwrap();
    let sina = api.browser_of("sina", &["firmware-signer"]);
    let otto = api.browser_of("otto", &["firmware-signer"]);
    let upload = |tail: &str, bytes: &[u8]| {
        let path = format!("/firmware?product=valve{tail}");
        sina.ask(
            "POST",
            &format!("/api/v1{path}"),
            &[("Content-Type", "application/octet-stream")],
            bytes,
        )
    };
    let added = upload("&hardware=A,B", &image);
    assert_eq!(added.status, 201, "{}", added.text());
    assert_eq!(added.json()["hardware"], json!(["A", "B"]));
    upload("", b"no image").refused(409, "refused");
    let read = sina.get("/firmware/1/image");
    assert_eq!(read.body.len(), usize::try_from(added.json()["size"].as_u64().unwrap()).unwrap());
    let asked = sina.post("/firmware/1/sign", &json!({ "key": "firmware", "reason": "tested" }));
    assert_eq!(asked.status, 201, "{}", asked.text());
    let approve = format!("/approvals/{}/approve", asked.json()["id"]);
    sina.post(&approve, &json!({})).refused(409, "refused");
    let anna = api.browser_of("anna", &["operator"]);
    anna.post(&approve, &json!({})).refused(403, "forbidden");
    assert_eq!(otto.post(&approve, &json!({})).ok()["state"], "done");
    let signed = sina.get("/firmware/1").ok();
    assert_eq!(signed["state"], "signed", "{signed}");
    sina.post("/firmware/1/sign", &json!({ "key": "firmware", "reason": "x" }))
        .refused(409, "refused");

    let wanted = json!({
        "name": "spring", "release": 1, "filter": "", "groups": ["canary:1:100%:0", "others:rest"],
        "terms": { "at_once": 5, "windows": ["mon-sun/00:00/24h"] },
    });
    sina.post("/rollouts", &wanted).refused(403, "forbidden");
    let made = anna.post("/rollouts", &wanted);
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!((&made["state"], &made["total"]), (&json!("awaiting-approval"), &json!(4)));
    assert_eq!(
        (&made["groups"][0]["boards"], &made["groups"][1]["boards"]),
        (&json!(1), &json!(3))
    );
    // Where there is nobody else, the answer says where it can be done.
    let alone = anna.post("/rollouts/1/start", &json!({ "reason": "the leak" }));
    alone.refused(409, "refused");
    let petra = api.browser_of("petra", &["platform-admin"]);
    let asked = anna.post("/rollouts/1/start", &json!({ "reason": "the leak" }));
    assert_eq!(asked.status, 201, "{}", asked.text());
    let approve = format!("/approvals/{}/approve", asked.json()["id"]);
    assert_eq!(petra.post(&approve, &json!({})).ok()["state"], "done");
    assert_eq!(anna.get("/rollouts/1").ok()["state"], "running");
    assert_eq!(anna.post("/rollouts/1/pause", &json!({})).ok()["state"], "paused");
    assert_eq!(anna.post("/rollouts/1/resume", &json!({})).ok()["state"], "running");
    another_release_takes_two_people_as_well(&api, (&anna, &petra));
    let boards = anna.get("/rollouts/1/boards?limit=3&state=waiting").ok();
    assert_eq!(boards["items"].as_array().unwrap().len(), 3);
    let next = format!("/rollouts/1/boards?after={}", boards["next"].as_str().unwrap());
    assert_eq!(anna.get(&next).ok()["items"].as_array().unwrap().len(), 1);
    // A tenant's people see what is theirs alone.
    let tina = api.browser_of("tina", &["tenant-admin@tenant-1"]);
    assert_eq!(tina.get("/rollouts").ok()["items"], json!([]));
    tina.get("/rollouts/1").refused(404, "not-found");
    tina.get("/firmware/1").ok();
    tina.post("/firmware/1/withdraw", &json!({ "reason": "x" })).refused(403, "forbidden");
    assert_eq!(anna.post("/rollouts/1/abort", &json!({})).ok()["state"], "aborted");
    for body in [json!({}), json!({ "name": "x", "release": 1, "filter": "", "groups": ["x"] })] {
        let refused = anna.post("/rollouts", &body);
        assert_eq!(refused.status, 422, "{}", refused.text());
    }
}

fn another_release_takes_two_people_as_well(api: &Api, (anna, petra): (&Person, &Person)) {
    let here = api.site.path(".");
    make_image(&here, "b.bin", "1.5.0", 2, None);
    let image = here.join("b.bin");
    let image = image.to_str().unwrap();
    api.done(&[
        "firmware",
        "add",
        image,
        "--product",
        "valve",
        "--hardware",
        "A",
        "--hardware",
        "B",
    ]);
    let resume = || anna.post("/rollouts/1/resume", &json!({ "release": 2, "reason": "the leak" }));
    // Neither while it runs, nor with what nobody has signed.
    resume().refused(409, "refused");
    anna.post("/rollouts/1/pause", &json!({})).ok();
    resume().refused(409, "refused");
    api.done(&["firmware", "sign", "2"]);
    let asked = resume();
    assert_eq!(asked.status, 201, "{}", asked.text());
    assert_eq!(asked.json()["act"]["kind"], "change-rollout");
    let still = anna.get("/rollouts/1").ok();
    assert_eq!((&still["state"], &still["release"]), (&json!("paused"), &json!(1)));
    let approve = format!("/approvals/{}/approve", asked.json()["id"]);
    anna.post(&approve, &json!({})).refused(403, "forbidden");
    assert_eq!(petra.post(&approve, &json!({})).ok()["state"], "done");
    let anew = anna.get("/rollouts/1").ok();
    assert_eq!((&anew["state"], &anew["release"]), (&json!("running"), &json!(2)));
    // And back again, so that the rest is about the first; by whoever runs the host, alone.
    anna.post("/rollouts/1/pause", &json!({})).ok();
    api.done(&["rollout", "resume", "1", "--release", "1"]);
    assert_eq!(anna.get("/rollouts/1").ok()["release"], 1);
}
