//! What a scrape shows, event by event.

use super::*;

#[test]
fn every_series_is_there_before_anything_happened() {
    let text = Metrics::new().encode();
    for line in [
        r#"hub_handshakes_total{outcome="refused",reason="unknown_board"} 0"#,
        r#"hub_messages_total{outcome="accepted",route_kind="mqtt"} 0"#,
        r#"hub_coap_requests_total{code="2.04"} 0"#,
        r#"hub_acknowledge_seconds_bucket{le="0.0005"} 0"#,
        "hub_sessions 0",
        "hub_socket_drops_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("hub_build_info{openssl=\"OpenSSL"));
}

#[test]
fn an_event_changes_its_own_series_only() {
    let metrics = Metrics::new();
    let before = metrics.encode();
    metrics.handshake_ended(HandshakeEnd::Expired);
    metrics.record_dropped(RecordDrop::Replayed);
    let after = metrics.encode();
    let changed: Vec<_> =
        after.lines().filter(|line| !before.lines().any(|old| old == *line)).collect();
    assert_eq!(
        changed,
        [
            r#"hub_handshakes_total{outcome="refused",reason="expired"} 1"#,
            r#"hub_records_dropped_total{reason="replayed"} 1"#
        ]
    );
}

#[test]
fn a_scrape_shows_the_deepest_mailbox_and_forgets_it() {
    let metrics = Metrics::new();
    metrics.mailbox_depth(ActorKind::Session, 7);
    metrics.mailbox_depth(ActorKind::Session, 3);
    let line = |depth| format!("hub_mailbox_depth_max{{actor=\"session\"}} {depth}\n");
    assert!(metrics.encode().contains(&line(7)));
    assert!(metrics.encode().contains(&line(0)));
}

#[test]
fn a_code_outside_the_known_ones_is_counted_as_other() {
    let metrics = Metrics::new();
    metrics.coap_request(0x44);
    metrics.coap_request(0xff);
    let text = metrics.encode();
    assert!(text.contains("hub_coap_requests_total{code=\"2.04\"} 1\n"));
    assert!(text.contains("hub_coap_requests_total{code=\"other\"} 1\n"));
}

#[test]
fn an_upstream_that_is_gone_leaves_no_series() {
    let metrics = Arc::new(Metrics::new());
    let upstream = metrics.upstream("acme", "broker");
    upstream.connected(true);
    upstream.in_flight(3);
    upstream.ended(ConnectionEnd::Untrusted);
    let text = metrics.encode();
    assert!(text.contains(r#"hub_upstream_connected{tenant="acme",upstream="broker"} 1"#));
    assert!(text.contains(r#"hub_upstream_in_flight{tenant="acme",upstream="broker"} 3"#));
    assert!(text.contains(
        r#"hub_upstream_connections_ended_total{reason="untrusted",tenant="acme",upstream="broker"} 1"#
    ));
    drop(upstream);
    assert!(!metrics.encode().contains("acme"));
}
