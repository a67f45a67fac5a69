#![expect(clippy::cast_possible_truncation, reason = "small numbers of a test")]

use super::super::record::{SEQUENCE_MAX, records, write_header};
use super::*;
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use proptest::prelude::*;

const CID: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const GCM: Suite = Suite::EcdheEcdsaAes128GcmSha256;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn key(suite: Suite) -> DirectionKey {
    DirectionKey::new(suite, &std::array::from_fn(|n| n as u8), &[0xA0, 0xA1, 0xA2, 0xA3])
}

fn sealed(key: &DirectionKey, cid: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    key.seal(ContentType::ApplicationData, 1, 5, cid, plaintext, &mut out).unwrap();
    out
}

/// What a receiver that hands out 8-byte ids makes of a datagram of one record.
fn opened(key: &DirectionKey, datagram: &[u8]) -> Option<(ContentType, Vec<u8>)> {
    let record = records(datagram, CID.len()).next()?.ok()?;
    let mut out = vec![0xEE; 3];
    match key.open(&record, &mut out) {
        Ok(content_type) => Some((content_type, out)),
        Err(_) => {
            assert!(out.is_empty(), "plaintext left behind by a refused record");
            None
        }
    }
}

/// The four cases for 128-bit keys and 96-bit nonces of the GCM specification (McGrew, Viega).
#[test]
fn gcm_gives_the_published_vectors() {
    let p3 = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
              1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    let c3 = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
              21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985";
    let (k0, n0) = ("00000000000000000000000000000000", "000000000000000000000000");
    let (k3, n3) = ("feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888");
    let a4 = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    let zeros = "00000000000000000000000000000000";
    for (key, nonce, aad, plain, cipher, tag) in [
        (k0, n0, "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"),
        (k0, n0, "", zeros, "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf"),
        (k3, n3, "", p3, c3, "4d5c2af327cd64a62cf35abd2ba6fab4"),
        (k3, n3, a4, &p3[..p3.len() - 8], &c3[..c3.len() - 8], "5bc94fbc3221a5db94fae95ae7121a47"),
    ] {
        let schedule = Aes128Enc::new_from_slice(&hex(key)).unwrap();
        let nonce = hex(nonce).try_into().unwrap();
        let (aad, mut text) = (hex(aad), hex(plain));
        let made = gcm::seal(&schedule, &nonce, &aad, &mut text);
        assert_eq!((text.clone(), made.to_vec()), (hex(cipher), hex(tag)));
        assert!(gcm::open(&schedule, &nonce, &aad, &mut text, &made));
        assert_eq!(text, hex(plain));
    }
}

/// NIST SP 800-38C, example 3: the one with our lengths of nonce (12) and CCM-8 tag.
#[test]
fn ccm_8_gives_the_published_vector() {
    let key = hex("404142434445464748494a4b4c4d4e4f").try_into().unwrap();
    let key = DirectionKey::new(Suite::EcdheEcdsaAes128Ccm8, &key, &[0x10, 0x11, 0x12, 0x13]);
    let explicit = hex("1415161718191a1b").try_into().unwrap();
    let aad: Vec<u8> = (0..20).collect();
    let plain: Vec<u8> = (0x20..0x38).collect();
    let mut text = plain.clone();
    let tag = key.encrypt(&explicit, &aad, &mut text).unwrap();
    assert_eq!(text, hex("e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5"));
    assert_eq!(tag[..8], hex("484392fbc1b09951"));
    assert!(key.decrypt(&explicit, &aad, &mut text, &tag[..8]));
    assert_eq!(text, plain);
}

/// RFC 9146 section 5.3, field by field.
#[test]
fn additional_data_with_a_connection_id_has_the_layout_of_rfc_9146() {
    let mut out = [0; AAD_MAX];
    let number = epoch_and_sequence(1, 0x0A0B_0C0D_0E0F).unwrap();
    let aad = additional_data(
        ContentType::ConnectionId,
        VERSION_1_2,
        &number,
        &[0xC1, 0xD1, 0xE1],
        0x0102,
        &mut out,
    );
    let expected = [
        "ffffffffffffffff", // seq_num_placeholder
        "19",               // tls12_cid
        "03",               // cid_length
        "19",               // tls12_cid
        "fefd",             // version
        "0001",             // epoch
        "0a0b0c0d0e0f",     // sequence_number
        "c1d1e1",           // cid
        "0102",             // length_of_DTLSInnerPlaintext
    ];
    assert_eq!(aad.unwrap(), hex(&expected.concat()));
}

#[test]
fn additional_data_of_an_ordinary_record_is_that_of_tls() {
    let mut out = [0; AAD_MAX];
    let number = epoch_and_sequence(1, 2).unwrap();
    let aad =
        additional_data(ContentType::ApplicationData, VERSION_1_2, &number, &[], 64, &mut out);
    assert_eq!(aad.unwrap(), hex("0001000000000002 17 fefd 0040"));
}

#[test]
fn the_longest_connection_id_fits() {
    for suite in Suite::ALL {
        let (key, cid) = (key(suite), [7; CID_MAX]);
        let datagram = sealed(&key, &cid, b"x");
        let record = records(&datagram, CID_MAX).next().unwrap().unwrap();
        let mut out = Vec::new();
        assert_eq!(key.open(&record, &mut out), Ok(ContentType::ApplicationData));
    }
}

/// Frozen: keys 00..0f, salt a0..a3, epoch 1, sequence 5; made by Python's cryptography package.
#[test]
fn sealed_records_have_these_bytes() {
    for (suite, cid, bytes) in [
        (GCM, &[][..], GOLDEN_GCM),
        (GCM, &CID, GOLDEN_GCM_CID),
        (Suite::EcdheEcdsaAes128Ccm, &[], GOLDEN_CCM),
        (Suite::EcdheEcdsaAes128Ccm8, &[], GOLDEN_CCM_8),
        (Suite::EcdheEcdsaAes128Ccm8, &CID, GOLDEN_CCM_8_CID),
    ] {
        assert_eq!(sealed(&key(suite), cid, b"21.5 C"), hex(bytes), "{suite:?}");
    }
}
const GOLDEN_GCM: &str = "17fefd0001000000000005001e 0001000000000005
    fe3b7fb304d44fab6252eb63267cf8b67447700f0321";
const GOLDEN_GCM_CID: &str = "19fefd00010000000000050102030405060708001f 0001000000000005
    fe3b7fb304d4fde147d19a489b5571e0962b045553809a";
const GOLDEN_CCM: &str = "17fefd0001000000000005001e 0001000000000005
    1ecc20028fe5274d7ad1c1237fc32d7a3db428bef3b6";
const GOLDEN_CCM_8: &str = "17fefd00010000000000050016 0001000000000005
    1ecc20028fe548ea8f15a770ed96";
const GOLDEN_CCM_8_CID: &str = "19fefd000100000000000501020304050607080017 0001000000000005
    1ecc20028fe5d3f7b57418ec458e43";

#[test]
fn a_sealed_record_opens_to_its_type_and_plaintext() {
    for suite in Suite::ALL {
        for cid in [&[][..], &CID] {
            let (key, mut datagram) = (key(suite), vec![0xEE]);
            key.seal(ContentType::Handshake, 1, 5, cid, b"finished", &mut datagram).unwrap();
            assert_eq!(datagram.len(), 1 + 8 + suite.overhead(cid.len()));
            let whole = opened(&key, &datagram[1..]);
            assert_eq!(whole, Some((ContentType::Handshake, b"finished".to_vec())));
        }
    }
}

#[test]
fn every_flipped_bit_of_a_record_is_refused() {
    for suite in Suite::ALL {
        for cid in [&[][..], &CID] {
            let key = key(suite);
            let datagram = sealed(&key, cid, b"a reading of some length");
            for bit in 0..datagram.len() * 8 {
                let mut damaged = datagram.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(opened(&key, &damaged), None, "{suite:?}, bit {bit}");
            }
        }
    }
}

#[test]
fn every_cut_of_a_record_is_refused() {
    for suite in Suite::ALL {
        let key = key(suite);
        let datagram = sealed(&key, &CID, b"reading");
        for end in 0..datagram.len() {
            assert_eq!(opened(&key, &datagram[..end]), None);
        }
        // Honest about its length, but with less inside than nonce and tag.
        for length in 0..8 + suite.tag_len() {
            let mut short = Vec::new();
            let outer = ContentType::ApplicationData;
            write_header(outer, VERSION_1_2, 1, 5, &[], length, &mut short).unwrap();
            short.resize(short.len() + length, 0);
            assert_eq!(opened(&key, &short), None);
        }
    }
}

/// Seals `inner` as it is, so that padding and inner type can be anything.
fn sealed_inner(key: &DirectionKey, inner: &[u8]) -> Vec<u8> {
    let number = epoch_and_sequence(1, 9).unwrap();
    let (mut aad, mut text, mut out) = ([0; AAD_MAX], inner.to_vec(), Vec::new());
    let outer = ContentType::ConnectionId;
    let aad = additional_data(outer, VERSION_1_2, &number, &CID, inner.len(), &mut aad).unwrap();
    let tag = key.encrypt(&number, aad, &mut text).unwrap();
    let tag = &tag[..key.suite.tag_len()];
    let length = 8 + inner.len() + tag.len();
    write_header(outer, VERSION_1_2, 1, 9, &CID, length, &mut out).unwrap();
    out.extend([&number[..], &text, tag].concat());
    out
}

#[test]
fn padding_is_stripped() {
    let key = key(GCM);
    let datagram = sealed_inner(&key, &[7, 0, 8, 0, 23, 0, 0, 0, 0]);
    assert_eq!(opened(&key, &datagram), Some((ContentType::ApplicationData, vec![7, 0, 8, 0])));
    let datagram = sealed_inner(&key, &[21]);
    assert_eq!(opened(&key, &datagram), Some((ContentType::Alert, vec![])));
}

#[test]
fn an_inner_type_that_is_none_is_refused() {
    let key = key(GCM);
    for inner in [&[][..], &[0, 0, 0], &[1, 2, 25], &[1, 2, 99, 0]] {
        let datagram = sealed_inner(&key, inner);
        let record = records(&datagram, 8).next().unwrap().unwrap();
        let mut out = Vec::new();
        assert_eq!(key.open(&record, &mut out), Err(OpenError::InnerType));
        assert!(out.is_empty());
    }
}

#[test]
fn plaintexts_are_bounded_both_ways() {
    let key = key(GCM);
    let longest = vec![5; PLAINTEXT_MAX];
    let datagram = sealed(&key, &CID, &longest);
    assert_eq!(opened(&key, &datagram), Some((ContentType::ApplicationData, longest)));
    let mut inner = vec![5; PLAINTEXT_MAX + 1];
    inner.push(23);
    assert_eq!(opened(&key, &sealed_inner(&key, &inner)), None);

    let mut out = vec![1, 2];
    let refused = key.seal(ContentType::Alert, 1, 0, &[], &inner, &mut out);
    assert_eq!(refused, Err(Unsealable::Plaintext(16386)));
    let refused = key.seal(ContentType::Alert, 1, SEQUENCE_MAX + 1, &[], b"", &mut out);
    assert_eq!(refused, Err(Unsealable::SequenceExhausted));
    let refused = key.seal(ContentType::Alert, 1, 0, &[0; 256], b"", &mut out);
    assert_eq!(refused, Err(Unsealable::ConnectionId(256)));
    assert_eq!(out, [1, 2]);
}

#[test]
fn a_record_of_another_key_suite_or_number_is_refused() {
    let datagram = sealed(&key(GCM), &[], b"reading");
    let other = DirectionKey::new(GCM, &[9; 16], &[0xA0, 0xA1, 0xA2, 0xA3]);
    assert_eq!(opened(&other, &datagram), None);
    let other = DirectionKey::new(GCM, &std::array::from_fn(|n| n as u8), &[0; 4]);
    assert_eq!(opened(&other, &datagram), None);
    assert_eq!(opened(&key(Suite::EcdheEcdsaAes128Ccm), &datagram), None);
}

#[test]
fn two_directions_of_a_session_take_44_bytes() {
    assert_eq!(size_of::<DirectionKey>(), 22);
}

#[test]
fn a_suite_is_known_by_its_number_and_its_name() {
    for suite in Suite::ALL {
        assert_eq!(Suite::from_iana(suite.iana()), Some(suite));
        assert_eq!(Suite::from_openssl_name(suite.openssl_name()), Some(suite));
        assert_eq!(suite as u16, suite.iana());
    }
    assert_eq!(Suite::from_iana(0xC02C), None);
    assert_eq!(Suite::from_openssl_name("NULL"), None);
}

fn openssl_seals(suite: Suite, nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let is_gcm = suite == GCM;
    let cipher = if is_gcm { Cipher::aes_128_gcm() } else { Cipher::aes_128_ccm() };
    let key: [u8; 16] = std::array::from_fn(|n| n as u8);
    let mut context = CipherCtx::new().unwrap();
    context.encrypt_init(Some(cipher), None, None).unwrap();
    context.set_iv_length(nonce.len()).unwrap();
    if !is_gcm {
        context.set_tag_length(suite.tag_len()).unwrap();
    }
    context.encrypt_init(None, Some(&key), Some(nonce)).unwrap();
    if !is_gcm {
        context.set_data_len(plaintext.len()).unwrap();
    }
    context.cipher_update(aad, None).unwrap();
    let mut sealed = Vec::new();
    context.cipher_update_vec(plaintext, &mut sealed).unwrap();
    context.cipher_final_vec(&mut sealed).unwrap();
    let mut tag = vec![0; suite.tag_len()];
    context.tag(&mut tag).unwrap();
    [sealed, tag].concat()
}

fn suites() -> impl Strategy<Value = Suite> {
    prop::sample::select(&Suite::ALL[..])
}

proptest! {
    #[test]
    fn it_agrees_with_openssl(
        suite in suites(),
        cid in prop::collection::vec(any::<u8>(), 0..40),
        sequence in 0..=SEQUENCE_MAX,
        plaintext in prop::collection::vec(any::<u8>(), 1..700),
    ) {
        let mut out = Vec::new();
        key(suite).seal(ContentType::Alert, 1, sequence, &cid, &plaintext, &mut out).unwrap();
        let number = [&[0, 1], &sequence.to_be_bytes()[2..]].concat();
        let inner = if cid.is_empty() { plaintext } else { [&plaintext[..], &[21]].concat() };
        let length = (inner.len() as u16).to_be_bytes();
        let aad = if cid.is_empty() {
            [&number[..], &[21, 0xFE, 0xFD], &length].concat()
        } else {
            let head = [255, 255, 255, 255, 255, 255, 255, 255, 25, cid.len() as u8, 25, 0xFE, 0xFD];
            [&head[..], &number, &cid, &length].concat()
        };
        let nonce = [&[0xA0, 0xA1, 0xA2, 0xA3][..], &number].concat();
        prop_assert_eq!(&out[13 + cid.len()..21 + cid.len()], &number[..]);
        prop_assert_eq!(&out[21 + cid.len()..], openssl_seals(suite, &nonce, &aad, &inner));
    }

    #[test]
    fn an_arbitrary_datagram_never_opens(
        suite in suites(),
        bytes in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut framed = vec![23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 1, 0];
        framed.push(bytes.len() as u8);
        framed.extend(&bytes);
        prop_assert_eq!(opened(&key(suite), &bytes), None);
        prop_assert_eq!(opened(&key(suite), &framed), None);
        framed[0] = 25;
        prop_assert_eq!(opened(&key(suite), &framed), None);
    }

    #[test]
    fn what_is_sealed_is_opened(
        suite in suites(),
        with_cid in any::<bool>(),
        plaintext in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let key = key(suite);
        let datagram = sealed(&key, if with_cid { &CID } else { &[] }, &plaintext);
        prop_assert_eq!(opened(&key, &datagram), Some((ContentType::ApplicationData, plaintext)));
    }
}
