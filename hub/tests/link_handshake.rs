//! Handshakes over networks that lose, repeat and reorder, in datagrams small and large.

use std::net::UdpSocket;
use std::time::Duration;

use crate::rig::board::Board;
use crate::rig::client::{Client, Settings, untouched};
use crate::rig::proxy::{Fate, Proxy, Way, lose, storm};
use crate::rig::site::{Plan, Site};

fn connect(site: &Site, board: usize, proxy: &Proxy, mtu: u32) -> Client {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let settings = Settings { mtu, patience: Duration::from_secs(60), ..Settings::default() };
    let identity = site.boards[board].identity();
    let root = site.root();
    Client::connect_with(socket, proxy.address, &root, Some(&identity), &settings, &mut untouched)
        .expect("the handshake")
}

#[test]
fn every_mtu_shakes_hands_and_no_datagram_is_longer() {
    for mtu in [256, 512, 1200_u16] {
        let (site, hub) = Plan::boards(1).set("link", "mtu", i64::from(mtu)).start();
        let proxy = Proxy::clear(hub.listen);
        let mut board = Board::new(connect(&site, 0, &proxy, u32::from(mtu)));
        assert_eq!(board.post("d", b"reading").message.dotted(), "2.04", "{mtu}");
        let longest = proxy.seen(Way::ToClient).iter().map(Vec::len).max().unwrap();
        assert!(longest <= usize::from(mtu), "{longest} bytes with an MTU of {mtu}");
        if mtu == 256 {
            assert!(proxy.seen(Way::ToClient).len() > 4, "the certificate was not fragmented");
        }
    }
}

#[test]
fn any_one_datagram_of_the_handshake_may_be_lost() {
    let (site, hub) = Plan::boards(1).start();
    let clear = Proxy::clear(hub.listen);
    drop(connect(&site, 0, &clear, 512));
    for way in [Way::ToHub, Way::ToClient] {
        for number in 0..clear.seen(way).len() {
            let proxy = Proxy::new(hub.listen, lose(way, number));
            let mut board = Board::new(connect(&site, 0, &proxy, 512));
            let answer = board.post("d", format!("{way:?} {number}").as_bytes());
            assert_eq!(answer.message.dotted(), "2.04", "without {way:?} {number}");
        }
    }
    // One board, one session: the last but one ends on its own arbiter, a moment later.
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 1.0);
}

#[test]
fn every_datagram_may_come_twice_or_in_another_order() {
    let (site, hub) = Plan::boards(2).start();
    let twice = Proxy::new(hub.listen, |_, _| Fate::Twice);
    let mut board = Board::new(connect(&site, 0, &twice, 512));
    assert_eq!(board.post("d", b"twice").message.dotted(), "2.04");
    let swapped =
        Proxy::new(hub.listen, |_, number| if number % 2 == 0 { Fate::Late } else { Fate::Pass });
    let mut board = Board::new(connect(&site, 1, &swapped, 512));
    assert_eq!(board.post("d", b"swapped").message.dotted(), "2.04");
    let accepted =
        hub.metric("hub_messages_total", &[("route_kind", "discard"), ("outcome", "accepted")]);
    assert_eq!(accepted, 2.0, "a repeated request is not a second reading");
}

#[test]
fn fifteen_percent_loss_with_repetition_and_reordering_loses_no_reading() {
    const BOARDS: usize = 8;
    const READINGS: usize = 12;
    let (site, mut hub) = Plan::boards(BOARDS).start();
    std::thread::scope(|scope| {
        for number in 0..BOARDS {
            let (site, hub) = (&site, hub.listen);
            scope.spawn(move || {
                let seed = 0x5eed_0000 + u64::try_from(number).unwrap();
                let proxy = Proxy::new(hub, storm(seed, 15, 10));
                let mut board = Board::new(connect(site, number, &proxy, 512));
                for reading in 0..READINGS {
                    let answer = board.try_post(
                        "d",
                        format!("reading {reading}").as_bytes(),
                        Duration::from_secs(60),
                    );
                    let answer = answer.unwrap_or_else(|| panic!("seed {seed:#x}: no answer"));
                    assert_eq!(answer.message.dotted(), "2.04", "seed {seed:#x}");
                }
            });
        }
    });
    let accepted =
        hub.metric("hub_messages_total", &[("route_kind", "discard"), ("outcome", "accepted")]);
    assert_eq!(accepted, 96.0, "each reading once, whatever the network repeated");
    hub.assert_alive();
}

#[test]
fn a_board_that_starts_again_replaces_its_session_only_when_it_has_finished() {
    let (site, hub) = Plan::boards(1).start();
    let root = site.root();
    let mut first =
        Board::new(Client::connect(hub.listen, &root, &site.boards[0].identity()).unwrap());
    assert_eq!(first.post("d", b"first").message.dotted(), "2.04");
    let unfinished = Proxy::new(hub.listen, |way, number| match way {
        Way::ToHub if number >= 2 => Fate::Drop,
        Way::ToHub | Way::ToClient => Fate::Pass,
    });
    let settings = Settings { patience: Duration::from_secs(2), ..Settings::default() };
    let gave_up = Client::connect_with(
        UdpSocket::bind("127.0.0.1:0").unwrap(),
        unfinished.address,
        &root,
        Some(&site.boards[0].identity()),
        &settings,
        &mut untouched,
    );
    assert!(gave_up.is_err());
    assert_eq!(first.post("d", b"still there").message.dotted(), "2.04");
    let mut second =
        Board::new(Client::connect(hub.listen, &root, &site.boards[0].identity()).unwrap());
    assert_eq!(second.post("d", b"second").message.dotted(), "2.04");
    let replaced = [("reason", "replaced")];
    hub.wait_for_metric("hub_sessions_ended_total", &replaced, |count| count == 1.0);
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 1.0);
}
