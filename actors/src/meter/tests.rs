//! Quotas in virtual time.

use std::time::Duration;

use super::*;
use crate::metrics::Metrics;

const UNBOUNDED: Bounds = Bounds {
    messages_per_minute: None,
    bytes_per_minute: None,
    handshakes_per_hour: None,
    in_flight_max: None,
};

fn meter(board: Bounds, tenant: Bounds) -> (Arc<TenantMeter>, Instant) {
    let began = Instant::now();
    let metrics = Arc::new(Metrics::new()).tenant("acme");
    (TenantMeter::new(Quota { board, tenant, data_plan: None }, began, metrics), began)
}

fn kind(taken: Result<Held, Over>) -> Result<(), (QuotaKind, u32)> {
    taken.map(drop).map_err(|over| (over.kind, over.max_age_s))
}

#[test]
fn a_board_over_its_quota_waits_while_another_of_its_tenant_is_served() {
    let bounds = Bounds { messages_per_minute: Some(6), ..UNBOUNDED };
    let (tenant, now) = meter(bounds, UNBOUNDED);
    let (mut greedy, mut modest) = (BoardMeter::default(), BoardMeter::default());
    for _ in 0..6 {
        kind(tenant.take(&mut greedy, now, 100, 1)).unwrap();
    }
    let refused = Err((QuotaKind::BoardMessages, 10));
    assert_eq!(kind(tenant.take(&mut greedy, now, 100, 1)), refused);
    kind(tenant.take(&mut modest, now, 100, 1)).unwrap();
    kind(tenant.take(&mut greedy, now + Duration::from_secs(10), 100, 1)).unwrap();
}

#[test]
fn bytes_count_whatever_the_number_of_messages() {
    let bounds = Bounds { bytes_per_minute: Some(600), ..UNBOUNDED };
    let (tenant, now) = meter(bounds, UNBOUNDED);
    let mut board = BoardMeter::default();
    kind(tenant.take(&mut board, now, 590, 1)).unwrap();
    assert_eq!(kind(tenant.take(&mut board, now, 20, 1)), Err((QuotaKind::BoardBytes, 1)));
    kind(tenant.take(&mut board, now, 10, 1)).unwrap();
}

#[test]
fn a_tenants_quota_is_shared_by_its_boards() {
    let bounds = Bounds { messages_per_minute: Some(4), ..UNBOUNDED };
    let (tenant, now) = meter(UNBOUNDED, bounds);
    let mut boards = [BoardMeter::default(); 5];
    let taken: Vec<_> =
        boards.iter_mut().map(|board| kind(tenant.take(board, now, 1, 1))).collect();
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 4);
    assert_eq!(taken[4], Err((QuotaKind::TenantMessages, 15)));
}

#[test]
fn what_one_quota_refuses_costs_the_others_nothing() {
    let each = Bounds { messages_per_minute: Some(2), ..UNBOUNDED };
    let all = Bounds { messages_per_minute: Some(2), bytes_per_minute: Some(100), ..UNBOUNDED };
    let (tenant, now) = meter(each, all);
    let mut board = BoardMeter::default();
    kind(tenant.take(&mut board, now, 90, 1)).unwrap();
    for _ in 0..10 {
        let refused = kind(tenant.take(&mut board, now, 50, 1));
        assert_eq!(refused, Err((QuotaKind::TenantBytes, 24)));
    }
    kind(tenant.take(&mut board, now, 10, 1)).unwrap();
}

#[test]
fn what_is_on_its_way_is_bounded_and_comes_back() {
    let each = Bounds { in_flight_max: Some(2), ..UNBOUNDED };
    let all = Bounds { in_flight_max: Some(3), ..UNBOUNDED };
    let (tenant, now) = meter(each, all);
    let (mut one, mut other) = (BoardMeter::default(), BoardMeter::default());
    let first = tenant.take(&mut one, now, 1, 1).unwrap_or_else(|over| panic!("{over:?}"));
    let second = tenant.take(&mut one, now, 1, 2).unwrap_or_else(|over| panic!("{over:?}"));
    assert_eq!(kind(tenant.take(&mut one, now, 1, 3)), Err((QuotaKind::BoardInFlight, 2)));
    let third = tenant.take(&mut other, now, 1, 1).unwrap_or_else(|over| panic!("{over:?}"));
    assert_eq!(kind(tenant.take(&mut other, now, 1, 2)), Err((QuotaKind::TenantInFlight, 2)));
    drop(first);
    kind(tenant.take(&mut other, now, 1, 2)).unwrap();
    drop((second, third));
    assert_eq!(tenant.in_flight.load(Ordering::Relaxed), 0);
}

#[test]
fn handshakes_are_bounded_for_a_board_and_for_all() {
    let each = Bounds { handshakes_per_hour: Some(2), ..UNBOUNDED };
    let all = Bounds { handshakes_per_hour: Some(3), ..UNBOUNDED };
    let (tenant, now) = meter(each, all);
    let (mut one, mut other) = (Bucket::default(), Bucket::default());
    for _ in 0..2 {
        tenant.may_shake_hands(one, now).unwrap();
        tenant.shook_hands(&mut one, now);
    }
    let over = tenant.may_shake_hands(one, now).unwrap_err();
    assert_eq!((over.kind, over.max_age_s), (QuotaKind::BoardHandshakes, 1_800));
    tenant.may_shake_hands(other, now).unwrap();
    tenant.shook_hands(&mut other, now);
    let over = tenant.may_shake_hands(other, now).unwrap_err();
    assert_eq!(over.kind, QuotaKind::TenantHandshakes);
    tenant.may_shake_hands(other, now + Duration::from_secs(1_200)).unwrap();
}
