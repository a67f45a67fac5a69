//! The store: a board written and made durable, and found again by its certificate.
#![expect(clippy::unwrap_used, reason = "a bench that cannot set up has nothing to measure")]

use criterion::{Criterion, criterion_group, criterion_main};
use storage::{
    Board, BoardId, Fingerprint, Quota, Store, Tenant, TenantId, TenantState, UnixSeconds,
};

const BOARDS: u64 = 10_000;

fn fingerprint(number: u64) -> Fingerprint {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(number.to_be_bytes().iter().cycle()) {
        *to = *from;
    }
    Fingerprint::from(bytes)
}

fn board(number: u64, tenant: &TenantId) -> Board {
    let id: BoardId = format!("CB-{number:08}").parse().unwrap();
    let mut board = Board::new(id, tenant.clone(), UnixSeconds(1_700_000_000));
    board.fingerprint = Some(fingerprint(number));
    board
}

fn store(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let tenant: TenantId = "tenant-0".parse().unwrap();
    let customer = Tenant {
        id: tenant.clone(),
        name: "Tenant".to_owned(),
        state: TenantState::Active,
        created: UnixSeconds(1_700_000_000),
        issuer: None,
        quota: Quota::default(),
    };
    store.tenants().put(&customer).unwrap();
    store.boards().put_many((0..BOARDS).map(|number| board(number, &tenant))).unwrap();

    let mut number = 0;
    c.bench_function("storage/put and flush a board", |b| {
        b.iter(|| {
            number = (number + 1) % BOARDS;
            store.boards().put(&board(number, &tenant)).unwrap();
        });
    });
    c.bench_function("storage/find a board", |b| {
        b.iter(|| {
            number = (number + 7919) % BOARDS;
            store.boards().find(&board(number, &tenant).id).unwrap().unwrap()
        });
    });
}

criterion_group!(benches, store);
criterion_main!(benches);
