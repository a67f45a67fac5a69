//! Requests right and wrong, made with OpenSSL, and any bytes.

use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::stack::Stack;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509Name, X509Req, X509ReqBuilder};
use proptest::prelude::*;

use super::*;
use crate::trust::est::Request;

fn key(curve: Nid) -> PKey<Private> {
    PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap()).unwrap()
}

fn module_name(serial: &str) -> Vec<u8> {
    let serial = [&[0x04, u8::try_from(serial.len()).unwrap()], serial.as_bytes()].concat();
    let kind = [0x06, 9, 0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1];
    let content = [&kind[..], &serial].concat();
    [&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat()
}

fn request(
    key: &PKey<Private>,
    digest: MessageDigest,
    names: &[(Nid, &str)],
    modules: &[&str],
) -> X509Req {
    let mut subject = X509Name::builder().unwrap();
    for (kind, value) in names {
        subject.append_entry_by_nid(*kind, value).unwrap();
    }
    let mut builder = X509ReqBuilder::new().unwrap();
    builder.set_subject_name(&subject.build()).unwrap();
    builder.set_pubkey(key).unwrap();
    if !modules.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for serial in modules {
            let kind = openssl::asn1::Asn1Object::from_str("1.3.6.1.5.5.7.8.4").unwrap();
            names.other_name2(kind, &module_name(serial));
        }
        let name = names.build(&builder.x509v3_context(None)).unwrap();
        let mut extensions = Stack::new().unwrap();
        extensions.push(name).unwrap();
        builder.add_extensions(&extensions).unwrap();
    }
    builder.sign(key, digest).unwrap();
    builder.build()
}

fn id_of(names: &[(Nid, &str)], modules: &[&str]) -> Result<String, CsrError> {
    let key = key(Nid::X9_62_PRIME256V1);
    let der = request(&key, MessageDigest::sha256(), names, modules).to_der().unwrap();
    Request::check(&der).map(|request| request.board.to_string())
}

const CN: Nid = Nid::COMMONNAME;
const SN: Nid = Nid::SERIALNUMBER;

#[test]
fn the_hardware_id_is_the_module_name_else_the_serial_number_else_the_common_name() {
    assert_eq!(id_of(&[(CN, "a")], &[]), Ok("a".into()));
    assert_eq!(id_of(&[(CN, "a"), (SN, "b")], &[]), Ok("b".into()));
    assert_eq!(id_of(&[(CN, "a")], &["c"]), Ok("c".into()));
    assert_eq!(id_of(&[(SN, "c")], &["c"]), Ok("c".into()));
    assert_eq!(id_of(&[], &["c"]), Ok("c".into()));
}

#[test]
fn two_ids_none_and_no_board_id_are_refused() {
    assert_eq!(id_of(&[(SN, "b")], &["c"]), Err(CsrError::TwoHardwareIds));
    assert_eq!(id_of(&[], &["c", "d"]), Err(CsrError::TwoHardwareIds));
    assert_eq!(id_of(&[(CN, "a"), (CN, "b")], &[]), Err(CsrError::TwoHardwareIds));
    assert_eq!(id_of(&[], &[]), Err(CsrError::NoHardwareId));
    assert_eq!(id_of(&[(Nid::ORGANIZATIONNAME, "a")], &[]), Err(CsrError::NoHardwareId));
    assert_eq!(id_of(&[(CN, "a/b")], &[]), Err(CsrError::NotABoardId));
    assert_eq!(id_of(&[], &["\u{e9}"]), Err(CsrError::NotABoardId));
}

#[test]
fn other_keys_digests_and_signatures_are_refused() {
    let check = |request: &X509Req| Request::check(&request.to_der().unwrap()).err();
    let sha256 = MessageDigest::sha256();
    let names = [(CN, "a")];
    for curve in [Nid::X9_62_PRIME192V1, Nid::SECP224R1, Nid::SECP384R1, Nid::SECP256K1] {
        let request = request(&key(curve), sha256, &names, &[]);
        assert_eq!(check(&request), Some(CsrError::KeyUnsuited), "{curve:?}");
    }
    let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    assert_eq!(check(&request(&rsa, sha256, &names, &[])), Some(CsrError::KeyUnsuited));
    let p256 = key(Nid::X9_62_PRIME256V1);
    let sha1 = request(&p256, MessageDigest::sha1(), &names, &[]);
    assert_eq!(check(&sha1), Some(CsrError::SignatureUnsuited));

    let mut der = request(&p256, sha256, &names, &[]).to_der().unwrap();
    // The last byte is the signature's.
    *der.last_mut().unwrap() ^= 1;
    assert_eq!(Request::check(&der).err(), Some(CsrError::NotSigned));
    der.push(0);
    assert_eq!(Request::check(&der).err(), Some(CsrError::Malformed));
    assert_eq!(Request::check(&vec![0x30; CSR_MAX + 1]).err(), Some(CsrError::TooLarge));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in any::<Vec<u8>>()) {
        let _ = Request::check(&bytes);
    }

    #[test]
    fn a_damaged_request_never_names_another_board(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<proptest::sample::Index>(),
    ) {
        let key = key(Nid::X9_62_PRIME256V1);
        let request = request(&key, MessageDigest::sha256(), &[(CN, "CB-1")], &["CB-1"]);
        let whole = request.to_der().unwrap();
        let mut der = whole.clone();
        for (at, value) in damage {
            let at = at.index(der.len());
            der[at] = value;
        }
        let _ = Csr::parse(&der);
        if let Ok(taken) = Request::check(&der) {
            prop_assert_eq!(taken.board.as_str(), "CB-1");
        }
        prop_assert!(Request::check(&whole[..cut.index(whole.len())]).is_err());
    }
}
