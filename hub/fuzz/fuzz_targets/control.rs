//! The control socket's commands and answers: any bytes are a command, pieces of an answer or one line
//! of complaint.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surface::run::{Piece, Run};

fuzz_target!(|bytes: &[u8]| {
    match Run::parse(bytes) {
        Ok(run) => {
            let body = run.body().expect("what was read is written");
            // With other spaces in its head, it may be too long.
            if let Ok(again) = Run::parse(&body) {
                assert_eq!(again, run);
            }
        }
        Err(reason) => assert!(!reason.is_empty() && !reason.contains('\n'), "{reason:?}"),
    }
    let mut from = bytes;
    while let Ok(piece) = Piece::read(&mut from) {
        if matches!(piece, Piece::End(_)) {
            break;
        }
    }
});
