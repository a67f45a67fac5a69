//! The configuration: any text is a configuration or one line of complaint, and what is printed
//! reads back as the same.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use surface::config::Config;

fuzz_target!(|text: &str| {
    let file = Path::new("hub.toml");
    match Config::parse(text, file) {
        Ok(config) => {
            let printed = config.to_commented_toml();
            assert_eq!(Config::parse(&printed, file).expect("what was printed"), config);
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.is_empty() && !line.contains('\n'), "one line: {line:?}");
        }
    }
});
