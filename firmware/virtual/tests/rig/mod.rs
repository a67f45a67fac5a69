//! A PKI and fixture folder made on the spot, and a hub on OpenSSL's DTLS that answers CoAP.
#![allow(dead_code, reason = "each test file uses its part of the rig")]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use coap_lite::{CoapOption, MessageClass, MessageType, Packet};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslOptions, SslStream, SslVerifyMode};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};
use wire::Value;

/// A certificate and its key.
pub(crate) struct Party {
    pub(crate) certificate: X509,
    pub(crate) key: PKey<Private>,
}

impl Party {
    pub(crate) fn authority(name: &str) -> Self {
        Self::new(name, None, None)
    }

    pub(crate) fn issue(&self, name: &str, dns: Option<&str>) -> Self {
        Self::new(name, dns, Some(self))
    }

    fn new(name: &str, dns: Option<&str>, issuer: Option<&Self>) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut subject = X509Name::builder().unwrap();
        subject.append_entry_by_text("CN", name).unwrap();
        let subject = subject.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let mut serial = BigNum::new().unwrap();
        serial.rand(100, openssl::bn::MsbOption::ONE, false).unwrap();
        builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&subject).unwrap();
        let issuer_name = issuer.map_or(&*subject, |ca| ca.certificate.subject_name());
        builder.set_issuer_name(issuer_name).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        if issuer.is_none() {
            let ca = BasicConstraints::new().critical().ca().build().unwrap();
            builder.append_extension(ca).unwrap();
        }
        if let Some(dns) = dns {
            let context = builder.x509v3_context(None, None);
            let san = SubjectAlternativeName::new().dns(dns).build(&context).unwrap();
            builder.append_extension(san).unwrap();
        }
        builder.sign(issuer.map_or(&key, |ca| &ca.key), MessageDigest::sha256()).unwrap();
        Self { certificate: builder.build(), key }
    }
}

/// A fixture folder as `cellular-hub fixture` lays it out.
pub(crate) fn write_fixture(dir: &Path, root: &Party, tenant: &Party, boards: usize) {
    let shard = dir.join("boards/0000");
    fs::create_dir_all(&shard).unwrap();
    fs::create_dir_all(dir.join("pki")).unwrap();
    fs::write(dir.join("pki/root.pem"), root.certificate.to_pem().unwrap()).unwrap();
    let mut list = String::from("board,tenant,path\n");
    for index in 0..boards {
        let id = format!("CB-{index:08}");
        let board = tenant.issue(&id, None);
        let file = |suffix| shard.join(format!("{id}.{suffix}"));
        fs::write(file("cert.der"), board.certificate.to_der().unwrap()).unwrap();
        fs::write(file("key.der"), board.key.private_key_to_pkcs8().unwrap()).unwrap();
        fs::write(file("cert.pem"), board.certificate.to_pem().unwrap()).unwrap();
        fs::write(file("key.pem"), board.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        list += &format!("{id},tenant-0,boards/0000/{id}\n");
    }
    fs::write(dir.join("boards.csv"), list).unwrap();
}

/// The time of day that the hub tells, far from any other: in 2049.
pub(crate) const HUB_TIME_S: u64 = 2_500_000_000;

/// What the hub answers to the n-th message of one association: a code and a Max-Age.
pub(crate) type Answers = fn(usize) -> (u8, Option<u8>);

/// What the hub saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Board and counter of every reading that was answered 2.04.
    pub(crate) accepted: BTreeSet<(String, i64)>,
    /// What the packs of those say of the time, in the order they came.
    pub(crate) times: Vec<Option<f64>>,
    pub(crate) handshakes: usize,
    pub(crate) ciphers: BTreeSet<String>,
    pub(crate) without_extended_master_secret: usize,
}

/// Serves until the process ends; every association has a thread, as only a test may.
pub(crate) fn start_hub(
    server: &Party,
    tenant: &Party,
    answers: Answers,
) -> (SocketAddr, Arc<Mutex<Seen>>) {
    let mut context = SslContext::builder(SslMethod::dtls_server()).unwrap();
    context.set_certificate(&server.certificate).unwrap();
    context.set_private_key(&server.key).unwrap();
    context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    context.cert_store_mut().add_cert(tenant.certificate.clone()).unwrap();
    context.set_options(SslOptions::NO_QUERY_MTU);
    let context = context.build();
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = socket.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let all = Arc::clone(&seen);
    thread::spawn(move || {
        let mut peers: HashMap<SocketAddr, Sender<Vec<u8>>> = HashMap::new();
        let mut buffer = [0; 2048];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let datagram = buffer[..length].to_vec();
            let sender = peers.entry(peer).or_insert_with(|| {
                let (sender, received) = channel();
                let stream = Datagrams { socket: Arc::clone(&socket), peer, received };
                let (context, seen) = (context.clone(), Arc::clone(&all));
                thread::spawn(move || serve(&context, stream, answers, &seen));
                sender
            });
            drop(sender.send(datagram));
        }
    });
    (address, seen)
}

fn serve(context: &SslContext, stream: Datagrams, answers: Answers, seen: &Mutex<Seen>) {
    let mut ssl = Ssl::new(context).unwrap();
    ssl.set_mtu(1200).unwrap();
    let mut stream = SslStream::new(ssl, stream).unwrap();
    if stream.accept().is_err() {
        return;
    }
    let certificate = stream.ssl().peer_certificate().unwrap();
    let name = certificate.subject_name().entries_by_nid(Nid::COMMONNAME).next().unwrap();
    let board = String::from_utf8(name.data().as_slice().to_vec()).unwrap();
    {
        let mut seen = seen.lock().unwrap();
        seen.handshakes += 1;
        seen.ciphers.insert(stream.ssl().current_cipher().unwrap().name().to_owned());
        seen.without_extended_master_secret +=
            usize::from(stream.ssl().extms_support() != Some(true));
    }
    let mut buffer = [0; 2048];
    for count in 0.. {
        let Ok(length @ 1..) = stream.read(&mut buffer) else { return };
        let request = Packet::from_bytes(&buffer[..length]).unwrap();
        let asks_time = request.get_first_option(CoapOption::UriPath).is_some_and(|p| p == b"time");
        let (code, max_age) = if asks_time { (0x45, Some(0)) } else { answers(count) };
        if code == 0x44 {
            let first = wire::readings(&request.payload).unwrap().next().unwrap().unwrap();
            assert_eq!(first.to_string(), format!("{board}/seq"));
            let Value::I64(seq) = first.reading.value else { panic!("{first:?}") };
            let mut seen = seen.lock().unwrap();
            seen.accepted.insert((board.clone(), seq));
            seen.times.push(first.reading.time);
        }
        let mut answer = Packet::new();
        answer.header.set_type(MessageType::Acknowledgement);
        answer.header.message_id = request.header.message_id;
        answer.header.code = MessageClass::from(code);
        answer.set_token(request.get_token().to_vec());
        if let Some(max_age) = max_age {
            answer.add_option(CoapOption::MaxAge, vec![max_age]);
        }
        if asks_time {
            answer.payload = wire::write_time(HUB_TIME_S * 1000).to_vec();
        }
        stream.write_all(&answer.to_bytes().unwrap()).unwrap();
    }
}

struct Datagrams {
    socket: Arc<UdpSocket>,
    peer: SocketAddr,
    received: Receiver<Vec<u8>>,
}

impl Read for Datagrams {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Ok(datagram) = self.received.recv() else { return Ok(0) };
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        Ok(length)
    }
}

impl Write for Datagrams {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.socket.send_to(datagram, self.peer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
