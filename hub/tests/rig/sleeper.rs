//! A board that a fixture has put to sleep: its session is in the hub's store, its keys come of the
//! seed in `sleeping.bin` (see `hub/src/fixture/sleeping.rs`), and its records are made here by hand
//! (RFC 9146 5).

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};

use super::coap::Carrier;
use super::own_address;
use super::records::{APPLICATION_DATA, TLS12_CID, prf};

const VERSION: [u8; 2] = [0xfe, 0xfd];
const TAG: usize = 16;
/// Type, version, epoch and sequence, before the Connection ID.
const HEAD: usize = 11;

pub struct Sleeper {
    socket: UdpSocket,
    /// What the hub gave, and what its records carry.
    ids: [Vec<u8>; 2],
    /// Client's and server's keys and salts.
    keys: [([u8; 16], [u8; 4]); 2],
    sequence: u64,
}

impl Sleeper {
    /// Board `number` of those that `sleeping.bin` lists.
    pub fn of(list: &Path, number: u32, hub: SocketAddr) -> Self {
        let list = std::fs::read(list).unwrap();
        let (seed, ids) = list.split_first_chunk::<48>().unwrap();
        // The server's random is zeros, the client's the board's number and zeros.
        let randoms = [&[0; 32][..], &number.to_be_bytes(), &[0; 28]].concat();
        let block = prf(seed, b"key expansion", &randoms, 40);
        let part = |at: usize, length: usize| block[at..at + length].to_vec();
        let keys = [(0, 32), (16, 36)].map(|(key, salt)| {
            (part(key, 16).try_into().unwrap(), part(salt, 4).try_into().unwrap())
        });
        let socket = UdpSocket::bind((own_address(), 0)).unwrap();
        socket.connect(hub).unwrap();
        let at = usize::try_from(number).unwrap() * 6;
        let ids = [ids[at..at + 6].to_vec(), number.to_be_bytes().to_vec()];
        Self { socket, ids, keys, sequence: 1 }
    }

    fn additional(&self, from: usize, counter: &[u8], length: usize) -> Vec<u8> {
        let id = &self.ids[from];
        let length = u16::try_from(length).unwrap().to_be_bytes();
        let id_length = [u8::try_from(id.len()).unwrap()];
        [&[0xff; 8], &[TLS12_CID][..], &id_length, &[TLS12_CID], &VERSION, counter, id, &length]
            .concat()
    }

    fn nonce(&self, from: usize, explicit: &[u8]) -> Vec<u8> {
        [&self.keys[from].1[..], explicit].concat()
    }
}

impl Carrier for Sleeper {
    fn send(&mut self, datagram: &[u8]) {
        self.sequence += 1;
        let counter = (1 << 48 | self.sequence).to_be_bytes();
        let inner = [datagram, &[APPLICATION_DATA]].concat();
        let (nonce, additional) =
            (self.nonce(0, &counter), self.additional(0, &counter, inner.len()));
        let mut tag = [0; TAG];
        let cipher = Cipher::aes_128_gcm();
        let nonce = Some(&nonce[..]);
        let sealed =
            encrypt_aead(cipher, &self.keys[0].0, nonce, &additional, &inner, &mut tag).unwrap();
        let fragment = [&counter[..], &sealed, &tag].concat();
        let length = u16::try_from(fragment.len()).unwrap().to_be_bytes();
        let record =
            [&[TLS12_CID][..], &VERSION, &counter, &self.ids[0], &length, &fragment].concat();
        self.socket.send(&record).unwrap();
    }

    /// What the first record of the next datagram holds.
    fn receive(&mut self, limit: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(limit)).unwrap();
        let mut datagram = [0; 2048];
        let length = self.socket.recv(&mut datagram).ok()?;
        let record = &datagram[..length];
        assert_eq!(record[0], TLS12_CID, "{record:?}");
        let (counter, rest) = (&record[3..HEAD], &record[HEAD..]);
        let rest = rest.strip_prefix(&self.ids[1][..]).expect("the board's Connection ID");
        let fragment = &rest[2..2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]))];
        let (explicit, sealed) = fragment.split_at(8);
        let (sealed, tag) = sealed.split_at(sealed.len() - TAG);
        let (nonce, additional) =
            (self.nonce(1, explicit), self.additional(1, counter, sealed.len()));
        let cipher = Cipher::aes_128_gcm();
        let mut inner =
            decrypt_aead(cipher, &self.keys[1].0, Some(&nonce), &additional, sealed, tag).unwrap();
        assert_eq!(inner.pop(), Some(APPLICATION_DATA), "{inner:?}");
        Some(inner)
    }
}
