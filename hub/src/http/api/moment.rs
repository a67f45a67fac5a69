//! Moments as the API writes them: RFC 3339, in UTC, to the second.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use storage::UnixSeconds;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

/// A moment.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-01-31T12:00:00Z")]
pub(super) struct Moment(pub(super) UnixSeconds);

impl From<UnixSeconds> for Moment {
    fn from(seconds: UnixSeconds) -> Self {
        Self(seconds)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = i64::try_from(self.0.0).map_err(serde::ser::Error::custom)?;
        let moment = OffsetDateTime::from_unix_timestamp(seconds);
        let moment = moment.map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&moment.format(&Rfc3339).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A text that is no moment.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a time is as 2026-01-31T12:00:00Z, and not before 1970")]
pub(super) struct NoMoment;

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| NoMoment)?;
        let seconds = u64::try_from(moment.unix_timestamp()).map_err(|_| NoMoment)?;
        Ok(Self(UnixSeconds(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_moment_is_written_in_utc_and_read_in_any_zone() {
        let moment = Moment(UnixSeconds(1_700_000_000));
        assert_eq!(serde_json::to_string(&moment).unwrap(), "\"2023-11-14T22:13:20Z\"");
        let elsewhere: Moment = serde_json::from_str("\"2023-11-14T23:13:20+01:00\"").unwrap();
        assert_eq!(elsewhere, moment);
    }

    proptest! {
        #[test]
        fn any_text_is_a_moment_or_refused(text in any::<String>()) {
            let _ = serde_json::from_value::<Moment>(text.into());
        }

        #[test]
        fn moments_read_back(seconds in 0..253_402_300_799_u64) {
            let moment = Moment(UnixSeconds(seconds));
            let text = serde_json::to_string(&moment).unwrap();
            prop_assert_eq!(serde_json::from_str::<Moment>(&text).unwrap(), moment);
        }
    }
}
