//! The configuration as commented TOML, written from what `section!` knows.

use std::fmt::{self, Write as _};

use super::{Config, Key, Kind, LogFilter};

const HEAD: &str = "\
# Configuration of the Cellular Hub. Every key is here with its value in force; what is left out
# of a file has its default. Relative paths count from the folder of the file.
";

pub(super) fn commented(config: &Config) -> String {
    let mut text = String::from(HEAD);
    // Both are tables of tables: structs whose fields are structs.
    let in_force = toml::Table::try_from(config).unwrap_or_default();
    let defaults = toml::Table::try_from(Config::default()).unwrap_or_default();
    for section in Config::sections() {
        text.push('\n');
        comment(&mut text, section.documentation);
        text.push_str(&format!("[{}]\n", section.name));
        for key in &section.keys {
            let of = |table: &toml::Table| {
                table.get(section.name).and_then(|keys| keys.get(key.name)).map(ToString::to_string)
            };
            entry(&mut text, key, &of(&in_force), &of(&defaults));
        }
    }
    text
}

fn entry(text: &mut String, key: &Key, value: &Option<String>, default: &Option<String>) {
    let (Some(value), Some(default)) = (value, default) else { return };
    comment(text, key.documentation);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# Takes {}; default {default}.", key.kind);
    let _ = writeln!(text, "{} = {value}", key.name);
}

fn comment(text: &mut String, lines: &[&str]) {
    for line in lines {
        let _ = writeln!(text, "# {}", line.trim());
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch => f.write_str("true or false"),
            Self::Integer { min, max: i64::MAX } => write!(f, "a whole number from {min}"),
            Self::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Path => f.write_str("a path"),
            Self::Text => f.write_str("a text"),
            Self::Address => f.write_str("an address with a port, as \"127.0.0.1:5684\""),
            Self::Choice(words) => write!(f, "\"{}\"", words.join("\" or \"")),
            Self::LogFilter => {
                write!(f, "a level ({}) or a list of target=level", LogFilter::LEVELS.join(", "))
            }
        }
    }
}
