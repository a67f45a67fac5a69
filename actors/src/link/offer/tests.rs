use proptest::prelude::*;

use super::*;

const SESSION_ID: [u8; 32] = [5; 32];

struct Hello {
    version: [u8; 2],
    message_seq: u8,
    session_id: Vec<u8>,
    suites: Vec<u16>,
    compressions: Vec<u8>,
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Default for Hello {
    fn default() -> Self {
        Self {
            version: [0xFE, 0xFD],
            message_seq: 1,
            session_id: SESSION_ID.into(),
            suites: vec![0xC0AE, 0xC02B],
            compressions: vec![0],
            extensions: vec![(10, vec![0, 2, 0, 23]), (EXTENDED_MASTER_SECRET, vec![])],
        }
    }
}

fn byte(length: usize) -> u8 {
    length.try_into().unwrap()
}

impl Hello {
    fn with(kind: u16, body: &[u8]) -> Self {
        let mut hello = Self::default();
        hello.extensions.push((kind, body.into()));
        hello
    }

    fn message(&self) -> Vec<u8> {
        let mut body = [&self.version[..], &[7; 32], &[byte(self.session_id.len())]].concat();
        body.extend(&self.session_id);
        body.extend([16; 17]); // a cookie
        body.extend([0, byte(2 * self.suites.len())]);
        body.extend(self.suites.iter().flat_map(|suite| suite.to_be_bytes()));
        body.push(byte(self.compressions.len()));
        body.extend(&self.compressions);
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(kind, body)| {
                [&kind.to_be_bytes()[..], &[0, byte(body.len())], body].concat()
            })
            .collect();
        body.extend([0, byte(extensions.len())]);
        body.extend(extensions);
        let length = byte(body.len());
        let head = [1, 0, 0, length, 0, self.message_seq, 0, 0, 0, 0, 0, length];
        [&head[..], &body].concat()
    }
}

fn is_an_offer(hello: &Hello) -> bool {
    Offer::parse(&hello.message()).is_some()
}

#[test]
fn an_offer_says_what_the_hello_says() {
    let message = Hello::default().message();
    let offer = Offer::parse(&message).unwrap();
    assert_eq!((offer.random, offer.session_id), (&[7; 32], &SESSION_ID));
    assert!(offer.extended_master_secret && !offer.renegotiation_info);
    assert_eq!((offer.connection_id, offer.message), (None, &message[..]));
    assert!(offer.offers(Suite::EcdheEcdsaAes128Ccm8));
    assert!(!offer.offers(Suite::EcdheEcdsaAes128Ccm));
}

#[test]
fn a_connection_id_may_be_empty_and_must_be_whole() {
    for (body, id) in [(&[0][..], &[][..]), (&[2, 8, 9], &[8, 9])] {
        let message = Hello::with(CONNECTION_ID, body).message();
        assert_eq!(Offer::parse(&message).unwrap().connection_id, Some(id));
    }
    for body in [&[][..], &[2, 8], &[1, 8, 9]] {
        assert!(!is_an_offer(&Hello::with(CONNECTION_ID, body)), "{body:?}");
    }
}

#[test]
fn renegotiation_info_is_asked_for_in_either_way() {
    let scsv = Hello { suites: vec![0xC02B, 0x00FF], ..Hello::default() };
    let both = Hello { suites: scsv.suites.clone(), ..Hello::with(RENEGOTIATION_INFO, &[0]) };
    for hello in [scsv, Hello::with(RENEGOTIATION_INFO, &[0]), both] {
        assert!(Offer::parse(&hello.message()).unwrap().renegotiation_info);
    }
    assert!(!is_an_offer(&Hello::with(RENEGOTIATION_INFO, &[1, 9])), "a renegotiation");
}

#[test]
fn whatever_is_unusual_is_left_to_the_full_handshake() {
    let no_extensions = Hello { extensions: vec![], ..Hello::default() };
    assert!(is_an_offer(&no_extensions));
    let unusual = [
        Hello { session_id: vec![], ..Hello::default() },
        Hello { session_id: vec![5; 31], ..Hello::default() },
        Hello { version: [0xFE, 0xFF], ..Hello::default() },
        Hello { message_seq: 0, ..Hello::default() },
        Hello { compressions: vec![1], ..Hello::default() },
        Hello::with(EXTENDED_MASTER_SECRET, &[]),
        Hello::with(EXTENDED_MASTER_SECRET, &[1]),
        Hello {
            extensions: vec![(CONNECTION_ID, vec![0]), (CONNECTION_ID, vec![0])],
            ..Hello::default()
        },
    ];
    for (number, hello) in unusual.iter().enumerate() {
        assert!(!is_an_offer(hello), "{number}");
    }
}

#[test]
fn a_hello_cut_short_anywhere_is_no_offer() {
    let message = Hello::with(CONNECTION_ID, &[2, 8, 9]).message();
    for length in 0..message.len() {
        // The header's lengths say that more should come, or are corrected.
        assert_eq!(Offer::parse(&message[..length]), None);
        let Some(body) = length.checked_sub(12) else { continue };
        let mut shorter = message[..length].to_vec();
        (shorter[3], shorter[11]) = (byte(body), byte(body));
        // Cut right behind the compression methods, it is an old client's whole hello.
        let extensions = 2 + 32 + 33 + 17 + 2 + 4 + 2;
        assert_eq!(Offer::parse(&shorter).is_some(), body == extensions, "{body}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Offer::parse(&bytes);
    }

    #[test]
    fn a_changed_hello_is_read_or_not(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut message = Hello::with(CONNECTION_ID, &[2, 8, 9]).message();
        for (at, byte) in edits {
            let at = at.index(message.len());
            message[at] = byte;
        }
        if let Some(offer) = Offer::parse(&message) {
            prop_assert_eq!(offer.message, &message[..]);
        }
    }
}
