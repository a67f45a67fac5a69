//! The generator's client against a server nobody here wrote: OpenSSL's, in memory.
#![expect(clippy::unwrap_used, reason = "a test's failure is its report")]

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Instant;

use actors::link::cipher::Suite;
use benches::load::client::{ConnectionIds, Established, Handshake, Profile};
use benches::load::coap::Post;
use benches::load::fixture::Credentials;
use benches::load::session::Session;
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslMethod, SslOptions, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509Name};

#[derive(Default)]
struct Wire {
    inbound: VecDeque<Vec<u8>>,
    outbound: VecDeque<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.inbound.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        datagram.as_slice().read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outbound.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn credentials() -> Credentials {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "CB-00000000").unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    Credentials { certificate: certificate.build(), key }
}

fn server(credentials: &Credentials) -> SslStream<Wire> {
    let mut builder = SslContext::builder(SslMethod::dtls_server()).unwrap();
    builder.set_min_proto_version(Some(SslVersion::DTLS1_2)).unwrap();
    builder.set_security_level(0);
    builder.set_cipher_list("ECDHE-ECDSA-AES128-GCM-SHA256:AES128-CCM8:AES128-CCM:ALL").unwrap();
    builder.set_options(SslOptions::NO_QUERY_MTU);
    builder.set_certificate(&credentials.certificate).unwrap();
    builder.set_private_key(&credentials.key).unwrap();
    // Any board will do here; the hub's own tests are about which.
    builder
        .set_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, |_, _| {
            true
        });
    let mut ssl = Ssl::new(&builder.build()).unwrap();
    ssl.set_accept_state();
    ssl.set_mtu(1200).unwrap();
    SslStream::new(ssl, Wire::default()).unwrap()
}

fn shaken(suite: Suite) -> (SslStream<Wire>, Established) {
    let credentials = credentials();
    let mut server = server(&credentials);
    let profile = Profile::new(suite, ConnectionIds::Offered).unwrap();
    let mut client = Handshake::new(&profile, &credentials).unwrap();
    assert!(client.drive().unwrap().is_none());
    for _ in 0..10 {
        while let Some(datagram) = client.poll_transmit().unwrap() {
            server.get_mut().inbound.push_back(datagram);
        }
        match server.do_handshake() {
            Ok(()) => {}
            Err(error) => assert_eq!(error.code(), ErrorCode::WANT_READ, "{error}"),
        }
        while let Some(datagram) = server.get_mut().outbound.pop_front() {
            if let Some(established) = client.handle_datagram(&datagram).unwrap() {
                return (server, established);
            }
        }
    }
    unreachable!("ten rounds without an end");
}

#[test]
fn records_go_both_ways_with_each_suite() {
    for suite in Suite::ALL {
        let (mut server, established) = shaken(suite);
        assert!(established.cid.is_empty(), "openssl knows no connection id");
        let (mut session, mut datagram) = (Session::new(established, 7), Vec::new());
        let post = Post::new("d", 64);
        session.post(Instant::now(), &post, &mut datagram).unwrap();
        server.get_mut().inbound.push_back(datagram.clone());
        let mut request = [0; 200];
        let length = server.ssl_read(&mut request).unwrap();
        assert_eq!(request.get(..6).unwrap(), [0x42, 2, 0, 7, 0, 7]);
        assert_eq!(length, 6 + 2 + 2 + 1 + 64);

        server.ssl_write(&[0x62, 0x44, 0, 7, 0, 7]).unwrap();
        let answer = server.get_mut().outbound.pop_front().unwrap();
        let mut finished = Vec::new();
        let mut reply = Vec::new();
        session.handle_datagram(Instant::now(), &answer, Some(&post), &mut reply, |end| {
            finished.push(end)
        });
        assert_eq!(finished.iter().map(|end| end.code).collect::<Vec<_>>(), [0x44]);
        assert!(reply.is_empty());
        session.handle_datagram(Instant::now(), &answer, Some(&post), &mut reply, |end| {
            finished.push(end)
        });
        assert_eq!((finished.len(), session.in_flight()), (1, 0), "a replay was taken");
    }
}

#[test]
fn a_close_notification_is_understood() {
    let (mut server, established) = shaken(Suite::EcdheEcdsaAes128GcmSha256);
    let mut datagram = Vec::new();
    Session::new(established, 0).close(&mut datagram).unwrap();
    server.get_mut().inbound.push_back(datagram);
    let ended = server.ssl_read(&mut [0; 10]).unwrap_err();
    assert_eq!(ended.code(), ErrorCode::ZERO_RETURN);
}
