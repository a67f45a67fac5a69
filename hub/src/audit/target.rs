//! Where syslog messages go: a collector over UDP (RFC 5426), TCP (RFC 6587, octets counted) or TLS
//! (RFC 5425).

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{HandshakeError, SslConnector, SslMethod, SslStream};

/// How long a collector may take for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// A collector.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    protocol: Protocol,
    host: String,
    port: u16,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Protocol {
    Udp,
    Tcp,
    Tls,
}

/// Why a collector has not got the messages.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It cannot be reached, or has gone away.
    #[error("the collector cannot be reached: {0}")]
    Io(#[from] io::Error),
    /// TLS could not be prepared.
    #[error("TLS towards the collector cannot be prepared")]
    Prepare(#[from] ErrorStack),
    /// It is not who it should be, or speaks no TLS.
    #[error("no TLS with the collector: {0}")]
    Tls(#[from] Box<HandshakeError<TcpStream>>),
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "a collector is as udp://host:514, tcp://host:601 or tls://host:6514";
        let (protocol, rest) = text.split_once("://").ok_or(RULE)?;
        let (protocol, port) = match protocol {
            "udp" => (Protocol::Udp, 514),
            "tcp" => (Protocol::Tcp, 601),
            "tls" => (Protocol::Tls, 6514),
            _ => return Err(RULE),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| RULE)?)
            }
            _ => (rest, port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match host.is_empty() || host.contains(['/', '@']) {
            true => Err(RULE),
            false => Ok(Self { protocol, host: host.to_owned(), port }),
        }
    }
}

/// A way to a collector that is open.
pub enum Writer {
    /// A message is a datagram.
    Udp(UdpSocket),
    /// Messages behind each other, each with its length.
    Tcp(TcpStream),
    /// The same, over TLS.
    Tls(Box<SslStream<TcpStream>>),
}

impl Target {
    /// Opens the way; `ca` is what to verify the collector against instead of the system's.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn open(&self, ca: Option<&[u8]>) -> Result<Writer, TargetError> {
        let found = (self.host.as_str(), self.port).to_socket_addrs()?.next();
        let address = found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        if self.protocol == Protocol::Udp {
            let any = match address.is_ipv4() {
                true => "0.0.0.0:0",
                false => "[::]:0",
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(address)?;
            return Ok(Writer::Udp(socket));
        }
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        if self.protocol == Protocol::Tcp {
            return Ok(Writer::Tcp(stream));
        }
        let mut tls = SslConnector::builder(SslMethod::tls_client())?;
        if let Some(pem) = ca {
            for certificate in openssl::x509::X509::stack_from_pem(pem)? {
                tls.cert_store_mut().add_cert(certificate)?;
            }
        }
        let stream = tls.build().connect(&self.host, stream).map_err(Box::new)?;
        Ok(Writer::Tls(Box::new(stream)))
    }
}

impl Writer {
    /// Gives it a message.
    ///
    /// # Errors
    /// What the system says.
    pub fn send(&mut self, message: &str) -> io::Result<()> {
        let counted = |to: &mut dyn Write| {
            write!(to, "{} {message}", message.len())?;
            to.flush()
        };
        match self {
            Self::Udp(socket) => socket.send(message.as_bytes()).map(drop),
            Self::Tcp(stream) => counted(stream),
            Self::Tls(stream) => counted(stream),
        }
    }

    /// Says that nothing follows.
    pub fn close(self) {
        if let Self::Tls(mut stream) = self {
            // Whether it hears that changes nothing.
            let _ = stream.shutdown();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_collector_has_a_protocol_a_host_and_perhaps_a_port() {
        let of = |text: &str| text.parse::<Target>().map(|it| (it.protocol, it.host, it.port));
        assert_eq!(of("udp://log"), Ok((Protocol::Udp, "log".into(), 514)));
        assert_eq!(of("tls://log.example:1"), Ok((Protocol::Tls, "log.example".into(), 1)));
        assert_eq!(of("tcp://[::1]:602"), Ok((Protocol::Tcp, "::1".into(), 602)));
        for bad in
            ["", "log", "http://log", "udp://", "tcp://log:x", "tcp://log:70000", "tls://a/b"]
        {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_collector_or_refused(text in any::<String>()) {
            let _ = text.parse::<Target>();
        }
    }
}
