//! What the fleet runs, what a rollout would mean, what a release is made of: asked over the API and at the
//! command line, of what boards have said.

use std::fs;
use std::time::Duration;

use actors::rollout::air::bytes;
use serde_json::json;
use wire::{FirmwareOffer, FirmwareReport};

use crate::firmware::{make_image, report, says};
use crate::rig::api::Api;
use crate::rig::client::Client;
use crate::rig::coap::{Carrier as _, Message, NON, POST, URI_PATH, exchange};
use crate::rig::site::Plan;
use crate::rig::{PATIENCE, eventually};

#[test]
fn what_boards_say_they_run_is_listed_counted_and_previewed() {
    let api = Api::of(Plan::boards(6).tenants(2));
    api.done(&["key", "new", "firmware"]);
    make_image(&api.site.path("."), "a.bin", "1.4.0", 1, None);
    let image = api.site.path("a.bin");
    api.done(&["firmware", "add", image.to_str().unwrap(), "--product", "valve"]);
    let own = api.site.of_tenant("tenant-0");
    let saying = [((1, 0, 0, 0), "A"), ((1, 4, 0, 0), "A"), ((1, 5, 0, 0), "B")];
    for (files, (version, hardware)) in own.iter().zip(saying) {
        let mut board =
            Client::connect(api.site.listen, &api.site.root(), &files.identity()).unwrap();
        report(&mut board, 1, &FirmwareReport { version, hardware, ..says() });
    }
    let anna = api.browser_of("anna", &["operator"]);
    let tina = api.browser_of("tina", &["operator@tenant-1"]);

    let listed = anna.get("/boards?version=1.0.0&version=1.5.0&product=valve").ok();
    assert_eq!(listed["total"], 2);
    assert_eq!(anna.get("/boards?version=1.4.0&hardware=B").ok()["total"], 0);
    let facets = anna.get("/boards/facets?version=1.4.0").ok();
    assert_eq!(facets["total"], 1);
    let kinds = facets["firmware"]["kinds"].as_array().unwrap();
    assert_eq!(kinds.len(), 3, "each is counted without what the filter says of it: {facets}");
    let newest = json!({ "product": "valve", "hardware": "B", "version": "1.5.0", "boards": 1 });
    assert!(kinds.contains(&newest), "{facets}");
    assert_eq!(facets["firmware"]["unknown"], 3);
    assert_eq!(tina.get("/boards/facets").ok()["firmware"]["kinds"], json!([]));

    let id = own[1].id.as_str();
    let said = anna.get(&format!("/boards/{id}/firmware")).ok();
    assert_eq!((&said["version"], &said["hardware"]), (&json!("1.4.0"), &json!("A")));
    tina.get(&format!("/boards/{id}/firmware")).refused(404, "not-found");
    let silent = api.site.of_tenant("tenant-1")[0].id.clone();
    tina.get(&format!("/boards/{silent}/firmware")).refused(404, "not-found");
    assert_eq!(anna.get("/firmware/1").ok()["runs_on"], 1);
    assert_eq!(anna.get("/firmware").ok()["items"][0]["runs_on"], 1);
    assert_eq!(tina.get("/firmware/1").ok()["runs_on"], 0, "of those that one may see");
    let shown = api.done(&["firmware", "show", "1"]);
    assert!(shown.contains("runs on   1 boards"), "{shown}");

    let ask = json!({
        "release": 1, "filter": "", "groups": ["canary:1", "others:rest"],
        "terms": { "at_once": 1, "windows": ["mon-sun/00:00/12h"] },
    });
    let seen = anna.post("/rollouts/preview", &ask).ok();
    let of = |name: &str| seen[name].as_u64().unwrap();
    assert_eq!(["boards", "older", "same", "newer", "unknown"].map(of), [6, 1, 1, 1, 3]);
    assert_eq!((of("fetching"), of("other")), (4, 0));
    assert_eq!(seen["groups"][1], json!({ "name": "others", "boards": 5 }));
    assert_eq!(of("bytes"), 4 * of("bytes_each"));
    assert!(of("bytes_each") > anna.get("/firmware/1").ok()["size"].as_u64().unwrap());
    let effort = |radio: &str, name: &str| seen[radio][name].as_f64().unwrap();
    assert!(effort("nb_iot", "joules_each") > effort("lte_m", "joules_each"));
    assert!(effort("lte_m", "seconds") >= 2.0 * 86_400.0, "half of each day: {seen}");
    assert_eq!(anna.get("/rollouts").ok()["items"], json!([]), "nothing was made");
    let tina_sees = tina.post("/rollouts/preview", &ask).ok();
    assert_eq!((&tina_sees["boards"], &tina_sees["unknown"]), (&json!(3), &json!(3)));
    let wrong = json!({ "release": 1, "filter": "versio=1", "groups": ["all:rest"] });
    anna.post("/rollouts/preview", &wrong).refused(400, "malformed");
    api.done(&["firmware", "sign", "1"]);
    let said = api.done(&["rollout", "add", "r", "--release", "1", "--preview"]);
    assert!(said.contains("6 boards fit, and 4 would fetch the release"), "{said}");
    assert!(said.contains("NB-IoT"), "{said}");
}

#[test]
fn a_bill_of_materials_is_fetched_as_it_was_attached() {
    let api = Api::of(Plan::boards(1));
    api.done(&["key", "new", "firmware"]);
    let here = api.site.path(".");
    make_image(&here, "a.bin", "1.4.0", 1, None);
    let tags = "SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\n";
    fs::write(here.join("a.spdx"), tags).unwrap();
    let path = |name: &str| here.join(name).to_str().unwrap().to_owned();
    let add = ["firmware", "add", &path("a.bin"), "--product", "valve", "--sbom", &path("a.spdx")];
    api.done(&add);
    let said = api.done(&["firmware", "sbom", "1", "--out", &path("out.spdx")]);
    assert!(said.contains("text/spdx"), "{said}");
    assert_eq!(fs::read_to_string(here.join("out.spdx")).unwrap(), tags);

    let sina = api.browser_of("sina", &["firmware-signer"]);
    let fetched = sina.get("/firmware/1/sbom");
    assert_eq!((fetched.status, fetched.text()), (200, tags.to_owned()));
    assert_eq!(fetched.header("content-type"), Some("text/spdx"));
    let name = fetched.header("content-disposition").unwrap();
    assert_eq!(name, "attachment; filename=\"valve-1.4.0.spdx\"");
    // Another in its place, not a byte changed.
    let cyclone = "{ \"specVersion\": \"1.6\",\n  \"bomFormat\": \"CycloneDX\" }\n";
    let attach = |bytes: &[u8]| {
        let head = [("Content-Type", "application/octet-stream")];
        sina.ask("PUT", "/api/v1/firmware/1/sbom", &head, bytes)
    };
    assert_eq!(attach(cyclone.as_bytes()).status, 200);
    let fetched = sina.get("/firmware/1/sbom");
    assert_eq!(fetched.text(), cyclone);
    assert_eq!(fetched.header("content-type"), Some("application/vnd.cyclonedx+json"));
    attach(b"").refused(422, "invalid");
    assert_eq!(attach(&vec![0; 4 * 1024 * 1024 + 1]).status, 413);
    make_image(&here, "b.bin", "1.5.0", 1, None);
    api.done(&["firmware", "add", &path("b.bin"), "--product", "valve"]);
    sina.get("/firmware/2/sbom").refused(404, "not-found");
    sina.get("/firmware/9/sbom").refused(404, "not-found");
    api.done(&["store", "check"]);
}

/// What a board says that asks for a block as `firmware/board` does.
fn ask(offer: &FirmwareOffer, id: u16, number: u32) -> Message {
    let name = String::from_utf8(offer.segment().to_vec()).unwrap();
    let ask = Message::request(1, &format!("fw/{name}"), id, &[]);
    let token = [&id.to_be_bytes()[..], &[0]].concat();
    Message { token, ..ask.with(17, 42).with(23, number << 4 | 6) }
}

#[test]
fn an_update_takes_the_bytes_that_were_foreseen_and_waits_where_a_data_plan_has_them_not() {
    let mut api = Api::of(Plan::boards(4).tenants(2));
    api.done(&["key", "new", "firmware"]);
    make_image(&api.site.path("."), "a.bin", "1.4.0", 1, None);
    let image = api.site.path("a.bin");
    api.done(&["firmware", "add", image.to_str().unwrap(), "--product", "valve"]);
    api.done(&["firmware", "sign", "1"]);
    api.done(&["rollout", "add", "spring", "--release", "1"]);
    api.done(&["rollout", "start", "1"]);
    let anna = api.browser_of("anna", &["operator"]);
    let own = api.site.of_tenant("tenant-0");
    let (listen, root) = (api.site.listen, api.site.root());
    let connect = |at: usize| Client::connect(listen, &root, &own[at].identity()).unwrap();
    let mut board = connect(0);
    let (_, offer) = report(&mut board, 1, &says());
    let offer = FirmwareOffer::decode(&offer).unwrap();
    let blocks = offer.size.div_ceil(1024);
    for number in 0..blocks {
        let id = 100 + u16::try_from(number).unwrap();
        let answer = exchange(&mut board, &ask(&offer, id, number), PATIENCE).unwrap().message;
        assert_eq!(answer.dotted(), "2.05");
    }
    for id in 2..5 {
        report(&mut board, id, &FirmwareReport { version: offer.version, ..says() });
    }
    // What passed is counted at the end of a session, and written at the hub's at the latest.
    eventually("the session's end", PATIENCE, || {
        let close = board.record(21, &[1, 0]);
        board.send_raw(&close);
        (api.hub.sessions() == 0.0).then_some(())
    });
    api.hub.terminate(PATIENCE);
    api.hub = api.site.start();
    let path = format!("/boards/{}/data-use", own[0].id);
    let used = anna.get(&path).ok()["used"].as_u64().unwrap();
    let foreseen = bytes(offer.size);
    // The board here has no Connection ID, which are 7 bytes less a block.
    let expected = foreseen - 7 * u64::from(blocks);
    assert!(used.abs_diff(expected) < expected / 50, "{used} for {expected}");

    let plan = (foreseen + 100).to_string();
    api.done(&["tenant", "quota", "tenant-0", "--data-plan", &plan]);
    assert_eq!(anna.get(&path).ok()["plan"].to_string(), plan);
    let mut second = connect(1);
    let (code, offered) = report(&mut second, 1, &says());
    assert!(!offered.is_empty(), "{code}: what it has used yet leaves room enough");
    api.done(&["rollout", "pause", "1"]);
    api.done(&["tenant", "quota", "tenant-0", "--data-plan", "1000"]);
    api.done(&["rollout", "add", "again", "--release", "1"]);
    api.done(&["rollout", "start", "2"]);
    assert_eq!(report(&mut second, 2, &says()), ("2.04".into(), vec![]));
    let boards = api.done(&["rollout", "boards", "2"]);
    assert!(boards.contains("its data plan has no room for the update this month"), "{boards}");
    api.done(&["tenant", "quota", "tenant-0", "--data-plan", "default"]);
    assert!(!report(&mut second, 3, &says()).1.is_empty());
    let boards = api.done(&["rollout", "boards", "2", "--state", "offered"]);
    assert!(boards.contains(&own[1].id) && !boards.contains("data plan"), "{boards}");
    let shown = api.done(&["board", "show", &own[0].id]);
    assert!(shown.contains("this month"), "{shown}");
}

#[test]
fn a_board_that_is_awake_is_called_when_a_rollout_starts() {
    let api = Api::of(Plan::boards(2).tenants(2));
    api.done(&["key", "new", "firmware"]);
    make_image(&api.site.path("."), "a.bin", "1.4.0", 1, None);
    let image = api.site.path("a.bin");
    api.done(&["firmware", "add", image.to_str().unwrap(), "--product", "valve"]);
    api.done(&["firmware", "sign", "1"]);
    let own = api.site.of_tenant("tenant-0");
    let mut board = Client::connect(api.site.listen, &api.site.root(), &own[0].identity()).unwrap();
    assert_eq!(report(&mut board, 1, &says()).1, [0; 0]);
    api.done(&["rollout", "add", "spring", "--release", "1"]);
    api.done(&["rollout", "start", "1"]);
    let mut id = 1;
    let call = eventually("a call", PATIENCE, || {
        // It stays awake for as long as it has something to say, whatever that is.
        id += 1;
        board.send(&Message::request(1, "time", id, &[]).encode());
        let said = board.receive(Duration::from_millis(500))?;
        Message::parse(&said).filter(|said| said.code == POST)
    });
    assert_eq!((call.kind, &call.options[0]), (NON, &(URI_PATH, b"fw".to_vec())));
    assert!(!report(&mut board, 9000, &says()).1.is_empty(), "and there is something for it");
    eventually("the call's count", PATIENCE, || {
        (api.hub.metric("hub_firmware_calls_total", &[]) == 1.0).then_some(())
    });
}
