//! A bucket whose notifications go to a queue, on the local S3 and SQS.

use super::servers::Server;
use aws_sdk_s3::types::{
    BucketVersioningStatus, Event, NotificationConfiguration, QueueConfiguration, VersioningConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub struct Trail {
    server: Arc<Server>,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    pub bucket: String,
    pub queue_url: String,
}

impl Trail {
    /// A fresh bucket and queue. With `notify` the bucket announces its objects to the queue.
    pub async fn new(server: &Arc<Server>, notify: bool) -> Trail {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let bucket = format!("trail-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let credentials = aws_credential_types::Credentials::new("test", "test", None, None, "test");
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("us-east-1"))
            .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(&server.url)
            .build();
        let s3 =
            aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
        let sqs = aws_sdk_sqs::Client::new(&config);
        let queue_url = sqs.create_queue().queue_name(&bucket).send().await.unwrap().queue_url.unwrap();
        let trail = Trail { server: Arc::clone(server), s3, sqs, bucket, queue_url };
        trail.create(&trail.bucket).await;
        if notify {
            trail.announce(&trail.bucket).await;
        }
        trail
    }

    /// One more bucket.
    pub async fn create(&self, bucket: &str) {
        self.s3.create_bucket().bucket(bucket).send().await.unwrap();
    }

    /// The bucket announces its objects to the queue from now on.
    pub async fn announce(&self, bucket: &str) {
        let arn = format!("arn:aws:sqs:us-east-1:123456789012:{}", self.bucket);
        let queue = QueueConfiguration::builder().queue_arn(arn).events(Event::S3ObjectCreated).build().unwrap();
        self.notify(bucket, NotificationConfiguration::builder().queue_configurations(queue).build()).await;
    }

    async fn notify(&self, bucket: &str, configuration: NotificationConfiguration) {
        self.s3
            .put_bucket_notification_configuration()
            .bucket(bucket)
            .notification_configuration(configuration)
            .send()
            .await
            .unwrap();
    }

    pub async fn put(&self, key: &str, bytes: Vec<u8>) {
        self.s3.put_object().bucket(&self.bucket).key(key).body(bytes.into()).send().await.unwrap();
    }

    /// The same without an announcement.
    pub async fn put_silently(&self, key: &str, bytes: Vec<u8>) {
        self.notify(&self.bucket, NotificationConfiguration::builder().build()).await;
        self.put(key, bytes).await;
    }

    /// Gives the queue a redrive policy and a dead letter queue, whose URL is answered.
    pub async fn redrive_after(&self, receives: u32) -> String {
        let name = format!("{}-dead", self.bucket);
        let url = self.sqs.create_queue().queue_name(&name).send().await.unwrap().queue_url.unwrap();
        let arn = format!("arn:aws:sqs:us-east-1:123456789012:{name}");
        let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{receives}}}"#);
        let request = self.sqs.set_queue_attributes().queue_url(&self.queue_url);
        request.attributes(QueueAttributeName::RedrivePolicy, policy).send().await.unwrap();
        url
    }

    /// Puts an object with metadata into any bucket.
    pub async fn put_into(&self, bucket: &str, key: &str, bytes: Vec<u8>, metadata: &HashMap<String, String>) {
        let put = self.s3.put_object().bucket(bucket).key(key).body(bytes.into());
        put.set_metadata(Some(metadata.clone())).send().await.unwrap();
    }

    /// The same, with what S3 keeps of the writer's headers.
    pub async fn put_as(&self, key: &str, bytes: Vec<u8>, kind: &str, encoding: Option<&str>) {
        let request = self.s3.put_object().bucket(&self.bucket).key(key).body(bytes.into()).content_type(kind);
        request.set_content_encoding(encoding.map(str::to_owned)).send().await.unwrap();
    }

    /// From now on what is overwritten stays, as a version.
    pub async fn keep_versions(&self) {
        let enabled = BucketVersioningStatus::Enabled;
        let configuration = VersioningConfiguration::builder().status(enabled).build();
        let request = self.s3.put_bucket_versioning().bucket(&self.bucket).versioning_configuration(configuration);
        request.send().await.unwrap();
    }

    /// Puts an object; its version, where the bucket keeps versions.
    pub async fn put_version(&self, key: &str, bytes: Vec<u8>) -> Option<String> {
        let request = self.s3.put_object().bucket(&self.bucket).key(key).body(bytes.into());
        request.send().await.unwrap().version_id
    }

    pub async fn send(&self, body: &str) {
        self.sqs.send_message().queue_url(&self.queue_url).message_body(body).send().await.unwrap();
    }

    /// Empties the queue.
    pub async fn forget(&self) {
        self.sqs.purge_queue().queue_url(&self.queue_url).send().await.unwrap();
    }

    /// Messages that wait, and messages that somebody holds.
    pub async fn depth(&self) -> (u64, u64) {
        self.depth_of(&self.queue_url).await
    }

    pub async fn depth_of(&self, url: &str) -> (u64, u64) {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .unwrap();
        let attributes = answer.attributes.unwrap();
        let of = |name: &QueueAttributeName| attributes[name].parse().unwrap();
        (of(&names[0]), of(&names[1]))
    }

    /// The input that reads the queue; `more` are further lines of it.
    pub fn input(&self, more: &str) -> String {
        self.input_by(&self.server.url, more)
    }

    /// The same, with AWS at `endpoint`.
    pub fn input_by(&self, endpoint: &str, more: &str) -> String {
        format!(
            "  - type: aws-s3\n    id: trail\n    queue_url: {}\n    region: us-east-1\n    endpoint: {}\n    path_style: true\n    access_key_id: test\n    secret_access_key: test\n    sqs.wait_time: 1s\n{}",
            self.queue_url,
            endpoint,
            more.lines().map(|line| format!("    {line}\n")).collect::<String>()
        )
    }
}
