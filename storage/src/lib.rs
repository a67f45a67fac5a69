//! Everything the hub remembers: tenants, boards, routes, upstreams and sessions, one file per noun,
//! over sled, and beside it the files in which sessions are, by slot, and what lists are made from.
//!
//! Invariant: synchronous. No async runtime, actor, socket, HTTP or clock is reachable from here;
//! time is an argument ([`UnixSeconds`]). No other crate names sled.

mod api_token;
mod approval;
mod authority;
pub mod backup;
mod batch;
mod board;
mod campaign;
mod census;
mod certificate;
pub mod check;
mod checkpoint;
mod credentials;
mod data_key;
mod data_use;
mod enrolment;
mod file;
mod fingerprint;
mod firmware;
mod forecast;
mod history;
mod id;
mod identity_field;
mod job;
mod keyring;
mod login;
mod query;
mod quota;
mod record;
mod release;
mod renewal;
mod revocation;
mod rollout;
mod route;
mod rows;
mod seal;
mod sealed;
mod secret;
mod serial;
mod session;
mod station;
mod store;
mod targets;
mod tenant;
mod token;
mod topic;
mod upstream;
mod user;
mod view;
mod windows;

pub use api_token::{ApiToken, ApiTokenId};
pub use approval::{Act, Approval, ApprovalState};
pub use authority::{
    Authority, AuthorityName, AuthorityNumber, AuthorityState, FirstContact, Foreign, Origin,
    Successors,
};
pub use batch::{Again, Allowed, Batch, BatchName, BatchState, BoardPrefix, CertificateLife};
pub use board::{Board, BoardState};
pub use campaign::{Campaign, CampaignCounts, CampaignGroup, CampaignLot, CampaignState};
pub use census::{BoardCounts, CensusMoments};
pub use certificate::Certificate;
pub use checkpoint::AuditCheckpoint;
pub use credentials::{Credentials, Passkey, PasswordHash, ProviderIdentity, Totp};
pub use data_key::{DataKey, KeyPurpose};
pub use data_use::DataUse;
pub use enrolment::{Enrolled, Enrolment, EnrolmentRefusal, Taking};
pub use file::{FILE_BYTES_MAX, FileDigest, InvalidFileDigest};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use firmware::{BoardFirmware, FirmwareKey, FirmwareVersion, HardwareName, ProductName};
pub use forecast::{BoardForecast, CertificateEnds};
pub use history::{BoardHistory, Reason, RefusedFor, SessionEvent, SessionTurn};
pub use id::{BoardId, InvalidName, ResourcePath, TenantId, UnixSeconds, UpstreamName};
pub use identity_field::IdentityField;
pub use job::{Became, JOB_FAULTS_MAX, Job, JobId, JobState, Work};
pub use keyring::{KeyId, Keyring, SEAL_OVERHEAD};
pub use login::{Login, SetupLink, SignedInBy};
pub use query::{
    BoardFilter, BoardPage, BoardQuery, Counted, Cursor, FacetCounts, Facets, FirmwareCount,
    FirmwareCounts, LabelFilter, Sort, Span, ValueCounts,
};
pub use quota::{Bounds, Quota};
pub use record::RecordError;
pub use release::{NOTES_MAX, Release, ReleaseState};
pub use renewal::Renewal;
pub use revocation::{Revocation, RevocationReason, RevokedCertificate};
pub use rollout::{
    Errors, GROUPS_MAX, Hours, Rollout, RolloutGroup, RolloutState, Share, Terms, WINDOWS_MAX,
};
pub use route::{Acknowledge, Route};
pub use rows::StateKind;
pub use seal::{SealError, SealingKey};
pub use secret::{SealedSecret, SecretKind, SecretName};
pub use serial::Serial;
pub use session::{Resumption, ResumptionId, Secret, Session, SessionName, generation_of};
pub use station::{Station, StationRevoked};
pub use store::audit::{Audit, AuditDigest, AuditEntry, AuditError, AuditEvent, AuditHead};
pub use store::authorities::{Authorities, NewAuthority};
pub use store::batches::Batches;
pub use store::belongings::{Belongings, Routes, Upstreams};
pub use store::boards::{Boards, Heard};
pub use store::chosen::{Chosen, Standing};
pub use store::data_keys::SealedUnder;
pub use store::error::StoreError;
pub use store::files::Files;
pub use store::keyed::{Digest, Keyed, KeyedNoun};
pub use store::renewals::Renewals;
pub use store::revoked::Revoked;
pub use store::rows::RowsState;
pub use store::running::Running;
pub use store::secrets::{SECRET_BYTES_MAX, Secrets};
pub use store::sessions::{Sessions, WRITE_MARGIN};
pub use store::tenants::Tenants;
pub use store::{SCHEMA, Store};
pub use targets::{Target, TargetState, Targets, Why};
pub use tenant::{Tenant, TenantState};
pub use token::{Token, TokenDigest, Used};
pub use topic::TopicTemplate;
pub use upstream::{
    IN_FLIGHT_MAX_DEFAULT, MqttUpstream, MqttVersion, QUEUE_MAX_DEFAULT, Upstream, UpstreamKind,
};
pub use user::{Grant, Role, User, UserName, UserState};
pub use view::{SavedView, ViewName};
pub use windows::{BootId, Lease, Past, Slot, Trust, Window, Windows};
