//! The abbreviated handshake in memory, against OpenSSL as the client that resumes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's failure is its report")]

mod world;

use std::net::SocketAddr;

use actors::link::association::{Association, Received};
use actors::link::cipher::Suite;
use actors::link::connection_id;
use actors::link::engine::Progress;
use actors::link::established::Established;
use actors::link::handshake::Handshake;
use actors::link::record::{self, ContentType};
use actors::link::resumptions::{Never, Resumable, Resumptions};
use actors::refusal::Refusal;
use openssl::ssl::SslSession;
use proptest::prelude::*;
use storage::UnixSeconds;
use world::{Client, SUITES};

const PEER: ([u8; 4], u16) = ([192, 0, 2, 1], 5684);

/// One session, as a store would find it.
#[derive(Clone)]
struct Stored {
    session_id: [u8; 32],
    resumable: Resumable,
}

impl Resumptions for Stored {
    fn find(&self, session_id: &[u8; 32]) -> Option<Resumable> {
        (self.session_id == *session_id).then(|| self.resumable.clone())
    }
}

fn sent(hub: &mut Handshake) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| hub.poll_datagram()).collect()
}

/// A full handshake under a suite: what the client has of its session, and what the hub.
fn full(suite: Suite) -> (SslSession, Stored) {
    let mut client = Client::offering(suite.openssl_name(), None);
    let hello = client.hello_with_cookie();
    let (mut hub, mut progress) = world::hub(&hello, &Never, 0);
    while let Progress::Pending = progress {
        for datagram in client.step(sent(&mut hub)) {
            progress = hub.handle_datagram(&datagram);
        }
    }
    let Progress::Established(mut established) = progress else { panic!("{progress:?}") };
    client.step(std::mem::take(&mut established.datagrams));
    assert!(client.is_done() && !client.0.ssl().session_reused());
    assert!(!established.is_resumed());
    let session = client.0.ssl().session().unwrap().to_owned();
    let resumption = established.resumption.unwrap();
    assert_eq!(session.id(), resumption.session_id);
    let resumable = Resumable {
        suite,
        master: resumption.master,
        admitted: established.admitted,
        authenticated: UnixSeconds(77),
    };
    (session, Stored { session_id: resumption.session_id, resumable })
}

/// A client that wants to go on with `session`, and the hub's side after its hello.
fn begun(session: &SslSession, stored: &Stored) -> (Client, Vec<u8>, Handshake) {
    let mut client = Client::offering(SUITES, Some(session));
    let hello = client.hello_with_cookie();
    let (hub, progress) = world::hub(&hello, stored, 9);
    assert!(matches!(progress, Progress::Pending), "{progress:?}");
    (client, hello, hub)
}

fn established(progress: Progress) -> Established {
    let Progress::Established(established) = progress else { panic!("{progress:?}") };
    *established
}

fn speak(established: Established, client: &mut Client) {
    let peer = SocketAddr::from(PEER);
    let mut association = Association::new(established, peer, 1);
    association.reserve();
    let datagram = client.write(b"reading");
    let record = record::records(&datagram, connection_id::LENGTH).next().unwrap().unwrap();
    let mut plaintext = Vec::new();
    assert_eq!(association.open(&record, peer, &mut plaintext), Ok(Received::Data));
    assert_eq!(plaintext, b"reading");
    let mut answer = Vec::new();
    association.seal(b"answer", &mut answer);
    assert_eq!(client.read(answer), b"answer");
}

#[test]
fn a_session_goes_on_under_new_keys_in_every_suite() {
    for suite in Suite::ALL {
        let (session, stored) = full(suite);
        let (mut client, _, mut hub) = begun(&session, &stored);
        let flight = sent(&mut hub);
        assert_eq!(flight.len(), 1, "one datagram");
        let last = client.step(flight).concat();
        assert!(client.is_done() && client.0.ssl().session_reused());
        let established = established(hub.handle_datagram(&last));
        assert!(established.is_resumed());
        assert_eq!(established.admitted, stored.resumable.admitted);
        let resumption = established.resumption.as_ref().unwrap();
        assert_eq!(resumption.session_id, stored.session_id, "the same, for the next time");
        assert_eq!(resumption.master, stored.resumable.master);
        assert_eq!(resumption.authenticated, Some(UnixSeconds(77)));
        assert_eq!(established.write_sequence, 1, "the hub's Finished took the first nonce");
        assert!(!established.window.is_fresh(0), "the board's Finished cannot come again");
        speak(established, &mut client);
    }
}

#[test]
fn openssl_itself_resumes_nothing() {
    let (session, _) = full(Suite::EcdheEcdsaAes128GcmSha256);
    let mut client = Client::offering(SUITES, Some(&session));
    let hello = client.hello_with_cookie();
    let (mut hub, progress) = world::hub(&hello, &Never, 0);
    assert!(matches!(progress, Progress::Pending));
    client.step(sent(&mut hub));
    assert!(!client.0.ssl().session_reused());
    assert_ne!(client.0.ssl().session().unwrap().id(), session.id(), "a new one, a new id");
}

#[test]
fn the_hubs_flight_lost_comes_again_with_the_hello_under_new_numbers_sixteen_times() {
    let (session, stored) = full(Suite::EcdheEcdsaAes128GcmSha256);
    let (mut client, hello, mut hub) = begun(&session, &stored);
    let mut flights = sent(&mut hub);
    for _ in 0..20 {
        assert!(matches!(hub.handle_hello(&hello), Progress::Pending));
        flights.extend(sent(&mut hub));
    }
    assert_eq!(flights.len(), 16);
    let mut numbers = std::collections::BTreeSet::new();
    for record in flights.iter().flat_map(|flight| record::records(flight, 0)) {
        let record = record.unwrap();
        assert!(numbers.insert((record.epoch, record.sequence)), "a nonce twice");
    }
    let last = client.step([flights.pop().unwrap()]).concat();
    assert_eq!(established(hub.handle_datagram(&last)).write_sequence, 16);
}

#[test]
fn a_lost_finished_comes_again_when_data_shows_that_it_is_missing() {
    let (session, stored) = full(Suite::EcdheEcdsaAes128GcmSha256);
    let (mut client, _, mut hub) = begun(&session, &stored);
    let flight = sent(&mut hub);
    client.step(flight); // and what it says is lost
    let data = client.write(b"reading");
    assert!(matches!(hub.handle_datagram(&data), Progress::Pending));
    client.0.get_mut().incoming.extend(sent(&mut hub));
    let _ = client.0.ssl_read(&mut [0; 64]); // OpenSSL sees its peer's Finished again
    let again = std::mem::take(&mut client.0.get_mut().outgoing).concat();
    let established = established(hub.handle_datagram(&again));
    assert_eq!(established.early, std::slice::from_ref(&data), "the reading was not lost");
    assert!(established.window.is_fresh(1), "nor was it taken yet");
    let mut association = Association::new(established, SocketAddr::from(PEER), 1);
    association.reserve();
    let record = record::records(&data, 0).next().unwrap().unwrap();
    let taken = association.open(&record, SocketAddr::from(PEER), &mut Vec::new());
    assert_eq!(taken, Ok(Received::Data));
}

#[test]
fn data_that_overtakes_the_finished_is_kept() {
    let (session, stored) = full(Suite::EcdheEcdsaAes128GcmSha256);
    let (mut client, _, mut hub) = begun(&session, &stored);
    let last = client.step(sent(&mut hub)).concat();
    let data: Vec<_> = (0..9).map(|_| client.write(b"reading")).collect();
    for datagram in &data[..8] {
        assert!(matches!(hub.handle_datagram(datagram), Progress::Pending));
    }
    // Behind it, in the same datagram, as well; and never without bound.
    let established = established(hub.handle_datagram(&[&last[..], &data[8]].concat()));
    assert_eq!(established.early, data[..4]);
}

#[test]
fn a_board_that_waits_hears_the_flight_again_after_a_while() {
    let (session, stored) = full(Suite::EcdheEcdsaAes128GcmSha256);
    let (_, _, mut hub) = begun(&session, &stored);
    sent(&mut hub);
    let at: Vec<u32> = (1..=60)
        .filter(|_| {
            hub.handle_tick();
            !sent(&mut hub).is_empty()
        })
        .collect();
    assert_eq!(at, [8, 16, 32]);
    assert_eq!(hub.expired(), Refusal::TimedOut);
}

#[test]
fn after_it_a_repeated_finished_is_not_answered() {
    let (session, stored) = full(Suite::EcdheEcdsaAes128GcmSha256);
    let (mut client, _, mut hub) = begun(&session, &stored);
    let last = client.step(sent(&mut hub)).concat();
    let established = established(hub.handle_datagram(&last));
    assert!(established.datagrams.is_empty());
    let mut association = Association::new(established, SocketAddr::from(PEER), 1);
    association.reserve();
    assert_eq!(association.final_flight(), None, "or both would repeat themselves for ever");
}

#[test]
fn a_client_without_the_session_s_secret_gets_nowhere() {
    let (_, mut stored) = full(Suite::EcdheEcdsaAes128GcmSha256);
    let (other, known) = full(Suite::EcdheEcdsaAes128GcmSha256);
    // It asks for a board's session by its id, and has another master secret than that board.
    stored.session_id = known.session_id;
    let (mut client, _, mut hub) = begun(&other, &stored);
    let answers = client.step(sent(&mut hub));
    assert!(!client.is_done());
    for answer in answers {
        assert!(matches!(hub.handle_datagram(&answer), Progress::Pending));
    }
    assert!(matches!(hub.expired(), Refusal::TimedOut | Refusal::PeerAlert));
}

#[test]
fn a_hello_without_the_extended_master_secret_is_refused() {
    let (session, stored) = full(Suite::EcdheEcdsaAes128GcmSha256);
    let mut client = Client::offering(SUITES, Some(&session));
    let mut hello = client.hello_with_cookie();
    let extension = hello.windows(4).rposition(|bytes| bytes == [0, 23, 0, 0]).unwrap();
    hello[extension] = 0x7A; // a number that nobody knows
    let (mut hub, progress) = world::hub(&hello, &stored, 9);
    assert!(matches!(progress, Progress::Refused(Refusal::Protocol)), "{progress:?}");
    let alert = sent(&mut hub).concat();
    let record = record::records(&alert, 0).next().unwrap().unwrap();
    assert_eq!((record.content_type, record.fragment), (ContentType::Alert, &[2, 47][..]));
    assert!(matches!(hub.handle_hello(&hello), Progress::Pending));
    assert!(sent(&mut hub).is_empty(), "said once");
}

#[test]
fn a_client_that_does_not_offer_the_sessions_suite_shakes_hands_in_full() {
    let (session, mut stored) = full(Suite::EcdheEcdsaAes128GcmSha256);
    stored.resumable.suite = Suite::EcdheEcdsaAes128Ccm8;
    let mut client =
        Client::offering(Suite::EcdheEcdsaAes128GcmSha256.openssl_name(), Some(&session));
    let hello = client.hello_with_cookie();
    let (mut hub, progress) = world::hub(&hello, &stored, 9);
    assert!(matches!(progress, Progress::Pending));
    let answer = client.step(sent(&mut hub));
    assert!(!client.0.ssl().session_reused());
    assert!(answer.concat().len() > 300, "a certificate");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_change_of_the_clients_words_panics_or_makes_a_session_of_it(
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        thread_local!(static KNOWN: (SslSession, Stored) = full(Suite::EcdheEcdsaAes128GcmSha256));
        let (session, stored) = KNOWN.with(Clone::clone);
        let (mut client, _, mut hub) = begun(&session, &stored);
        let mut last = client.step(sent(&mut hub)).concat();
        prop_assert!(client.0.ssl().session_reused());
        let place = at.index(last.len());
        last[place] ^= flip;
        if let Some(cut) = cut {
            last.truncate(cut.index(last.len()));
        }
        if let Progress::Established(_) = hub.handle_datagram(&last) {
            // Only the ChangeCipherSpec may differ, or what follows.
            prop_assert!(place < 14);
        }
    }

    #[test]
    fn no_change_of_the_hello_panics_or_makes_a_session_of_it(
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        thread_local!(static KNOWN: (SslSession, Stored) = full(Suite::EcdheEcdsaAes128GcmSha256));
        let (session, stored) = KNOWN.with(Clone::clone);
        let mut client = Client::offering(SUITES, Some(&session));
        let mut hello = client.hello_with_cookie();
        // Past the message's head, whose cookie the front door has verified: see `cookie`.
        let place = 25 + 84 + at.index(hello.len() - 25 - 84);
        hello[place] ^= flip;
        let (mut hub, progress) = world::hub(&hello, &stored, 9);
        prop_assert!(!matches!(progress, Progress::Established(_)));
        for datagram in client.step(sent(&mut hub)) {
            let progress = hub.handle_datagram(&datagram);
            prop_assert!(!matches!(progress, Progress::Established(_)), "{:?}", progress);
        }
    }
}
