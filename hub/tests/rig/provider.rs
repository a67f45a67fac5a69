//! A certified OpenID provider (`oidc-provider`), and a person at a browser who signs in there.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;

use super::process::Process;
use super::{PATIENCE, installed};

pub struct Provider {
    pub issuer: String,
    _process: Process,
}

impl Provider {
    /// With these people, for a hub that is called back there.
    pub fn start(callback: &str, secret: &str, people: &Value) -> Self {
        let brought = installed("peers").with_file_name("node/node_modules/.bin/node");
        let node = Some(brought).filter(|node| node.exists());
        let mut command = Command::new(node.unwrap_or_else(|| "node".into()));
        command.arg(installed("peers/oidc/provider.mjs"));
        command.env("CALLBACK", callback).env("SECRET", secret).env("PEOPLE", people.to_string());
        let process = Process::spawn(&mut command);
        let line = process.stdout.wait_for_line("listening", PATIENCE);
        let issuer = line.split_once(' ').unwrap().1.to_owned();
        Self { issuer, _process: process }
    }

    /// Signs in as this person from where the hub has sent the browser; gives where the provider sends
    /// it back to.
    pub fn sign_in(&self, from: &str, person: &str) -> String {
        let mut browser = Browser { issuer: &self.issuer, cookies: BTreeMap::new() };
        let mut at = from.to_owned();
        for _ in 0..12 {
            if !at.starts_with(&self.issuer) && !at.starts_with('/') {
                return at;
            }
            let (moved, page) = browser.ask("GET", &at, "");
            at = match moved {
                Some(moved) => moved,
                None => {
                    let login = format!("prompt=login&login={person}&password=any");
                    let said =
                        if page.contains("value=\"login\"") { &login } else { "prompt=consent" };
                    browser.ask("POST", &at, said).0.unwrap_or_else(|| panic!("{page}"))
                }
            };
        }
        panic!("the provider sends the browser around: {at}");
    }
}

struct Browser<'a> {
    issuer: &'a str,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    fn ask(&mut self, method: &str, at: &str, body: &str) -> (Option<String>, String) {
        let host = self.issuer.strip_prefix("http://").unwrap();
        let path = at.strip_prefix(self.issuer).unwrap_or(at);
        let cookies: Vec<_> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            cookies.join("; "),
            body.len()
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut moved = None;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                match line.trim().is_empty() {
                    true => break,
                    false => continue,
                }
            };
            match name.to_lowercase().as_str() {
                "location" => moved = Some(value.to_owned()),
                "set-cookie" => {
                    let (name, rest) = value.split_once('=').unwrap();
                    let value = rest.split(';').next().unwrap();
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
                _ => {}
            }
        }
        let mut page = Vec::new();
        let _ = reader.read_to_end(&mut page);
        (moved, String::from_utf8_lossy(&page).into_owned())
    }
}
