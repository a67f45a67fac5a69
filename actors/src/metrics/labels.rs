//! The closed sets that label values come from.
//! Invariant: no value is made at run time; a new one is a new variant, and appears in `ALL`.

use crate::coap::DropReason;

/// A closed set of label values.
pub trait Label: Copy + 'static {
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// The value as Prometheus shows it.
    fn label(&self) -> &'static str;
    /// The value's place in [`Label::ALL`].
    fn index(self) -> usize;
}

macro_rules! labels {
    ($(#[$doc:meta])* pub enum $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn label(&self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

labels! {
    /// How a handshake ended, and why when it was not a session.
    pub enum HandshakeEnd {
        /// A session began.
        Completed = "none",
        /// A session went on under new keys.
        Resumed = "session_id",
        /// The certificate's issuer is no tenant's authority.
        UnknownAuthority = "unknown_authority",
        /// The certificate is good and its board is not registered.
        UnknownBoard = "unknown_board",
        /// The certificate's time is over.
        Expired = "expired",
        /// The certificate's time has not begun.
        NotYetValid = "not_yet_valid",
        /// The board's certificate was revoked.
        Revoked = "revoked",
        /// An admin blocked the board.
        Blocked = "blocked",
        /// The board is not registered, and its authority's batch does not take it.
        NotInBatch = "not_in_batch",
        /// The board is held, for there seem to be two of it.
        Held = "held",
        /// The certificate's authority is retired.
        AuthorityRetired = "authority_retired",
        /// The certificate's authority is revoked.
        AuthorityRevoked = "authority_revoked",
        /// The board's tenant is suspended.
        TenantSuspended = "tenant_suspended",
        /// The board's tenant has had as many handshakes as it may for now.
        TenantRate = "tenant_rate",
        /// The board shook hands more often than it may.
        BoardQuota = "board_quota",
        /// The tenant's boards together shook hands more often than they may.
        TenantQuota = "tenant_quota",
        /// The certificate may not be used by a client.
        WrongKeyUsage = "wrong_key_usage",
        /// A certificate above the client's is none of an authority.
        NotAnAuthority = "not_an_authority",
        /// The client's certificate is an authority's.
        IsAuthority = "is_authority",
        /// The certificate is signed with a digest or key that is too weak.
        WeakSignature = "weak_signature",
        /// The certificate has a critical extension that the hub does not know.
        UnknownExtension = "unknown_extension",
        /// The client sent more of a chain than any board has.
        ChainTooLong = "chain_too_long",
        /// More authorities stand below one than it allows.
        PathLength = "path_length",
        /// The certificate has a name that an authority above it may not give.
        NameConstraints = "name_constraints",
        /// The certificate names no hardware id.
        NoHardwareId = "no_hardware_id",
        /// The board is registered with another certificate.
        OtherCertificate = "other_certificate",
        /// The certificate was issued by another tenant's authority than the board's.
        OtherTenant = "other_tenant",
        /// The client sent no certificate.
        NoCertificate = "no_certificate",
        /// The client's certificate cannot be read, or its key is not ECDSA P-256.
        BadCertificate = "bad_certificate",
        /// A signature of the client, or of its authority, does not verify.
        BadSignature = "bad_signature",
        /// The client's Finished does not verify.
        BadFinished = "bad_finished",
        /// No cipher suite, group or signature algorithm in common.
        NoCommonCipher = "no_common_cipher",
        /// A message could not be parsed.
        Malformed = "malformed",
        /// The client ended it with an alert.
        PeerAlert = "peer_alert",
        /// It was silent when another needed its place.
        Evicted = "evicted",
        /// The client fell silent.
        TimedOut = "timed_out",
        /// The hub's own fault.
        Internal = "internal",
    }
}

impl HandshakeEnd {
    /// The `outcome` label: `completed`, `resumed`, `refused` (for who the client is), `failed` (for
    /// how it spoke).
    #[must_use]
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Resumed => "resumed",
            Self::UnknownAuthority
            | Self::UnknownBoard
            | Self::Expired
            | Self::NotYetValid
            | Self::Revoked
            | Self::Blocked
            | Self::NotInBatch
            | Self::Held
            | Self::AuthorityRetired
            | Self::AuthorityRevoked
            | Self::TenantSuspended
            | Self::TenantRate
            | Self::BoardQuota
            | Self::TenantQuota
            | Self::WrongKeyUsage
            | Self::NotAnAuthority
            | Self::IsAuthority
            | Self::WeakSignature
            | Self::UnknownExtension
            | Self::ChainTooLong
            | Self::PathLength
            | Self::NameConstraints
            | Self::NoHardwareId
            | Self::OtherCertificate
            | Self::OtherTenant
            | Self::NoCertificate
            | Self::BadCertificate
            | Self::BadSignature => "refused",
            Self::BadFinished
            | Self::NoCommonCipher
            | Self::Malformed
            | Self::PeerAlert
            | Self::Evicted
            | Self::TimedOut
            | Self::Internal => "failed",
        }
    }
}

labels! {
    /// Over what a certificate was asked for.
    pub enum EnrolmentWay {
        /// By a station, with a token, or by a board, over HTTPS.
        Https = "https",
        /// By a board, over its session.
        Coaps = "coaps",
    }
}

labels! {
    /// Which certificate was asked for.
    pub enum EnrolmentKind {
        /// A board's first, or another for its station.
        Enrol = "enrol",
        /// One in place of that which the board has shown.
        Renew = "renew",
    }
}

labels! {
    /// What became of a request for a certificate.
    pub enum EnrolmentEnd {
        /// A certificate.
        Issued = "issued",
        /// It is no signing request, or not one for a board.
        Malformed = "malformed",
        /// Nobody vouches for it, or with a token that is worth nothing.
        Unauthenticated = "unauthenticated",
        /// Who vouches for it may not do so, or the board may have none.
        Forbidden = "forbidden",
        /// There is no such tenant or authority.
        NotFound = "not_found",
        /// The board's or its tenant's quota is used up.
        OverQuota = "over_quota",
        /// The hub has too much to do, or its store or key store failed.
        Unavailable = "unavailable",
    }
}

labels! {
    /// What a board was told to its report on its firmware.
    pub enum ReportEnd {
        /// To run something else.
        Offered = "offered",
        /// To go on as it is.
        Nothing = "nothing",
        /// To come again: others are before it.
        Later = "later",
        /// That it is no report.
        Malformed = "malformed",
        /// To come again: the hub failed.
        Failed = "failed",
    }
}

labels! {
    /// How far boards of a campaign are; those who were told are among those who wait.
    pub enum CampaignBoards {
        /// They have certificates of the new authority.
        Renewed = "renewed",
        /// They have ones of the authority that is left.
        Waiting = "waiting",
        /// The same, and they may not connect.
        ShutOut = "shut-out",
        /// They were told to renew since the hub started, and have not.
        Told = "told",
        /// The same, three times and more.
        ToldOften = "told-often",
    }
}

labels! {
    /// What became of a request for a block of an image.
    pub enum BlockEnd {
        /// The board was given it.
        Given = "given",
        /// There is no such image for the board.
        Unknown = "unknown",
        /// It could not be read.
        Failed = "failed",
    }
}

labels! {
    /// What is published of revocations.
    pub enum Publication {
        /// A list (RFC 5280).
        Crl = "crl",
        /// An answer about single certificates (RFC 6960).
        Ocsp = "ocsp",
    }
}

labels! {
    /// What became of a question after what is revoked.
    pub enum PublicationEnd {
        /// It was signed for it.
        Signed = "signed",
        /// It was signed before.
        Kept = "kept",
        /// The client has it.
        NotModified = "not_modified",
        /// The question is none.
        Malformed = "malformed",
        /// There is no such tenant, or its authority's key is elsewhere.
        NotFound = "not_found",
        /// Too many ask.
        Busy = "busy",
        /// The store or the key store failed.
        Unavailable = "unavailable",
    }
}

labels! {
    /// Whose certificates.
    pub enum CertificateKind {
        /// Boards'.
        Board = "board",
        /// Tenants' authorities'.
        Authority = "authority",
        /// The root's.
        Root = "root",
        /// The servers'.
        Server = "server",
    }
}

labels! {
    /// How soon certificates end.
    pub enum EndsWithin {
        /// They have.
        Ended = "ended",
        /// In 30 days.
        Days30 = "30d",
        /// In 90 days.
        Days90 = "90d",
        /// In 365 days.
        Days365 = "365d",
    }
}

labels! {
    /// Whose key signed.
    pub enum KeyKind {
        /// The root's.
        Root = "root",
        /// A tenant's authority's.
        Tenant = "tenant",
        /// The server's.
        Server = "server",
        /// The firmware's.
        Firmware = "firmware",
        /// The audit log's.
        Audit = "audit",
    }
}

labels! {
    /// Why a session ended.
    pub enum SessionEnd {
        /// The board said goodbye.
        CloseNotify = "close_notify",
        /// The board ended it with a fatal alert.
        PeerAlert = "peer_alert",
        /// An admin shut its board out.
        Denied = "denied",
        /// The board began another session.
        Replaced = "replaced",
        /// An admin ended it; its board may begin another.
        Ended = "ended",
        /// The session's actor panicked.
        Panicked = "panicked",
        /// There was no room for it.
        Capacity = "capacity",
        /// It was idle, and left memory for the store.
        Asleep = "asleep",
        /// Its slot could not be written.
        StoreFailed = "store_failed",
        /// The hub stopped.
        Shutdown = "shutdown",
    }
}

labels! {
    /// Why a datagram or record was dropped.
    pub enum RecordDrop {
        /// It could not be parsed.
        Malformed = "malformed",
        /// Longer than a datagram or record may be.
        Oversize = "oversize",
        /// No session has this address or Connection ID.
        UnknownSession = "unknown_session",
        /// It does not authenticate.
        Forged = "forged",
        /// Its sequence number was seen before or is too old.
        Replayed = "replayed",
        /// An epoch that has no keys.
        WrongEpoch = "wrong_epoch",
        /// A type of record that has no place here.
        UnexpectedType = "unexpected_type",
        /// A ClientHello whose cookie is not ours.
        BadCookie = "bad_cookie",
        /// As many handshakes as are allowed were in progress.
        HandshakesFull = "handshakes_full",
        /// First ClientHellos beyond what their source, or all together, may have answered.
        HelloRate = "hello_rate",
        /// Handshakes beyond what their source, or all together, may begin.
        HandshakeRate = "handshake_rate",
        /// Unopened, after too many forged ones of its session.
        ForgedFlood = "forged_flood",
        /// The actor it was for had a full mailbox.
        MailboxFull = "mailbox_full",
        /// The session's board may not have one any more.
        NotAdmitted = "not_admitted",
        /// The store could not be read.
        StoreFailed = "store_failed",
        /// A plain CoAP datagram from an address that is no board's.
        UnknownAddress = "unknown_address",
    }
}

labels! {
    /// What kind of upstream a route leads to.
    pub enum RouteKind {
        /// An MQTT broker.
        Mqtt = "mqtt",
        /// Into the void, for measuring.
        Discard = "discard",
        /// To an upstream that does not exist.
        Nowhere = "nowhere",
    }
}

labels! {
    /// What became of a message.
    pub enum MessageOutcome {
        /// The upstream has it; the board was told so.
        Accepted = "accepted",
        /// The upstream could not be reached.
        Down = "down",
        /// The upstream's queue, or its quota, was full.
        Full = "full",
        /// The upstream will never take it.
        Refused = "refused",
        /// The adapter ended before it knew.
        Lost = "lost",
        /// The route's upstream does not exist.
        NoUpstream = "no_upstream",
        /// The board's or the tenant's quota was used up; nothing went upstream.
        OverQuota = "over_quota",
    }
}

labels! {
    /// A quota that can be used up: whose, and of what.
    pub enum QuotaKind {
        /// A board's readings a minute.
        BoardMessages = "board_messages",
        /// Their bytes.
        BoardBytes = "board_bytes",
        /// A board's handshakes an hour.
        BoardHandshakes = "board_handshakes",
        /// A board's readings on their way upstream.
        BoardInFlight = "board_in_flight",
        /// The readings of all a tenant's boards a minute.
        TenantMessages = "tenant_messages",
        /// Their bytes.
        TenantBytes = "tenant_bytes",
        /// Their handshakes an hour.
        TenantHandshakes = "tenant_handshakes",
        /// Their readings on their way upstream.
        TenantInFlight = "tenant_in_flight",
    }
}

impl QuotaKind {
    /// Whose quota: `board` or `tenant`.
    #[must_use]
    pub fn scope(self) -> &'static str {
        self.parts().0
    }

    /// Of what: `messages`, `bytes`, `handshakes`, `in_flight`.
    #[must_use]
    pub fn of(self) -> &'static str {
        self.parts().1
    }

    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::BoardMessages => ("board", "messages"),
            Self::BoardBytes => ("board", "bytes"),
            Self::BoardHandshakes => ("board", "handshakes"),
            Self::BoardInFlight => ("board", "in_flight"),
            Self::TenantMessages => ("tenant", "messages"),
            Self::TenantBytes => ("tenant", "bytes"),
            Self::TenantHandshakes => ("tenant", "handshakes"),
            Self::TenantInFlight => ("tenant", "in_flight"),
        }
    }
}

labels! {
    /// The kinds of actors that have mailboxes.
    pub enum ActorKind {
        /// The one at the top.
        Hub = "hub",
        /// A tenant's supervisor.
        Tenant = "tenant",
        /// A board's session.
        Session = "session",
        /// An upstream's adapter.
        Upstream = "upstream",
        /// A worker that carries handshakes.
        Handshaker = "handshaker",
        /// A socket's reader and writer.
        Link = "link",
        /// The front door.
        FrontDoor = "front_door",
        /// Who stores sessions.
        Keeper = "keeper",
        /// Who wakes them.
        Waker = "waker",
    }
}

labels! {
    /// Why a connection to an upstream, or an attempt at one, ended.
    pub enum ConnectionEnd {
        /// The host's name has no address.
        Unresolved = "unresolved",
        /// No connection at the transport: refused, unreachable, reset.
        Unreachable = "unreachable",
        /// No answer in time while connecting.
        TimedOut = "timed_out",
        /// The server's certificate is not from an authority we trust, or out of its time.
        Untrusted = "untrusted",
        /// The server's certificate is for another name.
        WrongName = "wrong_name",
        /// TLS failed otherwise; often the server refused our certificate.
        Tls = "tls",
        /// The broker refused our user name, password or certificate.
        Unauthorised = "unauthorised",
        /// The broker refused the connection for another reason.
        Rejected = "rejected",
        /// The broker cannot do what is needed: QoS 1.
        Incompatible = "incompatible",
        /// The broker broke the protocol.
        Protocol = "protocol",
        /// The broker fell silent after connecting.
        Silent = "silent",
        /// The broker closed the connection.
        Closed = "closed",
        /// We did: the upstream was stopped.
        Stopped = "stopped",
        /// Our own fault.
        Internal = "internal",
    }
}

impl Label for DropReason {
    const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::Unexpected,
        Self::Duplicate,
        Self::BadOption,
        Self::UploadTimeout,
        Self::Unacknowledged,
        Self::NoOutcome,
    ];

    fn label(&self) -> &'static str {
        DropReason::label(*self)
    }

    fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_a_closed_set<L: Label>() {
        let mut seen = std::collections::BTreeSet::new();
        for (place, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.index(), place);
            assert!(seen.insert(value.label()), "{} twice", value.label());
        }
    }

    #[test]
    fn indexes_follow_the_order_and_labels_are_distinct() {
        is_a_closed_set::<HandshakeEnd>();
        is_a_closed_set::<SessionEnd>();
        is_a_closed_set::<RecordDrop>();
        is_a_closed_set::<RouteKind>();
        is_a_closed_set::<MessageOutcome>();
        is_a_closed_set::<QuotaKind>();
        is_a_closed_set::<ActorKind>();
        is_a_closed_set::<ConnectionEnd>();
        is_a_closed_set::<DropReason>();
        is_a_closed_set::<ReportEnd>();
        is_a_closed_set::<BlockEnd>();
        is_a_closed_set::<CampaignBoards>();
    }
}
