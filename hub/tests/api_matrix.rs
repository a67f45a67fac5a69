//! Every role, at every operation of the OpenAPI document, towards its own and others' tenants,
//! against the running hub: what the table of permissions and the document say is what happens.

use hub::people::PermissionSet;
use serde_json::Value;
use storage::Role;

use crate::rig::api::{Answer, Api, Client};
use crate::rig::openapi::{Operation, operations};
use crate::rig::site::Plan;

fn code(answer: &Answer) -> String {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn each_role_may_what_the_table_says_in_its_tenant_and_nothing_else() {
    let api = Api::of(Plan::boards(2).tenants(2).set("https", "requests_per_caller_s", 0).set(
        "https",
        "requests_per_source_s",
        0,
    ));
    let operations = operations();
    let anybody = api.anybody().with("x-hub-csrf", "1");
    for operation in operations.iter().filter(|it| it.permission != "public") {
        let answer = operation.ask(&anybody, "tenant-0");
        assert_eq!(answer.status, 401, "{operation} answers anybody: {}", answer.text());
    }
    let mut judged = 0;
    for role in Role::ALL {
        let scopes: &[Option<&str>] = match role {
            Role::PlatformAdmin => &[None],
            Role::TenantAdmin => &[Some("tenant-1")],
            _ => &[None, Some("tenant-1")],
        };
        for scope in scopes {
            let name = format!("{role}-{}", scope.unwrap_or("everywhere"));
            let grant = scope.map_or(role.to_string(), |tenant| format!("{role}@{tenant}"));
            let client = api.program_of(&name, &[&grant]);
            for operation in &operations {
                judge(operation, &client, role, *scope);
                judged += 1;
            }
        }
    }
    assert!(judged > 12 * 10, "{judged}");
    let mut api = api;
    api.hub.assert_alive();
}

fn judge(operation: &Operation, client: &Client, role: Role, scope: Option<&str>) {
    let what = |answer: &Answer| {
        let at = scope.unwrap_or("everywhere");
        format!("{role} of {at}: {operation}: {} {}", answer.status, answer.text())
    };
    let Some(permission) = operation.permission() else {
        if operation.permission == "signed-in" {
            let answer = operation.ask(client, "tenant-9");
            assert_ne!(answer.status, 401, "{}", what(&answer));
            assert!(answer.status < 500, "{}", what(&answer));
        }
        return;
    };
    // Who may is asked about what is not there, so that nothing changes; who may not, about what is.
    match (PermissionSet::of(role).has(permission), scope) {
        (false, _) => {
            let answer = operation.ask(client, "tenant-1");
            assert_eq!(
                (answer.status, code(&answer).as_str()),
                (403, "forbidden"),
                "{}",
                what(&answer)
            );
        }
        (true, None) => {
            let answer = operation.ask(client, "tenant-9");
            assert!(![401, 403].contains(&answer.status), "{}", what(&answer));
            assert!(answer.status < 500, "{}", what(&answer));
        }
        (true, Some(_)) => {
            if operation.names_a_tenant() {
                let others = operation.ask_in_full(client, "tenant-0");
                let nobodys = operation.ask_in_full(client, "tenant-9");
                assert_eq!(others.status, 404, "{}", what(&others));
                assert_eq!(others.text().replace("tenant-0", "tenant-9"), nobodys.text());
            }
            let answer = operation.ask(client, "tenant-9");
            assert!(answer.status != 401 && answer.status < 500, "{}", what(&answer));
        }
    }
}
