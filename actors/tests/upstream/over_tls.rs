//! mosquitto over TLS: what arrives, who is let in, and which servers are not believed.

use actors::upstream::{Outcome, UpstreamError, UpstreamSecrets, start};
use storage::MqttVersion::{V5, V311};
use storage::{MqttUpstream, MqttVersion};
use zeroize::Zeroizing;

use super::adapter::{Adapter, Log, eventually, nobody_barred, upstream};
use super::mosquitto::{Admits, Mosquitto};
use super::pki::Authority;
use super::subscriber::Subscriber;

#[actix::test]
async fn over_3_1_1_topic_and_payload_reach_the_subscriber() {
    let broker = Mosquitto::start(Admits::Anyone).await;
    let subscriber = Subscriber::start(&broker).await;
    let adapter = Adapter::start(broker.upstream(V311));
    adapter.connected().await;
    assert_eq!(adapter.outcome(1).await, Outcome::Accepted);
    let publish = subscriber.one().await;
    assert_eq!(&publish.topic[..], b"acme/CB-1/telemetry");
    assert_eq!(&publish.payload[..], b"reading-1");
    assert!(!publish.retain);
}

#[actix::test]
async fn over_5_content_type_and_user_properties_reach_the_subscriber_too() {
    let broker = Mosquitto::start(Admits::Anyone).await;
    let subscriber = Subscriber::start(&broker).await;
    let adapter = Adapter::start(broker.upstream(V5));
    adapter.connected().await;
    assert_eq!(adapter.outcome(0xbeef).await, Outcome::Accepted);
    let publish = subscriber.one().await;
    assert_eq!(&publish.topic[..], b"acme/CB-1/telemetry");
    assert_eq!(&publish.payload[..], b"reading-48879");
    let properties = publish.properties.unwrap();
    assert_eq!(properties.content_type.as_deref(), Some("application/senml+cbor"));
    let expected = [("board", "CB-1"), ("tenant", "acme"), ("message-id", "000000000000beef")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(properties.user_properties, expected);
}

#[actix::test]
async fn a_publish_that_nobody_subscribes_to_is_accepted() {
    let broker = Mosquitto::start(Admits::Anyone).await;
    let adapter = Adapter::start(broker.upstream(V5));
    adapter.connected().await;
    assert_eq!(adapter.outcome(1).await, Outcome::Accepted);
}

#[actix::test]
async fn the_password_of_the_file_lets_in_and_a_wrong_one_does_not() {
    let broker = Mosquitto::start(Admits::Password).await;
    let with = |file, version| MqttUpstream {
        username: Some("hub".to_owned()),
        password_file: Some(file),
        ..broker.upstream(version)
    };
    let log = Log::begin();
    for version in [V311, V5] {
        let right = Adapter::start(with(broker.file("right", "open sesame\n"), version));
        right.connected().await;
        assert_eq!(right.outcome(1).await, Outcome::Accepted);
        right.handle.stop().await;
        let wrong = Adapter::start(with(broker.file("wrong", "open barley"), version));
        is_refused(&wrong, "unauthorised").await;
        wrong.handle.stop().await;
    }
    for secret in ["open sesame", "open barley", "reading-1"] {
        assert!(!log.text().contains(secret), "{}", log.text());
    }
}

#[actix::test]
async fn secrets_of_the_vault_let_in_and_come_before_files() {
    let broker = Mosquitto::start(Admits::Password).await;
    let sealed = |text: &str| Some(Zeroizing::new(text.as_bytes().to_vec()));
    let with_password = MqttUpstream { username: Some("hub".to_owned()), ..broker.upstream(V5) };
    let secrets = UpstreamSecrets { password: sealed("open sesame"), client_key: None };
    let file = Some(broker.file("wrong", "open barley"));
    let mqtt = MqttUpstream { password_file: file, ..with_password.clone() };
    let right = Adapter::start_with(mqtt, &secrets);
    right.connected().await;
    right.handle.stop().await;
    let secrets = UpstreamSecrets { password: sealed("open barley"), client_key: None };
    let wrong = Adapter::start_with(with_password, &secrets);
    is_refused(&wrong, "unauthorised").await;
    wrong.handle.stop().await;

    let broker = Mosquitto::start(Admits::Certificate).await;
    let (certificate, key) = broker.authority.issue("hub.acme.example");
    let key = std::fs::read_to_string(key).unwrap();
    let secrets = UpstreamSecrets { password: None, client_key: sealed(&key) };
    let client_certificate_file = Some(certificate);
    let mqtt = MqttUpstream { client_certificate_file, ..broker.upstream(V5) };
    let with = Adapter::start_with(mqtt, &secrets);
    with.connected().await;
    assert_eq!(with.outcome(1).await, Outcome::Accepted);
}

#[actix::test]
async fn a_client_certificate_lets_in_and_without_one_nobody_is() {
    let broker = Mosquitto::start(Admits::Certificate).await;
    let (certificate, key) = broker.authority.issue("hub.acme.example");
    for version in [V311, V5] {
        let with = Adapter::start(MqttUpstream {
            client_certificate_file: Some(certificate.clone()),
            client_key_file: Some(key.clone()),
            ..broker.upstream(version)
        });
        with.connected().await;
        assert_eq!(with.outcome(1).await, Outcome::Accepted);
        with.handle.stop().await;
        let without = Adapter::start(broker.upstream(version));
        is_refused(&without, "tls").await;
        without.handle.stop().await;
    }
}

#[actix::test]
async fn a_server_of_an_unknown_authority_is_refused() {
    let broker = Mosquitto::start(Admits::Anyone).await;
    let other = Authority::new(broker.folder.path(), "other");
    let log = Log::begin();
    let ca_file = Some(other.file());
    let adapter = Adapter::start(MqttUpstream { ca_file, ..broker.upstream(V5) });
    is_refused(&adapter, "untrusted").await;
    assert!(log.text().contains("reason=\"untrusted\""), "{}", log.text());
    // Neither is the system's trust store asked for a private authority.
    let adapter = Adapter::start(MqttUpstream { ca_file: None, ..broker.upstream(V5) });
    is_refused(&adapter, "untrusted").await;
}

#[actix::test]
async fn a_server_with_another_name_is_refused() {
    let broker = Mosquitto::start(Admits::Anyone).await;
    let log = Log::begin();
    let host = "127.0.0.1".to_owned();
    let adapter = Adapter::start(MqttUpstream { host, ..broker.upstream(V5) });
    is_refused(&adapter, "wrong_name").await;
    assert!(log.text().contains("reason=\"wrong_name\""), "{}", log.text());
    // An address is a name as good as another, when the certificate says so.
    let host = "ip6-localhost-is-not-a-name.invalid".to_owned();
    let adapter = Adapter::start(MqttUpstream { host, ..broker.upstream(V5) });
    is_refused(&adapter, "unresolved").await;
}

#[actix::test]
async fn a_file_that_is_missing_or_is_something_else_is_named() {
    let broker = Mosquitto::start(Admits::Anyone).await;
    let absent = "/nonexistent/file".to_owned();
    let nonsense = broker.file("nonsense.pem", "nonsense");
    let (certificate, _) = broker.authority.issue("hub");
    let good = broker.upstream(V5);
    let cases: [(&str, MqttUpstream); 6] = [
        ("/nonexistent/file", MqttUpstream { ca_file: Some(absent.clone()), ..good.clone() }),
        ("nonsense.pem", MqttUpstream { ca_file: Some(nonsense.clone()), ..good.clone() }),
        (
            "nonsense.pem",
            MqttUpstream {
                client_certificate_file: Some(certificate.clone()),
                client_key_file: Some(nonsense),
                ..good.clone()
            },
        ),
        (
            "client_key_file",
            MqttUpstream { client_certificate_file: Some(certificate), ..good.clone() },
        ),
        ("username", MqttUpstream { password_file: Some(absent), ..good.clone() }),
        ("in_flight_max", MqttUpstream { in_flight_max: 0, ..good }),
    ];
    for (named, mqtt) in cases {
        assert!(error(mqtt).to_string().contains(named), "{named}");
    }
}

fn error(mqtt: MqttUpstream) -> UpstreamError {
    let metrics = std::sync::Arc::default();
    let (arbiter, none) = (actix::Arbiter::current(), UpstreamSecrets::default());
    match start(&upstream(mqtt), &none, &arbiter, metrics, nobody_barred()) {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

async fn is_refused(adapter: &Adapter, reason: &str) {
    eventually(reason, || adapter.ended(reason) > 0).await;
    assert_eq!(adapter.gauge("hub_upstream_connected"), 0);
    assert!(matches!(adapter.outcome(9).await, Outcome::Down { .. }));
}

/// Both versions are spoken; a third would have to be added to the tests above.
const _: fn(MqttVersion) = |version| match version {
    V311 | V5 => {}
};
