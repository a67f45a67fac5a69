use super::*;

const NOW: UnixSeconds = UnixSeconds(1_000);

struct Scene {
    _folder: tempfile::TempDir,
    store: Store,
    registry: Arc<Registry>,
    admitted: Admitted,
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let tenant = Tenant {
        id: "acme".parse().unwrap(),
        name: "Acme".into(),
        state: TenantState::Active,
        created: NOW,
        issuer: None,
        quota: storage::Quota::default(),
    };
    store.tenants().put(&tenant).unwrap();
    let mut board = Board::new("CB-1".parse().unwrap(), tenant.id.clone(), NOW);
    let fingerprint = Fingerprint([1; 32]);
    board.fingerprint = Some(fingerprint);
    store.boards().put(&board).unwrap();
    let admitted = Admitted {
        board: board.id,
        tenant: tenant.id,
        fingerprint,
        not_after: UnixSeconds(2_000),
        at: Instant::now(),
        serial: None,
    };
    Scene {
        _folder: folder,
        registry: Registry::new(store.clone(), Duration::ZERO),
        store,
        admitted,
    }
}

impl Scene {
    fn still(&self) -> Result<(), Refusal> {
        self.registry.still(&self.admitted, NOW)
    }

    fn change(&self, change: impl FnOnce(&mut Board)) {
        let mut board = self.store.boards().find(&self.admitted.board).unwrap().unwrap();
        change(&mut board);
        self.store.boards().put(&board).unwrap();
    }
}

#[test]
fn a_board_as_it_was_is_admitted_again() {
    assert_eq!(scene().still(), Ok(()));
}

#[test]
fn a_board_that_an_admin_stopped_is_not_admitted_again() {
    let scene = scene();
    scene.change(|board| board.state = BoardState::Blocked { reason: "lost".into(), since: NOW });
    assert_eq!(scene.still(), Err(Refusal::Blocked));
    scene.change(|board| board.state = BoardState::Revoked { reason: "sold".into(), since: NOW });
    assert_eq!(scene.still(), Err(Refusal::Revoked));
}

#[test]
fn another_certificate_of_the_board_ends_the_old_ones_right() {
    let scene = scene();
    scene.change(|board| board.fingerprint = Some(Fingerprint([2; 32])));
    assert_eq!(scene.still(), Err(Refusal::OtherCertificate));
    scene.change(|board| board.fingerprint = None);
    assert_eq!(scene.still(), Err(Refusal::OtherCertificate));
}

#[test]
fn a_board_of_a_suspended_tenant_or_of_another_is_not_admitted_again() {
    let scene = scene();
    let mut tenant = scene.store.tenants().find(&scene.admitted.tenant).unwrap().unwrap();
    tenant.state = TenantState::Suspended;
    scene.store.tenants().put(&tenant).unwrap();
    assert_eq!(scene.still(), Err(Refusal::TenantSuspended));
    let moved = Admitted { tenant: "other".parse().unwrap(), ..scene.admitted.clone() };
    assert_eq!(scene.registry.still(&moved, NOW), Err(Refusal::OtherTenant));
    let unknown = Admitted { board: "CB-2".parse().unwrap(), ..scene.admitted.clone() };
    assert_eq!(scene.registry.still(&unknown, NOW), Err(Refusal::UnknownBoard));
}

#[test]
fn a_certificate_admits_until_its_last_second() {
    let scene = scene();
    let at = |second| scene.registry.still(&scene.admitted, UnixSeconds(second));
    assert_eq!(at(2_000), Ok(()));
    assert_eq!(at(2_001), Err(Refusal::Expired));
}
