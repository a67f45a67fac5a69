use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509Name, X509ReqBuilder};
use proptest::prelude::*;
use storage::{AuthorityNumber, BoardId, NewAuthority, Origin};

use super::*;
use crate::trust::{Pki, fingerprint};

const NOW: UnixSeconds = UnixSeconds(1_770_000_000);

struct Scene {
    _folder: tempfile::TempDir,
    store: Store,
    enrolment: Arc<BoardEnrolment>,
    board: BoardId,
    own: Fingerprint,
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let pki =
        Pki::new(&folder.path().join("pki"), Arc::new(crate::trust::keys::MemoryStore::default()));
    pki.init(&["localhost".parse().unwrap()], NOW).unwrap();
    let id: storage::TenantId = "acme".parse().unwrap();
    let (authority, _) = pki.add_tenant(&id, NOW).unwrap();
    let tenant = Tenant {
        id: id.clone(),
        name: String::new(),
        state: TenantState::Active,
        created: NOW,
        issuer: Some(AuthorityNumber::FIRST),
        quota: storage::Quota::default(),
    };
    store.tenants().put(&tenant).unwrap();
    let new = NewAuthority {
        tenant: id.clone(),
        certificate: authority.certificate().to_vec(),
        origin: Origin::Own { key: "tenant/acme".into() },
        added: NOW,
    };
    store.authorities().put_new(new).unwrap();
    let mut board = Board::new("CB-1".parse().unwrap(), id, NOW);
    let own = Fingerprint([1; 32]);
    board.fingerprint = Some(own);
    store.boards().put(&board).unwrap();
    let enrolment = BoardEnrolment::new(Authorities::new(pki, store.clone()));
    Scene { _folder: folder, store, enrolment, board: board.id, own }
}

fn on(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn signing_request(name: &str, key: &PKey<Private>) -> Vec<u8> {
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let mut request = X509ReqBuilder::new().unwrap();
    request.set_subject_name(&subject.build()).unwrap();
    request.set_pubkey(key).unwrap();
    request.sign(key, MessageDigest::sha256()).unwrap();
    request.build().to_der().unwrap()
}

impl Scene {
    fn ask(&self, operation: Operation, body: Vec<u8>) -> Answer {
        self.ask_at(NOW, operation, body)
    }

    fn ask_at(&self, now: UnixSeconds, operation: Operation, body: Vec<u8>) -> Answer {
        let request = Request {
            board: self.board.clone(),
            tenant: "acme".parse().unwrap(),
            certificate: self.own,
            not_after: UnixSeconds(NOW.0 + 1000),
            operation,
            format: format::CERTIFICATE,
            body,
        };
        self.enrolment.answer(&request, now)
    }

    fn renew(&self) -> X509 {
        let body = signing_request("CB-1", &on(Nid::X9_62_PRIME256V1));
        match self.ask(Operation::Renew, body) {
            Answer::Given(der) => X509::from_der(&der).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn registered(&self) -> Board {
        self.store.boards().find(&self.board).unwrap().unwrap()
    }
}

#[test]
fn a_new_certificate_waits_for_its_first_use_and_then_is_the_boards() {
    let scene = scene();
    let first = fingerprint(&scene.renew()).unwrap();
    let second = fingerprint(&scene.renew()).unwrap();
    assert_eq!(scene.registered().fingerprint, Some(scene.own), "the old one is still its own");
    let renewals = scene.store.renewals();
    assert_eq!(renewals.complete(&scene.board, first).unwrap(), None, "replaced by the second");
    assert_eq!(renewals.complete(&scene.board, second).unwrap(), Some(scene.own));
    assert_eq!(scene.registered().fingerprint, Some(second));
    assert_eq!((renewals.count(), renewals.of(&scene.registered()).unwrap()), (0, None));
    assert_eq!(renewals.complete(&scene.board, second).unwrap(), None);
}

#[test]
fn a_renewal_means_nothing_once_the_board_has_another_certificate() {
    let scene = scene();
    let new = fingerprint(&scene.renew()).unwrap();
    let given = Some(Fingerprint([9; 32]));
    scene.store.boards().change(&scene.board, |board| board.fingerprint = given).unwrap();
    assert_eq!(scene.store.renewals().complete(&scene.board, new).unwrap(), None);
    assert_eq!(scene.registered().fingerprint, given);
}

#[test]
fn the_certificate_is_for_the_board_and_by_its_tenants_authority() {
    let scene = scene();
    let certificate = scene.renew();
    let der = certificate.to_der().unwrap();
    assert_eq!(crate::trust::hardware_id(&der).unwrap(), scene.board);
    let acme = "acme".parse().unwrap();
    let authority = scene.store.authorities().find(&acme, AuthorityNumber::FIRST).unwrap().unwrap();
    let authority = X509::from_der(&authority.certificate).unwrap();
    assert!(certificate.verify(&authority.public_key().unwrap()).unwrap());
}

#[test]
fn unsuited_requests_are_told_why() {
    let scene = scene();
    let good = on(Nid::X9_62_PRIME256V1);
    let mut forged = signing_request("CB-1", &good);
    *forged.last_mut().unwrap() ^= 1;
    let mut longer = signing_request("CB-1", &good);
    longer.push(0);
    let rsa = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    for (body, why) in [
        (signing_request("CB-1", &rsa), CsrError::KeyUnsuited),
        (signing_request("CB-1", &on(Nid::SECP384R1)), CsrError::KeyUnsuited),
        (signing_request("CB-1", &on(Nid::X9_62_PRIME192V1)), CsrError::KeyUnsuited),
        (forged, CsrError::NotSigned),
        (longer, CsrError::Malformed),
        (b"nonsense".to_vec(), CsrError::Malformed),
        (vec![0x30; 5000], CsrError::TooLarge),
        (signing_request("no board/id", &good), CsrError::NotABoardId),
    ] {
        match scene.ask(Operation::Enrol, body) {
            Answer::BadRequest(said) => assert_eq!(said, why.to_string()),
            other => panic!("{why}: {other:?}"),
        }
    }
    assert_eq!(scene.store.renewals().count(), 0);
}

#[test]
fn nobody_gets_a_certificate_for_another_board_nor_when_shut_out() {
    let scene = scene();
    let key = on(Nid::X9_62_PRIME256V1);
    let forbidden = |name: &str, operation, now| match scene.ask_at(
        now,
        operation,
        signing_request(name, &key),
    ) {
        Answer::Forbidden(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        forbidden("CB-2", Operation::Enrol, NOW),
        "the request is CB-2's, the session CB-1's"
    );
    let ended = UnixSeconds(NOW.0 + 1001);
    assert!(forbidden("CB-1", Operation::Enrol, ended).contains("renew it (sren)"));
    let (reason, since) = (String::from("stolen"), NOW);
    let state = BoardState::Revoked { reason, since };
    scene.store.boards().change(&scene.board, |board| board.state = state.clone()).unwrap();
    assert_eq!(forbidden("CB-1", Operation::Renew, NOW), "the board is revoked: stolen");
    scene.store.boards().change(&scene.board, |board| board.state = BoardState::Active).unwrap();
    let other = Some(Fingerprint([9; 32]));
    scene.store.boards().change(&scene.board, |board| board.fingerprint = other).unwrap();
    assert!(forbidden("CB-1", Operation::Renew, NOW).contains("another certificate"));
    assert_eq!(scene.store.renewals().count(), 0);
}

#[test]
fn a_certificate_that_has_ended_may_be_renewed_by_whom_admission_let_in() {
    let scene = scene();
    let body = signing_request("CB-1", &on(Nid::X9_62_PRIME256V1));
    let answer = scene.ask_at(UnixSeconds(NOW.0 + 1001), Operation::Renew, body);
    assert!(matches!(answer, Answer::Given(_)), "{answer:?}");
}

#[test]
fn the_authorities_are_the_root_and_the_tenants() {
    let scene = scene();
    let Answer::Given(root) = scene.ask(Operation::Certificates, vec![]) else { panic!() };
    let root = X509::from_der(&root).unwrap();
    assert!(root.verify(&root.public_key().unwrap()).unwrap());
    let der = certificates_only(&[&root.to_der().unwrap(), &scene.renew().to_der().unwrap()]);
    let inside = openssl::pkcs7::Pkcs7::from_der(&der).unwrap();
    assert_eq!(inside.signed().unwrap().certificates().unwrap().len(), 2);
    let Answer::Given(attributes) = scene.ask(Operation::RequestAttributes, vec![]) else {
        panic!()
    };
    assert_eq!(*attributes, *request_attributes());
}

proptest! {
    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = SigningRequest::check(&body);
    }
}

#[test]
fn a_renewed_certificate_is_valid_for_as_long_as_its_batch_says() {
    let scene = scene();
    let years = |certificate: &X509| {
        let end = certificate.not_after().diff(&openssl::asn1::Asn1Time::from_unix(0).unwrap());
        -end.unwrap().days / 365 - i32::try_from(NOW.0 / 86_400 / 365).unwrap()
    };
    assert_eq!(years(&scene.renew()), 20);
    let batch = storage::Batch {
        tenant: "acme".parse().unwrap(),
        name: "short".parse().unwrap(),
        allowed: storage::Allowed::Prefix { prefix: "CB-".parse().unwrap(), max: 9 },
        state: storage::BatchState::Open,
        certificates: storage::CertificateLife::Years(3),
        again: storage::Again::UntilHeard,
        enrolled: 1,
        created: NOW,
        expires: None,
    };
    assert!(scene.store.batches().add(&batch, Vec::new()).unwrap());
    let labelled = |board: &mut Board| {
        board.labels.insert(String::from("batch"), String::from("short"));
    };
    scene.store.boards().change(&scene.board, labelled).unwrap();
    assert_eq!(years(&scene.renew()), 3);
}
