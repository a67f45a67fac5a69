//! The offer of an abbreviated handshake: any message is one or is not; what is one lies inside the
//! message, and is none any more when its session id or its message number is another's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surface::link::cipher::Suite;
use surface::link::hello::HELLO_MAX;
use surface::link::offer::Offer;

const MESSAGE_SEQ: std::ops::Range<usize> = 4..6;

fuzz_target!(|data: &[u8]| {
    let Some(offer) = Offer::parse(data) else { return };
    assert!(data.len() <= HELLO_MAX + 12);
    assert_eq!(offer.message, data);
    assert!(offer.connection_id.is_none_or(|id| id.len() <= 255));
    for suite in Suite::ALL {
        let number = suite.iana().to_be_bytes();
        assert!(!offer.offers(suite) || data.windows(2).any(|pair| pair == number));
    }
    let mut first = data.to_vec();
    first[MESSAGE_SEQ].fill(0);
    assert_eq!(Offer::parse(&first), None, "a first hello has proven no address");
    for extra in [&[0][..], &[0, 0]] {
        assert_eq!(Offer::parse(&[data, extra].concat()), None, "bytes behind it");
    }
});
