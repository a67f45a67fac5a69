//! The handshake engine in memory, against OpenSSL as the client: whatever a peer sends, it ends in a
//! session, a refusal or silence, and never in a panic.

mod world;

use actors::link::engine::Progress;
use actors::link::resumptions::Never;
use actors::refusal::Refusal;
use proptest::prelude::*;
use world::Client;

/// Runs a handshake in which `tamper` has every datagram of the client past the cookie.
fn shake(mut tamper: impl FnMut(Vec<u8>) -> Vec<Vec<u8>>) -> (Progress, Client) {
    let mut client = Client::new();
    let second = client.hello_with_cookie();
    let (mut hub, mut progress) = world::hub(&second, &Never, 0);
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

#[test]
fn a_client_that_repeats_its_hello_for_ever_is_answered_sixteen_times() {
    let mut client = Client::new();
    let hello = client.hello_with_cookie();
    let (mut hub, _) = world::hub(&hello, &Never, 0);
    let answered = (0..40)
        .filter(|_| {
            let sent = std::iter::from_fn(|| hub.poll_datagram()).count();
            assert!(matches!(hub.handle_hello(&hello), Progress::Pending));
            sent > 0
        })
        .count();
    assert_eq!(answered, 16);
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
