//! The web UI: what `scripts/web` built into `dist/`, embedded, and how a browser is to take it.
//!
//! A release has the files inside; a debug build reads them from the folder, so that a changed page
//! needs no new binary. Without a build there is one page, which says how to make one.
//!
//! Invariant: no HTTP library is reachable from here, and nothing is answered but files of the build.

mod encoding;
mod headers;

use std::borrow::Cow;

use rust_embed::{EmbeddedFile, RustEmbed};

use self::encoding::Encoding;
pub use self::headers::SECURITY;

/// Instead of the app where nothing was built.
const NOT_BUILT: &str = include_str!("not_built.html");
/// Names under this folder hold a digest of what is in them: they never change.
const HASHED: &str = "assets/";

#[derive(RustEmbed)]
#[folder = "dist/"]
struct Dist;

/// What of a request decides about the answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The path, with its slash in front and without a query.
    pub path: &'a str,
    /// `Accept`: who takes HTML is shown the app wherever no file is.
    pub accept: Option<&'a str>,
    /// `Accept-Encoding`.
    pub accept_encoding: Option<&'a str>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
}

/// An answer as HTTP has it.
#[derive(Debug)]
pub struct Answer {
    /// 200, or 304 where the browser has it; 503 where there is no build.
    pub status: u16,
    /// Beside [`SECURITY`], which go with every one.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The file.
    pub body: Cow<'static, [u8]>,
}

/// The app's answer, or none: then there is nothing of the app's at this path.
pub fn answer(asked: &Asked<'_>) -> Option<Answer> {
    let name = asked.path.strip_prefix('/')?;
    if let Some(answer) = file(name, asked) {
        return Some(answer);
    }
    // A page of the app: which ones there are is known to the app alone.
    let wants_page = asked.accept.is_some_and(|accept| accept.contains("text/html"));
    if name.starts_with(HASHED) || !wants_page {
        return None;
    }
    Some(file("index.html", asked).unwrap_or_else(not_built))
}

fn file(name: &str, asked: &Asked<'_>) -> Option<Answer> {
    let kind = kind(name)?;
    let plain = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
    if !plain || name.contains('\\') {
        return None;
    }
    let (file, encoding) = Encoding::accepted(asked.accept_encoding.unwrap_or_default())
        .find_map(|encoding| Some((Dist::get(&encoding.name_of(name))?, encoding)))?;
    let tag = tag(&file);
    let lasting = name.starts_with(HASHED);
    let mut headers = vec![
        ("content-type", Cow::Borrowed(kind)),
        ("vary", Cow::Borrowed("accept-encoding")),
        ("cache-control", Cow::Borrowed(if lasting { FOR_EVER } else { ASK_FIRST })),
    ];
    if let Some(coding) = encoding.coding() {
        headers.push(("content-encoding", Cow::Borrowed(coding)));
    }
    let known = asked.if_none_match.is_some_and(|tags| tags.contains(&tag));
    headers.push(("etag", Cow::Owned(tag)));
    Some(match known {
        true => Answer { status: 304, headers, body: Cow::Borrowed(&[]) },
        false => Answer { status: 200, headers, body: file.data },
    })
}

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_FIRST: &str = "no-cache";

fn not_built() -> Answer {
    let headers = vec![
        ("content-type", Cow::Borrowed("text/html; charset=utf-8")),
        ("cache-control", Cow::Borrowed("no-store")),
    ];
    Answer { status: 503, headers, body: Cow::Borrowed(NOT_BUILT.as_bytes()) }
}

/// The kinds of files that a build has; others are not given out.
fn kind(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

/// 96 bits of the SHA-256 of what is sent, so each encoding has its own.
fn tag(file: &EmbeddedFile) -> String {
    let digest = file.metadata.sha256_hash();
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test's failure is its report")]
mod tests {
    use super::*;

    fn page(path: &str) -> Option<Answer> {
        answer(&Asked { path, accept: Some("text/html,*/*;q=0.8"), ..Asked::default() })
    }

    #[test]
    fn every_page_of_the_app_is_one_answer_in_html() {
        for path in ["/", "/boards", "/boards/CB-0001.a:b", "/setup"] {
            let answer = page(path).unwrap();
            let kind = answer.headers.iter().find(|(name, _)| *name == "content-type").unwrap();
            assert_eq!(kind.1, "text/html; charset=utf-8", "{path}");
            assert!(!answer.body.is_empty(), "{path}");
        }
    }

    #[test]
    fn who_wants_no_page_gets_files_or_nothing() {
        let asked = Asked { path: "/boards", accept: Some("*/*"), ..Asked::default() };
        assert!(answer(&asked).is_none());
        assert!(page("/assets/none-0000.js").is_none());
    }

    #[test]
    fn no_path_leads_out_of_the_build() {
        for path in ["/../Cargo.toml", "/./build.rs", "/../embed/lib.rs.txt", "/.gitkeep", "//x.js"]
        {
            let asked = Asked { path, ..Asked::default() };
            assert!(answer(&asked).is_none(), "{path}");
        }
    }

    #[test]
    fn the_page_without_a_build_says_how_to_make_one() {
        let answer = not_built();
        assert_eq!(answer.status, 503);
        assert!(String::from_utf8(answer.body.to_vec()).unwrap().contains("scripts/web"));
    }

    #[test]
    fn each_file_of_the_build_is_known_again_by_its_tag_in_each_encoding() {
        for name in Dist::iter().filter(|name| kind(name).is_some()) {
            for coding in ["", "gzip", "br, gzip"] {
                let path = format!("/{name}");
                let asked =
                    Asked { path: &path, accept_encoding: Some(coding), ..Asked::default() };
                let first = answer(&asked).unwrap();
                let tag = first.headers.iter().find(|(name, _)| *name == "etag").unwrap();
                let again = answer(&Asked { if_none_match: Some(&tag.1), ..asked }).unwrap();
                assert_eq!((first.status, again.status), (200, 304), "{path}");
                assert!(again.body.is_empty());
            }
        }
    }
}
