//! The DTLS session: the modem does the cryptography, with keys that it lets nobody read.

use core::net::SocketAddr;

use board::Millis;
use board::modem::{Association, Before};
use embassy_time::{Duration, with_timeout};
use nrf_modem::nrfxlib_sys as sys;
use nrf_modem::socket::{Socket, SocketFamily, SocketOption, SocketProtocol, SocketType};
use nrf_modem::{CipherSuite, Error, PeerVerification};

use crate::site;

/// Bytes of the longest datagram.
pub(crate) const DATAGRAM_MAX: usize = 1280;
/// The modem repeats its flights for so many seconds.
const HANDSHAKE_S: i32 = 63;
const CONNECT: Duration = Duration::from_secs(120);

/// A session, or none.
pub(crate) struct Session {
    socket: Option<Socket>,
    association: Association,
}

impl Session {
    pub(crate) fn new() -> Self {
        let lay_by_after = u64::from(site::LISTENING_S) * 1000;
        Self { socket: None, association: Association::new(lay_by_after) }
    }

    /// Shakes hands with the hub; whether that succeeded.
    pub(crate) async fn connect(&mut self, now: Millis, tags: [u32; 2]) -> bool {
        self.close().await;
        match with_timeout(CONNECT, handshake(tags)).await {
            Ok(Ok(socket)) => {
                self.socket = Some(socket);
                self.association.handle_traffic(now);
                true
            }
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Sends a datagram; an error means that the session is of no more use. With `is_last` the network is told that
    /// after one answer there is nothing more to come, and releases the radio at once.
    pub(crate) async fn send(
        &mut self,
        now: Millis,
        datagram: &[u8],
        is_last: bool,
    ) -> Result<(), Error> {
        match self.association.before_sending() {
            Before::Nothing => {}
            Before::TakeUp if self.set(sys::NRF_SO_SEC_DTLS_CONN_LOAD, 1) => {}
            Before::TakeUp | Before::Handshake => {
                self.close().await;
                return Err(Error::Disconnected);
            }
        }
        let release = if is_last { sys::NRF_RAI_ONE_RESP } else { sys::NRF_RAI_ONGOING };
        let Some(socket) = &self.socket else { return Err(Error::Disconnected) };
        // Where the network has no release assistance this is refused, and changes nothing.
        set(socket, sys::NRF_SOL_SOCKET, sys::NRF_SO_RAI, release);
        let sent = socket.write(datagram).await;
        match sent {
            Ok(_) => {
                self.association.handle_traffic(now);
                Ok(())
            }
            Err(error) => {
                self.close().await;
                Err(error)
            }
        }
    }

    /// The next datagram's length; never while there is nothing to receive from. May be dropped and called again.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        match &self.socket {
            Some(socket) if self.association.is_open() => socket.receive(buffer).await,
            _ => core::future::pending().await,
        }
    }

    /// Something was received.
    pub(crate) fn handle_received(&mut self, now: Millis) {
        self.association.handle_traffic(now);
    }

    /// When [`Session::lay_by`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Millis> {
        self.association.poll_timeout()
    }

    /// Lets the modem keep the session while it sleeps.
    pub(crate) fn lay_by(&mut self, now: Millis) {
        if self.set(sys::NRF_SO_SEC_DTLS_CONN_SAVE, 1) {
            self.association.handle_laid_by();
        } else {
            self.association.handle_not_laid_by(now);
        }
    }

    /// Ends it; whether the modem thinks so too nobody waits for.
    pub(crate) async fn close(&mut self) {
        self.association.handle_lost();
        if let Some(socket) = self.socket.take() {
            let _ = socket.deactivate().await;
        }
    }

    fn set(&self, option: u32, value: u32) -> bool {
        self.socket.as_ref().is_some_and(|socket| set(socket, sys::NRF_SOL_SECURE, option, value))
    }
}

async fn handshake(tags: [u32; 2]) -> Result<Socket, Error> {
    /// The client takes the hub's Connection ID, and needs none of its own.
    const TAKES_CONNECTION_ID: i32 = 1;
    let suites = [CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 as i32];
    let address = nrf_modem::get_host_by_name(site::HUB).await?;
    let socket =
        Socket::create(SocketFamily::Ipv4, SocketType::Datagram, SocketProtocol::DTls1v2).await?;
    socket.set_option(SocketOption::TlsPeerVerify(PeerVerification::Enabled.as_integer()))?;
    socket.set_option(SocketOption::TlsHostName(site::HUB))?;
    socket.set_option(SocketOption::TlsTagList(&tags))?;
    socket.set_option(SocketOption::TlsCipherSuiteList(&suites))?;
    socket.set_option(SocketOption::DtlsHandshakeTimeout(HANDSHAKE_S))?;
    // Modem firmware before 1.3.5 has neither this nor what comes of it; it shakes hands more often.
    set(&socket, sys::NRF_SOL_SECURE, sys::NRF_SO_SEC_DTLS_CID, TAKES_CONNECTION_ID.unsigned_abs());
    socket.connect(SocketAddr::from((address, site::port()))).await?;
    Ok(socket)
}

/// Sets an option of the socket to a number; whether the modem took it. The library's own way would panic at a refusal
/// that it does not know.
fn set(socket: &Socket, level: u32, option: u32, value: u32) -> bool {
    let (level, option) = (level.cast_signed(), option.cast_signed());
    let value = value.cast_signed();
    // SAFETY: the descriptor is the socket's, and the value's address and length are its own.
    unsafe {
        sys::nrf_setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), 4) == 0
    }
}
