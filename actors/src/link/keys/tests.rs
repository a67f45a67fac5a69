#![expect(clippy::cast_possible_truncation, reason = "small numbers of a test")]

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The vector published on the TLS working group's list for P_SHA256 of TLS 1.2.
#[test]
fn the_prf_gives_the_published_vector() {
    let mut out = [0; 100];
    prf_sha256(
        &hex("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        &hex("a0ba9f936cda311827a6f796ffd5198c"),
        &mut out,
    );
    assert_eq!(
        out.to_vec(),
        hex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a
             6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab
             4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701
             87347b66")
    );
}

#[test]
fn a_shorter_output_is_a_prefix_of_a_longer_one() {
    let mut long = [0; 70];
    prf_sha256(b"secret", b"label", b"seed", &mut long);
    for length in 0..long.len() {
        let mut short = vec![0; length];
        prf_sha256(b"secret", b"label", b"seed", &mut short);
        assert_eq!(short, long[..length]);
    }
}

#[test]
fn the_key_block_is_expanded_with_the_servers_random_first() {
    let (master, client, server) = ([1; 48], [2; 32], [3; 32]);
    let mut expected = [0; 40];
    prf_sha256(&master, b"key expansion", &[server, client].concat(), &mut expected);
    let block = KeyBlock::derive(&master, &client, &server);
    assert_eq!(*block.to_bytes(), expected);
    assert_eq!(block.client_key, expected[..16]);
    assert_eq!(block.server_key, expected[16..32]);
    assert_eq!(block.client_salt, expected[32..36]);
    assert_eq!(block.server_salt, expected[36..]);
}

#[test]
fn a_block_survives_its_stored_form_and_its_keys() {
    let bytes: [u8; KeyBlock::LEN] = std::array::from_fn(|n| n as u8);
    let block = KeyBlock::from_bytes(&bytes);
    assert_eq!(*block.to_bytes(), bytes);
    for suite in Suite::ALL {
        let (client, server) = block.keys(suite);
        assert_eq!(*KeyBlock::of(&client, &server).to_bytes(), bytes);
    }
}

#[test]
fn nothing_secret_is_printed() {
    let block = KeyBlock::from_bytes(&[0xAB; 40]);
    let (client, _) = block.keys(Suite::EcdheEcdsaAes128GcmSha256);
    assert!(!format!("{block:?} {client:?}").contains("171"));
}
