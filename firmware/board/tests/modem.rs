//! A board and its modem, in virtual time: attaching, keys and certificates.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's failure is its report")]

mod modem {
    mod attach;
    mod credentials;
}
