//! `/metrics`, `/healthz` and `/readyz`.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use actors::metrics::Metrics;

/// The text format of Prometheus.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why monitoring cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Another program has the port.
    #[error(
        "monitoring.listen: {listen} is taken by another program; stop that or choose another port"
    )]
    Taken {
        /// The address and port.
        listen: SocketAddr,
    },
    /// The address is not this machine's, or the port is reserved, or the like.
    #[error("monitoring.listen: cannot listen on {listen}: {source}")]
    Unusable {
        /// The address and port.
        listen: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Whether the hub can take boards' messages; if not, why, in words for `/readyz`.
type Ready = dyn Fn() -> Result<(), String> + Send + Sync;

/// Takes the address and port, so that a taken one is found out before anything else is started.
pub fn bind(listen: SocketAddr) -> Result<TcpListener, HttpError> {
    TcpListener::bind(listen).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => HttpError::Taken { listen },
        _ => HttpError::Unusable { listen, source },
    })
}

/// Serves monitoring on `listen` while the returned future is polled, one worker thread beside it.
///
/// `ready` answers `/readyz`: `Err` with the reason in words is 503. It is called on the worker's
/// thread and must not wait.
pub fn monitoring(
    listen: SocketAddr,
    metrics: Arc<Metrics>,
    ready: impl Fn() -> Result<(), String> + Send + Sync + 'static,
) -> Result<Server, HttpError> {
    monitoring_on(bind(listen)?, metrics, ready)
}

/// Like [`monitoring`], on a port taken before with [`bind`].
pub fn monitoring_on(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    ready: impl Fn() -> Result<(), String> + Send + Sync + 'static,
) -> Result<Server, HttpError> {
    let unusable = |source| HttpError::Unusable { listen: unspecified(), source };
    let listen = listener.local_addr().map_err(unusable)?;
    let metrics = web::Data::from(metrics);
    let ready: web::Data<Ready> = web::Data::from(Arc::new(ready) as Arc<Ready>);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(metrics.clone())
            .app_data(ready.clone())
            .route("/metrics", web::get().to(encoded_metrics))
            .route("/healthz", web::get().to(healthz))
            .route("/readyz", web::get().to(readyz))
    });
    let server = server
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)
        .map_err(|source| HttpError::Unusable { listen, source })?;
    Ok(server.run())
}

fn unspecified() -> SocketAddr {
    SocketAddr::from((std::net::Ipv4Addr::UNSPECIFIED, 0))
}

async fn encoded_metrics(metrics: web::Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok().content_type(EXPOSITION).body(metrics.encode())
}

/// The process is there and answers; nothing more.
async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(ready: web::Data<Ready>) -> HttpResponse {
    match ready() {
        Ok(()) => HttpResponse::Ok().body("ready\n"),
        Err(reason) => HttpResponse::ServiceUnavailable().body(format!("not ready: {reason}\n")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpStream};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn get(at: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(at).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn metrics_and_health_are_served_and_readiness_follows_the_hub() {
        let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let at = listener.local_addr().unwrap();
        let is_ready = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is_ready);
        let ready = move || match asked.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err(String::from("sockets are not open yet")),
        };
        let (handle, stopped) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let server = monitoring_on(listener, Arc::new(Metrics::new()), ready).unwrap();
                handle.0.send(server.handle()).unwrap();
                server.await.unwrap();
            });
            stopped.0.send(()).unwrap();
        });
        let server = handle.1.recv().unwrap();

        let metrics = get(at, "/metrics");
        assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
        assert!(metrics.contains("text/plain; version=0.0.4"), "{metrics}");
        assert!(metrics.contains("hub_build_info"), "{metrics}");
        assert!(get(at, "/healthz").starts_with("HTTP/1.1 200"));
        let unready = get(at, "/readyz");
        assert!(unready.starts_with("HTTP/1.1 503"), "{unready}");
        assert!(unready.ends_with("not ready: sockets are not open yet\n"), "{unready}");
        is_ready.store(true, Ordering::SeqCst);
        assert!(get(at, "/readyz").starts_with("HTTP/1.1 200"));
        assert!(get(at, "/elsewhere").starts_with("HTTP/1.1 404"));

        drop(server.stop(false));
        stopped.1.recv().unwrap();
    }

    #[test]
    fn a_taken_port_is_one_line_that_names_it() {
        let first = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let at = first.local_addr().unwrap();
        let refused = bind(at).unwrap_err().to_string();
        assert!(refused.contains(&at.to_string()) && refused.contains("taken"), "{refused}");
        assert_eq!(refused.lines().count(), 1);
    }
}
