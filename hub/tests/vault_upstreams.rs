//! Passwords and keys of upstreams: taken in by commands, sealed in the store, opened for the broker.

use storage::UpstreamKind;

use crate::rig::broker::Broker;
use crate::rig::command::{done, refused, run_with};
use crate::rig::hub::Hub;
use crate::rig::site::{Plan, Site};

const PASSWORD: &str = "canary-open-sesame-5519";
const OTHER: &str = "canary-open-barley-7720";

fn add(site: &Site, broker: &Broker, password_file: &str, input: &str) -> String {
    let (url, ca) = (format!("mqtts://{}", broker.tls), broker.ca());
    let arguments = [
        "upstream",
        "add",
        "guarded",
        "--tenant",
        "tenant-0",
        "--mqtt",
        &url,
        "--ca",
        ca.to_str().unwrap(),
        "--username",
        "hub",
        "--password-file",
        password_file,
        "--json",
    ];
    let said = run_with(site, &arguments, input.as_bytes());
    assert!(said.status.success(), "{said:?}");
    said.stdout
}

fn is_connected(hub: &Hub, connected: f64) {
    hub.wait_for_metric("hub_upstream_connected", &[("upstream", "guarded")], |now| {
        now == connected
    });
}

fn shows_nothing(texts: &[&str]) {
    for text in texts {
        assert!(!text.contains(PASSWORD) && !text.contains(OTHER), "{text}");
    }
}

/// Whether any file below the site's store shows a password as it is.
fn store_shows(site: &Site, secret: &str) -> bool {
    let mut folders = vec![site.path("store")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = std::fs::read(path).unwrap();
                if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                    return true;
                }
            }
        }
    }
    false
}

#[test]
fn a_password_from_standard_input_is_sealed_and_lets_the_hub_in() {
    let broker = Broker::with_password(PASSWORD);
    let (site, mut hub) = Plan::boards(1).start();
    let added = add(&site, &broker, "-", &format!("{PASSWORD}\n"));
    is_connected(&hub, 1.0);
    let listed = done(&site, &["upstream", "list", "--tenant", "tenant-0", "--json"]);
    assert!(listed.contains("\"password_sealed\":true"), "{listed}");
    assert!(listed.contains("\"password_file\":null"), "{listed}");
    shows_nothing(&[&added, &listed, &hub.log()]);

    hub.process.kill();
    let hub = site.start();
    is_connected(&hub, 1.0);
    assert!(!store_shows(&site, PASSWORD));
    assert!(store_shows(&site, "cellular-hub-tenant-0-guarded"), "what is no secret shows");
}

#[test]
fn another_password_counts_at_once_and_goes_with_its_upstream() {
    let broker = Broker::with_password(PASSWORD);
    let (site, hub) = Plan::boards(1).start();
    let file = site.path("password");
    std::fs::write(&file, OTHER).unwrap();
    add(&site, &broker, file.to_str().unwrap(), "");
    hub.wait_for_metric(
        "hub_upstream_connections_ended_total",
        &[("upstream", "guarded"), ("reason", "unauthorised")],
        |ended| ended > 0.0,
    );
    let secret = ["upstream", "secret", "guarded", "--tenant", "tenant-0", "--password-file", "-"];
    let said = run_with(&site, &secret, PASSWORD.as_bytes());
    assert!(said.status.success(), "{said:?}");
    is_connected(&hub, 1.0);
    done(&site, &["upstream", "remove", "guarded", "--tenant", "tenant-0"]);
    let audit = done(&site, &["audit", "list", "--json"]);
    assert!(audit.contains("upstream.secret"), "{audit}");
    let shown = done(&site, &["vault", "show", "--json"]);
    assert!(shown.contains("\"secrets\":0"), "{shown}");
    shows_nothing(&[&audit, &hub.log(), &said.stdout]);
}

#[test]
fn an_upstream_with_a_password_file_goes_on_and_is_taken_in_by_a_command() {
    let broker = Broker::with_password(PASSWORD);
    let site = Plan::boards(1).broker(broker.tls, &broker.ca()).build();
    let file = site.path("former.password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let (tenant, name) = ("tenant-0".parse().unwrap(), "broker".parse().unwrap());
    {
        let store = site.store();
        let mut upstream = store.upstreams().find(&tenant, &name).unwrap().unwrap();
        let UpstreamKind::Mqtt(mqtt) = &mut upstream.kind else { panic!("{upstream:?}") };
        mqtt.username = Some(String::from("hub"));
        mqtt.password_file = Some(file.to_string_lossy().into_owned());
        store.upstreams().put(&upstream).unwrap();
    }
    let mut hub = site.start();
    let connected =
        |hub: &Hub| hub.wait_for_metric("hub_upstream_connected", &[], |now| now == 1.0);
    connected(&hub);
    let said = done(&site, &["upstream", "seal", "broker", "--tenant", "tenant-0"]);
    assert!(said.contains("shred -u ") && said.contains("former.password"), "{said}");
    std::fs::remove_file(&file).unwrap();
    connected(&hub);
    hub.process.kill();
    let hub = site.start();
    connected(&hub);
    let again = ["upstream", "seal", "broker", "--tenant", "tenant-0"];
    refused(&site, &again, 1, &["names no file with a secret"]);
}

#[test]
fn what_is_no_secret_is_refused_and_changes_nothing() {
    let site = Plan::boards(1).build();
    let (empty, key) = (site.path("empty"), site.path("key"));
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&key, "no key").unwrap();
    let add = |more: &[&str]| {
        let mut arguments = vec!["upstream", "add", "x", "--tenant", "tenant-0", "--mqtt"];
        arguments.extend(["mqtts://broker.example", "--username", "hub"]);
        arguments.extend(more);
        arguments.into_iter().map(String::from).collect::<Vec<_>>()
    };
    let certificate = site.root();
    let cases = [
        (vec!["--password-file", empty.to_str().unwrap()], "holds nothing"),
        (vec!["--password-file", "/nowhere/file"], "cannot read /nowhere/file"),
        (
            vec!["--certificate", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()],
            "no private key in PEM",
        ),
    ];
    for (more, words) in cases {
        let arguments = add(&more);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        refused(&site, &arguments, 2, &[words]);
    }
    let secret = ["upstream", "secret", "discard", "--tenant", "tenant-0", "--password-file"];
    let words = "is no broker and takes no secrets";
    refused(&site, &[&secret[..], &[key.to_str().unwrap()]].concat(), 1, &[words]);
    let listed = done(&site, &["upstream", "list", "--tenant", "tenant-0"]);
    assert!(!listed.contains("broker.example"), "{listed}");
}
