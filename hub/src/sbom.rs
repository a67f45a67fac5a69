//! Bills of materials (SBOM): what kind one is, as it says itself.
//!
//! Invariant: nothing of one is believed or acted on; it is kept and given out as it came.

use serde::Deserialize;

/// What a bill of materials is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SbomKind {
    /// CycloneDX in JSON.
    CycloneDxJson,
    /// CycloneDX in XML.
    CycloneDxXml,
    /// SPDX in JSON.
    SpdxJson,
    /// SPDX 2 in lines of tags and values.
    SpdxTags,
    /// Any other JSON.
    Json,
    /// None that is known here.
    Other,
}

/// A release's bill of materials.
#[derive(Clone, Debug)]
pub struct Sbom {
    /// What it is written in.
    pub kind: SbomKind,
    /// The file as it came.
    pub bytes: Vec<u8>,
}

/// What the JSON kinds call themselves by; SPDX 3 is JSON-LD.
#[derive(Deserialize)]
struct Marks {
    #[serde(rename = "bomFormat")]
    bom_format: Option<serde::de::IgnoredAny>,
    #[serde(rename = "spdxVersion")]
    spdx_version: Option<serde::de::IgnoredAny>,
    #[serde(rename = "@context")]
    context: Option<serde::de::IgnoredAny>,
}

impl SbomKind {
    /// What these bytes are.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if let Ok(marks) = serde_json::from_slice::<Marks>(bytes) {
            return match marks {
                Marks { bom_format: Some(_), .. } => Self::CycloneDxJson,
                Marks { spdx_version: Some(_), .. } | Marks { context: Some(_), .. } => {
                    Self::SpdxJson
                }
                Marks { .. } => Self::Json,
            };
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return Self::Other };
        let text = text.trim_start();
        if text.starts_with("SPDXVersion:") {
            return Self::SpdxTags;
        }
        // Its namespace stands in the first tag.
        let head: String = text.chars().take(1000).collect();
        match head.starts_with('<') && head.contains("cyclonedx.org/schema/bom") {
            true => Self::CycloneDxXml,
            false => Self::Other,
        }
    }

    /// As it is named where files are sent (IANA media types).
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDxJson => "application/vnd.cyclonedx+json",
            Self::CycloneDxXml => "application/vnd.cyclonedx+xml",
            Self::SpdxJson => "application/spdx+json",
            Self::SpdxTags => "text/spdx",
            Self::Json => "application/json",
            Self::Other => "application/octet-stream",
        }
    }

    /// What its file's name ends with.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::CycloneDxJson => "cdx.json",
            Self::CycloneDxXml => "cdx.xml",
            Self::SpdxJson => "spdx.json",
            Self::SpdxTags => "spdx",
            Self::Json => "json",
            Self::Other => "bin",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bill_of_materials_is_of_the_kind_that_it_says() {
        for (text, kind) in [
            (r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#, SbomKind::CycloneDxJson),
            ("\u{feff}{\"bomFormat\":\"CycloneDX\"}", SbomKind::CycloneDxJson),
            (r#"{"spdxVersion":"SPDX-2.3","packages":[]}"#, SbomKind::SpdxJson),
            (
                r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}"#,
                SbomKind::SpdxJson,
            ),
            ("SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\n", SbomKind::SpdxTags),
            (
                "<?xml version=\"1.0\"?>\n<bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\"/>",
                SbomKind::CycloneDxXml,
            ),
            (r#"{"parts":[]}"#, SbomKind::Json),
            ("<html>cyclonedx</html>", SbomKind::Other),
            ("", SbomKind::Other),
        ] {
            assert_eq!(SbomKind::of(text.as_bytes()), kind, "{text}");
        }
        assert_eq!(SbomKind::of(&[0xff, 0xfe]), SbomKind::Other);
    }

    proptest! {
        #[test]
        fn any_bytes_are_of_some_kind(bytes in any::<Vec<u8>>()) {
            let _ = SbomKind::of(&bytes);
        }
    }
}
