//! What the store's tests share: a store in a folder of its own, and nouns to put into it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use storage::*;
use tempfile::TempDir;

/// A fresh store in `<folder>/store`.
pub fn rig() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    (dir, store)
}

pub fn tenant(id: &str) -> Tenant {
    Tenant {
        id: id.parse().unwrap(),
        name: id.to_uppercase(),
        state: TenantState::Active,
        created: UnixSeconds(1_700_000_000),
        issuer: None,
        quota: Quota::default(),
    }
}

pub fn board(id: &str, tenant: &str) -> Board {
    Board::new(id.parse().unwrap(), tenant.parse().unwrap(), UnixSeconds(1_700_000_000))
}

pub fn route(tenant: &str, resource: &str) -> Route {
    Route {
        tenant: tenant.parse().unwrap(),
        resource: resource.parse().unwrap(),
        upstream: "broker".parse().unwrap(),
        topic: "{tenant}/{board}/telemetry".parse().unwrap(),
        acknowledge: Acknowledge::OnReceive,
    }
}

pub fn upstream(tenant: &str, name: &str) -> Upstream {
    let mqtt = MqttUpstream {
        host: "broker.example".into(),
        port: 8883,
        tls: true,
        version: MqttVersion::V5,
        client_id: "hub".into(),
        ca_file: Some("ca.pem".into()),
        username: None,
        password_sealed: false,
        password_file: None,
        client_certificate_file: None,
        client_key_sealed: false,
        client_key_file: None,
        in_flight_max: IN_FLIGHT_MAX_DEFAULT,
        queue_max: QUEUE_MAX_DEFAULT,
    };
    Upstream {
        tenant: tenant.parse().unwrap(),
        name: name.parse().unwrap(),
        kind: UpstreamKind::Mqtt(mqtt),
    }
}

pub fn names(boards: &[Board]) -> Vec<&str> {
    boards.iter().map(|board| board.id.as_str()).collect()
}
