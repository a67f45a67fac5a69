//! What is counted of certificates: those that were asked for, what is published of revocations, and the
//! signatures of the keys that make both.

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Registry};
use storage::{CertificateEnds, UnixSeconds};

use super::labels::{
    CertificateKind, EndsWithin, EnrolmentEnd, EnrolmentKind, EnrolmentWay, KeyKind, Label,
    Publication, PublicationEnd,
};
use super::series::Series;
use super::{counters, gauges, registered};

/// Upper bounds of `hub_key_signature_seconds`: a key in files at the left, a slow token right.
const SIGNATURE_BUCKETS_S: [f64; 12] =
    [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0];

/// The series of certificates.
pub(super) struct TrustSeries {
    /// By way, then by kind.
    enrolments: Vec<Series<EnrolmentEnd>>,
    publications: Vec<Series<PublicationEnd>>,
    signatures: Vec<Histogram>,
    failed: Series<KeyKind>,
    /// By kind, then by how soon.
    ending: Vec<Vec<IntGauge>>,
    next_end: Vec<IntGauge>,
}

impl TrustSeries {
    pub(super) fn new(to: &Registry) -> Result<Self, prometheus::Error> {
        let enrolments = counters(
            to,
            "hub_enrolments_total",
            "Certificates that were asked for, by way, kind and what became of it.",
            &["way", "kind", "outcome"],
        )?;
        let ways = EnrolmentWay::ALL.iter();
        let ways = ways.flat_map(|way| EnrolmentKind::ALL.iter().map(move |kind| (way, kind)));
        let publications = counters(
            to,
            "hub_revocation_answers_total",
            "Lists of what is revoked and answers about single certificates, by what became of it.",
            &["what", "outcome"],
        )?;
        let signatures = registered(
            to,
            HistogramVec::new(
                HistogramOpts::new(
                    "hub_key_signature_seconds",
                    "How long the key store took for a signature, by whose key signed.",
                )
                .buckets(SIGNATURE_BUCKETS_S.to_vec()),
                &["key"],
            )?,
        )?;
        let failed: IntCounterVec = counters(
            to,
            "hub_key_signatures_failed_total",
            "Signatures that the key store refused, by whose key was to sign.",
            &["key"],
        )?;
        let ending = gauges(
            to,
            "hub_certificates_ending",
            "Certificates that end so soon, or have ended, by whose they are; counted every ten minutes.",
            &["kind", "within"],
        )?;
        let next_end = gauges(
            to,
            "hub_certificate_next_end_timestamp_seconds",
            "When the next certificate ends, by whose it is; 0 for none.",
            &["kind"],
        )?;
        Ok(Self {
            ending: CertificateKind::ALL
                .iter()
                .map(|kind| {
                    let of = |within: &EndsWithin| {
                        ending.get_metric_with_label_values(&[kind.label(), within.label()])
                    };
                    EndsWithin::ALL.iter().map(of).collect()
                })
                .collect::<Result<_, _>>()?,
            next_end: CertificateKind::ALL
                .iter()
                .map(|kind| next_end.get_metric_with_label_values(&[kind.label()]))
                .collect::<Result<_, _>>()?,
            enrolments: ways
                .map(|(way, kind)| {
                    Series::new(&enrolments, |end: EnrolmentEnd| {
                        vec![way.label(), kind.label(), end.label()]
                    })
                })
                .collect::<Result<_, _>>()?,
            publications: Publication::ALL
                .iter()
                .map(|what| {
                    Series::new(&publications, |end: PublicationEnd| {
                        vec![what.label(), end.label()]
                    })
                })
                .collect::<Result<_, _>>()?,
            signatures: KeyKind::ALL
                .iter()
                .map(|kind| signatures.get_metric_with_label_values(&[kind.label()]))
                .collect::<Result<_, _>>()?,
            failed: Series::new(&failed, |kind: KeyKind| vec![kind.label()])?,
        })
    }

    pub(super) fn enrolment(&self, way: EnrolmentWay, kind: EnrolmentKind, end: EnrolmentEnd) {
        let place = way.index() * EnrolmentKind::ALL.len() + kind.index();
        if let Some(series) = self.enrolments.get(place) {
            series.of(end).inc();
        }
    }

    pub(super) fn publication(&self, what: Publication, end: PublicationEnd) {
        if let Some(series) = self.publications.get(what.index()) {
            series.of(end).inc();
        }
    }

    pub(super) fn signed(&self, key: KeyKind, seconds: f64) {
        if let Some(series) = self.signatures.get(key.index()) {
            series.observe(seconds);
        }
    }

    pub(super) fn ends(&self, kind: CertificateKind, ends: &CertificateEnds) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let next = self.next_end.get(kind.index());
        let next = next.map(|gauge| (gauge, ends.next.map_or(0, |UnixSeconds(at)| at)));
        let within = self.ending.get(kind.index()).into_iter().flatten();
        let within = within.zip(EndsWithin::ALL).map(|(gauge, within)| {
            let count = match within {
                EndsWithin::Ended => ends.ended,
                EndsWithin::Days30 => ends.within_30_days,
                EndsWithin::Days90 => ends.within_90_days,
                EndsWithin::Days365 => ends.within_365_days,
            };
            (gauge, count)
        });
        within.chain(next).for_each(|(gauge, number)| gauge.set(whole(number)));
    }

    pub(super) fn not_signed(&self, key: KeyKind) {
        self.failed.of(key).inc();
    }
}
