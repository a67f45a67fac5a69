//! Where browsers find the hub: what links begin with, and what passkeys and an OpenID provider know
//! it by.

use openssl::x509::X509;

use crate::config::Config;

/// What is configured, or the first name in the server's certificate, with the port.
#[must_use]
pub fn of(config: &Config) -> String {
    if config.https.origin != "auto" {
        return config.https.origin.trim_end_matches('/').to_owned();
    }
    let host = named(config).unwrap_or_else(|| String::from("localhost"));
    match config.https.listen.port() {
        443 => format!("https://{host}"),
        port => format!("https://{host}:{port}"),
    }
}

/// A name rather than an address: passkeys are for names alone.
fn named(config: &Config) -> Option<String> {
    let pem = std::fs::read(&config.https.certificate).ok()?;
    let names = X509::from_pem(&pem).ok()?.subject_alt_names()?;
    let name = names.iter().find_map(|name| Some(name.dnsname()?.to_owned()));
    name.or_else(|| {
        let address = names.iter().find_map(|name| address(name.ipaddress()?))?;
        Some(match address {
            std::net::IpAddr::V4(address) => address.to_string(),
            std::net::IpAddr::V6(address) => format!("[{address}]"),
        })
    })
}

fn address(bytes: &[u8]) -> Option<std::net::IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(Into::into),
        16 => <[u8; 16]>::try_from(bytes).ok().map(Into::into),
        _ => None,
    }
}
