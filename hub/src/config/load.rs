//! Reading the file: find it, parse it, refuse what is unknown, mistyped or out of range.
//!
//! Invariant: whatever the bytes of the file are, the answer is a `Config` or one error with the
//! file's line; never a panic.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Hint;
use super::{Config, ConfigError, Key, Kind, LogFilter, Place, Section};

/// The variable that names the configuration file when `--config` does not.
pub const ENVIRONMENT_VARIABLE: &str = "CELLULAR_HUB_CONFIG";

/// The file read when neither `--config` nor the environment names one and it is there.
pub const FILE_BY_DEFAULT: &str = "hub.toml";

/// Where the configuration comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// No file: every key has its default, paths count from the working folder.
    Defaults,
}

impl Source {
    /// `named` (from `--config`), else the environment's file, else `hub.toml` here, else defaults.
    pub fn find(named: Option<PathBuf>) -> Self {
        named
            .or_else(of_the_environment)
            .or_else(|| Some(PathBuf::from(FILE_BY_DEFAULT)).filter(|file| file.exists()))
            .map_or(Self::Defaults, Self::File)
    }

    /// The file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Defaults => None,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
fn of_the_environment() -> Option<PathBuf> {
    std::env::var_os(ENVIRONMENT_VARIABLE).filter(|file| !file.is_empty()).map(PathBuf::from)
}

pub(super) fn read(file: &Path) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(file)
        .map_err(|source| ConfigError::Unreadable { file: file.to_path_buf(), source })?;
    parse(&text, file)
}

pub(super) fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = Document { text, file };
    let table = DeTable::parse(text).map_err(|error| document.malformed(&error))?;
    document.check(table.get_ref())?;
    // The check above knows every key; what serde still refuses is reported with its own words.
    let config: Config = toml::from_str(text).map_err(|error| document.malformed(&error))?;
    if config.plain.enabled && config.plain.listen == config.link.listen {
        let address = config.plain.listen;
        return Err(ConfigError::OneAddressTwice { file: file.to_path_buf(), address });
    }
    Ok(config)
}

struct Document<'a> {
    text: &'a str,
    file: &'a Path,
}

impl Document<'_> {
    fn check(&self, table: &DeTable<'_>) -> Result<(), ConfigError> {
        let sections = Config::sections();
        for (name, value) in table.iter() {
            let Some(section) = sections.iter().find(|s| s.name == name.get_ref().as_ref()) else {
                return Err(self.unknown_section(name, value, &sections));
            };
            let Some(keys) = value.get_ref().as_table() else {
                return Err(ConfigError::UnfitValue {
                    place: self.place(value.span()),
                    key: String::from(section.name),
                    found: found(value.get_ref()),
                    expected: format!("a table: write [{}] on a line of its own", section.name),
                });
            };
            for (name, value) in keys.iter() {
                let Some(key) = section.keys.iter().find(|k| k.name == name.get_ref().as_ref())
                else {
                    return Err(ConfigError::UnknownKey {
                        place: self.place(name.span()),
                        section: section.name,
                        key: name.get_ref().to_string(),
                        hint: hint_for_key(name.get_ref(), section, &sections),
                    });
                };
                self.check_value(section, key, value)?;
            }
        }
        Ok(())
    }

    fn check_value(
        &self,
        section: &Section,
        key: &Key,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        if fits(&key.kind, value.get_ref()) {
            return Ok(());
        }
        Err(ConfigError::UnfitValue {
            place: self.place(value.span()),
            key: format!("{}.{}", section.name, key.name),
            found: found(value.get_ref()),
            expected: key.kind.to_string(),
        })
    }

    fn unknown_section(
        &self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        sections: &[Section],
    ) -> ConfigError {
        let place = self.place(name.span());
        let names: Vec<_> = sections.iter().map(|section| section.name).collect();
        let name = name.get_ref().to_string();
        if !value.get_ref().is_table()
            && let Some(section) = home_of(&name, sections)
        {
            // A key above the first table: TOML puts it at the top, its section is known.
            let expected = format!("a place under [{section}]");
            return ConfigError::UnfitValue {
                place,
                key: name,
                found: String::from("outside any section"),
                expected,
            };
        }
        let hint = nearest(&name, &names).map_or(Hint::Known(names), Hint::Nearest);
        ConfigError::UnknownSection { place, section: name, hint }
    }

    fn malformed(&self, error: &toml::de::Error) -> ConfigError {
        let place = self.place(error.span().unwrap_or(0..0));
        // One line, whatever the parser has to say.
        let problem = error.message().lines().collect::<Vec<_>>().join(", ");
        ConfigError::Malformed { place, problem }
    }

    fn place(&self, span: Range<usize>) -> Place {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Place { file: self.file.to_path_buf(), line }
    }
}

fn fits(kind: &Kind, value: &DeValue<'_>) -> bool {
    match kind {
        Kind::Switch => value.is_bool(),
        Kind::Integer { min, max } => integer(value).is_some_and(|n| (*min..=*max).contains(&n)),
        Kind::Path | Kind::Text => value.as_str().is_some_and(|path| !path.is_empty()),
        Kind::Address => {
            value.as_str().is_some_and(|text| text.parse::<std::net::SocketAddr>().is_ok())
        }
        Kind::Choice(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Kind::LogFilter => value.as_str().is_some_and(|text| text.parse::<LogFilter>().is_ok()),
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(switch) => switch.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => String::from("a list"),
        DeValue::Table(_) => String::from("a table"),
    }
}

fn hint_for_key(key: &str, section: &Section, sections: &[Section]) -> Hint {
    let names: Vec<_> = section.keys.iter().map(|key| key.name).collect();
    if let Some(section) = home_of(key, sections) {
        return Hint::Belongs(section);
    }
    nearest(key, &names).map_or(Hint::Known(names), Hint::Nearest)
}

/// The one section that has exactly this key.
fn home_of(key: &str, sections: &[Section]) -> Option<&'static str> {
    let mut homes = sections.iter().filter(|s| s.keys.iter().any(|known| known.name == key));
    homes.next().map(|section| section.name).filter(|_| homes.next().is_none())
}

/// The known name spelled most alike, if any is near enough to be meant.
fn nearest(name: &str, known: &[&'static str]) -> Option<String> {
    let name = name.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|known| (strsim::jaro_winkler(&name, known), *known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.75)
        .map(|(_, known)| String::from(known))
}
