//! The hub's HTTPS server: TLS, what every request goes through, and the resources.
//!
//! Invariant: a client's certificate is asked for and taken as it is; TLS shows that the client has
//! its key, and each resource verifies it against whom it is to be from.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_tls::accept::openssl::TlsStream;
use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpServer, ResponseError as _, web};
use openssl::error::ErrorStack;

use super::answer::Refused;
use super::api::{self, Api};
use super::est::{self, Enrolment};
use super::lists::{self, Publication};
use super::rate::{Rate, whole};
use super::tls::Tls;
use super::ui;

/// Connections at a time; further ones wait in the system's queue.
const CONNECTIONS_MAX: usize = 4096;
/// How long a client may take for TLS, for a request's head, and to go.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection may be idle: a station's wait for its next board.
const IDLE: Duration = Duration::from_secs(75);

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// Another program has the port.
    #[error("https.listen: {listen} is taken by another program; stop that or choose another port")]
    Taken {
        /// The address and port.
        listen: SocketAddr,
    },
    /// The address is not this machine's, or the port is reserved, or the like.
    #[error("https.listen: cannot listen on {listen}: {source}")]
    Unusable {
        /// The address and port.
        listen: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// OpenSSL does not take the certificate or the key.
    #[error("https.certificate or https.key cannot be used for TLS")]
    Tls(#[source] ErrorStack),
}

/// The DER of the certificate that the client has shown in TLS, not verified.
#[derive(Clone, Debug)]
pub struct ClientCertificate(pub Arc<[u8]>);

/// Takes the address and port, so that a taken one is found out before anything else is started.
pub fn bind(listen: SocketAddr) -> Result<TcpListener, HttpsError> {
    TcpListener::bind(listen).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => HttpsError::Taken { listen },
        _ => HttpsError::Unusable { listen, source },
    })
}

/// What is served.
pub struct Services {
    /// Enrolment of boards.
    pub enrolment: Enrolment,
    /// What is revoked.
    pub publication: Publication,
    /// The API.
    pub api: Api,
}

/// Serves on `listener` while the returned future is polled.
pub fn https_on(
    listener: TcpListener,
    tls: &Tls,
    requests_per_source_s: u32,
    services: Services,
) -> Result<Server, HttpsError> {
    let unspecified = SocketAddr::from((std::net::Ipv4Addr::UNSPECIFIED, 0));
    let listen = listener.local_addr().unwrap_or(unspecified);
    let rate = web::Data::new(Rate::<IpAddr>::new(requests_per_source_s));
    let enrolment = web::Data::new(services.enrolment);
    let publication = web::Data::new(services.publication);
    let api = web::Data::new(services.api);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(rate.clone())
            .app_data(enrolment.clone())
            .app_data(publication.clone())
            .wrap(from_fn(within_rate))
            .configure(est::routes)
            .configure(lists::routes)
            .configure(|app| api::routes(app, &api))
            .default_service(web::to(ui::page))
    });
    let server = server
        .workers(2)
        .max_connections(CONNECTIONS_MAX)
        .worker_max_blocking_threads(est::AT_A_TIME)
        .tls_handshake_timeout(PATIENCE)
        .client_request_timeout(PATIENCE)
        .client_disconnect_timeout(PATIENCE)
        .keep_alive(IDLE)
        .disable_signals()
        .shutdown_timeout(1)
        .on_connect(|connection, about| {
            let Some(stream) = connection.downcast_ref::<TlsStream<TcpStream>>() else { return };
            let shown = stream.ssl().peer_certificate();
            if let Some(der) = shown.and_then(|certificate| certificate.to_der().ok()) {
                about.insert(ClientCertificate(der.into()));
            }
        })
        .listen_openssl(listener, tls.acceptor().map_err(HttpsError::Tls)?)
        .map_err(|source| HttpsError::Unusable { listen, source })?;
    Ok(server.run())
}

async fn within_rate(
    rate: web::Data<Rate<IpAddr>>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let source = request.peer_addr().map(|address| address.ip());
    if source.is_none_or(|source| rate.take(whole(source), Instant::now())) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let answer = Refused::new(429, "too many requests; wait a second").error_response();
    Ok(request.into_response(answer).map_into_boxed_body())
}
