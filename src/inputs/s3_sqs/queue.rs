//! The verbs of a queue that this input needs, and SQS behind them.
//!
//! The seam is small so that tests can put a queue with true visibility clocks in its place. No verb retries: whoever
//! calls has a loop that does.

use crate::aws::fault::{Fault, Service};
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
    QueueAttributeName,
};
use std::time::Duration;

/// Most messages in one call, by SQS quotas.
pub const BATCH: usize = 10;
/// SQS takes a message back this long after its receive, whatever was asked (SQS quotas).
pub const LONGEST_HOLD: Duration = Duration::from_secs(12 * 3600);

/// Time for the answer of a long poll, after its wait.
const ANSWER: Duration = Duration::from_secs(5);

/// A message as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same at every delivery of the message.
    pub id: String,
    /// Valid until the message is received again.
    pub handle: String,
    pub body: String,
    /// How often it was received, this time included.
    pub receives: u32,
}

/// An entry of a batch that was refused.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Its place in the batch.
    pub index: usize,
    pub fault: Fault,
}

/// What the queue says of itself; the numbers are approximate, as SQS names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueState {
    /// Messages that can be received now.
    pub visible: u64,
    /// Messages whose delay has not passed.
    pub delayed: u64,
    /// Messages that somebody has received and not deleted.
    pub hidden: u64,
    /// The queue's own visibility time-out.
    pub visibility: Duration,
    /// Receives after which a message goes to the dead letter queue, if one is set.
    pub max_receives: Option<u32>,
}

/// A queue. A call of more than [`BATCH`] entries is an error of the caller.
pub trait Queue: Send + Sync + 'static {
    /// Up to `max` messages, hidden from others for `visibility`; waits up to `wait` for the first. Must not be
    /// cancelled: what the service has handed out by then stays hidden.
    fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> impl Future<Output = Result<Vec<Message>, Fault>> + Send;

    /// Deletes messages by handle; tells which could not be.
    fn delete(&self, handles: Vec<String>) -> impl Future<Output = Result<Vec<Refused>, Fault>> + Send;

    /// Hides messages for so long from now on; zero gives them back at once. Tells which could not be.
    fn hide(&self, entries: Vec<(String, Duration)>) -> impl Future<Output = Result<Vec<Refused>, Fault>> + Send;

    /// Reads the queue's figures.
    fn state(&self) -> impl Future<Output = Result<QueueState, Fault>> + Send;
}

/// A queue of SQS.
pub struct SqsQueue {
    client: aws_sdk_sqs::Client,
    url: String,
    api_timeout: Duration,
}

impl SqsQueue {
    /// `api_timeout` is the client's limit of a call; a receive takes as long as its wait in any case.
    pub fn new(client: aws_sdk_sqs::Client, url: &str, api_timeout: Duration) -> SqsQueue {
        SqsQueue { client, url: url.to_owned(), api_timeout }
    }
}

impl Queue for SqsQueue {
    async fn receive(&self, max: usize, wait: Duration, visibility: Duration) -> Result<Vec<Message>, Fault> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(max).unwrap_or(i32::MAX))
            .wait_time_seconds(whole_seconds(wait))
            .visibility_timeout(whole_seconds(visibility))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let limit = TimeoutConfig::builder().operation_timeout(self.api_timeout.max(wait + ANSWER)).build();
        let request = request.customize().config_override(aws_sdk_sqs::Config::builder().timeout_config(limit));
        let answer =
            request.send().await.map_err(|error| Fault::of(Service::Sqs, "ReceiveMessage", &self.url, &error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(received).collect())
    }

    async fn delete(&self, handles: Vec<String>) -> Result<Vec<Refused>, Fault> {
        let mut request = self.client.delete_message_batch().queue_url(&self.url);
        for (index, handle) in handles.into_iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(handle).build();
            request = request.entries(entry.map_err(|error| self.unbuilt("DeleteMessageBatch", &error))?);
        }
        let answer =
            request.send().await.map_err(|error| Fault::of(Service::Sqs, "DeleteMessageBatch", &self.url, &error))?;
        Ok(self.refused("DeleteMessageBatch", answer.failed()))
    }

    async fn hide(&self, entries: Vec<(String, Duration)>) -> Result<Vec<Refused>, Fault> {
        let mut request = self.client.change_message_visibility_batch().queue_url(&self.url);
        for (index, (handle, time)) in entries.into_iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(handle)
                .visibility_timeout(whole_seconds(time))
                .build();
            request = request.entries(entry.map_err(|error| self.unbuilt("ChangeMessageVisibilityBatch", &error))?);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| Fault::of(Service::Sqs, "ChangeMessageVisibilityBatch", &self.url, &error))?;
        Ok(self.refused("ChangeMessageVisibilityBatch", answer.failed()))
    }

    async fn state(&self) -> Result<QueueState, Fault> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed, ApproximateNumberOfMessagesNotVisible,
            RedrivePolicy, VisibilityTimeout,
        };
        let asked = [
            ApproximateNumberOfMessages,
            ApproximateNumberOfMessagesDelayed,
            ApproximateNumberOfMessagesNotVisible,
            RedrivePolicy,
            VisibilityTimeout,
        ];
        let request = self.client.get_queue_attributes().queue_url(&self.url).set_attribute_names(Some(asked.to_vec()));
        let answer =
            request.send().await.map_err(|error| Fault::of(Service::Sqs, "GetQueueAttributes", &self.url, &error))?;
        let text = |name: &QueueAttributeName| answer.attributes().and_then(|attributes| attributes.get(name));
        let number = |name: QueueAttributeName| text(&name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        Ok(QueueState {
            visible: number(ApproximateNumberOfMessages),
            delayed: number(ApproximateNumberOfMessagesDelayed),
            hidden: number(ApproximateNumberOfMessagesNotVisible),
            visibility: Duration::from_secs(number(VisibilityTimeout)),
            max_receives: text(&RedrivePolicy).and_then(|policy| max_receives(policy)),
        })
    }
}

impl SqsQueue {
    fn refused(&self, action: &'static str, entries: &[aws_sdk_sqs::types::BatchResultErrorEntry]) -> Vec<Refused> {
        let refused = entries.iter().filter_map(|entry| {
            let index = entry.id().parse().ok()?;
            Some(Refused { index, fault: Fault::of_entry(action, &self.url, entry.code(), entry.message()) })
        });
        refused.collect()
    }

    /// The SDK's builders refuse only missing members, and none is; said all the same instead of assumed.
    fn unbuilt(&self, action: &'static str, error: &dyn std::error::Error) -> Fault {
        Fault::of_entry(action, &self.url, "unbuilt-request", Some(&error.to_string()))
    }
}

fn received(message: aws_sdk_sqs::types::Message) -> Option<Message> {
    let receives = message
        .attributes()
        .and_then(|attributes| attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    let receives = receives.and_then(|count| count.parse().ok()).unwrap_or(1);
    // Without a handle nothing could be done about the message.
    let handle = message.receipt_handle?;
    let id = message.message_id.unwrap_or_else(|| handle.clone());
    Some(Message { id, handle, body: message.body.unwrap_or_default(), receives })
}

/// Rounded up, so that a time asked for is never cut short.
fn whole_seconds(time: Duration) -> i32 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// `maxReceiveCount` is a number or a text in a policy.
fn max_receives(policy: &str) -> Option<u32> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let count = policy.get("maxReceiveCount")?;
    count.as_u64().or_else(|| count.as_str()?.parse().ok()).and_then(|count| u32::try_from(count).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use aws_sdk_sqs::config::retry::RetryConfig;
    use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A queue whose server answers receives after `poll`, and nothing else ever.
    async fn hanging(poll: Duration, api_timeout: Duration) -> SqsQueue {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = vec![0; 8192];
                    let length = socket.read(&mut request).await.unwrap_or(0);
                    if !String::from_utf8_lossy(&request[..length]).contains("ReceiveMessage") {
                        return std::future::pending().await;
                    }
                    tokio::time::sleep(poll).await;
                    let _ =
                        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
                });
            }
        });
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(crate::aws::http::client(&[], None, true).unwrap())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(api_timeout).build())
            .endpoint_url(&endpoint);
        SqsQueue::new(aws_sdk_sqs::Client::from_conf(config.build()), &format!("{endpoint}/1/q"), api_timeout)
    }

    #[tokio::test]
    async fn a_call_ends_with_its_time_and_a_receive_with_its_wait() {
        let second = Duration::from_secs(1);
        let queue = hanging(second + second / 4, second).await;
        let hides = vec![("handle".to_owned(), second)];
        let (received, state, deleted, hidden) = tokio::join!(
            queue.receive(10, second, second),
            queue.state(),
            queue.delete(vec!["handle".to_owned()]),
            queue.hide(hides)
        );
        assert_eq!(received.unwrap(), []);
        for fault in [state.unwrap_err(), deleted.unwrap_err(), hidden.unwrap_err()] {
            assert!(fault.to_string().contains("no answer within `api_timeout`"), "{fault}");
        }
    }

    #[test]
    fn times_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(300)), 300);
    }

    #[test]
    fn a_redrive_policy_in_both_spellings() {
        assert_eq!(
            max_receives(r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111122223333:dlq","maxReceiveCount":5}"#),
            Some(5)
        );
        assert_eq!(max_receives(r#"{"maxReceiveCount":"7"}"#), Some(7));
        assert_eq!(max_receives("{}"), None);
        assert_eq!(max_receives("nonsense"), None);
    }
}
