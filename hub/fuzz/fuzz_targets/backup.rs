//! A backup's file: any bytes are read to an end without claiming more memory than they have, and
//! what is whole is the same bytes when it is written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surface::backup::{Frame, KEY_MAX, Reader, VALUE_MAX, Writer};

fuzz_target!(|data: &[u8]| {
    copy(data);
    // The same bytes as frames behind a good head: the checksum keeps them from being whole.
    let head = b"CHBACKUP\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\x01v";
    copy(&[&head[..], data].concat());
    written(data);
});

/// Reads a backup and writes it again.
fn copy(bytes: &[u8]) {
    let Ok(mut reader) = Reader::new(bytes) else { return };
    let Ok(mut writer) = Writer::new(Vec::new(), reader.head()) else {
        panic!("a head that was read can be written")
    };
    let mut records = 0;
    loop {
        match reader.next() {
            Ok(Frame::Tree(name)) => writer.tree(name).expect("a tree that was read"),
            Ok(Frame::Record { key, value }) => {
                assert!(key.len() <= KEY_MAX && value.len() <= VALUE_MAX);
                writer.record(key, value).expect("a record that was read");
                records += 1;
            }
            Ok(Frame::End { count }) => {
                assert_eq!(count, records);
                assert_eq!(writer.finish().expect("an end").0, bytes);
                return;
            }
            Err(_) => return,
        }
    }
}

/// The input, cut into pieces, as a store's contents.
fn written(data: &[u8]) {
    let head = surface::backup::Head { schema: 1, created: 0, hub: String::from("v") };
    let mut writer = Writer::new(Vec::new(), &head).expect("a head");
    writer.tree("a").expect("a tree");
    let mut pieces: Vec<_> = data.chunks(7).collect();
    pieces.sort_unstable();
    pieces.dedup();
    for piece in pieces {
        writer.record(piece, data).expect("a record");
    }
    copy(&writer.finish().expect("an end").0);
}
