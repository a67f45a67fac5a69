//! What a modem says: any bytes are lines or none, and whatever the lines are, attaching and renewing go on with one
//! command at a time.
#![no_main]

use board::modem::{
    Attach, AttachSettings, CredentialSettings, Credentials, LINE_MAX, Lines, Step,
    certificate_request, kept_credentials,
};
use libfuzzer_sys::fuzz_target;

const SETTINGS: CredentialSettings =
    CredentialSettings { root: 1, own: [2, 3], renew_after_s: 0, again_after_s: 1 };
const WHOLE: &str = "%CMNG: 1,0\n%CMNG: 2,1\n%CMNG: 2,2";

fuzz_target!(|data: &[u8]| {
    let mut lines = Lines::default();
    let mut attach = Attach::new(AttachSettings::default(), 1);
    let mut credentials = Credentials::new(SETTINGS, &kept_credentials(WHOLE), None, "1");
    let old = credentials.tags();
    let mut now = 0;
    for line in data.iter().filter_map(|byte| lines.take(*byte)) {
        assert!(!line.is_empty() && line.len() <= LINE_MAX);
        now += 1_000;
        if attach.poll_command().is_some() {
            assert_eq!(attach.poll_command(), None);
            attach.handle_answer(now, &line);
        } else {
            attach.handle_notification(now, &line);
            attach.handle_timeout(now);
        }
        credentials.handle_time(now);
        match credentials.poll_step() {
            Some(Step::Offline | Step::Online | Step::Note(_)) => credentials.handle_done(true),
            Some(Step::Command(_)) => credentials.handle_answer(&line),
            Some(Step::Ask(request)) => {
                assert!(request.first() == Some(&0x30));
                credentials.handle_certificate(Some(line.as_bytes()));
            }
            None => {}
        }
        let _ = certificate_request(&line);
    }
    // Nothing but a whole renewal takes the old ones away.
    assert!(credentials.tags() == old || data.windows(10).any(|part| part == b"%KEYGEN: \""));
});
