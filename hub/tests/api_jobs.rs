//! Jobs and kept lists over the API: work on many boards that goes on by itself, over a kill.

use serde_json::{Value, json};

use crate::rig::api::{Api, Client};
use crate::rig::site::Plan;
use crate::rig::{PATIENCE, eventually};

fn ended(client: &Client, job: &Value) -> Value {
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());
    eventually("the job is over", PATIENCE, || {
        let job = client.get(&path).ok();
        (!job["ended"].is_null()).then_some(job)
    })
}

fn total(client: &Client, query: &str) -> Value {
    client.get(&format!("/boards?{query}")).ok()["total"].clone()
}

#[test]
fn all_boards_that_fit_are_blocked_labelled_and_let_in() {
    let api = Api::of(Plan::boards(12).tenants(2));
    let operator = api.program_of("otto", &["operator"]);
    let new = |filter: &str, job: Value| json!({ "filter": filter, "job": job });
    let block = json!({ "work": "block", "reason": "recall" });
    let made = operator.post("/jobs", &new("tenant=tenant-0", block.clone()));
    assert_eq!((made.status, &made.json()["total"]), (202, &json!(6)), "{}", made.text());
    let done = ended(&operator, &made.json());
    assert_eq!(
        (&done["state"], &done["done"], &done["kept"]),
        (&json!("done"), &json!(6), &json!(0))
    );
    assert_eq!(total(&operator, "state=blocked"), 6);
    assert_eq!(total(&operator, "state=blocked&tenant=tenant-1"), 0);

    // Those that are blocked already are as they were, and said to be.
    let unblock = json!({ "work": "unblock" });
    let again = ended(&operator, &operator.post("/jobs", &new("q=CB", unblock)).ok());
    assert_eq!((&again["done"], &again["kept"]), (&json!(6), &json!(6)));
    assert!(again["faults"][0]["why"].as_str().unwrap().contains("not blocked"), "{again}");

    let label = json!({ "work": "label", "set": { "site": "roof" }, "remove": ["x"] });
    ended(&operator, &operator.post("/jobs", &new("q=0000000", label)).ok());
    assert_eq!(total(&operator, "label=site%3Droof"), 10);
    let audit = api.done(&["audit", "list"]);
    let line = audit.lines().find(|line| line.contains("board.block")).unwrap();
    assert!(line.contains("job:") && line.contains("otto"), "{line}");
    assert_eq!(operator.get("/jobs?limit=2").ok()["items"].as_array().unwrap().len(), 2);
    let first = operator.get("/jobs").ok()["items"][2].clone();
    assert_eq!(first["reason"], "recall");

    for (filter, job) in [
        ("", block.clone()),
        ("stat=active", block.clone()),
        ("q=a", json!({ "work": "block" })),
        ("q=a", json!({ "work": "label" })),
        ("q=a", json!({ "work": "fly" })),
    ] {
        let refused = operator.post("/jobs", &new(filter, job));
        assert!([400, 422].contains(&refused.status), "{filter}: {}", refused.text());
    }
}

#[test]
fn a_job_goes_no_further_than_whoever_wants_it_may() {
    let api = Api::of(Plan::boards(4).tenants(2));
    let theirs = api.program_of("tina", &["operator@tenant-1"]);
    let new = json!({ "filter": "q=CB", "job": { "work": "block", "reason": "x" } });
    let made = theirs.post("/jobs", &new).ok();
    assert_eq!((&made["total"], &made["within"]), (&json!(2), &json!(["tenant-1"])));
    ended(&theirs, &made);
    let admin = api.program_of("anna", &["platform-admin"]);
    assert_eq!(total(&admin, "state=blocked"), 2);
    assert_eq!(total(&admin, "state=blocked&tenant=tenant-0"), 0);
    let ours = admin.post("/jobs", &new).ok();
    ended(&admin, &ours);
    let path = format!("/jobs/{}", ours["id"].as_str().unwrap());
    theirs.get(&path).refused(404, "not-found");
    theirs.post(&format!("{path}/cancel"), &json!({})).refused(404, "not-found");
    assert_eq!(theirs.get("/jobs").ok()["items"].as_array().unwrap().len(), 1);
    let auditor = api.program_of("otto", &["auditor"]);
    auditor.post("/jobs", &new).refused(403, "forbidden");
    assert_eq!(auditor.get("/jobs").ok()["items"].as_array().unwrap().len(), 2);
}

#[test]
fn a_job_goes_on_after_a_kill_and_can_be_ended() {
    let mut api = Api::of(Plan::boards(600));
    let operator = api.program_of("otto", &["operator"]);
    let new = json!({ "filter": "q=CB", "job": { "work": "label", "set": { "a": "b" } } });
    let job = operator.post("/jobs", &new).ok();
    eventually("it has begun", PATIENCE, || (total(&operator, "label=a") != 0).then_some(()));
    api.hub.process.kill();
    api.hub = api.site.start();
    let done = ended(&operator, &job);
    assert_eq!((&done["state"], &done["total"]), (&json!("done"), &json!(600)));
    assert_eq!(total(&operator, "label=a%3Db"), 600);

    let new = json!({ "filter": "q=CB", "job": { "work": "label", "set": { "c": "d" } } });
    let (first, second) = (operator.post("/jobs", &new).ok(), operator.post("/jobs", &new).ok());
    for job in [&second, &first] {
        let path = format!("/jobs/{}/cancel", job["id"].as_str().unwrap());
        assert_eq!(operator.post(&path, &json!({})).ok()["state"], "cancelled");
        operator.post(&path, &json!({})).refused(409, "refused");
    }
    assert_eq!(ended(&operator, &second)["done"], 0);
    let marked = ended(&operator, &first)["done"].as_u64().unwrap();
    assert!(marked < 600, "{marked}");
}

#[test]
fn lists_are_kept_for_whoever_keeps_them() {
    let api = Api::start();
    let (anna, otto) = (api.program_of("anna", &["auditor"]), api.program_of("otto", &["auditor"]));
    let put = |client: &Client, name: &str, query: &str| {
        client.send("PUT", &format!("/views/{name}"), &[], Some(&json!({ "query": query })))
    };
    put(&anna, "lost%20ones", "heard=false&sort=-created").ok();
    put(&anna, "lost%20ones", "heard=false").ok();
    put(&anna, "all", "").ok();
    put(&anna, "wrong", "heart=false").refused(400, "malformed");
    put(&anna, "a%2Fb", "").refused(404, "not-found");
    let kept = anna.get("/views").ok();
    let names: Vec<_> = kept["items"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["all", "lost ones"]);
    assert_eq!(kept["items"][1]["query"], "heard=false");
    assert_eq!(otto.get("/views").ok()["items"], json!([]));
    otto.send("DELETE", "/views/all", &[], None).refused(404, "not-found");
    assert_eq!(anna.send("DELETE", "/views/all", &[], None).status, 204);
}
