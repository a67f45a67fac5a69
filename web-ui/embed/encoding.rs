//! Which of a file's forms a browser takes (RFC 9110, 12.5.3): brotli, gzip, or as it is.

/// A form in which `scripts/web` left a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encoding {
    Brotli,
    Gzip,
    Identity,
}

impl Encoding {
    /// The forms that `accepts` names, the smallest first; as it is always is the last.
    pub(crate) fn accepted(accepts: &str) -> impl Iterator<Item = Self> {
        let named = |coding: &str| accepts.split(',').any(|part| takes(part, coding));
        let brotli = named("br").then_some(Self::Brotli);
        let gzip = named("gzip").then_some(Self::Gzip);
        [brotli, gzip, Some(Self::Identity)].into_iter().flatten()
    }

    /// `Content-Encoding`.
    pub(crate) fn coding(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    /// Where this form of the file is.
    pub(crate) fn name_of(self, name: &str) -> String {
        match self {
            Self::Brotli => format!("{name}.br"),
            Self::Gzip => format!("{name}.gz"),
            Self::Identity => name.to_owned(),
        }
    }
}

/// Whether one element of the list is this coding, and not with a weight of nothing.
fn takes(part: &str, coding: &str) -> bool {
    let mut of = part.split(';').map(str::trim);
    let is_it = of.next().is_some_and(|named| named.eq_ignore_ascii_case(coding));
    let weight = of.find_map(|parameter| parameter.strip_prefix("q="));
    is_it && weight.is_none_or(|weight| !weight.trim_end_matches(['0', '.']).is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepted(accepts: &str) -> Vec<Encoding> {
        Encoding::accepted(accepts).collect()
    }

    #[test]
    fn browsers_get_the_smallest_form_they_name() {
        use Encoding::{Brotli, Gzip, Identity};
        assert_eq!(accepted("gzip, deflate, br, zstd"), [Brotli, Gzip, Identity]);
        assert_eq!(accepted("GZIP;q=0.5"), [Gzip, Identity]);
        assert_eq!(accepted("br;q=0, gzip;q=0.001"), [Gzip, Identity]);
        assert_eq!(accepted("br; q=0.000"), [Identity]);
        assert_eq!(accepted(""), [Identity]);
        assert_eq!(accepted("brotli, xgzip"), [Identity]);
    }

    proptest! {
        #[test]
        fn a_form_that_was_not_named_is_never_sent(accepts in ".{0,64}") {
            let chosen = accepted(&accepts);
            prop_assert_eq!(chosen.last(), Some(&Encoding::Identity));
            let lower = accepts.to_ascii_lowercase();
            prop_assert!(!chosen.contains(&Encoding::Brotli) || lower.contains("br"));
            prop_assert!(!chosen.contains(&Encoding::Gzip) || lower.contains("gzip"));
        }
    }
}
