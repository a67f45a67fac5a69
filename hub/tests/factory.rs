//! The production station's program against a real hub.

use std::process::Command;

use crate::rig::PATIENCE;
use crate::rig::est::{Factory, fingerprint_of};
use crate::rig::process::{Finished, Process};
use crate::rig::site::CELLULAR_HUB;

fn station(factory: &Factory, more: &[&str]) -> Command {
    let mut command = Command::new(CELLULAR_HUB);
    command.args(["factory", "--json", "--hub", &factory.address(), "--tenant", "tenant-0"]);
    command.arg("--authority").arg(factory.site.root());
    command.args(["--out", &factory.file("out")]);
    if !more.contains(&"--token-file") {
        command.arg("--certificate").arg(factory.path("line.pem"));
        command.arg("--key").arg(factory.path("line.key"));
    }
    command.args(more);
    command
}

fn run(factory: &Factory, more: &[&str]) -> (Finished, serde_json::Value) {
    let finished = Process::run(&mut station(factory, more), PATIENCE);
    let summary = serde_json::from_str(finished.stdout.trim()).unwrap_or_default();
    (finished, summary)
}

#[test]
fn a_folder_of_requests_in_every_form_is_enrolled_once_and_passed_over_then() {
    let mut factory = Factory::new();
    let folder = factory.path("requests");
    std::fs::create_dir(&folder).unwrap();
    factory.start();
    let put = |name: &str, text: &[u8]| std::fs::write(folder.join(name), text).unwrap();
    let pem = |id: &str| {
        factory.request(id);
        std::fs::read_to_string(factory.path(&format!("{id}.csr"))).unwrap()
    };
    let line = |id: &str| factory.request(id).replace('\n', "");
    put("two.pem", [pem("CB-S1"), pem("CB-S2")].concat().as_bytes());
    put("one.der", &openssl::base64::decode_block(&line("CB-S3")).unwrap());
    let named = format!("{{\"id\":\"CB-S4\",\"csr\":\"{}\"}}\n", line("CB-S4"));
    put("named.jsonl", named.as_bytes());
    let url_safe = line("CB-S5").replace('+', "-").replace('/', "_").replace('=', "");
    let modem = format!("AT%KEYGEN=1,2,0\r\n%KEYGEN: \"{url_safe}.0oRDoQEm\"\r\nOK\r\n");
    put("modem.log", modem.as_bytes());
    let requests = folder.to_str().unwrap();

    let (finished, summary) = run(&factory, &[requests]);
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!((&summary["enrolled"], &summary["refused"]), (&5.into(), &0.into()), "{summary}");
    for n in 1..=5 {
        factory.verify(&factory.path(&format!("out/CB-S{n}.pem")));
    }

    // Again: nothing to do, but for the board whose certificate was lost and one of another batch.
    let lost = factory.path("out/CB-S2.pem");
    std::fs::remove_file(&lost).unwrap();
    put("outside.pem", pem("CB-X9").as_bytes());
    put("nothing.txt", b"what is this?\n");
    let (finished, summary) = run(&factory, &[requests]);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let counts = ["enrolled", "done_before", "refused"].map(|name| summary[name].as_u64().unwrap());
    assert_eq!(counts, [1, 4, 2], "{summary}");
    let result = std::fs::read_to_string(factory.path("out/result.jsonl")).unwrap();
    let refused = result.lines().find(|line| line.contains("CB-X9")).unwrap();
    assert!(refused.contains("board CB-X9 is not of batch spring"), "{refused}");
    assert!(result.contains("nothing.txt:1"), "{result}");
    let print = fingerprint_of(&lost);
    assert!(result.lines().any(|line| line.contains(&print)), "{result}");
    factory.stop();
    assert_eq!(factory.registered("CB-S2"), Some(print));
}

#[test]
fn standard_input_is_answered_as_it_comes_and_a_result_may_be_csv() {
    let mut factory = Factory::new();
    factory.start();
    let csv = factory.path("today.csv");
    let mut command = station(&factory, &["-", "--result", csv.to_str().unwrap()]);
    let mut process = Process::spawn(&mut command);
    for id in ["CB-S1", "CB-S2"] {
        process.write(format!("{}\n", factory.request(id).replace('\n', "")).as_bytes());
        let enrolled = format!("{id},enrolled,");
        crate::rig::eventually("the board is in the result file", PATIENCE, || {
            let text = std::fs::read_to_string(&csv).unwrap_or_default();
            text.lines().any(|line| line.starts_with(&enrolled)).then_some(())
        });
    }
    process.close_stdin();
    assert!(process.wait(PATIENCE).success());
}

#[test]
fn a_station_without_a_hub_gives_up_with_the_reason_and_one_with_a_token_enrols_one_board() {
    let mut factory = Factory::new();
    let token = factory.path("token");
    std::fs::write(&token, factory.token("spring")).unwrap();
    factory.request("CB-S1");
    let request = factory.file("CB-S1.csr");
    let (finished, _) = run(&factory, &[&request, "--patience", "0"]);
    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    assert!(finished.stderr.contains("the hub has not answered"), "{}", finished.stderr);
    factory.start();
    let with = ["--token-file", token.to_str().unwrap()];
    let (finished, summary) = run(&factory, &[&[request.as_str()], &with[..]].concat());
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(summary["enrolled"], 1);
    factory.request("CB-S2");
    let next = factory.file("CB-S2.csr");
    let (finished, summary) = run(&factory, &[&[next.as_str()], &with[..]].concat());
    assert_eq!(finished.status.code(), Some(1));
    assert!(summary["reasons"][0].as_str().unwrap().contains("used before"), "{summary}");
}
