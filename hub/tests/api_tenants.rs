//! Tenants, their quotas, upstreams and routes over the API, with a broker that is really spoken to.

use serde_json::{Value, json};

use crate::rig::api::{Answer, Api};
use crate::rig::board::Board;
use crate::rig::broker::Broker;
use crate::rig::client::Client;
use crate::rig::pki::Authority;
use crate::rig::site::Plan;
use crate::rig::subscriber::Subscriber;
use crate::rig::{PATIENCE, eventually, free_tcp};

fn tag(answer: &Answer) -> String {
    answer.header("etag").unwrap().to_owned()
}

fn steps(tried: &Value) -> Vec<(&str, bool)> {
    let steps = tried["steps"].as_array().unwrap();
    steps.iter().map(|it| (it["step"].as_str().unwrap(), it["ok"] == true)).collect()
}

#[test]
fn a_tenant_is_renamed_suspended_and_bounded() {
    let api = Api::start();
    let admin = api.program_of("anna", &["platform-admin"]);
    let tenant = "/tenants/tenant-0";
    assert_eq!(admin.get("/tenants").ok()["items"][0]["boards"], 1);
    let read = tag(&admin.get(tenant));
    let rename = |tag: &str, name: &str| {
        admin.send("PATCH", tenant, &[("If-Match", tag)], Some(&json!({ "name": name })))
    };
    let renamed = rename(&read, "Acme Pumps");
    assert_eq!(renamed.ok()["name"], "Acme Pumps");
    rename(&read, "Other").refused(412, "changed");
    rename("*", "").refused(422, "invalid");
    admin
        .send("PATCH", tenant, &[], Some(&json!({ "name": "x" })))
        .refused(428, "precondition-required");
    let mass = json!({ "name": "x", "state": "suspended" });
    admin.send("PATCH", tenant, &[("If-Match", "*")], Some(&mass)).refused(422, "invalid");

    let why = json!({ "reason": "unpaid" });
    let suspended = admin.post(&format!("{tenant}/suspend"), &why).ok();
    assert_eq!(suspended["tenant"]["state"], "suspended");
    admin.post(&format!("{tenant}/suspend"), &why).refused(409, "refused");
    assert_eq!(admin.post(&format!("{tenant}/resume"), &json!({})).ok()["state"], "active");

    let quota = admin.get(&format!("{tenant}/quota"));
    let in_force = quota.ok()["in_force"]["board"]["messages_per_minute"].clone();
    assert_eq!(
        (&in_force, &quota.json()["own"]["board"]["messages_per_minute"]),
        (&json!(0), &Value::Null)
    );
    let own = json!({ "board": { "messages_per_minute": 7 }, "tenant": {} });
    let set =
        admin.send("PUT", &format!("{tenant}/quota"), &[("If-Match", &tag(&quota))], Some(&own));
    assert_eq!(set.ok()["in_force"]["board"]["messages_per_minute"], 7);
    let said = api.done(&["tenant", "show", "tenant-0"]);
    assert!(
        said.lines().any(|line| line.starts_with("messages a minute") && line.contains(" 7 ")),
        "{said}"
    );
    let refused =
        admin.send("PUT", &format!("{tenant}/quota"), &[("If-Match", &tag(&quota))], Some(&own));
    refused.refused(412, "changed");

    let operator = api.program_of("otto", &["tenant-admin@tenant-1"]);
    operator.post(&format!("{tenant}/suspend"), &why).refused(403, "forbidden");
    operator.get(&format!("{tenant}/quota")).refused(404, "not-found");
}

#[test]
fn a_tenant_is_added_once_with_an_authority_that_issues_or_its_own() {
    let api = Api::start();
    let admin = api.program_of("anna", &["platform-admin"]);
    let new = json!({ "id": "acme", "name": "Acme Pumps" });
    let key = [("Idempotency-Key", "one")];
    let added = admin.send("POST", "/tenants", &key, Some(&new));
    assert_eq!(added.status, 201, "{}", added.text());
    assert_eq!(added.header("location"), Some("/api/v1/tenants/acme"));
    assert_eq!(admin.send("POST", "/tenants", &key, Some(&new)).body, added.body, "asked twice");
    admin.post("/tenants", &new).refused(409, "refused");
    assert_eq!(admin.get("/tenants/acme").ok()["name"], "Acme Pumps");
    let authorities = admin.get("/authorities").ok();
    let of_acme =
        authorities["items"].as_array().unwrap().iter().filter(|it| it["tenant"] == "acme");
    assert_eq!(of_acme.count(), 1, "{authorities}");
    let csr = api.site.path("CB-7.pem");
    let key = api.site.path("CB-7.key.pem");
    let (out, key) = (csr.to_str().unwrap(), key.to_str().unwrap());
    api.done(&["ca", "issue", "CB-7", "--tenant", "acme", "--out", out, "--key", key]);
    assert_eq!(admin.get("/boards/CB-7").ok()["tenant"], "acme");

    // What is no authority, the hub's root, and what somebody has already.
    let pem = |file: &str| std::fs::read_to_string(api.site.path(file)).unwrap();
    let own = |id: &str, pem: &str| admin.post("/tenants", &json!({ "id": id, "authority": pem }));
    own("beta", "no certificate").refused(422, "invalid");
    own("beta", &pem("CB-7.pem")).refused(422, "invalid");
    let root = std::fs::read_to_string(api.site.root()).unwrap();
    own("beta", &root).refused(409, "refused");
    admin.get("/tenants/beta").refused(404, "not-found");
    let foreign = Authority::new("Beta's own");
    let foreign = String::from_utf8(foreign.certificate().to_pem().unwrap()).unwrap();
    let added = own("beta", &foreign);
    assert_eq!(added.status, 201, "{}", added.text());
    own("gamma", &foreign).refused(409, "refused");

    for wrong in [
        json!({ "id": "Big" }),
        json!({ "id": "" }),
        json!({ "id": "x", "name": "" }),
        json!({ "id": "x", "name": "a\r\nb" }),
        json!({ "id": "x", "state": "suspended" }),
        json!({ "name": "x" }),
    ] {
        admin.post("/tenants", &wrong).refused(422, "invalid");
    }
    for (name, role) in [("tina", "tenant-admin@tenant-0"), ("otto", "operator")] {
        api.program_of(name, &[role])
            .post("/tenants", &json!({ "id": "mine" }))
            .refused(403, "forbidden");
    }
}

#[test]
fn readings_go_where_the_api_leads_them() {
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.plain);
    let api = Api::start();
    let admin = api.program_of("tina", &["tenant-admin@tenant-0"]);
    let upstreams = "/tenants/tenant-0/upstreams";
    let url = format!("mqtt://{}", broker.plain);
    let new = json!({ "name": "site", "settings": { "url": url, "client_id": "hub-of-tina" } });
    let added = admin.post(upstreams, &new);
    assert_eq!((added.status, added.json()["url"].clone()), (201, json!(url)), "{}", added.text());
    admin.post(upstreams, &new).refused(409, "refused");
    let up = || admin.get(&format!("{upstreams}/site")).ok()["status"]["up"] == true;
    let route =
        json!({ "resource": "r/x", "settings": { "upstream": "site", "topic": "{board}/x" } });
    let added = admin.post("/tenants/tenant-0/routes", &route);
    assert_eq!(added.header("location"), Some("/api/v1/tenants/tenant-0/routes/r%2Fx"));
    eventually("the upstream is up", PATIENCE, || up().then_some(()));

    let tried =
        admin.post("/tenants/tenant-0/routes/r%2Fx/test", &json!({ "payload": "a trial" })).ok();
    assert_eq!(tried["ok"], true, "{tried}");
    assert_eq!(subscriber.wait_for(b"a trial").topic, "hub-test/x");
    let identity = api.site.boards[0].identity();
    let client = Client::connect(api.hub.listen, &api.site.root(), &identity).expect("a session");
    let mut board = Board::new(client);
    assert_eq!(board.post("r/x", b"a reading").message.dotted(), "2.04");
    assert_eq!(subscriber.wait_for(b"a reading").topic, "CB-00000000/x");

    let route = "/tenants/tenant-0/routes/r%2Fx";
    let read = tag(&admin.get(route));
    let other = json!({ "upstream": "site", "topic": "elsewhere/{board}" });
    let changed = admin.send("PUT", route, &[("If-Match", &read)], Some(&other));
    assert_eq!(changed.ok()["topic"], "elsewhere/{board}");
    assert_eq!(board.post("r/x", b"another").message.dotted(), "2.04");
    assert_eq!(subscriber.wait_for(b"another").topic, "elsewhere/CB-00000000");
    let wild = json!({ "upstream": "site", "topic": "#" });
    admin.send("PUT", route, &[("If-Match", "*")], Some(&wild)).refused(422, "invalid");
    let nowhere = json!({ "upstream": "nowhere" });
    admin.send("PUT", route, &[("If-Match", "*")], Some(&nowhere)).refused(404, "not-found");
    let taken = json!({ "resource": "time", "settings": { "upstream": "site" } });
    admin.post("/tenants/tenant-0/routes", &taken).refused(409, "refused");

    let listed = admin.get("/routes?limit=1").ok();
    let after = listed["next"].as_str().unwrap();
    assert_eq!(
        admin.get(&format!("/routes?after={after}&limit=1")).ok()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    admin
        .send("DELETE", &format!("{upstreams}/site"), &[("If-Match", "*")], None)
        .refused(409, "refused");
    assert_eq!(admin.send("DELETE", route, &[("If-Match", "*")], None).status, 204);
    assert_eq!(
        admin.send("DELETE", &format!("{upstreams}/site"), &[("If-Match", "*")], None).status,
        204
    );
    assert_eq!(board.post("r/x", b"gone").message.dotted(), "4.04");
}

#[test]
fn an_upstream_that_cannot_be_reached_says_at_which_step_and_why() {
    let broker = Broker::start();
    let api = Api::of(Plan::boards(2).tenants(2).broker(broker.tls, &broker.ca()));
    let admin = api.program_of("anna", &["platform-admin"]);
    let upstreams = "/tenants/tenant-0/upstreams";
    let attempt = |name: &str| {
        let tried =
            admin.post(&format!("{upstreams}/{name}/test"), &json!({ "topic": "a/b" })).ok();
        assert_eq!(tried["ok"], name == "broker", "{tried}");
        tried
    };
    for (name, url) in [
        ("closed", format!("mqtt://{}", free_tcp())),
        // The other way round: TLS where there is none, and a certificate nobody vouches for.
        ("plain", format!("mqtts://{}", broker.plain)),
        ("untrusted", format!("mqtts://{}", broker.tls)),
    ] {
        let settings = json!({ "url": url });
        assert_eq!(
            admin.post(upstreams, &json!({ "name": name, "settings": settings })).status,
            201
        );
    }
    let closed = attempt("closed");
    assert_eq!(steps(&closed), [("resolve", true), ("connect", false)]);
    assert_eq!(closed["steps"][1]["trouble"]["code"], "unreachable");
    assert_eq!(steps(&attempt("plain")), [("resolve", true), ("connect", true), ("tls", false)]);
    let untrusted = attempt("untrusted");
    assert_eq!(untrusted["steps"][2]["trouble"]["code"], "untrusted", "{untrusted}");
    let listed = admin.get("/upstreams?tenant=tenant-0").ok();
    let names: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["broker", "closed", "discard", "plain", "untrusted"]);
    eventually("the fixture's own is up", PATIENCE, || {
        let up = &admin.get(&format!("{upstreams}/broker")).ok()["status"]["up"];
        (up == true).then_some(())
    });
    let live = attempt("broker");
    assert_eq!(
        (steps(&live).len(), &live["answer"]),
        (0, &json!("the upstream has acknowledged it"))
    );

    // The host's files can be neither named nor kept for another name.
    let with_file =
        json!({ "name": "x", "settings": { "url": "mqtt://a", "password_file": "/etc/passwd" } });
    admin.post(upstreams, &with_file).refused(422, "invalid");
    for topic in ["", "a/#", "{board}", "$SYS/x"] {
        let trial = json!({ "topic": topic });
        admin.post(&format!("{upstreams}/broker/test"), &trial).refused(422, "invalid");
    }
    let auditor = api.program_of("otto", &["auditor"]);
    let trial = json!({ "topic": "a" });
    auditor.post(&format!("{upstreams}/broker/test"), &trial).refused(403, "forbidden");
}
