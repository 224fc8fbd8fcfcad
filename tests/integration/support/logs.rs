//! Log groups on the local CloudWatch Logs.

use super::servers::Server;
use super::trail;
use aws_sdk_cloudwatchlogs::types::{InputLogEvent, LogGroupClass};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Groups whose names begin alike, and like no other test's.
pub struct Groups {
    server: Arc<Server>,
    client: aws_sdk_cloudwatchlogs::Client,
    pub prefix: String,
}

impl Groups {
    pub fn new(server: &Arc<Server>) -> Groups {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("trail-{}-{}/", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let credentials = aws_credential_types::Credentials::new("test", "test", None, None, "test");
        let config = aws_sdk_cloudwatchlogs::Config::builder()
            .behavior_version(aws_sdk_cloudwatchlogs::config::BehaviorVersion::latest())
            .region(aws_sdk_cloudwatchlogs::config::Region::new("us-east-1"))
            .credentials_provider(credentials)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(&server.url)
            .build();
        Groups { server: Arc::clone(server), client: aws_sdk_cloudwatchlogs::Client::from_conf(config), prefix }
    }

    /// The whole name of the group `name`.
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub async fn create(&self, name: &str) {
        self.create_of(name, LogGroupClass::Standard).await;
    }

    pub async fn create_of(&self, name: &str, class: LogGroupClass) {
        let name = self.name(name);
        self.client.create_log_group().log_group_name(name).log_group_class(class).send().await.unwrap();
    }

    pub async fn delete(&self, name: &str) {
        self.client.delete_log_group().log_group_name(self.name(name)).send().await.unwrap();
    }

    /// Puts messages with their times into one stream of a group.
    pub async fn put(&self, name: &str, stream: &str, events: &[(i64, String)]) {
        let name = self.name(name);
        // It may be there already.
        let _ = self.client.create_log_stream().log_group_name(&name).log_stream_name(stream).send().await;
        for some in events.chunks(1000) {
            let some = some
                .iter()
                .map(|(time, message)| InputLogEvent::builder().timestamp(*time).message(message).build().unwrap());
            let request = self.client.put_log_events().log_group_name(&name).log_stream_name(stream);
            request.set_log_events(Some(some.collect())).send().await.unwrap();
        }
    }

    /// Puts a record for each id, a second apart, the last one at `until`.
    pub async fn fill(&self, name: &str, ids: &[String], until: i64) {
        let first = until - 1000 * ids.len() as i64;
        let events = ids.iter().enumerate().map(|(n, id)| (first + 1000 * n as i64, trail::record(id).to_string()));
        self.put(name, "111122223333_CloudTrail_us-east-1", &events.collect::<Vec<_>>()).await;
    }

    /// An input over all groups; `more` are further lines of it.
    pub fn input(&self, more: &str) -> String {
        self.input_of(&format!("log_group_name_prefix: '{}'\nregion_name: us-east-1\n{more}", self.prefix))
    }

    /// An input of these lines.
    pub fn input_of(&self, lines: &str) -> String {
        format!(
            "  - type: aws-cloudwatch\n    id: groups\n    endpoint: {}\n    access_key_id: test\n    secret_access_key: test\n{}",
            self.server.url,
            lines.lines().map(|line| format!("    {line}\n")).collect::<String>()
        )
    }
}

/// ms since 1970.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// `n` ids that start with `prefix`.
pub fn ids(prefix: &str, n: usize) -> Vec<String> {
    (0..n).map(|n| format!("{prefix}-{n:06}")).collect()
}
