//! Getting to a broker that takes deliveries: name, TCP, TLS, CONNECT, CONNACK, all within one limit.
//! Invariant: returns a connection whose broker has accepted us, or the reason why there is none.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::tokio_native_tls::native_tls;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::dialect::{Dialect, Received};
use super::probe::{Stage, Stages};
use super::spec::Spec;
use crate::metrics::ConnectionEnd;

/// Limit for everything from the name to the CONNACK.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Sent data that nobody confirms for so long ends the connection (Linux: `TCP_USER_TIMEOUT`).
const UNCONFIRMED_MAX: Duration = Duration::from_secs(15);

/// TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// A broker that has accepted us.
pub(super) struct Connection {
    pub(super) stream: Box<dyn Stream>,
    /// Bytes that came behind the CONNACK.
    pub(super) received: BytesMut,
    pub(super) dialect: Dialect,
    pub(super) in_flight_max: u16,
    pub(super) packet_max: usize,
    pub(super) keep_alive: Duration,
}

/// Why there is no connection, or no more.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) end: ConnectionEnd,
    /// For the log; from the system, OpenSSL or a closed set, never a payload.
    pub(super) detail: String,
}

impl Failure {
    pub(super) fn new(end: ConnectionEnd, detail: impl ToString) -> Self {
        Self { end, detail: detail.to_string() }
    }

    /// A connection that broke.
    pub(super) fn broken(error: &io::Error) -> Self {
        // The TLS library's own errors come wrapped; a refused client certificate is one of them.
        let end = if error.get_ref().is_some_and(|inner| inner.is::<openssl::ssl::Error>()) {
            ConnectionEnd::Tls
        } else {
            ConnectionEnd::Closed
        };
        Self::new(end, error)
    }
}

/// Connects once; `stages` says how far it came.
pub(super) async fn connect(spec: &Spec, stages: &mut Stages) -> Result<Connection, Failure> {
    match tokio::time::timeout(CONNECT_WITHIN, attempt(spec, stages)).await {
        Ok(result) => result,
        Err(_) => Err(Failure::new(ConnectionEnd::TimedOut, "no answer while connecting")),
    }
}

async fn attempt(spec: &Spec, stages: &mut Stages) -> Result<Connection, Failure> {
    let tcp = tcp(&spec.host, spec.port, stages).await?;
    let mut stream: Box<dyn Stream> = match &spec.tls {
        None => Box::new(tcp),
        Some(tls) => {
            stages.enter(Stage::Tls);
            Box::new(tls.connect(&spec.host, tcp).await.map_err(|error| refused(&error))?)
        }
    };
    stages.enter(Stage::Login);
    let hello = spec
        .dialect
        .connect(&spec.introduction)
        .map_err(|_| Failure::new(ConnectionEnd::Internal, "the CONNECT packet is too large"))?;
    stream.write_all(&hello).await.map_err(|error| Failure::broken(&error))?;
    stream.flush().await.map_err(|error| Failure::broken(&error))?;
    let mut received = BytesMut::with_capacity(4096);
    let answer = loop {
        match spec.dialect.read(&mut received) {
            Ok(Some(answer)) => break answer,
            Ok(None) => {}
            Err(error) => return Err(Failure::new(ConnectionEnd::Protocol, error)),
        }
        match stream.read_buf(&mut received).await {
            Ok(0) => return Err(Failure::new(ConnectionEnd::Closed, "closed before CONNACK")),
            Ok(_) => {}
            Err(error) => return Err(Failure::broken(&error)),
        }
    };
    let terms = match answer {
        Received::Welcome(terms) => terms,
        Received::Rejected { unauthorised, code } => {
            let end =
                if unauthorised { ConnectionEnd::Unauthorised } else { ConnectionEnd::Rejected };
            return Err(Failure::new(end, format_args!("CONNACK {code}")));
        }
        Received::Goodbye(reason) => {
            return Err(Failure::new(ConnectionEnd::Rejected, format_args!("DISCONNECT {reason}")));
        }
        Received::Acknowledged { .. } | Received::Pong | Received::Uncalled => {
            return Err(Failure::new(ConnectionEnd::Protocol, "no CONNACK came first"));
        }
    };
    if !terms.acknowledges {
        return Err(Failure::new(ConnectionEnd::Incompatible, "the broker allows QoS 0 only"));
    }
    Ok(Connection {
        stream,
        received,
        dialect: spec.dialect,
        in_flight_max: spec.in_flight_max.min(terms.in_flight_max).max(1),
        packet_max: terms.packet_max,
        keep_alive: terms.keep_alive.unwrap_or(spec.introduction.keep_alive),
    })
}

async fn tcp(host: &str, port: u16, stages: &mut Stages) -> Result<TcpStream, Failure> {
    stages.enter(Stage::Resolve);
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| Failure::new(ConnectionEnd::Unresolved, error))?;
    stages.enter(Stage::Connect);
    let mut last = Failure::new(ConnectionEnd::Unresolved, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                // Both are improvements; a socket that refuses them still works.
                let _ = tcp.set_nodelay(true);
                let _ = socket2::SockRef::from(&tcp).set_tcp_user_timeout(Some(UNCONFIRMED_MAX));
                return Ok(tcp);
            }
            Err(error) => last = Failure::new(ConnectionEnd::Unreachable, error),
        }
    }
    Err(last)
}

/// OpenSSL's verdict is only in the text: native-tls does not show its own error type.
fn refused(error: &native_tls::Error) -> Failure {
    let text = error.to_string();
    let end = if !text.contains("certificate verify failed") {
        ConnectionEnd::Tls
    } else if text.to_ascii_lowercase().contains("address mismatch")
        || text.to_ascii_lowercase().contains("hostname mismatch")
    {
        ConnectionEnd::WrongName
    } else {
        ConnectionEnd::Untrusted
    };
    Failure::new(end, text)
}
