use storage::{NewAuthority, Origin, RevocationReason};

use super::*;

const NOW: UnixSeconds = UnixSeconds(1_000);

struct Scene {
    _folder: tempfile::TempDir,
    store: Store,
    registry: Arc<Registry>,
    shown: Shown,
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
    for certificate in [b"first", b"other"] {
        let (tenant, added) = (tenant.id.clone(), NOW);
        let origin = Origin::Own { key: "k".into() };
        let new = NewAuthority { tenant, certificate: certificate.to_vec(), origin, added };
        store.authorities().put_new(new).unwrap();
    }
    let mut board = Board::new("CB-1".parse().unwrap(), tenant.id.clone(), NOW);
    let fingerprint = Fingerprint([1; 32]);
    board.fingerprint = Some(fingerprint);
    store.boards().put(&board).unwrap();
    let (board, tenant, not_after) = (board.id, tenant.id, UnixSeconds(2_000));
    Scene {
        _folder: folder,
        registry: Registry::new(store.clone(), Duration::ZERO),
        store,
        shown: Shown { board, tenant, fingerprint, not_after },
    }
}

impl Scene {
    /// By whom the board is admitted again.
    fn readmit(&self) -> Result<u16, Refusal> {
        self.registry.readmit(self.shown.clone(), NOW).map(|it| it.issuer.get())
    }

    fn change(&self, change: impl FnOnce(&mut Board)) {
        let mut board = self.store.boards().find(&self.shown.board).unwrap().unwrap();
        change(&mut board);
        self.store.boards().put(&board).unwrap();
    }

    fn authority(&self, name: &str, state: AuthorityState) {
        let name = name.parse().unwrap();
        self.store.authorities().change(&name, |it| it.state = state).unwrap().unwrap();
    }
}

#[test]
fn a_board_as_it_was_is_admitted_again() {
    assert_eq!(scene().readmit(), Ok(1));
}

#[test]
fn a_board_that_an_admin_stopped_is_not_admitted_again() {
    let scene = scene();
    scene.change(|board| board.state = BoardState::Blocked { reason: "lost".into(), since: NOW });
    assert_eq!(scene.readmit(), Err(Refusal::Blocked));
    scene.change(|board| board.state = BoardState::Held { reason: "two".into(), since: NOW });
    assert_eq!(scene.readmit(), Err(Refusal::Held));
    scene.change(|board| board.state = BoardState::Revoked { reason: "sold".into(), since: NOW });
    assert_eq!(scene.readmit(), Err(Refusal::Revoked));
}

#[test]
fn another_certificate_of_the_board_ends_the_old_ones_right() {
    let scene = scene();
    scene.change(|board| board.fingerprint = Some(Fingerprint([2; 32])));
    assert_eq!(scene.readmit(), Err(Refusal::OtherCertificate));
    scene.change(|board| board.fingerprint = None);
    assert_eq!(scene.readmit(), Err(Refusal::OtherCertificate));
}

#[test]
fn a_board_of_a_suspended_tenant_or_of_another_is_not_admitted_again() {
    let scene = scene();
    let mut tenant = scene.store.tenants().find(&scene.shown.tenant).unwrap().unwrap();
    tenant.state = TenantState::Suspended;
    scene.store.tenants().put(&tenant).unwrap();
    assert_eq!(scene.readmit(), Err(Refusal::TenantSuspended));
    let moved = Shown { tenant: "other".parse().unwrap(), ..scene.shown.clone() };
    assert_eq!(scene.registry.readmit(moved, NOW), Err(Refusal::OtherTenant));
    let unknown = Shown { board: "CB-2".parse().unwrap(), ..scene.shown.clone() };
    assert_eq!(scene.registry.readmit(unknown, NOW), Err(Refusal::UnknownBoard));
}

#[test]
fn a_certificate_admits_until_its_last_second() {
    let scene = scene();
    let at = |second| scene.registry.readmit(scene.shown.clone(), UnixSeconds(second));
    assert!(at(2_000).is_ok());
    assert_eq!(at(2_001), Err(Refusal::Expired));
}

#[test]
fn a_board_is_admitted_as_long_as_the_authority_of_its_certificate_is_believed() {
    let scene = scene();
    let since = NOW;
    let revoked = AuthorityState::Revoked { reason: RevocationReason::CaCompromise, since };
    scene.authority("acme/1", AuthorityState::Retiring { since });
    assert_eq!(scene.readmit(), Ok(1), "the first where nobody wrote down which");
    scene.authority("acme/1", AuthorityState::Retired { since });
    assert_eq!(scene.readmit(), Err(Refusal::AuthorityRetired));
    scene.change(|board| board.issuer = AuthorityNumber::new(2));
    assert_eq!(scene.readmit(), Ok(2));
    scene.authority("acme/2", revoked);
    assert_eq!(scene.readmit(), Err(Refusal::AuthorityRevoked));
    scene.change(|board| board.issuer = AuthorityNumber::new(3));
    assert_eq!(scene.readmit(), Err(Refusal::UnknownAuthority));
}
