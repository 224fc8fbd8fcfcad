//! Why Kibana did not do what was asked, and what to do about it.
//!
//! Texts name the setting, the privilege or the place in Kibana that helps; what Kibana itself says is passed on.

use crate::output::elasticsearch::SendFault;
use serde_json::Value;

/// Characters that are shown of what a server says.
const SHOWN: usize = 300;

/// What a request is about; refusals of the same status have different cures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Server,
    Space,
    Dashboards,
    Rules,
}

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub enum KibanaError {
    #[error(
        "`{asked}`: {fault} (tried {}); check `setup.kibana.host`, or give Kibana longer to start with \
         `setup.kibana.wait`",
        times(*.tries)
    )]
    Unanswered { asked: String, tries: u32, fault: SendFault },
    #[error("`{asked}`: {fault}; check `setup.kibana.protocol` and `setup.kibana.ssl`")]
    Insecure { asked: String, fault: SendFault },
    #[error(
        "`{asked}` answered {status} (tried {}): {reason}; run it again later, or wait longer with `setup.kibana.wait`",
        times(*.tries)
    )]
    Later { asked: String, status: u16, tries: u32, reason: String },
    #[error(
        "`{asked}` answered {status}, but not as Kibana does: {start}; check `setup.kibana.host`, and \
         `setup.kibana.path` where Kibana has a `server.basePath` or stands behind a proxy"
    )]
    Foreign { asked: String, status: u16, start: String },
    #[error("`{asked}` was refused with {status}: {reason}{}", advice(*.about, *.status))]
    Refused { asked: String, status: u16, reason: String, about: About },
    #[error(
        "this is OpenSearch Dashboards {0}, which cannot import dashboards made of Lens panels, nor detection rules of \
         Elastic Security: they need Kibana 8.9 or newer"
    )]
    OpenSearchDashboards(String),
    #[error("this Kibana is {0}, and dashboards and rules need 8.9 or newer: upgrade it")]
    Old(String),
    #[error(
        "there is no space `{0}`: correct `setup.kibana.space.id`, or create it in Kibana under Stack Management, Spaces"
    )]
    NoSpace(String),
}

impl KibanaError {
    /// Whether Kibana answered and merely does not do this: neither a fault of the login or of privileges, nor none at all.
    pub fn is_refusal(&self) -> bool {
        matches!(self, KibanaError::Refused { status, .. } if !matches!(status, 401 | 403))
    }
}

/// What a server says: its message, or the start of whatever it sent, in one line.
pub(super) fn reason(body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let told = ["/message", "/status/overall/summary", "/error/reason", "/error"];
    let told = told.into_iter().find_map(|pointer| json.pointer(pointer)?.as_str().map(str::to_owned));
    shortened(&told.unwrap_or_else(|| String::from_utf8_lossy(body.get(..4096).unwrap_or(body)).into_owned()))
}

/// One line of at most [`SHOWN`] characters, fit for a terminal.
pub(super) fn shortened(text: &str) -> String {
    let line: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = line.join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None if line.is_empty() => "an empty answer".to_owned(),
        None => line,
    }
}

fn advice(about: About, status: u16) -> &'static str {
    match (status, about) {
        (401, _) => {
            "; the login is wrong or has expired: check `setup.kibana.api_key`, or `setup.kibana.username` and \
             `setup.kibana.password`; without them, the login of `output.elasticsearch` is used"
        }
        (403, About::Rules) => {
            "; the role needs, in this space, the Kibana privilege Security: All (Rules: All where it is listed by \
             itself)"
        }
        (403, About::Dashboards) => {
            "; the role needs, in this space, the Kibana privileges Saved Objects Management: All, Dashboard: All and \
             Data View Management: All"
        }
        (403, _) => "; the role needs a privilege in this space of Kibana: see `setup.kibana.space.id`",
        (404, About::Rules) => "; this Kibana has no Elastic Security, or it is hidden in this space: rules need it",
        (404, _) => "; check `setup.kibana.host` and `setup.kibana.path`",
        (409, _) => "; somebody else changes the same objects: run it again",
        (413, _) => {
            "; raise what a proxy before Kibana lets through (nginx: `client_max_body_size`), or \
             `savedObjects.maxImportPayloadBytes` in `kibana.yml`"
        }
        (422, _) => "; this Kibana is too old for these files: upgrade it, or use the trailship of its time",
        (500.., _) => "; Kibana's own log says more",
        _ => "",
    }
}

fn times(tries: u32) -> String {
    if tries == 1 { "once".to_owned() } else { format!("{tries} times") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_is_found_wherever_they_say_it() {
        for (body, told) in [
            (
                r#"{"statusCode":403,"error":"Forbidden","message":"Unable to bulk_create dashboard"}"#,
                "Unable to bulk_create dashboard",
            ),
            (r#"{"message":"rule_id: x\nalready exists","status_code":409}"#, "rule_id: x already exists"),
            (
                r#"{"status":{"overall":{"level":"unavailable","summary":"elasticsearch is unavailable"}}}"#,
                "elasticsearch is unavailable",
            ),
            (r#"{"statusCode":404,"error":"Not Found"}"#, "Not Found"),
            ("Kibana server is not ready yet", "Kibana server is not ready yet"),
            ("<html>\r\n<title>502</title>\u{1b}[2J", "<html> <title>502</title> [2J"),
            ("", "an empty answer"),
        ] {
            assert_eq!(reason(body.as_bytes()), told);
        }
    }

    #[test]
    fn a_long_answer_is_cut_between_characters() {
        let long = "é".repeat(10_000);
        assert_eq!(reason(long.as_bytes()), format!("{}...", "é".repeat(SHOWN)));
    }
}
