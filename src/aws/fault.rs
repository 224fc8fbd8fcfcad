//! What went wrong at AWS, judged once: every error of the SDK becomes a [`Fault`] here and nowhere else.
//!
//! A new code of AWS that needs its own treatment is one entry in [`CODES`].

use crate::visible;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use std::error::Error;
use std::fmt;

/// What kind of fault it is, which decides what is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Too many requests for now.
    Throttled,
    /// This identity may not do this.
    Denied,
    /// No such object, bucket, queue or log group.
    Missing,
    /// The object lies in an archive and must be restored first.
    Archived,
    /// The credentials were good and are no longer.
    Expired,
    /// No credentials were found, or AWS does not know them.
    Credentials,
    /// The key that encrypts the object or the queue cannot be used.
    KmsDenied,
    /// The clock of this host is wrong.
    SkewedClock,
    /// The bucket lies in another region.
    Moved,
    /// The receipt handle is no longer valid, or the message no longer in flight.
    Stale,
    /// May pass by itself: an outage, a time-out, a broken connection.
    Transient,
    /// The request was refused for another reason.
    Other,
}

/// The services that are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    S3,
    Sqs,
    Logs,
    CloudTrail,
}

/// One failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    service: Service,
    action: &'static str,
    /// What was asked for: `s3://bucket/key`, a queue's URL, a log group.
    subject: String,
    code: String,
    message: String,
    request_id: Option<String>,
    /// The region of the bucket, when the answer told.
    region: Option<String>,
    /// Whether one version of an object was asked for, which takes a permission of its own.
    versioned: bool,
}

/// Characters of a text from outside that are shown.
const SHOWN: usize = 300;

impl Fault {
    /// What AWS calls the fault, such as `ExpiredToken`; our own word where no answer came.
    pub fn told(&self) -> &str {
        &self.code
    }

    /// Judges an error of the SDK. `action` is the name of the API, such as `GetObject`.
    pub fn of<E>(
        service: Service,
        action: &'static str,
        subject: impl Into<String>,
        error: &SdkError<E, HttpResponse>,
    ) -> Fault
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let region =
            error.raw_response().and_then(|response| response.headers().get("x-amz-bucket-region")).map(str::to_owned);
        let (kind, code, message) = match error {
            SdkError::ServiceError(answer) => {
                let code = answer.err().code().unwrap_or_default();
                let message = answer.err().message().unwrap_or_default();
                let shown = match status {
                    _ if !code.is_empty() => code.to_owned(),
                    Some(200..=299) => "unreadable-answer".to_owned(),
                    Some(status) => format!("HTTP {status}"),
                    None => String::new(),
                };
                (judge(code, status.unwrap_or(0), message), shown, message.to_owned())
            }
            SdkError::TimeoutError(_) => {
                (FaultKind::Transient, "timeout".to_owned(), "no answer within `api_timeout`".to_owned())
            }
            SdkError::ResponseError(_) => (FaultKind::Transient, "unreadable-answer".to_owned(), causes(error)),
            _ if lacks_credentials(error) => (FaultKind::Credentials, "no-credentials".to_owned(), causes(error)),
            _ => (FaultKind::Transient, "no-connection".to_owned(), causes(error)),
        };
        let request_id = error.request_id().map(cut);
        Fault {
            kind,
            service,
            action,
            subject: subject.into(),
            code: cut(&code),
            message: cut(&message),
            request_id,
            region,
            versioned: false,
        }
    }

    /// An entry of a batch that was refused, while the batch as a whole went well.
    pub fn of_entry(action: &'static str, subject: impl Into<String>, code: &str, message: Option<&str>) -> Fault {
        let message = message.unwrap_or_default();
        Fault {
            kind: judge(code, 0, message),
            service: Service::Sqs,
            action,
            subject: subject.into(),
            code: cut(code),
            message: cut(message),
            request_id: None,
            region: None,
            versioned: false,
        }
    }

    /// A fault while a body arrived: a connection that broke, a checksum that does not match.
    pub fn of_body(subject: impl Into<String>, error: &(dyn Error + 'static)) -> Fault {
        Fault::transient(Service::S3, "GetObject", subject, "broken-download", causes(error))
    }

    /// A fault that may pass by itself and that no answer of AWS describes.
    pub fn transient(
        service: Service,
        action: &'static str,
        subject: impl Into<String>,
        code: &str,
        message: impl AsRef<str>,
    ) -> Fault {
        Fault {
            kind: FaultKind::Transient,
            service,
            action,
            subject: subject.into(),
            code: code.to_owned(),
            message: cut(message.as_ref()),
            request_id: None,
            region: None,
            versioned: false,
        }
    }

    /// Says that one version of an object was asked for.
    pub fn of_version(self) -> Fault {
        Fault { versioned: true, ..self }
    }

    /// The region in which the bucket really lies, when the answer told.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Whether the same call may go well later without anybody doing anything at AWS: credentials are renewed, clocks
    /// set, outages end.
    pub fn may_pass(&self) -> bool {
        match self.kind {
            FaultKind::Throttled
            | FaultKind::Expired
            | FaultKind::Credentials
            | FaultKind::SkewedClock
            | FaultKind::Transient => true,
            FaultKind::Denied
            | FaultKind::Missing
            | FaultKind::Archived
            | FaultKind::KmsDenied
            | FaultKind::Moved
            | FaultKind::Stale
            | FaultKind::Other => false,
        }
    }

    /// Whether work stands still until somebody mends something or credentials are renewed; what else there is, a cut
    /// connection or too many requests, is everyday and passes by itself.
    pub fn is_in_the_way(&self) -> bool {
        !self.may_pass() || matches!(self.kind, FaultKind::Credentials | FaultKind::Expired | FaultKind::SkewedClock)
    }

    /// A name from a bounded set, for metrics, logs and documentation: `s3-access-denied`.
    pub fn code(&self) -> &'static str {
        if self.service == Service::CloudTrail {
            return cloudtrail_code(self.kind);
        }
        let (s3, sqs, logs) = match self.kind {
            FaultKind::Throttled => ("s3-throttled", "sqs-throttled", "logs-throttled"),
            FaultKind::Denied => ("s3-access-denied", "sqs-access-denied", "logs-access-denied"),
            FaultKind::Missing => ("s3-missing", "sqs-missing", "logs-missing"),
            FaultKind::Archived => ("s3-archived", "sqs-archived", "logs-archived"),
            FaultKind::Expired => ("s3-expired-credentials", "sqs-expired-credentials", "logs-expired-credentials"),
            FaultKind::Credentials => ("s3-bad-credentials", "sqs-bad-credentials", "logs-bad-credentials"),
            FaultKind::KmsDenied => ("s3-kms-denied", "sqs-kms-denied", "logs-kms-denied"),
            FaultKind::SkewedClock => ("s3-skewed-clock", "sqs-skewed-clock", "logs-skewed-clock"),
            FaultKind::Moved => ("s3-other-region", "sqs-other-region", "logs-other-region"),
            FaultKind::Stale => ("s3-stale", "sqs-stale-handle", "logs-stale"),
            FaultKind::Transient => ("s3-unavailable", "sqs-unavailable", "logs-unavailable"),
            FaultKind::Other => ("s3-refused", "sqs-refused", "logs-refused"),
        };
        match self.service {
            Service::Sqs => sqs,
            Service::Logs => logs,
            Service::S3 | Service::CloudTrail => s3,
        }
    }

    /// AWS's own code and text, and the API that answered so.
    pub fn answer(&self) -> (&str, &str, &'static str) {
        (&self.code, &self.message, self.action)
    }

    /// What an operator can do.
    pub fn advice(&self) -> String {
        let api = self.api();
        match (self.kind, self.service) {
            (FaultKind::Throttled, _) => "nothing to do unless it lasts: it is tried again more slowly".to_owned(),
            (FaultKind::Denied, Service::S3) if matches!(self.action, "HeadBucket" | "ListObjectsV2") => {
                format!("allow {} on the bucket to this identity, in its policy and in that of the bucket", self.permissions())
            }
            (FaultKind::Denied, Service::S3) => format!(
                "allow {} on the object to this identity, in its policy and in that of the bucket; S3 also answers this for a missing object when `s3:ListBucket` is not allowed",
                self.permissions()
            ),
            (FaultKind::Denied, Service::Sqs) => format!("allow {} on the queue to this identity", self.permissions()),
            (FaultKind::Denied, Service::CloudTrail) => format!("allow {} to this identity", self.permissions()),
            (FaultKind::Missing, Service::CloudTrail) => "check the trail's name and its region".to_owned(),
            (FaultKind::Missing, Service::S3) => "the object was removed before it was read, or the bucket is gone".to_owned(),
            (FaultKind::Denied, Service::Logs) => format!("allow {} on the log group to this identity", self.permissions()),
            (FaultKind::Missing, Service::Logs) => "check the name of the log group and `region_name`".to_owned(),
            (FaultKind::Other, Service::Logs) => {
                "look up the answer; log groups of another class than `STANDARD` cannot be read by this API".to_owned()
            }
            (FaultKind::Missing, Service::Sqs) => "check `queue_url` and `region`".to_owned(),
            (FaultKind::Archived, _) => "restore the object from its archive, then send the message again".to_owned(),
            (FaultKind::Expired, _) => "renew the credentials; files and the environment of the AWS chain are read again by themselves".to_owned(),
            (FaultKind::Credentials, _) => {
                "set `access_key_id` and `secret_access_key`, `credential_profile_name` or `role_arn`, or give the host credentials of the AWS chain"
                    .to_owned()
            }
            (FaultKind::KmsDenied, _) => "allow `kms:Decrypt` on the key to this identity, and see that the key is enabled".to_owned(),
            (FaultKind::SkewedClock, _) => "set the clock of this host".to_owned(),
            (FaultKind::Moved, _) => "set `region` to the region of the bucket, or allow `s3:ListBucket` so that it can be found".to_owned(),
            (FaultKind::Stale, _) => "raise `visibility_timeout` if this is frequent".to_owned(),
            (FaultKind::Transient, _) => "nothing to do unless it lasts: it is tried again; see that the endpoint can be reached from this host".to_owned(),
            (FaultKind::Other, _) => format!("look up the answer of `{api}`; the settings of the endpoint and the region may be wrong"),
        }
    }

    /// What a policy must allow for this call. Some APIs have no permission of their own name: a batch needs that of its
    /// single call (Service Authorization Reference, SQS and S3).
    fn permissions(&self) -> String {
        match self.action {
            "DeleteMessageBatch" => "`sqs:DeleteMessage`".to_owned(),
            "ChangeMessageVisibilityBatch" => "`sqs:ChangeMessageVisibility`".to_owned(),
            "HeadBucket" | "ListObjectsV2" => "`s3:ListBucket`".to_owned(),
            "GetObject" if self.versioned => "`s3:GetObject` and `s3:GetObjectVersion`".to_owned(),
            _ => format!("`{}`", self.api()),
        }
    }

    /// The API with its service, as AWS names it in its answers and logs; a policy may need another name.
    pub fn api(&self) -> String {
        let service = match self.service {
            Service::S3 => "s3",
            Service::Sqs => "sqs",
            Service::Logs => "logs",
            Service::CloudTrail => "cloudtrail",
        };
        format!("{service}:{}", self.action)
    }
}

fn cloudtrail_code(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Throttled => "cloudtrail-throttled",
        FaultKind::Denied => "cloudtrail-access-denied",
        FaultKind::Expired => "cloudtrail-expired-credentials",
        FaultKind::Credentials => "cloudtrail-bad-credentials",
        FaultKind::SkewedClock => "cloudtrail-skewed-clock",
        FaultKind::Transient => "cloudtrail-unavailable",
        FaultKind::Missing
        | FaultKind::Archived
        | FaultKind::KmsDenied
        | FaultKind::Moved
        | FaultKind::Stale
        | FaultKind::Other => "cloudtrail-refused",
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` of `{}` failed with `{}`", self.api(), visible::line(&self.subject), self.code)?;
        if !self.message.is_empty() {
            write!(formatter, ": {}", self.message.trim_end_matches('.'))?;
        }
        if let Some(id) = &self.request_id {
            write!(formatter, " (request {id})")?;
        }
        Ok(())
    }
}

impl Error for Fault {}

/// Codes of S3, SQS, STS and KMS by what they mean (the error pages of each API).
const CODES: &[(FaultKind, &[&str])] = &[
    (
        FaultKind::Throttled,
        &[
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "OverLimit",
            "AWS.SimpleQueueService.OverLimit",
            "KMS.ThrottlingException",
            "KmsThrottled",
        ],
    ),
    (
        FaultKind::Denied,
        &["AccessDenied", "AccessDeniedException", "AllAccessDisabled", "AccountProblem", "NotSignedUp"],
    ),
    (
        FaultKind::Missing,
        &[
            "NoSuchKey",
            "NoSuchBucket",
            "NoSuchVersion",
            "NotFound",
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "InvalidAddress",
            "ResourceNotFoundException",
            // The named version is a delete marker.
            "MethodNotAllowed",
        ],
    ),
    (FaultKind::Archived, &["InvalidObjectState"]),
    (FaultKind::Expired, &["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"]),
    (
        FaultKind::Credentials,
        &[
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidToken",
            "UnrecognizedClientException",
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "IncompleteSignature",
            "AuthFailure",
            "InvalidSecurity",
        ],
    ),
    (FaultKind::SkewedClock, &["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"]),
    (
        FaultKind::Moved,
        &[
            "PermanentRedirect",
            "TemporaryRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ],
    ),
    (
        FaultKind::Stale,
        &[
            "ReceiptHandleIsInvalid",
            "MessageNotInflight",
            "AWS.SimpleQueueService.MessageNotInflight",
            // What SQS answers for a handle whose message is gone or received again, and past its 12 hours.
            "InvalidParameterValue",
            "InvalidParameterValueException",
        ],
    ),
    (
        FaultKind::Transient,
        &[
            "InternalError",
            "InternalFailure",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "ServiceFailure",
            "RequestTimeout",
            "RequestTimeoutException",
            "Busy",
        ],
    ),
];

fn judge(code: &str, status: u16, message: &str) -> FaultKind {
    // S3 answers a plain AccessDenied when the key may not be used; only the message tells.
    if matches!(code, "AccessDenied" | "AccessDeniedException") && message.contains("kms:") {
        return FaultKind::KmsDenied;
    }
    if code == "InvalidSignatureException"
        && (message.contains("Signature expired") || message.contains("not yet current"))
    {
        return FaultKind::SkewedClock;
    }
    if let Some((kind, _)) = CODES.iter().find(|(_, codes)| codes.contains(&code)) {
        return *kind;
    }
    if code.starts_with("KMS.") || code.starts_with("Kms") {
        return FaultKind::KmsDenied;
    }
    match status {
        // Accepted, but what came is no answer: cut on the way.
        200..=299 => FaultKind::Transient,
        301 | 307 => FaultKind::Moved,
        403 => FaultKind::Denied,
        404 => FaultKind::Missing,
        408 => FaultKind::Transient,
        429 => FaultKind::Throttled,
        500.. => FaultKind::Transient,
        _ => FaultKind::Other,
    }
}

/// Whether the call was never sent because nobody could sign it.
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| cause.is::<CredentialsError>())
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| Error::source(*error))
}

/// The texts of an error and its causes. The SDK's outer texts say only that something failed.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in chain(error).skip(1) {
        let text = cause.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}

/// A text from outside, in one line of bounded length.
fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_cut_on_the_way_may_come_whole_the_next_time() {
        assert_eq!(judge("", 200, ""), FaultKind::Transient);
        assert_eq!(judge("AccessDenied", 200, ""), FaultKind::Denied);
    }

    #[test]
    fn answers_of_aws_are_judged() {
        use FaultKind::{
            Archived, Credentials, Denied, Expired, KmsDenied, Missing, Moved, Other, SkewedClock, Stale, Throttled,
            Transient,
        };
        for (code, status, message, expected) in [
            ("SlowDown", 503, "Please reduce your request rate.", Throttled),
            ("ThrottlingException", 400, "", Throttled),
            ("", 429, "", Throttled),
            ("AccessDenied", 403, "Access Denied", Denied),
            ("", 403, "", Denied),
            ("AccessDenied", 403, "User: x is not authorized to perform: kms:Decrypt on resource: y", KmsDenied),
            ("KMS.DisabledException", 400, "the key is disabled", KmsDenied),
            ("KmsAccessDenied", 400, "", KmsDenied),
            ("KMS.ThrottlingException", 400, "", Throttled),
            ("NoSuchKey", 404, "", Missing),
            ("", 404, "", Missing),
            ("AWS.SimpleQueueService.NonExistentQueue", 400, "", Missing),
            ("QueueDoesNotExist", 400, "", Missing),
            ("InvalidObjectState", 403, "", Archived),
            ("ExpiredToken", 400, "", Expired),
            ("InvalidClientTokenId", 403, "", Credentials),
            ("SignatureDoesNotMatch", 403, "", Credentials),
            ("InvalidSignatureException", 403, "Signature expired: 20260304T051500Z is now earlier than", SkewedClock),
            ("RequestTimeTooSkewed", 403, "", SkewedClock),
            ("PermanentRedirect", 301, "", Moved),
            ("AuthorizationHeaderMalformed", 400, "", Moved),
            ("", 301, "", Moved),
            ("ReceiptHandleIsInvalid", 400, "", Stale),
            ("InternalError", 500, "", Transient),
            ("", 502, "", Transient),
            ("SomethingNew", 503, "", Transient),
            ("SomethingNew", 400, "", Other),
        ] {
            assert_eq!(judge(code, status, message), expected, "{code} {status} {message}");
        }
    }

    #[test]
    fn a_fault_says_what_failed_and_how_to_mend_it() {
        let fault = Fault::of_entry("DeleteMessageBatch", "https://sqs.example/q", "AccessDenied", Some("no\nway."));
        assert_eq!(
            fault.to_string(),
            "`sqs:DeleteMessageBatch` of `https://sqs.example/q` failed with `AccessDenied`: no way"
        );
        assert_eq!(fault.code(), "sqs-access-denied");
        assert_eq!(fault.advice(), "allow `sqs:DeleteMessage` on the queue to this identity");
        assert!(!fault.may_pass());
    }

    #[test]
    fn advice_names_permissions_that_policies_know() {
        let denied = |service, action| Fault {
            kind: FaultKind::Denied,
            ..Fault::transient(service, action, "subject", "AccessDenied", "")
        };
        for (fault, expected) in [
            (denied(Service::Sqs, "ReceiveMessage"), "allow `sqs:ReceiveMessage` on the queue to this identity"),
            (
                denied(Service::Sqs, "ChangeMessageVisibilityBatch"),
                "allow `sqs:ChangeMessageVisibility` on the queue to this identity",
            ),
            (denied(Service::S3, "HeadBucket"), "allow `s3:ListBucket` on the bucket to this identity,"),
            (denied(Service::S3, "GetObject"), "allow `s3:GetObject` on the object to this identity,"),
            (
                denied(Service::S3, "GetObject").of_version(),
                "allow `s3:GetObject` and `s3:GetObjectVersion` on the object to this identity,",
            ),
        ] {
            assert!(fault.advice().starts_with(expected), "{}", fault.advice());
        }
    }

    #[test]
    fn a_key_stays_on_its_line() {
        let fault = Fault::of_body("s3://b/k\n\u{1b}[2J", &std::io::Error::other("x"));
        assert!(fault.to_string().contains("`s3://b/k\\n\\u{1b}[2J`"), "{fault}");
    }

    #[test]
    fn a_long_answer_is_cut() {
        let fault = Fault::of_entry("ReceiveMessage", "q", "X", Some(&"x".repeat(10_000)));
        assert!(fault.to_string().len() < 400);
    }

    #[test]
    fn a_broken_body_may_pass() {
        let error = std::io::Error::other("connection reset");
        let fault = Fault::of_body("s3://b/k", &error);
        assert!(fault.may_pass());
        assert_eq!(fault.to_string(), "`s3:GetObject` of `s3://b/k` failed with `broken-download`: connection reset");
    }
}
