//! The front door: any datagram is a hello or is not, the answer is never longer than the hello,
//! fragments make the same message as the whole, and the cookie is taken away cleanly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surface::link::cookie::CookieKeys;
use surface::link::hello::{
    BadHello, ClientHello, HELLO_MAX, HelloAssembly, hello_verify_request, without_cookie,
};
use surface::link::record::{ContentType, Record, records, write_plaintext};

fuzz_target!(|data: &[u8]| {
    let keys = CookieKeys::new([3; 32]);
    let from = "192.0.2.7:5684".parse().unwrap();
    let elsewhere = "192.0.2.8:5684".parse().unwrap();
    let mut assembly: Option<HelloAssembly> = None;
    for record in records(data, 0).map_while(Result::ok) {
        if let Some(assembly) = &mut assembly {
            check_message(assembly.handle_record(&record), record.sequence);
        }
        let Ok(hello) = ClientHello::parse(&record) else { continue };
        let cookie = keys.mint(from, &hello);
        assert_eq!(keys.verify(from, &hello), hello.cookie == cookie);
        assert_ne!(keys.mint(elsewhere, &hello), cookie);
        let mut answer = Vec::new();
        if hello_verify_request(&hello, &cookie, &mut answer).is_ok() {
            assert!(answer.len() <= record.bytes.len(), "an amplifier");
        }
        if hello.is_whole() {
            fragmented(&hello);
        }
        let started = assembly.get_or_insert_with(|| HelloAssembly::new(&hello));
        check_message(Ok(started.message()), record.sequence);
    }
});

fn check_message(message: Result<Option<Vec<u8>>, BadHello>, sequence: u64) {
    let Ok(Some(message)) = message else { return };
    assert!(message.len() <= HELLO_MAX + 12);
    let Ok(bytes) = without_cookie(&message, sequence) else { return };
    let record = only(&bytes);
    let first = ClientHello::parse(&record).expect("what was made is a hello");
    let second = handshake(&message, sequence);
    let second = ClientHello::parse(&second).expect("what it was made of is one");
    assert!(first.is_whole() && first.cookie.is_empty());
    assert_eq!((first.message_seq, first.record_sequence), (0, sequence - 1));
    assert_eq!((first.random, first.session_id), (second.random, second.session_id));
    assert_eq!((first.version, first.after_cookie), (second.version, second.after_cookie));
}

/// Cuts a whole hello behind its cookie and puts it together again, last part first.
fn fragmented(hello: &ClientHello<'_>) {
    let whole = HelloAssembly::new(hello).message().expect("nothing is missing");
    let cut = hello.body.len() - hello.after_cookie.len() / 2;
    let (first, last) = (fragment(hello, 0, cut), fragment(hello, cut, hello.body.len()));
    let first = only(&first);
    let start = ClientHello::parse(&first).expect("the cookie is in the first fragment");
    let mut assembly = HelloAssembly::new(&start);
    let message = assembly.handle_record(&only(&last)).expect("a fragment of it");
    assert_eq!(message, Some(whole));
}

fn fragment(hello: &ClientHello<'_>, from: usize, to: usize) -> Vec<u8> {
    let u24 = |n: usize| -> [u8; 3] { n.to_be_bytes()[5..].try_into().unwrap() };
    let mut message = vec![1];
    message.extend_from_slice(&u24(hello.length));
    message.extend_from_slice(&hello.message_seq.to_be_bytes());
    message.extend_from_slice(&u24(from));
    message.extend_from_slice(&u24(to - from));
    message.extend_from_slice(&hello.body[from..to]);
    let mut out = Vec::new();
    write_plaintext(ContentType::Handshake, 5, &message, &mut out).expect("a short record");
    out
}

fn only(bytes: &[u8]) -> Record<'_> {
    let record = records(bytes, 0).next().expect("a record").expect("a whole one");
    assert_eq!(record.bytes.len(), bytes.len());
    record
}

fn handshake(message: &[u8], sequence: u64) -> Record<'_> {
    Record {
        content_type: ContentType::Handshake,
        version: 0xFEFD,
        epoch: 0,
        sequence,
        cid: &[],
        fragment: message,
        bytes: message,
    }
}
