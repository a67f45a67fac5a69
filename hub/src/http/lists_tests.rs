//! Questions after single certificates beside certificates that are to be issued, with a key store that is
//! slow and does one thing at a time.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use storage::{NewAuthority, Origin, Quota, Store, Tenant, TenantState};
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::{ObjectIdentifier, OctetString, OctetStringRef};
use x509_cert::ext::Extension;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::*;
use crate::trust::keys::{KeyError, KeyLabel, KeyStore, MemoryStore, PublicKey};
use crate::trust::{Authorities, Expiry, ListLives, Pki, new_key};

/// How long a signature takes.
const SLOW: Duration = Duration::from_millis(5);
const QUESTIONS: u8 = 200;
const CERTIFICATES: usize = 20;

/// A module that signs in the order in which it is asked, one after the other.
#[derive(Debug, Default)]
struct Slow {
    keys: MemoryStore,
    /// The next number that is drawn, and the one whose turn it is.
    queue: Mutex<(u64, u64)>,
    turned: Condvar,
    signed: AtomicUsize,
}

impl KeyStore for Slow {
    fn generate(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        self.keys.generate(label)
    }

    fn public_key(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        self.keys.public_key(label)
    }

    #[expect(clippy::disallowed_methods, reason = "a module that takes its time")]
    fn sign(&self, label: &KeyLabel, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut queue = self.queue.lock().unwrap();
        let own = queue.0;
        queue.0 += 1;
        drop(self.turned.wait_while(queue, |queue| queue.1 != own).unwrap());
        std::thread::sleep(SLOW);
        self.signed.fetch_add(1, Ordering::SeqCst);
        self.queue.lock().unwrap().1 += 1;
        self.turned.notify_all();
        self.keys.sign(label, message)
    }

    fn labels(&self) -> Result<Vec<KeyLabel>, KeyError> {
        self.keys.labels()
    }

    fn import_plain(&self, _: &KeyLabel) -> Result<Option<PathBuf>, KeyError> {
        Ok(None)
    }

    fn describe(&self) -> String {
        self.keys.describe()
    }
}

/// A question with this nonce, so that nobody else's answer is its own.
fn question(nonce: u8) -> Vec<u8> {
    let hash = || OctetString::new([7; 20]).unwrap();
    let oid = ObjectIdentifier::new_unwrap;
    let asked = x509_ocsp::Request {
        req_cert: x509_ocsp::CertId {
            hash_algorithm: AlgorithmIdentifierOwned {
                oid: oid("1.3.14.3.2.26"),
                parameters: None,
            },
            issuer_name_hash: hash(),
            issuer_key_hash: hash(),
            serial_number: 5_u8.into(),
        },
        single_request_extensions: None,
    };
    let text = OctetStringRef::new(&[nonce]).unwrap().to_der().unwrap();
    let nonce = Extension {
        extn_id: oid("1.3.6.1.5.5.7.48.1.2"),
        critical: false,
        extn_value: OctetString::new(text).unwrap(),
    };
    let tbs_request = x509_ocsp::TbsRequest {
        request_list: vec![asked],
        request_extensions: Some(vec![nonce]),
        ..x509_ocsp::TbsRequest::default()
    };
    x509_ocsp::OcspRequest { tbs_request, optional_signature: None }.to_der().unwrap()
}

#[actix_web::test]
async fn one_answer_at_most_is_signed_before_each_certificate_that_waits() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let module = Arc::new(Slow::default());
    let keys = Arc::clone(&module) as Arc<dyn KeyStore>;
    let (pki, made) = (Pki::new(&folder.path().join("pki"), keys), UnixSeconds(1_770_000_000));
    pki.init(&["localhost".parse().unwrap()], made).unwrap();
    let id: TenantId = "acme".parse().unwrap();
    let (authority, _) = pki.add_tenant(&id, made).unwrap();
    let tenant = Tenant {
        id: id.clone(),
        name: String::new(),
        state: TenantState::Active,
        created: made,
        issuer: None,
        quota: Quota::default(),
    };
    store.tenants().put(&tenant).unwrap();
    let certificate = authority.certificate().to_vec();
    let origin = Origin::Own { key: KeyLabel::tenant(&id).to_string() };
    let new = NewAuthority { tenant: id.clone(), certificate, origin, added: made };
    let number = store.authorities().put_new(new).unwrap().number;
    store.authorities().issue_with(&id, Some(number)).unwrap();
    let lives = ListLives { list_s: 3600, answer_s: 600 };
    let lists = Arc::new(Lists::new(Authorities::new(pki, store), lives));
    let metrics = Arc::new(Metrics::new());
    let publication = Rc::new(Publication::new(lists, true, Arc::clone(&metrics)));

    let flood: Vec<_> = (0..QUESTIONS)
        .map(|nonce| {
            let publication = Rc::clone(&publication);
            actix_web::rt::spawn(async move {
                status(&publication, "acme", question(nonce)).await.unwrap().status()
            })
        })
        .collect();
    let signing = Arc::clone(&module);
    let others = web::block(move || {
        let before = signing.signed.load(Ordering::SeqCst);
        while signing.signed.load(Ordering::SeqCst) == before {
            std::thread::yield_now();
        }
        let before = signing.signed.load(Ordering::SeqCst);
        let key = PublicKey::of(&new_key().unwrap()).unwrap();
        for _ in 0..CERTIFICATES {
            let board = "CB-1".parse().unwrap();
            authority.issue_board(&board, &key, Expiry::Years(1), made).unwrap();
        }
        signing.signed.load(Ordering::SeqCst) - before - CERTIFICATES
    })
    .await
    .unwrap();
    println!("{others} answers beside {CERTIFICATES} certificates");
    assert!(others <= CERTIFICATES + 1, "{others}");
    for answer in flood {
        assert_eq!(answer.await.unwrap(), StatusCode::OK);
    }
    let page = metrics.encode();
    let counted = |outcome: &str| {
        let name = format!("hub_revocation_answers_total{{outcome=\"{outcome}\",what=\"ocsp\"}} ");
        let value = page.lines().find_map(|line| line.strip_prefix(&name)).unwrap();
        value.parse::<usize>().unwrap()
    };
    // One that was answered before the last had asked leaves its place to that one.
    let (signed, busy) = (counted("signed"), counted("busy"));
    assert_eq!(signed + busy, usize::from(QUESTIONS));
    assert!(
        signed >= ANSWERED_AT_A_TIME + WAITING && busy > usize::from(QUESTIONS) / 2,
        "{signed}"
    );
}
