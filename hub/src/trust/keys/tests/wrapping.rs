//! A wrapping key in a token, with SoftHSM as the token.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

use super::softhsm::{PIN, Token, with_token};
use super::*;

const MODULE: &str = "wrapping";
const KEY: [u8; 32] = [0x5a; 32];

fn open(token: &Token) -> WrappingKey {
    WrappingKey::open(token.options(), "vault").unwrap()
}

#[test]
fn what_a_token_sealed_opens_there_and_for_the_same_alone() {
    let name = "what_a_token_sealed_opens_there_and_for_the_same_alone";
    with_token(MODULE, name, |token| {
        let key = open(token);
        assert_eq!(key.name().unwrap(), None);
        let refused = key.seal(b"here", &KEY).unwrap_err();
        assert!(matches!(refused, KeyError::NoWrappingKey { .. }), "{refused}");
        key.make().unwrap();
        assert!(key.make().is_err(), "and is never made again");
        let name = key.name().unwrap().unwrap();
        assert!(name.starts_with("token key vault ") && name.len() == 24, "{name}");

        let sealed = key.seal(b"here", &KEY).unwrap();
        assert_ne!(sealed, key.seal(b"here", &KEY).unwrap());
        let key = open(token);
        let unsealed = |context: &[u8], sealed: &[u8]| {
            key.unseal(context, sealed).unwrap().map(|key| key.to_vec())
        };
        assert_eq!(unsealed(b"here", &sealed), Some(KEY.to_vec()));
        assert_eq!(unsealed(b"there", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(unsealed(b"here", &changed), None, "byte {at}");
        }
        for length in 0..sealed.len() {
            assert_eq!(unsealed(b"here", &sealed[..length]), None, "{length} bytes");
        }
        let other = WrappingKey::open(token.options(), "other").unwrap();
        other.make().unwrap();
        assert!(other.unseal(b"here", &sealed).unwrap().is_none());
    });
}

#[test]
fn a_wrapping_key_does_not_leave_its_token_nor_wrap_others_out_of_it() {
    let name = "a_wrapping_key_does_not_leave_its_token_nor_wrap_others_out_of_it";
    with_token(MODULE, name, |token| {
        open(token).make().unwrap();
        let session = token.session();
        let _ = session.login(UserType::User, Some(&AuthPin::new(PIN.into())));
        let find = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(b"vault".to_vec())];
        let key = session.find_objects(&find).unwrap()[0];
        let asked = [
            AttributeType::Sensitive,
            AttributeType::AlwaysSensitive,
            AttributeType::Extractable,
            AttributeType::NeverExtractable,
            AttributeType::Wrap,
        ];
        let expected = vec![
            Attribute::Sensitive(true),
            Attribute::AlwaysSensitive(true),
            Attribute::Extractable(false),
            Attribute::NeverExtractable(true),
            Attribute::Wrap(false),
        ];
        assert_eq!(session.get_attributes(key, &asked).unwrap(), expected);
        assert!(session.get_attributes(key, &[AttributeType::Value]).unwrap().is_empty());
        let secret =
            [Attribute::Token(false), Attribute::Wrap(true), Attribute::ValueLen(32.into())];
        let wrapping = session.generate_key(&Mechanism::AesKeyGen, &secret).unwrap();
        assert!(session.wrap_key(&Mechanism::AesKeyWrapPad, wrapping, key).is_err());
    });
}

#[test]
fn a_wrapping_key_is_found_again_after_its_token_was_lost() {
    let name = "a_wrapping_key_is_found_again_after_its_token_was_lost";
    with_token(MODULE, name, |token| {
        let key = open(token);
        key.make().unwrap();
        let sealed = key.seal(b"here", &KEY).unwrap();
        let session = token.session();
        for _ in 0..3 {
            session.logout().unwrap();
            assert!(key.unseal(b"here", &sealed).unwrap().is_some());
            session.logout().unwrap();
            assert!(key.name().unwrap().is_some());
        }
    });
}
