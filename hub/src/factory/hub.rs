//! The hub as a station sees it: EST over one HTTPS connection, opened anew when it is lost.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::pkcs7::Pkcs7;
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslStream, SslVersion};
use openssl::x509::X509;
use storage::TenantId;
use zeroize::Zeroizing;

/// How long a hub may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Bytes of the longest answer that is read.
const ANSWER_MAX: u64 = 64 * 1024;

/// Where the hub is: `https://hub.example.com:8443`, or without the scheme.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    host: String,
    port: u16,
}

/// Who the station is.
#[derive(Debug)]
pub enum Credential {
    /// A certificate and its key, PEM files.
    Certificate {
        /// The certificate.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// A one-time token.
    Token(Zeroizing<String>),
}

/// A hub that can be asked.
pub struct Hub {
    address: Address,
    path: String,
    authorization: Option<Zeroizing<String>>,
    tls: SslConnector,
}

/// One connection to it.
pub struct Connection<'a> {
    hub: &'a Hub,
    stream: Option<BufReader<SslStream<TcpStream>>>,
}

/// What the hub says.
#[derive(Debug)]
pub enum Answer {
    /// The certificate.
    Certificate(X509),
    /// No, and why; asking again is of no use.
    Refused(String),
    /// Not now, and why.
    Later(String),
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "the hub's address is as https://hub.example.com:8443";
        let text = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/');
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| RULE)?)
            }
            _ => (text, 8443),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_host = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
        if is_host { Ok(Self { host: host.to_owned(), port }) } else { Err(RULE) }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Hub {
    /// The hub at `address`, whose certificate `authority` vouches for (PEM).
    pub fn new(
        address: Address,
        tenant: Option<&TenantId>,
        authority: &std::path::Path,
        credential: &Credential,
    ) -> Result<Self, ErrorStack> {
        let mut tls = SslConnector::builder(SslMethod::tls_client())?;
        tls.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        tls.set_ca_file(authority)?;
        let authorization = match credential {
            Credential::Certificate { certificate, key } => {
                tls.set_certificate_file(certificate, SslFiletype::PEM)?;
                tls.set_private_key_file(key, SslFiletype::PEM)?;
                tls.check_private_key()?;
                None
            }
            Credential::Token(token) => {
                let text = Zeroizing::new(format!("Authorization: Bearer {}\r\n", token.as_str()));
                Some(text)
            }
        };
        let label = tenant.map(|tenant| format!("/{tenant}")).unwrap_or_default();
        let path = format!("/.well-known/est{label}/simpleenroll");
        Ok(Self { address, path, authorization, tls: tls.build() })
    }

    /// Not connected yet.
    pub fn connection(&self) -> Connection<'_> {
        Connection { hub: self, stream: None }
    }
}

impl Connection<'_> {
    /// Asks for a certificate; an error is of the network.
    pub fn enrol(&mut self, csr: &[u8]) -> io::Result<Answer> {
        let is_new = self.stream.is_none();
        match self.ask(csr) {
            // The hub has closed what was idle: once more on a new connection.
            Err(_) if !is_new => {
                self.stream = None;
                self.ask(csr)
            }
            answer => answer,
        }
        .inspect_err(|_| self.stream = None)
    }

    fn ask(&mut self, csr: &[u8]) -> io::Result<Answer> {
        let Hub { address, path, authorization, .. } = self.hub;
        let body = STANDARD.encode(csr);
        let authorization = authorization.as_ref().map_or("", |text| text.as_str());
        let request = Zeroizing::new(format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/pkcs10\r\n\
             Content-Transfer-Encoding: base64\r\nContent-Length: {}\r\n{authorization}\r\n{body}",
            body.len()
        ));
        let stream = self.connected()?;
        stream.get_mut().write_all(request.as_bytes())?;
        stream.get_mut().flush()?;
        let (status, keeps, body) = answer(stream)?;
        if !keeps {
            self.stream = None;
        }
        let words = || String::from_utf8_lossy(&body).trim().to_owned();
        Ok(match status {
            200 => Answer::Certificate(certificate(&body)?),
            202 | 408 | 429 | 500.. => Answer::Later(words()),
            _ => Answer::Refused(words()),
        })
    }

    fn connected(&mut self) -> io::Result<&mut BufReader<SslStream<TcpStream>>> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        Ok(self.stream.insert(stream))
    }

    fn connect(&self) -> io::Result<BufReader<SslStream<TcpStream>>> {
        let Address { host, port } = &self.hub.address;
        let mut last = io::Error::other(format!("{host} has no address"));
        for address in (host.as_str(), *port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, ANSWER_WITHIN) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
                    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
                    let stream = self.hub.tls.connect(host, stream).map_err(io::Error::other)?;
                    return Ok(BufReader::new(stream));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Status, whether the connection goes on, and body of an answer (RFC 9112).
fn answer(from: &mut impl io::BufRead) -> io::Result<(u16, bool, Vec<u8>)> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP");
    let mut head = from.take(ANSWER_MAX);
    let mut line = String::new();
    head.read_line(&mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = status.and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
    let (mut length, mut keeps) = (None, true);
    loop {
        line.clear();
        if head.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() { break } else { return Err(malformed()) }
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse().map_err(|_| malformed())?);
        } else if name.eq_ignore_ascii_case("connection") {
            keeps = !value.trim().eq_ignore_ascii_case("close");
        }
    }
    let length = length.filter(|length| *length <= ANSWER_MAX).ok_or_else(malformed)?;
    let mut body = Vec::new();
    from.take(length).read_to_end(&mut body)?;
    match u64::try_from(body.len()) == Ok(length) {
        true => Ok((status, keeps, body)),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The one certificate in the base64 of a PKCS#7.
fn certificate(body: &[u8]) -> io::Result<X509> {
    let text: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(text).map_err(io::Error::other)?;
    let pkcs7 = Pkcs7::from_der(&der).map_err(io::Error::other)?;
    let inside = pkcs7.signed().and_then(|signed| signed.certificates());
    let only = inside.filter(|all| all.len() == 1).and_then(|all| all.get(0));
    let only = only.ok_or_else(|| io::Error::other("the answer is not one certificate"))?;
    Ok(only.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_scheme_and_port() {
        let read = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        assert_eq!(read("https://hub.example.com"), Ok("hub.example.com:8443".into()));
        assert_eq!(read("127.0.0.1:99"), Ok("127.0.0.1:99".into()));
        assert_eq!(read("https://[::1]:9/"), Ok("[::1]:9".into()));
        assert_eq!(read("::1"), Ok("[::1]:8443".into()));
        for wrong in ["", "https://", "a b", "hub:x", "hub/path"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_read_to_its_length() {
        let text =
            "HTTP/1.1 403 Forbidden\r\ncontent-LENGTH: 3\r\nConnection: close\r\n\r\nno\nmore";
        let mut from = text.as_bytes();
        assert_eq!(answer(&mut from).unwrap(), (403, false, b"no\n".to_vec()));
        assert_eq!(from, b"more");
        assert!(answer(&mut "HTTP/1.1 200 OK\r\n\r\n".as_bytes()).is_err());
        assert!(answer(&mut "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx".as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes in any::<Vec<u8>>()) {
            let _ = answer(&mut bytes.as_slice());
            let _ = certificate(&bytes);
        }
    }
}
