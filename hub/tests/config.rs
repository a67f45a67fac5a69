//! The configuration file: what is printed, what is read, and what is said about mistakes.
use std::fs;
use std::path::{Path, PathBuf};

use hub::config::{Config, Kind, LogFormat, Source};
use proptest::prelude::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("hub.toml")).map_err(|error| error.to_string())
}

fn refusal(text: &str) -> String {
    let line = parse(text).unwrap_err();
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

#[test]
fn the_printed_defaults_are_documented_key_by_key() {
    insta::assert_snapshot!(Config::default().to_commented_toml());
}

#[test]
fn what_is_printed_is_read_back_as_it_was() {
    let mut config = Config::default();
    assert_eq!(parse(&config.to_commented_toml()).unwrap(), config);

    config.link.mtu = 512;
    config.link.certificate = PathBuf::from("/etc/a \"quoted\" \\ path.pem");
    config.log.format = LogFormat::Json;
    config.plain.enabled = true;
    config.monitoring.listen = "[::1]:1".parse().unwrap();
    assert_eq!(parse(&config.to_commented_toml()).unwrap(), config);
}

#[test]
fn every_key_has_a_meaning_and_an_allowed_default() {
    let defaults = Config::default().to_commented_toml();
    for section in Config::sections() {
        assert!(!section.documentation.is_empty(), "{}", section.name);
        for key in section.keys {
            assert!(!key.documentation.is_empty(), "{}.{}", section.name, key.name);
            assert!(defaults.contains(&format!("\n{} = ", key.name)), "{}", key.name);
        }
    }
}

#[test]
fn an_empty_file_is_the_defaults() {
    assert_eq!(parse("").unwrap(), Config::default());
    assert_eq!(parse("\u{feff}[link]\r\nmtu = 256\r\n").unwrap().link.mtu, 256);
}

#[test]
fn relative_paths_count_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    fs::write(&file, "[store]\ndir = \"state\"\n[link]\nkey = \"/etc/key.pem\"\n").unwrap();
    let config = Config::load(&Source::File(file)).unwrap();
    assert_eq!(config.store.dir, folder.path().join("state"));
    assert_eq!(config.trust.dir, folder.path().join("pki"));
    assert_eq!(config.link.key, Path::new("/etc/key.pem"));
}

#[test]
fn mistakes_are_answered_with_line_and_way_out() {
    let refusals = [
        "[link]\n\nlissten = \"0.0.0.0:1\"\n",
        "[link]\npayload_max = 5\n",
        "[link]\nqqq = 5\n",
        "[lnik]\n",
        "[telemetry]\n",
        "mtu = 1200\n",
        "link = 3\n",
        "[link]\nmtu = 90000\n",
        "[link]\nmtu = -1\n",
        "[link]\nmtu = 99999999999999999999\n",
        "[link]\nmtu = \"1200\"\n",
        "[link]\nmtu = 1200.0\n",
        "[link]\nnode = 256\n",
        "[link]\nlisten = \"localhost:5684\"\n",
        "[link]\nlisten = [1]\n",
        "[link]\ncertificate = \"\"\n",
        "[plain]\nenabled = \"yes\"\n",
        "[log]\nformat = \"xml\"\n",
        "[log]\nlevel = \"inof\"\n",
        "[log]\nlevel = \"info,actors=loud\"\n",
        "[link]\nmtu = 1200\nmtu = 1300\n",
        "[link\n",
        "[link]\nmtu = = 5\n",
        "[plain]\nenabled = true\nlisten = \"0.0.0.0:5684\"\n",
    ];
    let answers = refusals.map(|text| format!("{text:?}\n  {}", refusal(text)));
    insta::assert_snapshot!(answers.join("\n"));
}

#[test]
fn every_integer_is_refused_on_both_sides_of_its_range() {
    for section in Config::sections() {
        for key in section.keys {
            let Kind::Integer { min, max } = key.kind else { continue };
            let with =
                |value: i128| parse(&format!("[{}]\n{} = {value}\n", section.name, key.name));
            assert!(with(min.into()).is_ok(), "{} at {min}", key.name);
            assert!(with(max.into()).is_ok(), "{} at {max}", key.name);
            for outside in [i128::from(min) - 1, i128::from(max) + 1] {
                let line = with(outside).unwrap_err();
                assert!(line.starts_with("hub.toml:2: "), "{line}");
            }
        }
    }
}

#[test]
fn a_missing_file_is_one_line() {
    let line = Config::load(&Source::File(PathBuf::from("/nowhere/hub.toml"))).unwrap_err();
    assert!(line.to_string().starts_with("cannot read the configuration /nowhere/hub.toml: "));
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_edit_of_a_good_file_is_answered(
        at in any::<prop::sample::Index>(), with in "\\PC{0,3}", cut in 0_usize..20
    ) {
        let text: Vec<char> = Config::default().to_commented_toml().chars().collect();
        let at = at.index(text.len());
        let edited: String =
            text.iter().take(at).chain(&with.chars().collect::<Vec<_>>()).chain(text.iter().skip(at + cut)).collect();
        if let Err(line) = parse(&edited) {
            prop_assert_eq!(line.lines().count(), 1);
        }
    }
}
