//! The topic a route publishes to, as a template. Knows no broker.

use crate::id::checked_text;
use crate::{BoardId, ResourcePath, TenantId};

checked_text!(
    /// An MQTT topic with `{tenant}`, `{board}` and `{resource}` to be filled in:
    /// `{tenant}/{board}/telemetry`.
    ///
    /// 1 to 256 bytes of UTF-8 without wildcards and control characters (MQTT 5.0 sections 1.5.4
    /// and 4.7.1), so that every rendered topic can be published to.
    TopicTemplate,
    "topic template",
    "1 to 256 bytes without '+', '#' and control characters, with no placeholders but {tenant}, \
     {board} and {resource}",
    is_template
);

const TEMPLATE_BYTES_MAX: usize = 256;

impl TopicTemplate {
    /// The topic for one reading: at most 3.6 kB, far below MQTT's 65,535 bytes.
    pub fn render(&self, tenant: &TenantId, board: &BoardId, resource: &ResourcePath) -> String {
        let mut topic = String::with_capacity(self.as_str().len() + 32);
        let mut rest = self.as_str();
        while let Some((literal, tail)) = rest.split_once('{') {
            topic.push_str(literal);
            let Some((placeholder, tail)) = tail.split_once('}') else { break };
            match placeholder {
                "tenant" => topic.push_str(tenant.as_str()),
                "board" => topic.push_str(board.as_str()),
                _ => topic.push_str(resource.as_str()),
            }
            rest = tail;
        }
        topic.push_str(rest);
        topic
    }
}

fn is_template(text: &str) -> bool {
    let bare =
        ["{tenant}", "{board}", "{resource}"].iter().fold(text.to_owned(), |t, p| t.replace(p, ""));
    (1..=TEMPLATE_BYTES_MAX).contains(&text.len())
        && !bare.chars().any(|c| matches!(c, '{' | '}' | '+' | '#') || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str) -> String {
        let template: TopicTemplate = template.parse().unwrap();
        template.render(&"acme".parse().unwrap(), &"CB-1".parse().unwrap(), &"r/x".parse().unwrap())
    }

    #[test]
    fn placeholders_are_filled_in_and_the_rest_is_kept() {
        assert_eq!(render("{tenant}/{board}/telemetry"), "acme/CB-1/telemetry");
        assert_eq!(render("{board}{board}-{resource}"), "CB-1CB-1-r/x");
        assert_eq!(render("plain/größe"), "plain/größe");
    }

    #[test]
    fn what_cannot_be_published_to_is_refused() {
        let long = "x".repeat(257);
        let bad = [
            "",
            "a/+/b",
            "a/#",
            "a\0b",
            "a\nb",
            "{imei}",
            "{tenant",
            "tenant}",
            "{}",
            "{{tenant}}",
            "{ten{board}ant}",
            long.as_str(),
        ];
        for text in bad {
            assert!(text.parse::<TopicTemplate>().is_err(), "{text:?}");
        }
    }
}
