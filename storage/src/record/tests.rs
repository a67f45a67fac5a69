//! Golden bytes of every record: what a released hub wrote is read for ever.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::board::BoardRecord;
use crate::rows::RowNumber;
use crate::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `text` as its length and its bytes.
fn text(text: &str) -> String {
    format!("{:02x}{}", text.len(), hex(text.as_bytes()))
}

#[track_caller]
fn assert_golden<T: Record + PartialEq + Debug>(noun: &T, golden: &[&str]) {
    let bytes = encode(noun).unwrap();
    assert_eq!(hex(&bytes), golden.concat());
    assert_eq!(&decode::<T>(&bytes).unwrap(), noun);
}

fn kept(board: &Board) -> BoardRecord {
    BoardRecord { board: board.clone(), session: None, row: None, used: DataUse::default() }
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn bare_board() -> Board {
    Board::new("CB-00000001".parse().unwrap(), "acme".parse().unwrap(), UnixSeconds(1_700_000_000))
}

#[test]
fn a_tenants_bytes_are_frozen() {
    let mut tenant = Tenant {
        id: "acme".parse().unwrap(),
        name: "Acme".into(),
        state: TenantState::Active,
        created: UnixSeconds(1_700_000_000),
        issuer: None,
        quota: Quota::default(),
    };
    let id = "0461636d65";
    let none = "0000000000000000";
    assert_golden(&tenant, &["04", id, "0441636d65", "00", "fc00f15365", "00", none, "00"]);
    tenant.state = TenantState::Suspended;
    tenant.issuer = AuthorityNumber::new(2);
    tenant.quota.board.messages_per_minute = Some(60);
    tenant.quota.board.handshakes_per_hour = Some(0);
    tenant.quota.tenant.bytes_per_minute = Some(u32::MAX);
    tenant.quota.tenant.in_flight_max = Some(1_000);
    let quota = "013c00010000".to_owned() + "0001fcffffffff0001fbe803";
    let head = [id, "0441636d65", "01", "fc00f15365", "01"].concat();
    assert_golden(&tenant, &["04", &head, "02", &quota, "00"]);
    let older = decode::<Tenant>(&bytes(&["03", &head, "02", &quota].concat()));
    assert_eq!(older.unwrap(), tenant, "written before data plans were");
    let planned = Quota { data_plan: Some(5_000_000), ..tenant.quota };
    let planned = Tenant { quota: planned, ..tenant.clone() };
    assert_golden(&planned, &["04", &head, "02", &quota, "01fc404b4c00"]);
    let older = bytes(&["02", &head, "023082", &quota].concat());
    let former = crate::tenant::Former::decode(2, &older[1..]).unwrap().unwrap().0;
    assert_eq!(former.authority, Some(vec![0x30, 0x82]), "written while it had one authority");
    assert_eq!(decode::<Tenant>(&older).unwrap(), Tenant { issuer: None, ..tenant });
}

#[test]
fn an_authoritys_bytes_are_frozen() {
    let mut authority = Authority {
        tenant: "acme".parse().unwrap(),
        number: AuthorityNumber::FIRST,
        certificate: vec![0x30, 0x82],
        origin: Origin::Own { key: "k".into() },
        state: AuthorityState::Active,
        added: UnixSeconds(1_700_000_000),
    };
    let (tenant, added) = (text("acme"), "fc00f15365");
    assert_golden(&authority, &["01", &tenant, "01", "023082", "00016b", "00", added]);
    authority.number = AuthorityNumber::new(300).unwrap();
    authority.state = AuthorityState::Retiring { since: UnixSeconds(5) };
    let foreign = |id_from, first_contact, successors| {
        Origin::Foreign(Foreign { id_from, first_contact, successors })
    };
    authority.origin =
        foreign(IdentityField::HardwareModuleName, FirstContact::Refuse, Successors::Refuse);
    let head = &[&tenant, "fb2c01", "023082"].concat();
    assert_golden(&authority, &["01", head, "01000000", "0105", added]);
    authority.state = AuthorityState::Retired { since: UnixSeconds(5) };
    let labels = [("a".to_owned(), "b".to_owned())].into();
    let first_contact = FirstContact::Register { batch: "spring".parse().unwrap(), labels };
    authority.origin = foreign(IdentityField::SerialNumber, first_contact, Successors::Later);
    let origin = &["0101", "01", &text("spring"), "0101610162", "01"].concat();
    assert_golden(&authority, &["01", head, origin, "0205", added]);
    let (reason, since) = (RevocationReason::CaCompromise, UnixSeconds(5));
    authority.state = AuthorityState::Revoked { reason, since };
    for (id_from, byte) in [
        (IdentityField::CommonName, "02"),
        (IdentityField::UserId, "03"),
        (IdentityField::DnsName, "04"),
    ] {
        authority.origin = foreign(id_from, FirstContact::Refuse, Successors::Refuse);
        assert_golden(&authority, &["01", head, "01", byte, "0000", "030205", added]);
    }
}

#[test]
fn a_tenant_written_before_quotas_is_read_without_one() {
    let golden = ["01", "0461636d65", "0441636d65", "01", "fc00f15365", "01", "023082"].concat();
    let bytes = bytes(&golden);
    let tenant = decode::<Tenant>(&bytes).unwrap();
    assert_eq!((tenant.id.as_str(), tenant.name.as_str()), ("acme", "Acme"));
    assert_eq!(
        (tenant.state, tenant.created),
        (TenantState::Suspended, UnixSeconds(1_700_000_000))
    );
    assert_eq!((tenant.issuer, tenant.quota), (None, Quota::default()));
    let former = crate::tenant::Former::decode(1, &bytes[1..]).unwrap().unwrap().0;
    assert_eq!(former.authority, Some(vec![0x30, 0x82]));
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(matches!(decode::<Tenant>(&longer), Err(RecordError::TooLong { count: 1 })));
}

#[test]
fn a_renewals_bytes_are_frozen() {
    let renewal = crate::Renewal {
        board: "CB-1".parse().unwrap(),
        fingerprint: Fingerprint([0xab; 32]),
        replaces: Fingerprint([0xcd; 32]),
        not_after: UnixSeconds(1_700_000_000),
        issued: UnixSeconds(250),
        serial: None,
        issuer: None,
    };
    let (new, old) = ("ab".repeat(32), "cd".repeat(32));
    let golden = ["0443422d31", &new, &old, "fc00f15365", "fa"].concat();
    assert_golden(&renewal, &["03", &golden, "00", "00"]);
    let older = decode::<crate::Renewal>(&bytes(&["01", &golden].concat())).unwrap();
    assert_eq!(older, renewal, "written before serial numbers were kept");
    let mut renewal = crate::Renewal { serial: Some(Serial::new(&[0, 1, 2])), ..renewal };
    let older = decode::<crate::Renewal>(&bytes(&["02", &golden, "01020102"].concat())).unwrap();
    assert_eq!(older, renewal, "written before issuers were kept");
    renewal.issuer = AuthorityNumber::new(2);
    assert_golden(&renewal, &["03", &golden, "01020102", "0102"]);
}

#[test]
fn a_boards_bytes_are_frozen() {
    let mut board = bare_board();
    let id = "0b43422d3030303030303031";
    let tenant = "0461636d65";
    let created = "fc00f15365";
    let unused = "0000";
    let bare = [id, tenant, "00", "00", "00", "00", created, "00", "00"].concat();
    assert_golden(&kept(&board), &["06", &bare, "00", "0000", "00", "00", unused]);
    let session = Slot::new(300);
    let awake = BoardRecord { session, ..kept(&board) };
    assert_golden(&awake, &["06", &bare, "00", "0000", "01", "fb2c01", "00", unused]);
    let listed = BoardRecord { row: RowNumber::new(301), ..awake.clone() };
    assert_golden(&listed, &["06", &bare, "00", "0000", "01", "fb2c01", "01", "fb2d01", unused]);
    let nowhere = bytes(&["06", &bare, "00", "0000", "00", "01", "fc00000001", unused].concat());
    assert!(decode::<BoardRecord>(&nowhere).is_err(), "a row behind the last there can be");
    let mut used = listed.clone();
    used.used.add(300, UnixSeconds(1_700_000_000));
    let november = "fb8602" /* 646 months */;
    assert_golden(
        &used,
        &["06", &bare, "00", "0000", "01", "fb2c01", "01", "fb2d01", november, "fb2c01"],
    );
    let older = bytes(&["05", &bare, "00", "0000", "01", "fb2c01", "01", "fb2d01"].concat());
    let older = decode::<BoardRecord>(&older).unwrap();
    assert_eq!(older, listed, "written before what passes was counted");
    let older = bytes(&["04", &bare, "00", "01", "fb2c01", "01", "fb2d01"].concat());
    let older = decode::<BoardRecord>(&older).unwrap();
    assert_eq!(older, listed, "written before issuers and ends of certificates were kept");
    let older = decode::<BoardRecord>(&bytes(&["03", &bare, "00", "01", "fb2c01"].concat()));
    assert_eq!(older.unwrap(), awake, "written before boards had rows");
    let older = bytes(&["02", &bare, "01", "fb2c01"].concat());
    let older = decode::<BoardRecord>(&older).unwrap();
    assert_eq!(older, awake, "written before serial numbers were kept");
    let older = decode::<BoardRecord>(&bytes(&["01", &bare].concat())).unwrap();
    assert_eq!(older, kept(&board), "written before sessions were found by it");

    board.fingerprint = Some(Fingerprint([0xab; 32]));
    let digest = &format!("01{}", "ab".repeat(32));
    board.state = BoardState::Blocked { reason: "lost".into(), since: UnixSeconds(5) };
    board.labels.insert("site".into(), "roof".into());
    board.address = Some("10.0.0.1".parse().unwrap());
    board.first_seen = Some(UnixSeconds(250));
    board.last_seen = Some(UnixSeconds(251));
    let labels = "01047369746504726f6f66";
    let seen = ["01fa", "01fbfb00"].concat();
    let blocked =
        [id, tenant, digest, "01046c6f737405", labels, "01000a000001", created, &seen].concat();
    assert_golden(&kept(&board), &["06", &blocked, "00", "0000", "00", "00", unused]);
    let older = decode::<BoardRecord>(&bytes(&["01", &blocked].concat())).unwrap();
    assert_eq!(older, kept(&board));

    board.state = BoardState::Revoked { reason: String::new(), since: UnixSeconds(0) };
    board.address = Some("2001:db8::1".parse().unwrap());
    let address = "010120010db8000000000000000000000001";
    let revoked = [id, tenant, digest, "020000", labels, address, created, &seen].concat();
    board.serial = Some(Serial::new(&[0, 0, 0xab, 0]));
    assert_golden(&kept(&board), &["06", &revoked, "0102ab00", "0000", "00", "00", unused]);
    let older = decode::<BoardRecord>(&bytes(&["04", &revoked, "0102ab00", "00", "00"].concat()));
    assert_eq!(older.unwrap(), kept(&board));
    (board.issuer, board.not_after) = (AuthorityNumber::new(2), Some(UnixSeconds(1_700_000_000)));
    let issued = "010201fc00f15365";
    assert_golden(&kept(&board), &["06", &revoked, "0102ab00", issued, "00", "00", unused]);

    board.state = BoardState::Held { reason: "two".into(), since: UnixSeconds(7) };
    let held = [id, tenant, digest, "030374776f07", labels, address, created, &seen].concat();
    assert_golden(&kept(&board), &["06", &held, "0102ab00", issued, "00", "00", unused]);
}

#[test]
fn a_routes_bytes_are_frozen() {
    let mut route = Route {
        tenant: "acme".parse().unwrap(),
        resource: "r/x".parse().unwrap(),
        upstream: "broker".parse().unwrap(),
        topic: "{tenant}/{board}".parse().unwrap(),
        acknowledge: Acknowledge::OnUpstream,
    };
    let body = [text("acme"), text("r/x"), text("broker"), text("{tenant}/{board}")].concat();
    assert_golden(&route, &["01", &body, "00"]);
    route.acknowledge = Acknowledge::OnReceive;
    assert_golden(&route, &["01", &body, "01"]);
}

#[test]
fn an_upstreams_bytes_are_frozen() {
    let (tenant, name) = ("acme".parse().unwrap(), "sink".parse().unwrap());
    let mut upstream = Upstream { tenant, name, kind: UpstreamKind::Discard };
    let head = &[text("acme"), text("sink")].concat();
    assert_golden(&upstream, &["02", head, "00"]);
    let former = bytes(&["01", head, "00"].concat());
    assert_eq!(decode::<Upstream>(&former).unwrap(), upstream);

    let mut mqtt = MqttUpstream {
        host: "h".into(),
        port: 8883,
        tls: true,
        version: MqttVersion::V5,
        client_id: "hub".into(),
        ca_file: Some("a".into()),
        username: Some("u".into()),
        password_sealed: false,
        password_file: Some("p".into()),
        client_certificate_file: Some("c".into()),
        client_key_sealed: false,
        client_key_file: Some("k".into()),
        in_flight_max: 1_000,
        queue_max: 100_000,
    };
    upstream.kind = UpstreamKind::Mqtt(mqtt.clone());
    let (port, limits) = ("fbb322", "fbe803fca0860100");
    let files = "01016101017500010170010163000101".to_owned() + "6b";
    let id = &text("hub");
    assert_golden(&upstream, &["02", head, "01", "0168", port, "01", "01", id, &files, limits]);
    let files = "01016101017501017001016301016b";
    let former = ["01", head, "01", "0168", port, "01", "01", id, files, limits].concat();
    assert_eq!(decode::<Upstream>(&bytes(&former)).unwrap(), upstream);

    mqtt.tls = false;
    mqtt.version = MqttVersion::V311;
    mqtt.ca_file = None;
    mqtt.username = None;
    (mqtt.password_sealed, mqtt.password_file) = (true, None);
    mqtt.client_certificate_file = None;
    (mqtt.client_key_sealed, mqtt.client_key_file) = (true, None);
    upstream.kind = UpstreamKind::Mqtt(mqtt);
    let files = "00000100000100";
    assert_golden(&upstream, &["02", head, "01", "0168", port, "00", "00", id, files, limits]);
}

#[test]
fn a_batchs_bytes_are_frozen() {
    let mut batch = Batch {
        tenant: "acme".parse().unwrap(),
        name: "spring".parse().unwrap(),
        allowed: Allowed::List { count: 3 },
        state: BatchState::Open,
        certificates: CertificateLife::Never,
        again: Again::UntilHeard,
        enrolled: 2,
        created: UnixSeconds(1_700_000_000),
        expires: None,
    };
    let head = &[text("acme"), text("spring")].concat();
    let created = "fc00f15365";
    assert_golden(&batch, &["01", head, "0003", "00", "01", "00", "02", created, "00"]);
    batch.allowed = Allowed::Prefix { prefix: "CB-".parse().unwrap(), max: 251 };
    batch.state = BatchState::Closed { since: UnixSeconds(5) };
    batch.certificates = CertificateLife::Years(20);
    batch.again = Again::Always;
    batch.expires = Some(UnixSeconds(7));
    let allowed = &["01", &text("CB-"), "fbfb00"].concat();
    assert_golden(&batch, &["01", head, allowed, "0105", "0014", "01", "02", created, "0107"]);

    let piece = crate::batch::ListPiece(vec!["a".parse().unwrap(), "b".parse().unwrap()]);
    assert_golden(&piece, &["01", "02", "0161", "0162"]);
}

#[test]
fn a_tokens_bytes_are_frozen() {
    let mut token = Token {
        tenant: "acme".parse().unwrap(),
        batch: "spring".parse().unwrap(),
        created: UnixSeconds(5),
        expires: UnixSeconds(6),
        used: None,
    };
    let head = &[text("acme"), text("spring"), "0506".into()].concat();
    assert_golden(&token, &["01", head, "00"]);
    token.used = Some(Used { at: UnixSeconds(7), board: "CB-1".parse().unwrap() });
    assert_golden(&token, &["01", head, "0107", &text("CB-1")]);
}

#[test]
fn a_users_bytes_are_frozen() {
    let mut user = User {
        name: "anna@acme.example".parse().unwrap(),
        full_name: "Anna".into(),
        state: UserState::Active,
        grants: Vec::new(),
        created: UnixSeconds(5),
    };
    let head = &[text("anna@acme.example"), text("Anna")].concat();
    assert_golden(&user, &["01", head, "00", "00", "05"]);
    user.state = UserState::Disabled { reason: "left".into(), since: UnixSeconds(6) };
    let grants = Role::ALL.map(|role| Grant { role, tenant: None });
    user.grants = grants.to_vec();
    user.grants[1].tenant = Some("acme".parse().unwrap());
    let state = &["01", &text("left"), "06"].concat();
    let grants = &["07", "0000", "0101", &text("acme"), "0200030004000500", "0600"].concat();
    assert_golden(&user, &["01", head, state, grants, "05"]);
}

#[test]
fn an_api_tokens_bytes_are_frozen() {
    let mut token = ApiToken {
        id: "0123456789abcdef".parse().unwrap(),
        owner: "anna".parse().unwrap(),
        label: "CI".into(),
        scopes: vec!["boards:read".into()],
        tenant: None,
        created: UnixSeconds(5),
        expires: UnixSeconds(1_700_000_000),
        last_used: None,
    };
    let head = &[text("0123456789abcdef"), text("anna"), text("CI"), "01".into()].concat();
    let scope = &text("boards:read");
    assert_golden(&token, &["01", head, scope, "00", "05", "fc00f15365", "00"]);
    token.tenant = Some("acme".parse().unwrap());
    token.last_used = Some(UnixSeconds(7));
    let tenant = &["01", &text("acme")].concat();
    assert_golden(&token, &["01", head, scope, tenant, "05", "fc00f15365", "0107"]);
}

#[test]
fn a_checkpoints_bytes_and_what_is_signed_are_frozen() {
    let checkpoint = AuditCheckpoint {
        entries: 300,
        digest: AuditDigest([0xaa; 32]),
        at: UnixSeconds(5),
        previous: AuditDigest([0xbb; 32]),
        key: "audit".into(),
        signature: vec![1, 2],
    };
    let (digest, previous) = (&"aa".repeat(32), &"bb".repeat(32));
    assert_golden(&checkpoint, &["01", "fb2c01", digest, "05", previous, &text("audit"), "020102"]);
    let head = hex(b"cellular-hub audit checkpoint 1\0");
    let signed = [&head, "000000000000012c", digest, "0000000000000005", previous].concat();
    assert_eq!(hex(&checkpoint.signed()), signed);
}

#[test]
fn an_approvals_bytes_are_frozen() {
    let mut approval = Approval {
        number: 1,
        act: Act::RemoveTenant { tenant: "acme".parse().unwrap() },
        reason: "gone".into(),
        requester: "anna".parse().unwrap(),
        requested: UnixSeconds(5),
        expires: UnixSeconds(6),
        state: ApprovalState::Pending,
    };
    let asked = &["00", &text("acme"), &text("gone"), &text("anna"), "0506"].concat();
    assert_golden(&approval, &["01", "01", asked, "00"]);
    let (by, at, why) = (String::from("user:otto"), UnixSeconds(7), String::from("no"));
    let (otto, no) = (&text("user:otto"), &text("no"));
    approval.state = ApprovalState::Done { by: by.clone(), at };
    assert_golden(&approval, &["01", "01", asked, "01", otto, "07"]);
    approval.state = ApprovalState::Failed { by: by.clone(), at, why: why.clone() };
    assert_golden(&approval, &["01", "01", asked, "02", otto, "07", no]);
    approval.state = ApprovalState::Rejected { by, at, why };
    assert_golden(&approval, &["01", "01", asked, "03", otto, "07", no]);
    approval.state = ApprovalState::Withdrawn { at };
    assert_golden(&approval, &["01", "01", asked, "04", "07"]);
}

#[test]
fn the_bytes_of_credentials_are_frozen() {
    assert_golden(&Credentials::default(), &["01", "00", "00", "00", "00", "00"]);
    let password = PasswordHash {
        memory_kib: 19_456,
        passes: 2,
        lanes: 1,
        salt: [0xaa; 16],
        hash: [0xbb; 32],
        since: UnixSeconds(5),
    };
    let passkey = Passkey {
        id: vec![1, 2],
        label: "phone".into(),
        credential: b"{}".to_vec(),
        created: UnixSeconds(7),
        last_used: None,
    };
    let (issuer, subject) = ("https://id".into(), "42".into());
    let credentials = Credentials {
        password: Some(password),
        totp: Some(Totp { since: UnixSeconds(6), last_step: 300 }),
        recovery: vec![[0xcc; 32]],
        passkeys: vec![passkey],
        provider: Some(ProviderIdentity { issuer, subject }),
    };
    let password = ["01", "fb004c", "02", "01", &"aa".repeat(16), &"bb".repeat(32), "05"].concat();
    let totp = "0106fb2c01";
    let recovery = ["01", &"cc".repeat(32)].concat();
    let passkey = ["01", "020102", &text("phone"), "027b7d", "07", "00"].concat();
    let provider = ["01", &text("https://id"), &text("42")].concat();
    assert_golden(&credentials, &["01", &password, totp, &recovery, &passkey, &provider]);
}

#[test]
fn the_bytes_of_sessions_at_browsers_and_of_links_are_frozen() {
    let mut login = Login {
        user: "anna".parse().unwrap(),
        by: SignedInBy::SetupLink,
        begun: UnixSeconds(5),
        last_used: UnixSeconds(6),
        source: None,
        agent: "x".into(),
    };
    let anna = &text("anna");
    assert_golden(&login, &["01", anna, "00", "05", "06", "00", "0178"]);
    login.source = Some("10.0.0.1".parse().unwrap());
    let ways = [
        (SignedInBy::Password, "01"),
        (SignedInBy::PasswordAndTotp, "02"),
        (SignedInBy::PasswordAndRecoveryCode, "03"),
        (SignedInBy::PasswordAndPasskey, "04"),
        (SignedInBy::Passkey, "05"),
        (SignedInBy::Provider, "06"),
    ];
    for (by, byte) in ways {
        login.by = by;
        assert_golden(&login, &["01", anna, byte, "05", "06", "01000a000001", "0178"]);
    }
    let mut link = SetupLink { user: None, created: UnixSeconds(5), expires: UnixSeconds(6) };
    assert_golden(&link, &["01", "00", "05", "06"]);
    link.user = Some("anna".parse().unwrap());
    assert_golden(&link, &["01", "01", anna, "05", "06"]);
}

#[test]
fn a_provisioned_boards_record_is_compact() {
    let mut board = Board { fingerprint: Some(Fingerprint([1; 32])), ..bare_board() };
    assert!(encode(&kept(&board)).unwrap().len() <= 68);
    (board.issuer, board.not_after) = (AuthorityNumber::new(2), Some(UnixSeconds(2_400_000_000)));
    assert!(encode(&kept(&board)).unwrap().len() <= 78);
}

#[test]
fn another_version_and_leftover_bytes_are_refused() {
    let mut bytes = encode(&kept(&bare_board())).unwrap();
    bytes.push(0);
    assert!(matches!(decode::<BoardRecord>(&bytes), Err(RecordError::TooLong { count: 1 })));
    bytes[0] = 7;
    let refused = decode::<BoardRecord>(&bytes);
    assert!(matches!(refused, Err(RecordError::UnknownVersion { found: 7, known: 6 })));
    assert!(matches!(decode::<BoardRecord>(&[]), Err(RecordError::Malformed(_))));
}

#[test]
fn a_name_that_breaks_its_rule_is_refused_on_the_way_back_in() {
    let mut bytes = encode(&kept(&bare_board())).unwrap();
    bytes[2] = b'/';
    assert!(matches!(decode::<BoardRecord>(&bytes), Err(RecordError::Malformed(_))));
}

#[test]
fn the_largest_record_that_is_written_can_be_read() {
    let mut board = bare_board();
    let label = |i: u32| (char::from_u32(0x100 + i).unwrap().to_string(), String::new());
    board.labels = (0..13_000_u32).map(label).collect();
    let bytes = encode(&kept(&board)).unwrap();
    assert!(bytes.len() > RECORD_BYTES_MAX * 9 / 10);
    assert_eq!(decode::<BoardRecord>(&bytes).unwrap().board, board);
}

prop_compose! {
    fn any_board()(
        id in "[A-Za-z0-9._:-]{1,32}",
        tenant in "[a-z0-9][a-z0-9-]{0,31}",
        fingerprint in any::<Option<[u8; 32]>>(),
        reason in proptest::option::of((any::<String>(), any::<u64>(), 0..3)),
        labels in any::<BTreeMap<String, String>>(),
        address in any::<Option<IpAddr>>(),
        created in any::<u64>(),
        seen in any::<(Option<u64>, Option<u64>)>(),
        serial in any::<Option<Vec<u8>>>(),
        (issuer, not_after) in any::<(u16, Option<u64>)>(),
    ) -> Board {
        let state = match reason {
            None => BoardState::Active,
            Some((reason, at, 0)) => BoardState::Blocked { reason, since: UnixSeconds(at) },
            Some((reason, at, 1)) => BoardState::Held { reason, since: UnixSeconds(at) },
            Some((reason, at, _)) => BoardState::Revoked { reason, since: UnixSeconds(at) },
        };
        Board {
            id: id.parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            fingerprint: fingerprint.map(Fingerprint),
            state,
            labels,
            address,
            created: UnixSeconds(created),
            first_seen: seen.0.map(UnixSeconds),
            last_seen: seen.1.map(UnixSeconds),
            serial: serial.map(|serial| Serial::new(&serial)),
            issuer: AuthorityNumber::new(issuer),
            not_after: not_after.map(UnixSeconds),
        }
    }
}

prop_compose! {
    fn any_tenant()(
        id in "[a-z0-9][a-z0-9-]{0,31}",
        name in any::<String>(),
        suspended in any::<bool>(),
        created in any::<u64>(),
        issuer in any::<u16>(),
    ) -> Tenant {
        let state = if suspended { TenantState::Suspended } else { TenantState::Active };
        let quota = Quota { board: Bounds { in_flight_max: u32::try_from(created).ok(), ..Bounds::default() }, ..Quota::default() };
        let issuer = AuthorityNumber::new(issuer);
        Tenant { id: id.parse().unwrap(), name, state, created: UnixSeconds(created), issuer, quota }
    }
}

prop_compose! {
    fn any_route()(
        tenant in "[a-z0-9][a-z0-9-]{0,31}",
        resource in "[A-Za-z0-9_-]{1,32}(/[A-Za-z0-9_-]{1,32}){0,2}",
        upstream in "[a-z0-9][a-z0-9-]{0,31}",
        topic in "[a-z/]{1,40}(\\{board\\}|\\{tenant\\}|\\{resource\\})?",
        receive in any::<bool>(),
    ) -> Route {
        Route {
            tenant: tenant.parse().unwrap(),
            resource: resource.parse().unwrap(),
            upstream: upstream.parse().unwrap(),
            topic: topic.parse().unwrap(),
            acknowledge: if receive { Acknowledge::OnReceive } else { Acknowledge::OnUpstream },
        }
    }
}

prop_compose! {
    fn any_upstream()(
        tenant in "[a-z0-9][a-z0-9-]{0,31}",
        name in "[a-z0-9][a-z0-9-]{0,31}",
        (host, client_id, tls, v5) in any::<(String, String, bool, bool)>(),
        files in any::<[Option<String>; 5]>(),
        (port, in_flight_max, queue_max) in any::<(u16, u16, u32)>(),
        (password_sealed, client_key_sealed) in any::<(bool, bool)>(),
        discard in proptest::bool::weighted(0.2),
    ) -> Upstream {
        let [ca_file, username, password_file, client_certificate_file, client_key_file] = files;
        let mqtt = MqttUpstream {
            host, port, tls, client_id, ca_file, username, password_sealed, password_file,
            client_certificate_file, client_key_sealed, client_key_file, in_flight_max, queue_max,
            version: if v5 { MqttVersion::V5 } else { MqttVersion::V311 },
        };
        let kind = if discard { UpstreamKind::Discard } else { UpstreamKind::Mqtt(mqtt) };
        Upstream { tenant: tenant.parse().unwrap(), name: name.parse().unwrap(), kind }
    }
}

fn round_trips<T: Record + PartialEq + Debug>(noun: &T) -> Result<(), TestCaseError> {
    // Text that no admin types may pass the size limit, which is then the answer.
    let Ok(bytes) = encode(noun) else { return Ok(()) };
    prop_assert_eq!(&decode::<T>(&bytes).unwrap(), noun);
    Ok(())
}

fn decode_as_every_noun(bytes: &[u8]) {
    let _ = decode::<Tenant>(bytes);
    let _ = decode::<Authority>(bytes);
    let _ = decode::<BoardRecord>(bytes);
    let _ = decode::<Route>(bytes);
    let _ = decode::<Upstream>(bytes);
    let _ = decode::<Batch>(bytes);
    let _ = decode::<crate::batch::ListPiece>(bytes);
    let _ = decode::<Token>(bytes);
    let _ = decode::<User>(bytes);
    let _ = decode::<ApiToken>(bytes);
    let _ = decode::<Approval>(bytes);
    let _ = decode::<AuditCheckpoint>(bytes);
    let _ = decode::<Credentials>(bytes);
    let _ = decode::<Login>(bytes);
    let _ = decode::<SetupLink>(bytes);
    let _ = decode::<crate::Release>(bytes);
    let _ = decode::<crate::Rollout>(bytes);
    let _ = decode::<crate::Station>(bytes);
    let _ = decode::<crate::Campaign>(bytes);
    let _ = decode::<crate::BoardFirmware>(bytes);
    let _ = decode::<crate::FirmwareKey>(bytes);
    let _ = parse_utf8(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_tenant_comes_back(noun in any_tenant()) { round_trips(&noun)?; }

    #[test]
    fn every_board_comes_back(noun in any_board()) { round_trips(&kept(&noun))?; }

    #[test]
    fn every_route_comes_back(noun in any_route()) { round_trips(&noun)?; }

    #[test]
    fn every_upstream_comes_back(noun in any_upstream()) { round_trips(&noun)?; }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in any::<Vec<u8>>()) {
        decode_as_every_noun(&bytes);
        bytes.insert(0, 1);
        decode_as_every_noun(&bytes);
    }

    #[test]
    fn a_damaged_record_never_panics(
        board in any_board(),
        damage in proptest::collection::vec(any::<(proptest::sample::Index, u8)>(), 1..4),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = encode(&kept(&board)).unwrap();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        decode_as_every_noun(&bytes);
        decode_as_every_noun(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn any_text_is_a_name_or_refused(text in any::<String>()) {
        if let Ok(topic) = text.parse::<TopicTemplate>() {
            let rendered = topic.render(
                &"t".parse().unwrap(), &"b".parse().unwrap(), &"r".parse().unwrap());
            prop_assert!(!rendered.contains(['+', '#', '\0']));
        }
        let _ = (text.parse::<BoardId>(), text.parse::<ResourcePath>(), text.parse::<Fingerprint>());
    }
}

#[test]
fn a_revocations_bytes_are_frozen() {
    let mut revocation = Revocation {
        tenant: "acme".parse().unwrap(),
        issuer: AuthorityNumber::new(2),
        board: None,
        certificate: RevokedCertificate::Serial(vec![1, 0xab]),
        reason: RevocationReason::KeyCompromise,
        since: UnixSeconds(1_700_000_000),
    };
    let tenant = "0461636d65";
    assert_golden(&revocation, &["02", tenant, "0102", "00", "01", "0201ab", "01", "fc00f15365"]);
    let older = ["01", tenant, "00", "01", "0201ab", "01", "fc00f15365"].concat();
    let older = decode::<Revocation>(&bytes(&older)).unwrap();
    let first = Revocation { issuer: Some(AuthorityNumber::FIRST), ..revocation.clone() };
    assert_eq!(older, first, "written while a tenant had one authority");
    revocation.issuer = None;
    revocation.board = Some("CB-1".parse().unwrap());
    revocation.certificate = RevokedCertificate::Fingerprint(Fingerprint([7; 32]));
    revocation.reason = RevocationReason::PrivilegeWithdrawn;
    let (board, print) = (text("CB-1"), "07".repeat(32));
    assert_golden(
        &revocation,
        &["02", tenant, "00", "01", &board, "00", &print, "06", "fc00f15365"],
    );
}

#[test]
fn a_jobs_bytes_are_frozen() {
    let mut job = crate::Job {
        id: crate::JobId::next(None, UnixSeconds(0x02_0304_0506)),
        work: crate::Work::Unblock,
        filter: "q=a".into(),
        within: None,
        by: "uid:0".into(),
        owner: "anna".parse().unwrap(),
        created: UnixSeconds(5),
        state: crate::JobState::Waiting,
        total: 1,
        done: 2,
        kept: 3,
        failed: 4,
        after: None,
        faults: Vec::new(),
    };
    assert_eq!(job.id.as_str(), "0203040506000000");
    let next = crate::JobId::next(Some(&job.id), UnixSeconds(1));
    assert_eq!(next.as_str(), "0203040506000001", "whatever the clock says");
    let id = &text("0203040506000000");
    let (filter, by, owner) = (text("q=a"), text("uid:0"), text("anna"));
    let (who, counts) = (&[by.as_str(), &owner, "05"].concat(), "01020304");
    assert_golden(&job, &["01", id, "01", &filter, "00", who, "00", counts, "0000"]);
    job.work = crate::Work::Block { reason: "r".into() };
    job.within = Some(vec!["acme".parse().unwrap()]);
    job.state = crate::JobState::Running { since: UnixSeconds(6) };
    let within = &["0101", &text("acme")].concat();
    assert_golden(
        &job,
        &["01", id, "00", &text("r"), &filter, within, who, "0106", counts, "0000"],
    );
    job.work = crate::Work::Revoke { reason: "r".into() };
    job.within = None;
    job.state = crate::JobState::Done { at: UnixSeconds(7) };
    assert_golden(&job, &["01", id, "02", &text("r"), &filter, "00", who, "0207", counts, "0000"]);
    let set = [("k".to_owned(), "v".to_owned())].into();
    job.work = crate::Work::Label { set, remove: vec!["x".into()] };
    job.state = crate::JobState::Cancelled { at: UnixSeconds(8) };
    job.after = Some("CB-1".parse().unwrap());
    job.faults = vec![("CB-1".parse().unwrap(), "w".into())];
    let labels = &["03", "01", &text("k"), &text("v"), "01", &text("x")].concat();
    let (board, fault) = (&text("CB-1"), &["01", &text("CB-1"), &text("w")].concat());
    assert_golden(
        &job,
        &["01", id, labels, &filter, "00", who, "0308", counts, "01", board, fault],
    );
}

#[test]
fn a_saved_views_bytes_are_frozen() {
    let view = crate::SavedView {
        owner: "anna".parse().unwrap(),
        name: "lost ones".parse().unwrap(),
        query: "heard=false".into(),
        created: UnixSeconds(5),
    };
    let head = [text("anna"), text("lost ones"), text("heard=false")].concat();
    assert_golden(&view, &["01", &head, "05"]);
    for name in ["", " a", "a\nb", "a/b", &"x".repeat(61)] {
        assert!(name.parse::<crate::ViewName>().is_err(), "{name:?}");
    }
}

#[test]
fn a_releases_bytes_are_frozen() {
    let mut release = crate::Release {
        number: 3,
        tenant: None,
        product: "valve".parse().unwrap(),
        hardware: Vec::new(),
        version: "1.2.3+4".parse().unwrap(),
        security_counter: 5,
        needs: None,
        digest: crate::FileDigest([0xab; 32]),
        file: crate::FileDigest([0xcd; 32]),
        size: 6,
        notes: "n".into(),
        sbom: None,
        added: UnixSeconds(7),
        by: "uid:0".into(),
        state: crate::ReleaseState::Draft,
    };
    let (signed, file, by) = ("ab".repeat(32), "cd".repeat(32), text("uid:0"));
    let tail = [&*signed, &*file, "06", &*text("n"), "00", "07", &*by].concat();
    let head = ["03", "00", &*text("valve"), "00", "01020304", "05", "00"].concat();
    assert_golden(&release, &["01", &head, &tail, "00"]);
    release.tenant = Some("acme".parse().unwrap());
    release.hardware = vec!["A".parse().unwrap()];
    release.needs = Some("1.0.0".parse().unwrap());
    release.sbom = Some(crate::FileDigest([1; 32]));
    release.state =
        crate::ReleaseState::Approved { approved_by: "a".into(), approved: UnixSeconds(8) };
    let head = ["03", "01", &*text("acme"), &*text("valve"), "01", &*text("A"), "01020304"];
    let head = [&*head.concat(), "05", "0101000000"].concat();
    let sbom = ["01", &*"01".repeat(32)].concat();
    let tail = [&*signed, &*file, "06", &*text("n"), &*sbom, "07", &*by].concat();
    assert_golden(&release, &["01", &head, &tail, "01", &text("a"), "08"]);
    release.state =
        crate::ReleaseState::Signed { key: crate::FileDigest([2; 32]), signed: UnixSeconds(9) };
    assert_golden(&release, &["01", &head, &tail, "02", &"02".repeat(32), "09"]);
    release.state = crate::ReleaseState::Withdrawn { withdrawn: UnixSeconds(10), why: "w".into() };
    assert_golden(&release, &["01", &head, &tail, "03", "0a", &text("w")]);
}

#[test]
fn the_bytes_of_what_boards_say_of_their_firmware_and_of_keys_are_frozen() {
    let said = crate::BoardFirmware {
        board: "CB-1".parse().unwrap(),
        product: "p".into(),
        hardware: "h".into(),
        version: "1.2.3".parse().unwrap(),
        floor: 4,
        on_trial: true,
        battery_percent: Some(50),
        rsrp_dbm: Some(-100),
        reset_cause: 6,
        fault: Some(vec![7]),
        reported: UnixSeconds(8),
    };
    let names = [text("CB-1"), text("p"), text("h")].concat();
    let golden = ["01", &names, "01020300", "04", "01", "0132", "01c7", "06", "010107", "08"];
    assert_golden(&said, &golden);
    let id = crate::FileDigest([3; 32]);
    let key = crate::FirmwareKey { name: "k".into(), id, spki: vec![4], added: UnixSeconds(5) };
    assert_golden(&key, &["01", &text("k"), &"03".repeat(32), "0104", "05"]);
}

#[test]
fn a_rollouts_bytes_are_frozen() {
    use crate::{Errors, Hours, RolloutGroup, RolloutState, Share, Terms};
    let group =
        |share, errors| RolloutGroup { name: "g".into(), share, success_percent: 90, errors };
    let mut rollout = crate::Rollout {
        number: 1,
        name: "r".into(),
        release: 2,
        before: vec![3],
        filter: "q=a".into(),
        within: None,
        dynamic: true,
        groups: vec![
            group(Share::Percent(5), Errors::Percent(6)),
            group(Share::Count(7), Errors::Count(8)),
            group(Share::Label { key: "k".into(), value: "v".into() }, Errors::Count(0)),
            group(Share::Rest, Errors::Count(0)),
        ],
        terms: Terms {
            permanent: true,
            battery_min_percent: 1,
            rsrp_min_dbm: -2,
            at_once: 3,
            at_once_per_cell: 4,
            lost_after_s: 5,
            begins: Some(UnixSeconds(6)),
            windows: vec![Hours { days: 7, from_min: 8, length_min: 9 }],
        },
        by: "uid:0".into(),
        created: UnixSeconds(9),
        total: 10,
        state: RolloutState::Preparing,
        group: 11,
        attempt: 12,
    };
    let (name, filter, by) = (text("r"), text("q=a"), text("uid:0"));
    let group = |share: &str, errors: &str| [&*text("g"), share, "5a", errors].concat();
    let label = ["02", &*text("k"), &*text("v")].concat();
    let groups = [
        "04".to_owned(),
        group("0005", "0006"),
        group("0107", "0108"),
        group(&label, "0100"),
        group("03", "0100"),
    ];
    let terms = ["01", "01", "03", "03", "04", "05", "0106", "01070809"].concat();
    let head = ["01", &*name, "02", "0103", &*filter, "00", "01", &*groups.concat()].concat();
    let head = [&*head, &*terms, &*by, "09", "0a"].concat();
    let mut is = |state, golden: &str| {
        rollout.state = state;
        assert_golden(&rollout, &["01", &head, golden, "0b", "0c"]);
    };
    let (at, by) = (UnixSeconds(1), || String::from("b"));
    is(RolloutState::Preparing, "00");
    is(RolloutState::AwaitingApproval, "01");
    is(RolloutState::Ready, "02");
    is(RolloutState::Running { since: at }, "0301");
    is(RolloutState::Paused { at, halted_by: by() }, "04010162");
    is(RolloutState::Stopped { at, in_group: 2, failed: 3, allowed: 4 }, "0501020304");
    is(RolloutState::Aborted { at, ended_by: by() }, "06010162");
    is(RolloutState::Finished { at }, "0701");
}

#[test]
fn a_campaigns_bytes_are_frozen() {
    use crate::{Campaign, CampaignGroup, CampaignState, Hours};
    let mut campaign = Campaign {
        number: 1,
        tenant: "acme".parse().unwrap(),
        from: AuthorityNumber::FIRST,
        to: AuthorityNumber::new(2).unwrap(),
        groups: vec![CampaignGroup { name: "g".into(), percent: 5, success_percent: 90 }],
        per_minute: 60,
        windows: vec![Hours { days: 7, from_min: 8, length_min: 9 }],
        reason: "r".into(),
        by: "uid:0".into(),
        created: UnixSeconds(3),
        state: CampaignState::Draft,
        group: 4,
    };
    let head = ["01", &*text("acme"), "01", "02", "01", &*text("g"), "055a", "3c"].concat();
    let head = [&*head, "01070809", &*text("r"), &*text("uid:0"), "03"].concat();
    let mut is = |state, golden: &str| {
        campaign.state = state;
        assert_golden(&campaign, &["01", &head, golden, "04"]);
    };
    let (at, by) = (UnixSeconds(1), || String::from("b"));
    is(CampaignState::Draft, "00");
    is(CampaignState::Running { since: at }, "0101");
    is(CampaignState::Paused { at, halted_by: by() }, "02010162");
    is(CampaignState::Ended { at, ended_by: by() }, "03010162");
    is(CampaignState::Completed { at }, "0401");
}

#[test]
fn the_bytes_of_what_takes_two_people_for_firmware_are_frozen() {
    let mut approval = Approval {
        number: 1,
        act: Act::SignFirmware {
            release: 2,
            digest: crate::FileDigest([3; 32]),
            key: Some("firmware".into()),
            tenant: None,
        },
        reason: "r".into(),
        requester: "anna".parse().unwrap(),
        requested: UnixSeconds(4),
        expires: UnixSeconds(5),
        state: ApprovalState::Pending,
    };
    let (tail, three) = ([&*text("r"), &*text("anna"), "0405", "00"].concat(), "03".repeat(32));
    assert_golden(
        &approval,
        &["01", "01", "01", "02", &three, "01", &text("firmware"), "00", &tail],
    );
    let tenant = Some("acme".parse().unwrap());
    approval.act = Act::StartRollout { rollout: 6, release: 7, tenant };
    assert_golden(&approval, &["01", "01", "02", "06", "07", "01", &text("acme"), &tail]);
    approval.act = Act::ChangeRollout { rollout: 6, release: 7, tenant: None };
    assert_golden(&approval, &["01", "01", "03", "06", "07", "00", &tail]);
}

#[test]
fn a_stations_bytes_are_frozen() {
    use crate::{RevocationReason, Serial, Station, StationRevoked};
    let revoked = StationRevoked { since: UnixSeconds(6), reason: RevocationReason::KeyCompromise };
    let mut station = Station {
        tenant: "acme".parse().unwrap(),
        name: "line".into(),
        batches: vec!["spring".parse().unwrap()],
        fingerprint: Fingerprint([3; 32]),
        serial: Serial::new(&[4, 5]),
        issuer: crate::AuthorityNumber::new(2).unwrap(),
        issued: UnixSeconds(7),
        issued_by: "anna".into(),
        not_after: UnixSeconds(8),
        revoked: None,
    };
    let head = [&*text("acme"), &text("line"), "01", &text("spring"), &"03".repeat(32)].concat();
    let rest = ["02", "0405", "02", "07", &text("anna"), "08"].concat();
    assert_golden(&station, &["01", &head, &rest, "00"]);
    station.revoked = Some(revoked);
    assert_golden(&station, &["01", &head, &rest, "01", "06", "01"]);
}
