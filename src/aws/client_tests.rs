#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::config::types::{Arn, Secret};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers by the head of a request: status line and headers, then the body.
type Answer = Arc<dyn Fn(&str) -> (String, &'static str) + Send + Sync>;

/// A server on loopback that answers every request by `answer` and keeps the requests, their heads in lower case.
async fn server(answer: Answer) -> (HttpUrl, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                loop {
                    let read = socket.read(&mut piece).await.unwrap_or(0);
                    if read == 0 {
                        return;
                    }
                    request.extend_from_slice(&piece[..read]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let head = head.to_lowercase();
                    let length = head
                        .lines()
                        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())
                        .unwrap_or(0);
                    if body.len() < length {
                        continue;
                    }
                    let (status, answered) = answer(&head);
                    seen.lock().unwrap().push(format!("{head}\r\n\r\n{body}"));
                    let answer = format!(
                        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answered}",
                        answered.len()
                    );
                    let _ = socket.write_all(answer.as_bytes()).await;
                    return;
                }
            });
        }
    });
    (url, heads)
}

fn settings(queue_url: &str) -> Settings {
    Settings {
        credentials: CredentialSettings {
            access_key_id: Secret::new("AKIDEXAMPLE"),
            secret_access_key: Secret::new("secret"),
            role_duration: Duration::from_secs(900),
            ..CredentialSettings::default()
        },
        region: None,
        queue_url: Some(queue_url.parse().unwrap()),
        default_region: None,
        endpoint: None,
        path_style: true,
        fips: false,
        proxy: None,
        certificate_authorities: Vec::new(),
        api_timeout: Duration::from_secs(20),
    }
}

async fn at(endpoint: HttpUrl) -> Session {
    let settings =
        Settings { endpoint: Some(endpoint), ..settings("https://sqs.eu-west-1.amazonaws.com/111122223333/q") };
    Session::open(settings).await.unwrap()
}

fn place<'a>(bucket: &'a str, hint: Option<&'a str>) -> Place<'a> {
    Place { bucket, key: "a b/k=v+é.gz", version: None, hint }
}

/// The region that a request was signed for.
fn signed_for(head: &str) -> &str {
    let scope = head.split("credential=akidexample/").nth(1).unwrap();
    scope.split('/').nth(1).unwrap()
}

#[tokio::test]
async fn the_region_is_what_is_set_then_what_the_queue_says_then_the_default() {
    let aws = "https://sqs.eu-west-1.amazonaws.com/111122223333/q";
    let own = "http://127.0.0.1:9/111122223333/q";
    for (url, set, default, expected) in [
        (aws, Some("us-east-1"), Some("us-east-2"), "us-east-1"),
        (aws, None, Some("us-east-2"), "eu-west-1"),
        (own, None, Some("us-east-2"), "us-east-2"),
    ] {
        let settings =
            Settings { region: set.map(str::to_owned), default_region: default.map(str::to_owned), ..settings(url) };
        assert_eq!(Session::open(settings).await.unwrap().region(), expected, "{url}");
    }
}

#[tokio::test]
async fn sqs_is_asked_where_the_queue_is() {
    let endpoint = "http://127.0.0.1:4566";
    for (queue, endpoint, expected) in [
        ("https://sqs.eu-west-1.amazonaws.com/1/q", None, None),
        ("https://sqs.eu-west-1.amazonaws.com/1/q", Some(endpoint), None),
        (
            "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/1/q",
            Some(endpoint),
            Some("https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com"),
        ),
        ("http://queues.example:9324/1/q", None, Some("http://queues.example:9324")),
        ("http://queues.example:9324/1/q", Some(endpoint), Some(endpoint)),
    ] {
        let endpoint = endpoint.map(|url| url.parse().unwrap());
        let settings = Settings { endpoint, region: Some("eu-west-1".to_owned()), ..settings(queue) };
        let session = Session::open(settings).await.unwrap();
        assert_eq!(session.queue_endpoint().as_deref(), expected, "{queue}");
    }
}

#[tokio::test]
async fn one_key_without_the_other_is_refused() {
    let mut settings = settings("https://sqs.eu-west-1.amazonaws.com/1/q");
    settings.credentials.secret_access_key = Secret::default();
    let error = Session::open(settings).await.err().unwrap();
    assert_eq!(error.to_string(), "`access_key_id` needs `secret_access_key`");
}

#[tokio::test]
async fn a_profile_is_read_from_its_file_at_every_refresh() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    let mut settings = settings("https://sqs.eu-west-1.amazonaws.com/1/q");
    settings.credentials = CredentialSettings {
        profile: "trail".to_owned(),
        shared_file: path.display().to_string(),
        ..CredentialSettings::default()
    };
    let session = Session::open(settings).await.unwrap();
    for id in ["AKIDFIRST", "AKIDROTATED"] {
        std::fs::write(&path, format!("[default]\naws_access_key_id=AKIDOTHER\naws_secret_access_key=x\n[trail]\naws_access_key_id={id}\naws_secret_access_key=s\n")).unwrap();
        assert_eq!(session.identity().await.unwrap(), format!("access key `{id}`"));
    }
    std::fs::remove_file(&path).unwrap();
    assert!(session.identity().await.is_err());
}

#[tokio::test]
async fn a_role_is_taken_on_with_its_external_id() {
    let (sts, heads) = server(Arc::new(|_| {
        let body = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/r/trailship</Arn><AssumedRoleId>AROA:trailship</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
        ("200 OK".to_owned(), body)
    }))
    .await;
    let credentials = CredentialSettings {
        role: Some("arn:aws:iam::111122223333:role/r".parse::<Arn>().unwrap()),
        external_id: "ex-1".to_owned(),
        ..settings("https://sqs.eu-west-1.amazonaws.com/1/q").credentials
    };
    let http = crate::aws::http::client(&[], None, true).unwrap();
    let base = credentials.base(&http, None).unwrap();
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new("eu-west-1"))
        .endpoint_url(sts.as_str())
        .credentials_provider(base)
        .load()
        .await;
    let assumed = credentials.assume(sdk).await.credentials_provider().unwrap().provide_credentials().await.unwrap();
    assert_eq!(assumed.access_key_id(), "ASIAROLE");
    let asked = heads.lock().unwrap()[0].clone();
    assert!(asked.contains("credential=akidexample/"), "asked with the base identity");
    for field in ["RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fr&", "ExternalId=ex-1", "DurationSeconds=900"] {
        assert!(asked.contains(field), "{asked}");
    }
}

#[tokio::test]
async fn a_session_token_goes_with_its_keys() {
    let (url, heads) = server(Arc::new(|_| ("200 OK".to_owned(), ""))).await;
    let mut settings =
        Settings { endpoint: Some(url), ..settings("https://sqs.eu-west-1.amazonaws.com/111122223333/q") };
    settings.credentials.session_token = Secret::new("token-of-session");
    Session::open(settings).await.unwrap().buckets().open(place("b", None)).await.unwrap();
    assert!(heads.lock().unwrap()[0].contains("x-amz-security-token: token-of-session"));
}

#[tokio::test]
async fn an_object_is_asked_for_by_its_true_key_in_the_hinted_region() {
    let (url, heads) = server(Arc::new(|_| ("200 OK".to_owned(), "body"))).await;
    let buckets = at(url).await.buckets();
    let opened = buckets.open(place("b", Some("us-west-2"))).await.unwrap();
    assert_eq!(opened.body.collect().await.unwrap().into_bytes(), "body");
    let head = heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("get /b/a%20b/k%3dv%2b%c3%a9.gz?x-id=getobject "), "{head}");
    assert_eq!(signed_for(&head), "us-west-2");
}

#[tokio::test]
async fn a_hint_that_is_no_region_is_not_followed() {
    let (url, heads) = server(Arc::new(|_| ("200 OK".to_owned(), ""))).await;
    let buckets = at(url).await.buckets();
    buckets.open(place("b", Some("evil.example/"))).await.unwrap();
    assert_eq!(signed_for(&heads.lock().unwrap()[0]), "eu-west-1");
}

#[tokio::test]
async fn a_bucket_elsewhere_is_followed_once_and_remembered() {
    let redirect = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>";
    for status in [
        "301 Moved Permanently\r\nx-amz-bucket-region: ap-south-1",
        "301 Moved Permanently",
        "400 Bad Request\r\nx-amz-bucket-region: ap-south-1",
    ] {
        let body = if status.starts_with("400") {
            "<Error><Code>AuthorizationHeaderMalformed</Code></Error>"
        } else {
            redirect
        };
        let (url, heads) = server(Arc::new(move |head: &str| match (signed_for(head), head.starts_with("head")) {
            ("ap-south-1", _) => ("200 OK".to_owned(), "body"),
            // Only the answer to HeadBucket names the region when the first did not.
            (_, true) => ("301 Moved Permanently\r\nx-amz-bucket-region: ap-south-1".to_owned(), ""),
            _ => (status.to_owned(), body),
        }))
        .await;
        let buckets = at(url).await.buckets();
        buckets.open(place("b", None)).await.unwrap();
        let first = heads.lock().unwrap().len();
        assert_eq!(buckets.region_of("b", Some("us-east-1")), "ap-south-1");
        buckets.open(place("b", Some("us-east-1"))).await.unwrap();
        assert_eq!(heads.lock().unwrap().len(), first + 1, "{status}");
    }
}

const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";

fn versioned(place: Place<'_>) -> Place<'_> {
    Place { version: Some("v1"), ..place }
}

#[tokio::test]
async fn a_version_that_may_not_be_read_is_replaced_by_the_current_one() {
    let (url, heads) = server(Arc::new(|head: &str| {
        if head.contains("versionid=v1") { ("403 Forbidden".to_owned(), DENIED) } else { ("200 OK".to_owned(), "body") }
    }))
    .await;
    let buckets = at(url).await.buckets();
    let opened = buckets.open(versioned(place("b", None))).await.unwrap();
    assert_eq!(opened.body.collect().await.unwrap().into_bytes(), "body");
    let versions = || -> Vec<bool> { heads.lock().unwrap().iter().map(|head| head.contains("versionid=v1")).collect() };
    assert_eq!(versions(), [true, false]);
    buckets.open(versioned(place("b", None))).await.unwrap();
    assert_eq!(versions(), [true, false, false], "known of this bucket");
    buckets.open(versioned(place("other", None))).await.unwrap();
    assert_eq!(versions(), [true, false, false, true, false], "and of no other");
}

#[tokio::test]
async fn a_version_that_may_be_read_is_read() {
    let (url, heads) = server(Arc::new(|_| ("200 OK".to_owned(), "body"))).await;
    let buckets = at(url).await.buckets();
    for _ in 0..2 {
        buckets.open(versioned(place("b", None))).await.unwrap();
    }
    assert!(heads.lock().unwrap().iter().all(|head| head.contains("versionid=v1")));
}

#[tokio::test]
async fn what_keeps_a_version_away_is_said_with_both_permissions() {
    const GONE: &str = "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>";
    for (status, body) in [("403 Forbidden", DENIED), ("404 Not Found", GONE)] {
        let (url, heads) = server(Arc::new(move |head: &str| {
            if head.contains("versionid=v1") { ("403 Forbidden".to_owned(), DENIED) } else { (status.to_owned(), body) }
        }))
        .await;
        let fault = at(url).await.buckets().open(versioned(place("b", None))).await.unwrap_err();
        assert_eq!((fault.kind, heads.lock().unwrap().len()), (FaultKind::Denied, 2));
        assert!(fault.advice().starts_with("allow `s3:GetObject` and `s3:GetObjectVersion` on"), "{}", fault.advice());
    }
}

#[tokio::test]
async fn a_denied_object_without_version_is_asked_for_once() {
    let (url, heads) = server(Arc::new(|_| ("403 Forbidden".to_owned(), DENIED))).await;
    let fault = at(url).await.buckets().open(place("b", None)).await.unwrap_err();
    assert_eq!(heads.lock().unwrap().len(), 1);
    assert!(!fault.advice().contains("GetObjectVersion"), "{}", fault.advice());
}

#[tokio::test]
async fn a_bucket_that_cannot_be_found_is_a_fault_and_not_a_loop() {
    let body = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>";
    let (url, heads) =
        server(Arc::new(move |_: &str| ("301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1".to_owned(), body)))
            .await;
    let fault = at(url).await.buckets().open(place("b", None)).await.unwrap_err();
    assert_eq!((fault.kind, fault.code()), (FaultKind::Moved, "s3-other-region"));
    assert!(heads.lock().unwrap().len() <= 2);
}

#[tokio::test]
async fn answers_become_faults_with_code_request_and_advice() {
    for (status, body, code, said) in [
        (
            "403 Forbidden",
            "<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>R1</RequestId></Error>",
            "s3-access-denied",
            "AccessDenied",
        ),
        ("404 Not Found", "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>", "s3-missing", "NoSuchKey"),
        (
            "403 Forbidden",
            "<Error><Code>InvalidObjectState</Code><Message>archived</Message></Error>",
            "s3-archived",
            "InvalidObjectState",
        ),
        (
            "400 Bad Request",
            "<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>",
            "s3-expired-credentials",
            "ExpiredToken",
        ),
        (
            "400 Bad Request",
            "<Error><Code>KMS.DisabledException</Code><Message>off</Message></Error>",
            "s3-kms-denied",
            "KMS.DisabledException",
        ),
    ] {
        let status = format!("{status}\r\nx-amz-request-id: R1");
        let (url, _) = server(Arc::new(move |_: &str| (status.clone(), body))).await;
        let fault = at(url).await.buckets().open(place("b", None)).await.unwrap_err();
        assert_eq!(fault.code(), code);
        let text = fault.to_string();
        assert!(
            text.starts_with("`s3:GetObject` of `s3://b/a b/k=v+é.gz` failed with `")
                && text.contains(said)
                && text.ends_with("(request R1)"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_may_come_back() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let session = at(format!("http://{free}").parse().unwrap()).await;
    let mut settings = session.settings.clone();
    settings.api_timeout = Duration::from_secs(2);
    let fault = Session::open(settings).await.unwrap().buckets().open(place("b", None)).await.unwrap_err();
    assert!(fault.may_pass());
    assert_eq!(fault.code(), "s3-unavailable");
}

#[tokio::test]
async fn the_url_of_an_object_is_that_of_its_request() {
    let url = "https://sqs.eu-west-1.amazonaws.com/1/q";
    let key = "a b/k=v+é.gz";
    let encoded = "a%20b/k%3Dv%2B%C3%A9.gz";
    let own = |text: &str| Some(text.parse::<HttpUrl>().unwrap());
    for (settings, bucket, region, expected) in [
        (Settings { path_style: false, ..settings(url) }, "b", "us-west-2", "https://b.s3.us-west-2.amazonaws.com/"),
        (
            Settings { path_style: false, ..settings(url) },
            "b.c",
            "cn-north-1",
            "https://s3.cn-north-1.amazonaws.com.cn/b.c/",
        ),
        (
            Settings { path_style: false, fips: true, ..settings(url) },
            "b",
            "us-gov-east-1",
            "https://b.s3-fips.us-gov-east-1.amazonaws.com/",
        ),
        (settings(url), "b", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/b/"),
        (
            Settings { endpoint: own("http://127.0.0.1:5000/"), path_style: false, ..settings(url) },
            "b",
            "eu-west-1",
            "http://127.0.0.1:5000/b/",
        ),
        (
            Settings { endpoint: own("https://minio.example"), path_style: false, ..settings(url) },
            "b",
            "eu-west-1",
            "https://b.minio.example/",
        ),
    ] {
        let buckets = Session::open(settings).await.unwrap().buckets();
        assert_eq!(buckets.url(bucket, key, region), format!("{expected}{encoded}"));
    }
}
