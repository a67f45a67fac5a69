//! Every fault that a certificate may have although its tenant's authority has signed it, and why it is
//! refused.

use std::sync::LazyLock;

use actors::refusal::Refusal;
use openssl::ec::{Asn1Flag, EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;

use super::der::{bits, integer, oid, sequence, tlv};
use super::form::{
    ALTERNATIVE_NAME, AUTHORITY_KEY, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, Extension, Form,
    KEY_USAGE, Key, P256, SHA1, SHA384, algorithm, module_name, name, public_key, time, usages,
    utc,
};

/// One fault.
pub struct Fault {
    pub name: &'static str,
    pub reason: Refusal,
    pub make: fn(Form) -> Form,
}

/// Public keys of other kinds than boards have: dear to make.
static KEYS: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(|| {
    let on = |curve| EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap();
    let mut explicit = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    explicit.set_asn1_flag(Asn1Flag::EXPLICIT_CURVE);
    let rsa = |bits| Rsa::generate(bits).unwrap().public_key_to_der().unwrap();
    vec![
        ("P-192", on(Nid::X9_62_PRIME192V1).public_key_to_der().unwrap()),
        ("P-224", on(Nid::SECP224R1).public_key_to_der().unwrap()),
        ("P-384", on(Nid::SECP384R1).public_key_to_der().unwrap()),
        ("secp256k1", on(Nid::SECP256K1).public_key_to_der().unwrap()),
        ("explicit", EcKey::generate(&explicit).unwrap().public_key_to_der().unwrap()),
        ("RSA-1024", rsa(1024)),
        ("RSA-2048", rsa(2048)),
        ("Ed25519", PKey::generate_ed25519().unwrap().public_key_to_der().unwrap()),
    ]
});

fn with_key(form: Form, name: &str) -> Form {
    let key = KEYS.iter().find(|(known, _)| *known == name).unwrap().1.clone();
    Form { key, ..form }
}

fn with_point(form: Form, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Form {
    let key = public_key(&oid(P256), &change(Key::number(3).point().to_vec()));
    Form { key, ..form }
}

fn instead(form: Form, kind: &'static str, value: Vec<u8>) -> Form {
    let is_critical = [BASIC_CONSTRAINTS, KEY_USAGE].contains(&kind);
    form.without(kind).with(Extension::new(kind, is_critical, value))
}

fn named(form: Form, names: &[Vec<u8>]) -> Form {
    instead(form, ALTERNATIVE_NAME, tlv(0x30, &names.concat()))
}

fn twice(mut form: Form, kind: &str) -> Form {
    let again = form.extension(kind).clone();
    form.with(again)
}

macro_rules! faults {
    ($($name:literal, $reason:ident, $make:expr;)+) => {
        &[$(Fault { name: $name, reason: Refusal::$reason, make: $make },)+]
    };
}

pub const FAULTS: &[Fault] = faults! {
    // What it is signed with.
    "SHA-1", WeakSignature, |form| Form { algorithm: SHA1, ..form };
    "another algorithm inside", BadSignature, |form| Form { inner: Some(algorithm(SHA384)), ..form };
    // Its key.
    "RSA-1024", UnsupportedCertificate, |form| with_key(form, "RSA-1024");
    "RSA-2048", UnsupportedCertificate, |form| with_key(form, "RSA-2048");
    "P-192", UnsupportedCertificate, |form| with_key(form, "P-192");
    "P-224", UnsupportedCertificate, |form| with_key(form, "P-224");
    "P-384", UnsupportedCertificate, |form| with_key(form, "P-384");
    "secp256k1", UnsupportedCertificate, |form| with_key(form, "secp256k1");
    "Ed25519", UnsupportedCertificate, |form| with_key(form, "Ed25519");
    "explicit parameters", UnsupportedCertificate, |form| with_key(form, "explicit");
    "a point beside the curve", UnsupportedCertificate, |form| with_point(form, |mut point| {
        point[40] ^= 1;
        point
    });
    "the point at infinity", UnsupportedCertificate, |form| with_point(form, |_| vec![0]);
    "a compressed point", UnsupportedCertificate, |form| with_point(form, |point| {
        [&[2 + (point[64] & 1)], &point[1..33]].concat()
    });
    "a point of P-256 called one of P-384", UnsupportedCertificate, |form| {
        Form { key: public_key(&oid("1.3.132.0.34"), Key::number(3).point()), ..form }
    };
    "no curve", UnsupportedCertificate, |form| {
        Form { key: public_key(&[5, 0], Key::number(3).point()), ..form }
    };
    "the name of the curve under another tag", UnsupportedCertificate, |form| {
        let mut curve = oid(P256);
        curve[0] = 0x0e;
        Form { key: public_key(&curve, Key::number(3).point()), ..form }
    };
    "a kind of key that nobody knows", UnsupportedCertificate, |form| {
        let kind = sequence(&[&oid("1.3.6.1.4.1.99999.7")]);
        Form { key: sequence(&[&kind, &bits(Key::number(3).point())]), ..form }
    };
    // When it is valid.
    "expired", Expired, |form| Form { ends: utc("200102000000Z"), ..form };
    "not valid yet", NotYetValid, |form| Form { begins: time("90000101000000Z"), ..form };
    "a beginning that is no time", UnsupportedCertificate, |form| {
        Form { begins: utc("2001-01-01"), ..form }
    };
    "an end that is no time", UnsupportedCertificate, |form| Form { ends: utc("99"), ..form };
    "an end that is text", UnsupportedCertificate, |form| {
        Form { ends: tlv(0x0c, b"99991231235959Z"), ..form }
    };
    // What it may do.
    "for servers", WrongKeyUsage, |form| {
        instead(form, EXTENDED_KEY_USAGE, usages(&["1.3.6.1.5.5.7.3.1"]))
    };
    "for whatever", WrongKeyUsage, |form| {
        instead(form, EXTENDED_KEY_USAGE, usages(&["2.5.29.37.0"]))
    };
    "for nothing", WrongKeyUsage, |form| instead(form, EXTENDED_KEY_USAGE, usages(&[]));
    "key agreement alone", WrongKeyUsage, |form| instead(form, KEY_USAGE, tlv(3, &[3, 0x08]));
    "an authority", IsAuthority, |form| {
        instead(form, BASIC_CONSTRAINTS, sequence(&[&[1, 1, 0xff]]))
    };
    "a true that is no DER", IsAuthority, |form| {
        instead(form, BASIC_CONSTRAINTS, sequence(&[&[1, 1, 0x01]]))
    };
    "a key that signs certificates", IsAuthority, |form| {
        instead(form, KEY_USAGE, tlv(3, &[2, 0x84]))
    };
    "a key that signs certificates alone", IsAuthority, |form| {
        instead(form, KEY_USAGE, tlv(3, &[2, 0x04]))
    };
    // Whose it is.
    "no alternative name", NoHardwareId, |form| form.without(ALTERNATIVE_NAME);
    "another alternative name", NoHardwareId, |form| named(form, &[tlv(0x82, b"CB-9")]);
    "two hardware ids", UnsupportedCertificate, |form| {
        named(form, &[module_name(b"CB-1"), module_name(b"CB-2")])
    };
    "a hardware id that is none", UnsupportedCertificate, |form| named(form, &[module_name(b"a/b")]);
    "a hardware id with a nought", UnsupportedCertificate, |form| {
        named(form, &[module_name(b"CB-1\0")])
    };
    "a hardware id that nobody has", UnknownBoard, |form| named(form, &[module_name(b"CB-0")]);
    "another tenant's hardware id", OtherTenant, |form| named(form, &[module_name(b"OT-1")]);
    // Its form.
    "version 1", UnsupportedCertificate, |form| {
        Form { version: Vec::new(), extensions: Vec::new(), ..form }
    };
    "version 1 with extensions", UnsupportedCertificate, |form| {
        Form { version: Vec::new(), ..form }
    };
    "version 2", UnsupportedCertificate, |form| Form { version: tlv(0xa0, &integer(&[1])), ..form };
    "version 4", UnsupportedCertificate, |form| Form { version: tlv(0xa0, &integer(&[3])), ..form };
    "the serial number 0", UnsupportedCertificate, |form| Form { serial: tlv(2, &[0]), ..form };
    "a negative serial number", UnsupportedCertificate, |form| {
        Form { serial: tlv(2, &[0xff, 1]), ..form }
    };
    "no serial number", UnsupportedCertificate, |form| Form { serial: tlv(2, &[]), ..form };
    "a padded serial number", UnsupportedCertificate, |form| {
        Form { serial: tlv(2, &[0, 0, 1]), ..form }
    };
    "a serial number that no list has room for", UnsupportedCertificate, |form| {
        Form { serial: tlv(2, &[1; 21]), ..form }
    };
    "basic constraints twice", UnsupportedCertificate, |form| twice(form, BASIC_CONSTRAINTS);
    "key usage twice", UnsupportedCertificate, |form| twice(form, KEY_USAGE);
    "alternative names twice", UnsupportedCertificate, |form| twice(form, ALTERNATIVE_NAME);
    "the authority's key twice", UnsupportedCertificate, |form| twice(form, AUTHORITY_KEY);
    "basic constraints that are none", UnsupportedCertificate, |form| {
        instead(form, BASIC_CONSTRAINTS, vec![1, 2, 3])
    };
    "a critical extension that nobody knows", UnknownExtension, |form| {
        form.with(Extension::new("1.3.6.1.4.1.99999.7", true, vec![5, 0]))
    };
    // Who issued it, as it says itself.
    "another issuer's name", UnknownAuthority, |form| Form { issuer: name("somebody"), ..form };
    "another issuer's key", UnknownAuthority, |form| {
        instead(form, AUTHORITY_KEY, sequence(&[&tlv(0x80, &[1; 20])]))
    };
};
