//! Block-wise uploads and discovery.

use coap_lite::{CoapOption, Packet};

use super::rig::{Rig, block, non, option, post, request, upload};
use crate::coap::message::code;
use crate::coap::{Answer, DropReason, Resources};

const BODY: [u8; 40] = *b"a body of forty bytes, three blocks long";

fn block1(packet: &Packet) -> Option<(u32, bool, u32)> {
    option(packet, CoapOption::Block1).map(|bits| (bits >> 4, bits & 8 != 0, bits & 7))
}

#[test]
fn an_upload_in_order_is_delivered_whole() {
    let mut rig = Rig::new();
    for number in 0..2 {
        rig.send(&upload(10 + u16::try_from(number).unwrap(), &BODY, number, 0));
        assert_eq!(rig.code(), code::CONTINUE);
        assert_eq!(block1(rig.last()), Some((number, true, 0)));
    }
    rig.send(&upload(12, &BODY, 2, 0));
    assert_eq!(rig.delivered[0].payload, BODY);
    rig.outcome(0, Answer::Changed);
    assert_eq!(rig.code(), code::CHANGED);
    assert_eq!(block1(rig.last()), Some((2, false, 0)));
    assert_eq!(rig.endpoint.poll_timeout(), None, "no upload is left");
}

#[test]
fn a_single_block_is_a_whole_body() {
    let mut rig = Rig::new();
    rig.send(&upload(10, &BODY, 0, 2)).outcome(0, Answer::Changed);
    assert_eq!(rig.delivered[0].payload, BODY);
    assert_eq!(block1(rig.last()), Some((0, false, 2)));
}

#[test]
fn every_lost_answer_of_an_upload_is_given_again() {
    let mut rig = Rig::new();
    for number in 0..3 {
        let block = upload(10 + u16::try_from(number).unwrap(), &BODY, number, 0);
        rig.send(&block);
        if number == 2 {
            rig.outcome(0, Answer::Changed);
        }
        let answer = rig.last().clone();
        rig.send(&block).send(&block);
        assert!(rig.sent.iter().rev().take(3).all(|again| *again == answer));
    }
    assert_eq!(rig.delivered.len(), 1);
    assert_eq!(rig.delivered[0].payload, BODY);
}

#[test]
fn the_final_block_under_a_new_id_is_not_delivered_again() {
    let mut rig = Rig::new();
    for number in 0..3 {
        rig.send(&upload(10 + u16::try_from(number).unwrap(), &BODY, number, 0));
    }
    rig.outcome(0, Answer::Changed).send(&upload(13, &BODY, 2, 0));
    assert_eq!(rig.code(), code::ENTITY_INCOMPLETE);
    assert_eq!(rig.delivered.len(), 1);
}

#[test]
fn a_block_repeated_under_a_new_id_counts_once() {
    let mut rig = Rig::new();
    rig.send(&upload(10, &BODY, 0, 0)).send(&upload(11, &BODY, 1, 0));
    rig.send(&upload(12, &BODY, 1, 0));
    assert_eq!(rig.code(), code::CONTINUE);
    rig.send(&upload(13, &BODY, 2, 0));
    assert_eq!(rig.delivered[0].payload, BODY);
}

#[test]
fn blocks_out_of_order_are_refused_and_the_upload_goes_on() {
    let mut rig = Rig::new();
    rig.send(&upload(10, &BODY, 0, 0)).send(&upload(11, &BODY, 2, 0));
    assert_eq!(rig.code(), code::ENTITY_INCOMPLETE);
    rig.send(&upload(12, &BODY, 1, 0)).send(&upload(13, &BODY, 2, 0));
    assert_eq!(rig.delivered[0].payload, BODY);
}

#[test]
fn a_block_of_no_upload_is_refused() {
    let mut rig = Rig::new();
    rig.send(&upload(10, &BODY, 1, 0));
    assert_eq!(rig.code(), code::ENTITY_INCOMPLETE);
}

#[test]
fn block_zero_begins_anew() {
    let mut rig = Rig::new();
    rig.send(&upload(10, &[1; 40], 0, 0)).send(&upload(11, &[1; 40], 1, 0));
    for number in 0..3 {
        rig.send(&upload(20 + u16::try_from(number).unwrap(), &BODY, number, 0));
    }
    assert_eq!(rig.delivered.len(), 1);
    assert_eq!(rig.delivered[0].payload, BODY);
}

#[test]
fn blocks_of_two_bodies_are_never_put_together() {
    let mut rig = Rig::new();
    let mut other = upload(11, &BODY, 1, 0);
    other.add_option(CoapOption::ContentFormat, vec![42]);
    rig.send(&upload(10, &BODY, 0, 0)).send(&other);
    assert_eq!(rig.code(), code::ENTITY_INCOMPLETE);
    let mut tagged = upload(12, &BODY, 1, 0);
    tagged.add_option(CoapOption::Unknown(292), vec![1]);
    rig.send(&tagged);
    assert_eq!(rig.code(), code::ENTITY_INCOMPLETE);
}

#[test]
fn a_reading_between_two_blocks_disturbs_nothing() {
    let mut rig = Rig::new();
    rig.send(&upload(10, &BODY, 0, 0)).send(&post(50, b"21.5"));
    rig.send(&upload(11, &BODY, 1, 0)).send(&upload(12, &BODY, 2, 0));
    assert_eq!(rig.delivered[1].payload, BODY);
}

#[test]
fn the_block_size_may_shrink_on_the_way() {
    let mut rig = Rig::new();
    rig.send(&upload(10, &BODY, 0, 1)).send(&upload(11, &BODY, 2, 0));
    assert_eq!(rig.delivered[0].payload, BODY);
}

#[test]
fn an_upload_over_the_limit_is_refused_with_the_limit() {
    let mut rig = Rig::new();
    let body = vec![7; rig.limits.payload_max + 1];
    for number in 0..5 {
        rig.send(&upload(10 + u16::try_from(number).unwrap(), &body, number, 6));
    }
    assert_eq!(rig.code(), code::ENTITY_TOO_LARGE);
    assert_eq!(option(rig.last(), CoapOption::Size1), Some(4096));
    let refusal = rig.last().clone();
    rig.send(&upload(14, &body, 4, 6));
    assert_eq!(rig.last(), &refusal, "to a duplicate as well");
    assert!(rig.delivered.is_empty());
    assert_eq!(rig.endpoint.poll_timeout(), None, "the blocks are gone");
}

#[test]
fn an_upload_of_exactly_the_limit_is_delivered() {
    let mut rig = Rig::new();
    let body = vec![7; rig.limits.payload_max];
    for number in 0..4 {
        rig.send(&upload(10 + u16::try_from(number).unwrap(), &body, number, 6));
    }
    assert_eq!(rig.delivered[0].payload, body);
}

#[test]
fn an_upload_announced_over_the_limit_is_refused_at_its_first_block() {
    let mut rig = Rig::new();
    let mut first = upload(10, &BODY, 0, 0);
    first.add_option(CoapOption::Size1, vec![1, 0, 0]);
    rig.send(&first);
    assert_eq!(rig.code(), code::ENTITY_TOO_LARGE);
}

#[test]
fn an_upload_that_stops_is_given_up() {
    let mut rig = Rig::new();
    rig.send(&upload(10, &BODY, 0, 0)).pass(119_999).send(&upload(11, &BODY, 1, 0));
    assert_eq!(rig.code(), code::CONTINUE);
    rig.pass(120_000);
    assert_eq!(rig.dropped, [DropReason::UploadTimeout]);
    rig.send(&upload(12, &BODY, 2, 0));
    assert_eq!(rig.code(), code::ENTITY_INCOMPLETE);
}

#[test]
fn a_drip_fed_upload_is_given_up_in_the_end() {
    let mut rig = Rig::new();
    let body = [7; 400];
    for number in 0..25 {
        rig.send(&upload(10 + u16::try_from(number).unwrap(), &body, number, 0)).pass(100_000);
    }
    assert!(rig.dropped.contains(&DropReason::UploadTimeout));
    assert!(rig.delivered.is_empty());
}

#[test]
fn a_block_that_is_not_as_long_as_it_says_is_refused() {
    for (len, bits) in [(15, block(0, true, 0)), (17, block(0, true, 0)), (17, block(0, false, 0))]
    {
        let mut rig = Rig::new();
        let mut packet = post(10, &vec![7; len]);
        packet.add_option(CoapOption::Block1, bits);
        rig.send(&packet);
        assert_eq!(rig.code(), code::BAD_REQUEST);
    }
}

#[test]
fn the_final_block_waits_for_room_in_flight() {
    let mut rig = Rig::new();
    rig.send(&upload(10, &BODY, 0, 0)).send(&upload(11, &BODY, 1, 0));
    for id in 0..4 {
        rig.send(&post(id, b"21.5"));
    }
    rig.send(&upload(12, &BODY, 2, 0));
    assert_eq!(rig.code(), code::UNAVAILABLE);
    rig.outcome(0, Answer::Changed).send(&upload(13, &BODY, 2, 0));
    assert_eq!(rig.delivered[4].payload, BODY);
}

#[test]
fn an_upload_works_over_non_confirmable_messages() {
    let mut rig = Rig::new();
    for number in 0..3 {
        rig.send(&non(upload(10 + u16::try_from(number).unwrap(), &BODY, number, 0)));
    }
    assert_eq!(rig.code(), code::CONTINUE);
    assert_eq!(rig.delivered[0].payload, BODY);
}

#[test]
fn discovery_lists_the_routes_and_filters_them() {
    let mut rig = Rig::new();
    for (query, links) in [
        (
            None,
            r#"</d>;rt="hub.uplink",</r/x>;rt="hub.uplink",</t>;rt="hub.uplink",</time>;rt="hub.time""#,
        ),
        (Some("href=/t*"), r#"</t>;rt="hub.uplink",</time>;rt="hub.time""#),
        (Some("href=/r*"), r#"</r/x>;rt="hub.uplink""#),
        (Some("href=/t"), r#"</t>;rt="hub.uplink""#),
        (Some("rt=hub.u*"), r#"</d>;rt="hub.uplink",</r/x>;rt="hub.uplink",</t>;rt="hub.uplink""#),
        (Some("rt=other"), ""),
        (Some("nonsense"), ""),
    ] {
        let mut get = request(code::GET, ".well-known/core", 1);
        if let Some(query) = query {
            get.add_option(CoapOption::UriQuery, query.into());
        }
        rig.send(&get);
        assert_eq!(rig.code(), code::CONTENT);
        assert_eq!(str::from_utf8(&rig.last().payload).unwrap(), links);
        assert_eq!(option(rig.last(), CoapOption::ContentFormat), Some(40));
    }
}

#[test]
fn long_discovery_comes_in_blocks() {
    let mut rig = Rig::new();
    rig.resources = Resources::new((0..100).map(|at| format!("r/{at}")));
    for exponent in [None, Some(0), Some(6)] {
        let mut text = Vec::new();
        let mut etag = None;
        for number in 0.. {
            let mut get = request(code::GET, ".well-known/core", 1);
            if let Some(bits) = exponent.or(Some(5).filter(|_| number > 0)) {
                get.add_option(CoapOption::Block2, block(number, false, bits));
            }
            rig.send(&get);
            let bits = option(rig.last(), CoapOption::Block2).unwrap();
            assert_eq!(bits >> 4, number);
            assert_eq!(bits & 7, u32::from(exponent.unwrap_or(5)));
            assert_eq!(
                *etag.get_or_insert(option(rig.last(), CoapOption::ETag)),
                option(rig.last(), CoapOption::ETag)
            );
            text.extend_from_slice(&rig.last().payload);
            if bits & 8 == 0 {
                break;
            }
        }
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.split(',').count(), 101, "the time beside the routes");
    }
    let mut beyond = request(code::GET, ".well-known/core", 1);
    beyond.add_option(CoapOption::Block2, block(1_000, false, 0));
    rig.send(&beyond);
    assert_eq!(rig.code(), code::BAD_REQUEST);
}
