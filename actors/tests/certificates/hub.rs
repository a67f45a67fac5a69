//! A hub's handshakes before two tenants' registered boards, as far as the client's certificate: the
//! handshake itself, OpenSSL's verification of the chain and the registry in a store, and no more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::admission::{Admission, Admitted, NotAdmitted, Registry};
use actors::credentials::Credentials;
use actors::link::connection_id::ConnectionId;
use actors::link::engine::Progress;
use actors::link::handshake::Handshake;
use actors::link::hello::ClientHello;
use actors::link::profile::Profile;
use actors::link::record::{self, ContentType};
use actors::refusal::Refusal;
use openssl::x509::X509;
use storage::{
    AuthorityNumber, Board, Fingerprint, NewAuthority, Origin, Store, Tenant, TenantState,
    UnixSeconds,
};

use super::form::{Form, Key};
use super::world::Client;

pub const ACME: &str = "acme's boards";
pub const OTHER: &str = "other's boards";

/// Everybody's keys: of the authorities, of their boards, and one that is nobody's.
pub struct Keys {
    pub acme: Key,
    pub other: Key,
    pub board: Key,
    pub nobody: Key,
}

/// A hub with board CB-1 and CB-2 of acme, and OT-1 of other.
pub struct Hub {
    pub keys: Keys,
    /// The authorities' certificates.
    pub acme: Vec<u8>,
    pub other: Vec<u8>,
    pub store: Store,
    profile: Arc<Profile>,
    watched: Arc<Watched>,
    hello: Vec<u8>,
    _folder: tempfile::TempDir,
}

/// The registry, and what was given to it.
struct Watched {
    registry: Arc<Registry>,
    seen: Mutex<Option<Verified>>,
}

/// A certificate whose chain has verified.
#[derive(Clone, Debug)]
pub struct Verified {
    pub leaf: Vec<u8>,
    pub admitted: Result<Admitted, NotAdmitted>,
}

/// What a handshake made of a chain.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Why it was refused; `None` where the board was taken for what the certificate says.
    pub refusal: Option<Refusal>,
    /// The alert that the client was sent.
    pub alert: Option<u8>,
    /// What came as far as the registry.
    pub verified: Option<Verified>,
}

impl Admission for Watched {
    fn admit(&self, leaf: &[u8], issuer: &[u8]) -> Result<Admitted, NotAdmitted> {
        let admitted = self.registry.admit(leaf, issuer);
        let seen = Verified { leaf: leaf.to_vec(), admitted: admitted.clone() };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        admitted
    }
}

impl Hub {
    pub fn new() -> Self {
        let [acme, other, board, nobody, root] = [1, 2, 3, 4, 5].map(Key::number);
        let keys = Keys { acme, other, board, nobody };
        let authority =
            |name, key| Form::authority("root", &root, name, key, Some(0)).signed_by(&root);
        let (acme, other) = (authority(ACME, &keys.acme), authority(OTHER, &keys.other));
        let server = Form::board("root", &root, "hub", &keys.nobody, 9).signed_by(&root);

        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for (id, der) in [("acme", &acme), ("other", &other)] {
            let tenant = Tenant {
                id: id.parse().unwrap(),
                name: id.to_owned(),
                state: TenantState::Active,
                created: UnixSeconds(1),
                issuer: Some(AuthorityNumber::FIRST),
                quota: storage::Quota::default(),
            };
            store.tenants().put(&tenant).unwrap();
            let authority = NewAuthority {
                tenant: tenant.id,
                certificate: der.clone(),
                origin: Origin::Own { key: format!("tenant/{id}") },
                added: UnixSeconds(1),
            };
            store.authorities().put_new(authority).unwrap();
        }
        let registry = Registry::new(store.clone(), Duration::ZERO);
        let watched = Arc::new(Watched { registry, seen: Mutex::default() });
        let read = |der: &[u8]| X509::from_der(der).unwrap();
        let authorities = [read(&acme), read(&other)];
        let (certificate, key) = (read(&server), keys.nobody.openssl());
        let credentials = Credentials { certificate, chain: Vec::new(), key };
        let admission = Arc::clone(&watched) as Arc<dyn Admission>;
        let profile = Profile::new(&credentials, &authorities, admission, 1200).unwrap();
        let hello = Client::new().hello_with_cookie();
        let hub = Self { keys, acme, other, store, profile, watched, hello, _folder: folder };
        for board in ["CB-1", "CB-2", "OT-1"] {
            hub.register(board, &hub.certificate(board));
        }
        hub
    }

    /// What the registered board's certificate has in it.
    pub fn form(&self, board: &str) -> Form {
        let (issuer, key) = match board.starts_with("CB") {
            true => (ACME, &self.keys.acme),
            false => (OTHER, &self.keys.other),
        };
        let serial = board.bytes().next_back().unwrap();
        Form::board(issuer, key, board, &self.keys.board, serial)
    }

    /// The registered board's certificate.
    pub fn certificate(&self, board: &str) -> Vec<u8> {
        let key = if board.starts_with("CB") { &self.keys.acme } else { &self.keys.other };
        self.form(board).signed_by(key)
    }

    /// Has the board known by this certificate from now on.
    pub fn register(&self, board: &str, der: &[u8]) {
        let tenant = if board.starts_with("CB") { "acme" } else { "other" };
        let mut board = Board::new(board.parse().unwrap(), tenant.parse().unwrap(), UnixSeconds(1));
        board.fingerprint = Some(Fingerprint(openssl::sha::sha256(der)));
        self.store.boards().put(&board).unwrap();
    }

    /// A handshake in which the client shows this chain, its own certificate first.
    pub fn show(&self, chain: &[&[u8]]) -> Seen {
        self.take(&certificate_message(chain))
    }

    /// A handshake in which the client's Certificate message is this.
    pub fn take(&self, message: &[u8]) -> Seen {
        *self.watched.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let record = record::records(&self.hello, 0).next().unwrap().unwrap();
        let hello = ClientHello::parse(&record).unwrap();
        let ours = ConnectionId::new(0, 0, [1; 4]);
        let begun = Handshake::full(&self.profile, &hello, ours, &self.hello);
        let (mut handshake, progress) = begun.unwrap();
        assert!(matches!(progress, Progress::Pending));
        while handshake.poll_datagram().is_some() {}
        let mut refusal = None;
        for datagram in datagrams(message) {
            match handshake.handle_datagram(&datagram) {
                Progress::Pending => {}
                Progress::Refused(reason) => {
                    refusal = Some(reason);
                    break;
                }
                Progress::Established(_) => panic!("there was no Finished"),
            }
        }
        let alert = handshake.poll_datagram().map(|datagram| datagram[record::HEADER_LEN + 1]);
        let verified = self.watched.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        Seen { refusal, alert, verified }
    }
}

/// The body of a Certificate message (RFC 5246 7.4.2).
pub fn certificate_message(chain: &[&[u8]]) -> Vec<u8> {
    let long = |bytes: &[u8]| [&bytes.len().to_be_bytes()[5..], bytes].concat();
    long(&chain.iter().flat_map(|der| long(der)).collect::<Vec<_>>())
}

/// The message in as many records as it takes, each a datagram.
fn datagrams(message: &[u8]) -> Vec<Vec<u8>> {
    const CERTIFICATE: u8 = 11;
    const PIECE: usize = 8000;
    let three = |number: usize| number.to_be_bytes()[5..].to_vec();
    let pieces = message.chunks(PIECE).enumerate();
    pieces
        .map(|(number, piece)| {
            let (all, at) = (three(message.len()), three(number * PIECE));
            let head = [&[CERTIFICATE][..], &all, &[0, 2], &at, &three(piece.len())].concat();
            let mut datagram = Vec::new();
            let sequence = 2 + number as u64;
            let fragment = [&head[..], piece].concat();
            record::write_plaintext(ContentType::Handshake, sequence, &fragment, &mut datagram)
                .unwrap();
            datagram
        })
        .collect()
}
