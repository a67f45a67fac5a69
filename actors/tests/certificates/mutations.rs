//! Changes of a certificate that nobody signs again, drawn from a generator that gives the same in every
//! run.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::EcGroup;
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;

use super::der::{Node, bits, integer, nodes, sequence, tlv};
use super::form::{SHA1, SHA384, algorithm};

/// SplitMix64.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    pub fn byte(&mut self) -> u8 {
        self.draw().to_le_bytes()[0]
    }

    pub fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A change of the bytes.
pub type Mutation = fn(&[u8], &mut Chance) -> Vec<u8>;

pub const MUTATIONS: &[(&str, Mutation)] = &[
    ("bits", flip_bits),
    ("bytes", set_bytes),
    ("cut", cut),
    ("grown", grow),
    ("length", lie_about_length),
    ("tag", change_tag),
    ("swapped", swap),
    ("repeated", repeat),
    ("removed", remove),
    ("signature", forge_signature),
    ("encoding", encode_otherwise),
];

fn flip_bits(der: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut der = der.to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(der.len());
        der[at] ^= 1 << chance.below(8);
    }
    der
}

fn set_bytes(der: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut der = der.to_vec();
    for _ in 0..=chance.below(8) {
        let (at, any) = (chance.below(der.len()), chance.byte());
        der[at] = *chance.one_of(&[0, 0x7f, 0x80, 0xff, any]);
    }
    der
}

fn cut(der: &[u8], chance: &mut Chance) -> Vec<u8> {
    let (from, length) = (chance.below(der.len()), 1 + chance.below(40));
    match chance.below(2) {
        0 => der[..from].to_vec(),
        _ => [&der[..from], &der[(from + length).min(der.len())..]].concat(),
    }
}

fn grow(der: &[u8], chance: &mut Chance) -> Vec<u8> {
    let within = chance.below(der.len());
    let at = *chance.one_of(&[within, der.len()]);
    let more: Vec<_> = (0..=chance.below(8)).map(|_| chance.byte()).collect();
    [&der[..at], &more, &der[at..]].concat()
}

fn node(der: &[u8], chance: &mut Chance) -> Node {
    *chance.one_of(&nodes(der))
}

/// One value says another length than it has, in every form there is.
fn lie_about_length(der: &[u8], chance: &mut Chance) -> Vec<u8> {
    let node = node(der, chance);
    let length = node.end - node.content;
    let near = (length + chance.below(5)).saturating_sub(2);
    let small = |length: usize| u8::try_from(length.min(0x7f)).unwrap();
    let said = match chance.below(6) {
        0 => vec![small(near)],
        1 => vec![0x80],
        2 => vec![0x84, 0xff, 0xff, 0xff, 0xff],
        3 => vec![0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        4 => [&[0x82][..], &u16::try_from(near).unwrap().to_be_bytes()].concat(),
        _ => vec![small(chance.below(128))],
    };
    [&der[..=node.start], &said, &der[node.content..]].concat()
}

fn change_tag(der: &[u8], chance: &mut Chance) -> Vec<u8> {
    let node = node(der, chance);
    let mut der = der.to_vec();
    der[node.start] = chance.byte();
    der
}

/// The document with each of these ranges replaced, and the lengths of what holds them put right.
fn replaced(der: &[u8], mut changes: Vec<(Node, Vec<u8>)>) -> Vec<u8> {
    changes.sort_by_key(|(node, _)| node.start);
    rewritten(der, 0, der.len(), &changes)
}

fn rewritten(der: &[u8], mut at: usize, end: usize, changes: &[(Node, Vec<u8>)]) -> Vec<u8> {
    let own: Vec<_> = nodes(&der[at..end])
        .into_iter()
        .map(|n| Node { start: n.start + at, content: n.content + at, end: n.end + at })
        .collect();
    let mut out = Vec::new();
    for node in own {
        if node.start < at {
            continue;
        }
        let touched = |(changed, _): &&(Node, Vec<u8>)| node.whole().contains(&changed.start);
        let exact = |(changed, _): &&(Node, Vec<u8>)| changed.start == node.start;
        if let Some((_, new)) = changes.iter().find(exact) {
            out.extend(new);
        } else if changes.iter().any(|change| touched(&change)) {
            let inside = if der[node.start] == 0x03 { node.content + 1 } else { node.content };
            let content =
                [&der[node.content..inside], &rewritten(der, inside, node.end, changes)].concat();
            out.extend(tlv(der[node.start], &content));
        } else {
            out.extend(&der[node.whole()]);
        }
        at = node.end;
    }
    out
}

/// Two values change places: issuer and subject, two extensions, a time and a key.
fn swap(der: &[u8], chance: &mut Chance) -> Vec<u8> {
    let (one, other) = (node(der, chance), node(der, chance));
    if one.whole().contains(&other.start) || other.whole().contains(&one.start) {
        return replaced(der, vec![(one, der[other.whole()].to_vec())]);
    }
    let (first, second) = (der[one.whole()].to_vec(), der[other.whole()].to_vec());
    replaced(der, vec![(one, second), (other, first)])
}

fn repeat(der: &[u8], chance: &mut Chance) -> Vec<u8> {
    let node = node(der, chance);
    let whole = &der[node.whole()];
    replaced(der, vec![(node, [whole, whole].concat())])
}

fn remove(der: &[u8], chance: &mut Chance) -> Vec<u8> {
    let node = node(der, chance);
    replaced(der, vec![(node, Vec::new())])
}

/// The three parts of a certificate.
fn parts(der: &[u8]) -> [Vec<u8>; 3] {
    let all = nodes(der);
    let outer = all[0];
    let mut at = outer.content;
    [(); 3].map(|()| {
        let part = all.iter().find(|node| node.start == at).unwrap();
        at = part.end;
        der[part.whole()].to_vec()
    })
}

fn order() -> BigNum {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let (mut order, mut numbers) = (BigNum::new().unwrap(), BigNumContext::new().unwrap());
    group.order(&mut order, &mut numbers).unwrap();
    order
}

/// Behind the BIT STRING's head and its count of unused bits.
fn signature(part: &[u8]) -> EcdsaSig {
    EcdsaSig::from_der(&part[3..]).unwrap()
}

fn with_signature(tbs: &[u8], algorithm: &[u8], r: &BigNum, s: &BigNum) -> Vec<u8> {
    let numbers = sequence(&[&integer(&r.to_vec()), &integer(&s.to_vec())]);
    sequence(&[tbs, algorithm, &bits(&numbers)])
}

/// The same certificate with the other signature that is as good: (r, n - s).
pub fn twin(der: &[u8]) -> Vec<u8> {
    let [tbs, algorithm, last] = parts(der);
    let signature = signature(&last);
    let mut s = BigNum::new().unwrap();
    s.checked_sub(&order(), signature.s()).unwrap();
    with_signature(&tbs, &algorithm, &signature.r().to_owned().unwrap(), &s)
}

fn forge_signature(der: &[u8], chance: &mut Chance) -> Vec<u8> {
    let [tbs, named, last] = parts(der);
    let signature = signature(&last);
    let (r, s) = (signature.r().to_owned().unwrap(), signature.s().to_owned().unwrap());
    let small = |number: u32| BigNum::from_u32(number).unwrap();
    let more = |number: &BigNum| {
        let mut sum = BigNum::new().unwrap();
        sum.checked_add(number, &order()).unwrap();
        sum
    };
    match chance.below(9) {
        0 => twin(der),
        1 => with_signature(&tbs, &named, &s, &r),
        2 => with_signature(&tbs, &named, &small(0), &s),
        3 => with_signature(&tbs, &named, &r, &small(0)),
        4 => with_signature(&tbs, &named, &small(1), &small(1)),
        5 => with_signature(&tbs, &named, &more(&r), &s),
        6 => with_signature(&tbs, &named, &r, &more(&s)),
        7 => {
            let other = *chance.one_of(&[SHA1, SHA384, "1.2.840.113549.1.1.11", "1.3.101.112"]);
            sequence(&[&tbs, &algorithm(other), &last])
        }
        _ => sequence(&[&tbs, &named, &bits(&[])]),
    }
}

/// The same values in encodings that are no DER.
fn encode_otherwise(der: &[u8], chance: &mut Chance) -> Vec<u8> {
    let node = node(der, chance);
    let content = &der[node.content..node.end];
    let tag = der[node.start];
    let length = content.len().to_be_bytes();
    let new = match chance.below(4) {
        0 => [&[tag, 0x88][..], &length, content].concat(),
        1 => [&[tag, 0x84][..], &length[4..], content].concat(),
        2 => [&[tag | 0x20, 0x80][..], content, &[0, 0]].concat(),
        // A string in pieces.
        _ => tlv(tag | 0x20, &tlv(tag, content)),
    };
    replaced(der, vec![(node, new)])
}
