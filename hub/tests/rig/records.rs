//! DTLS 1.2 records written by hand from a session's secrets (RFC 6347 4.1, RFC 5246 5, RFC 5288),
//! so that a test can send what no honest implementation would.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::ssl::SslRef;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};

pub const CHANGE_CIPHER_SPEC: u8 = 20;
pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;
pub const APPLICATION_DATA: u8 = 23;
pub const TLS12_CID: u8 = 25;

const HEADER: usize = 13;

/// One record of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub content_type: u8,
    pub epoch: u16,
    pub sequence: u64,
    pub fragment: Vec<u8>,
}

impl Record {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.content_type, 0xfe, 0xfd];
        out.extend(counter(self.epoch, self.sequence));
        out.extend(u16::try_from(self.fragment.len()).unwrap().to_be_bytes());
        out.extend(&self.fragment);
        out
    }

    /// The records of a datagram that has no Connection IDs.
    pub fn split(mut datagram: &[u8]) -> Vec<Self> {
        let mut records = vec![];
        while let Some((header, rest)) = datagram.split_first_chunk::<HEADER>() {
            let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
            let (fragment, rest) = rest.split_at(length);
            let mut sequence = [0; 8];
            sequence[2..].copy_from_slice(&header[5..11]);
            records.push(Self {
                content_type: header[0],
                epoch: u16::from_be_bytes([header[3], header[4]]),
                sequence: u64::from_be_bytes(sequence),
                fragment: fragment.to_vec(),
            });
            datagram = rest;
        }
        records
    }
}

/// The client's write key of a session with ECDHE-ECDSA-AES128-GCM-SHA256.
#[derive(Clone)]
pub struct ClientKey {
    key: [u8; 16],
    salt: [u8; 4],
}

impl ClientKey {
    /// From a session far enough to have its master secret.
    pub fn of(ssl: &SslRef) -> Option<Self> {
        let mut master = [0; 48];
        let mut randoms = [0; 64];
        if ssl.session()?.master_key(&mut master) != master.len() {
            return None;
        }
        ssl.server_random(&mut randoms[..32]);
        ssl.client_random(&mut randoms[32..]);
        let block = prf(&master, b"key expansion", &randoms, 40);
        Some(Self { key: block[..16].try_into().unwrap(), salt: block[32..36].try_into().unwrap() })
    }

    /// A record with this content, sealed as the client seals.
    pub fn seal(&self, content_type: u8, epoch: u16, sequence: u64, content: &[u8]) -> Vec<u8> {
        let explicit = counter(epoch, sequence);
        let nonce = [&self.salt[..], &explicit].concat();
        let mut tag = [0; 16];
        let sealed = encrypt_aead(
            Cipher::aes_128_gcm(),
            &self.key,
            Some(&nonce),
            &additional(content_type, explicit, content.len()),
            content,
            &mut tag,
        );
        let fragment = [&explicit[..], &sealed.unwrap(), &tag].concat();
        Record { content_type, epoch, sequence, fragment }.encode()
    }

    /// What a record of the client's holds.
    pub fn open(&self, record: &Record) -> Vec<u8> {
        let (explicit, sealed) = record.fragment.split_at(8);
        let (sealed, tag) = sealed.split_at(sealed.len() - 16);
        let nonce = [&self.salt[..], explicit].concat();
        let counter = counter(record.epoch, record.sequence);
        let additional = additional(record.content_type, counter, sealed.len());
        let nonce = Some(&nonce[..]);
        decrypt_aead(Cipher::aes_128_gcm(), &self.key, nonce, &additional, sealed, tag).unwrap()
    }
}

fn counter(epoch: u16, sequence: u64) -> [u8; 8] {
    (u64::from(epoch) << 48 | sequence).to_be_bytes()
}

fn additional(content_type: u8, counter: [u8; 8], length: usize) -> Vec<u8> {
    let length = u16::try_from(length).unwrap().to_be_bytes();
    [&counter[..], &[content_type, 0xfe, 0xfd], &length].concat()
}

/// P_SHA256 of RFC 5246 5.
pub fn prf(secret: &[u8], label: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let seed = [label, seed].concat();
    let key = PKey::hmac(secret).unwrap();
    let hmac = |bytes: &[u8]| {
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        signer.sign_oneshot_to_vec(bytes).unwrap()
    };
    let mut a = hmac(&seed);
    let mut out = vec![];
    while out.len() < length {
        out.extend(hmac(&[&a[..], &seed].concat()));
        a = hmac(&a);
    }
    out.truncate(length);
    out
}
