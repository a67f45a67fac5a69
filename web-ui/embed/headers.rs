//! What a browser is told not to do on the app's behalf.

/// Headers that go with every answer of the app.
///
/// The policy has no exception: no inline script or style, no `eval`, nothing from elsewhere, no
/// frame around the app, and no string becomes markup (Trusted Types without a policy).
pub const SECURITY: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
         connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), \
         publickey-credentials-create=(self), publickey-credentials-get=(self)",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_has_no_exception() {
        let (name, policy) = SECURITY[0];
        assert_eq!(name, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'"));
        for exception in ["unsafe-", "*", "data:", "blob:", "http:", "https:"] {
            assert!(!policy.contains(exception), "{exception}");
        }
    }
}
