//! The handshake engine in memory, against OpenSSL as the client: whatever a peer sends, it ends in a
//! session, a refusal or silence, and never in a panic.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's failure is its report")]

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, LazyLock};

use actors::admission::{Admission, Admitted, NotAdmitted};
use actors::link::connection_id::ConnectionId;
use actors::link::engine::Progress;
use actors::link::handshake::Handshake;
use actors::link::hello::{self, ClientHello};
use actors::link::profile::Profile;
use actors::link::record;
use actors::refusal::Refusal;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslOptions, SslStream};
use openssl::x509::extension::BasicConstraints;
use openssl::x509::{X509, X509NameBuilder};
use proptest::prelude::*;
use storage::Fingerprint;

const COOKIE: [u8; 16] = [7; 16];

struct Everybody;

impl Admission for Everybody {
    fn admit(&self, _: &[u8], _: &[u8]) -> Result<Admitted, NotAdmitted> {
        Ok(Admitted {
            board: "CB-1".parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            fingerprint: Fingerprint([0; 32]),
        })
    }
}

struct Pair {
    certificate: X509,
    key: PKey<Private>,
}

impl Pair {
    fn issued_by(issuer: Option<&Self>, name: &str) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_text("CN", name).unwrap();
        let subject = subject.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder
            .set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap())
            .unwrap();
        builder.set_subject_name(&subject).unwrap();
        builder
            .set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name()))
            .unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        if issuer.is_none() {
            builder
                .append_extension(BasicConstraints::new().critical().ca().build().unwrap())
                .unwrap();
        }
        let signer = issuer.map_or(&key, |issuer| &issuer.key);
        builder.sign(signer, MessageDigest::sha256()).unwrap();
        Self { certificate: builder.build(), key }
    }
}

struct World {
    profile: Arc<Profile>,
    board: Pair,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let authority = Pair::issued_by(None, "authority");
    let hub = Pair::issued_by(Some(&authority), "hub");
    let board = Pair::issued_by(Some(&authority), "board");
    let authorities = [authority.certificate.clone()];
    let profile =
        Profile::new(&hub.certificate, &hub.key, &authorities, Arc::new(Everybody), 512).unwrap();
    World { profile, board }
});

#[derive(Default)]
struct Wire {
    incoming: VecDeque<Vec<u8>>,
    outgoing: Vec<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        buffer[..datagram.len()].copy_from_slice(&datagram);
        Ok(datagram.len())
    }
}

impl Write for Wire {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outgoing.push(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Client(SslStream<Wire>);

impl Client {
    fn new() -> Self {
        let mut context = SslContext::builder(SslMethod::dtls_client()).unwrap();
        context.set_options(SslOptions::NO_QUERY_MTU);
        context.set_certificate(&WORLD.board.certificate).unwrap();
        context.set_private_key(&WORLD.board.key).unwrap();
        let mut ssl = Ssl::new(&context.build()).unwrap();
        ssl.set_mtu(512).unwrap();
        Self(SslStream::new(ssl, Wire::default()).unwrap())
    }

    /// What the client says next to what it was sent.
    fn step(&mut self, datagrams: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
        self.0.get_mut().incoming.extend(datagrams);
        let _ = self.0.connect();
        std::mem::take(&mut self.0.get_mut().outgoing)
    }

    fn is_done(&self) -> bool {
        self.0.ssl().is_init_finished()
    }
}

/// Runs a handshake in which `tamper` has every datagram of the client past the cookie.
fn shake(mut tamper: impl FnMut(Vec<u8>) -> Vec<Vec<u8>>) -> (Progress, Client) {
    let mut client = Client::new();
    let first = client.step([]).remove(0);
    let records = record::records(&first, 0).next().unwrap().unwrap();
    let mut verify = Vec::new();
    hello::hello_verify_request(&ClientHello::parse(&records).unwrap(), &COOKIE, &mut verify)
        .unwrap();
    let second = client.step([verify]).remove(0);
    let records = record::records(&second, 0).next().unwrap().unwrap();
    let second_hello = ClientHello::parse(&records).unwrap();
    let ours = ConnectionId::new(0, 0, [1; 4]);
    let mut hub = Handshake::begin(&WORLD.profile, &second_hello, ours).unwrap();
    let mut progress = hub.handle_hello(&second);
    for _ in 0..4 {
        let sent: Vec<_> = std::iter::from_fn(|| hub.poll_datagram()).collect();
        for datagram in client.step(sent).into_iter().flat_map(&mut tamper) {
            if let Progress::Pending = progress {
                progress = hub.handle_datagram(&datagram);
            }
        }
    }
    let last: Vec<_> = match &mut progress {
        Progress::Established(established) => std::mem::take(&mut established.datagrams),
        Progress::Pending | Progress::Refused(_) => {
            std::iter::from_fn(|| hub.poll_datagram()).collect()
        }
    };
    client.step(last);
    (progress, client)
}

#[test]
fn a_board_and_the_engine_agree() {
    let (progress, client) = shake(|datagram| vec![datagram]);
    let Progress::Established(established) = progress else { panic!("{progress:?}") };
    assert!(client.is_done());
    assert_eq!(established.admitted.board.as_ref(), "CB-1");
    assert_eq!(established.write_sequence, 1, "the hub's Finished took the first nonce");
    assert!(!established.window.is_fresh(0), "the board's Finished cannot come again");
}

#[test]
fn a_handshake_too_long_to_be_honest_is_refused() {
    let (progress, _) = shake(|datagram| {
        let mut flood = vec![vec![22; 1400]; 40];
        flood.push(datagram);
        flood
    });
    assert!(matches!(progress, Progress::Refused(Refusal::Protocol)), "{progress:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_change_of_a_clients_flight_panics_or_is_taken_for_another(
        at in any::<proptest::sample::Index>(),
        flip in 1_u8..,
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut changed = false;
        let (progress, client) = shake(|mut datagram| {
            if !changed {
                changed = true;
                let place = at.index(datagram.len());
                datagram[place] ^= flip;
                if let Some(cut) = cut {
                    datagram.truncate(cut.index(datagram.len()));
                }
            }
            vec![datagram]
        });
        if let Progress::Established(established) = progress {
            // Only what is outside the transcript, a record's own number, may differ.
            prop_assert!(client.is_done());
            prop_assert_eq!(established.admitted.board.as_ref(), "CB-1");
        }
    }

    #[test]
    fn bytes_of_no_meaning_lead_nowhere(noise in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut given = false;
        let (progress, client) = shake(|datagram| {
            let before = (!given).then(|| noise.clone());
            given = true;
            before.into_iter().chain([datagram]).collect()
        });
        prop_assert!(matches!(progress, Progress::Established(_)), "{:?}", progress);
        prop_assert!(client.is_done());
    }
}
