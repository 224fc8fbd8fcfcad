//! Many forged digests, each as large as one may be.

use super::{Scenes, Watched};
use crate::have;
use crate::monitoring::address;
use crate::support::program::until_async;
use crate::support::servers::Server;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write;

/// What verification may take however many there are, in MiB (docs/integrity.md), and what the rest of the program takes.
const STATED: u64 = 256;
const REST: u64 = 64;

/// A digest of 64 MiB less a little, with as many entries as are read, of a key that nobody has.
fn forged(bucket: &str, key: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let head = format!(
        r#"{{"awsAccountId":"111122223333","digestStartTime":"2025-03-01T00:00:00Z","digestEndTime":"2025-03-01T01:00:00Z","digestS3Bucket":"{bucket}","digestS3Object":"{key}","digestPublicKeyFingerprint":"00","digestSignatureAlgorithm":"SHA256withRSA","previousDigestSignature":null,"logFiles":["#
    );
    gzip.write_all(head.as_bytes()).unwrap();
    let (fill, hash) = ("k".repeat(120), "0".repeat(64));
    for number in 0..249_000 {
        let comma = if number > 0 { "," } else { "" };
        let entry = format!(
            r#"{comma}{{"s3Bucket":"b","s3Object":"{fill}{number}","hashValue":"{hash}","hashAlgorithm":"SHA-256"}}"#
        );
        gzip.write_all(entry.as_bytes()).unwrap();
    }
    gzip.write_all(b"]}").unwrap();
    gzip.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_of_the_largest_size_stay_within_the_stated_memory() {
    const DIGESTS: usize = 8;
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let scene = scenes.scene("whole");
    let watched = Watched::new(&aws, scenes, &scene, "", "").await;
    let metadata: HashMap<String, String> = [("signature", "00"), ("signature-algorithm", "SHA256withRSA")]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .into();
    let key = |hour: usize| {
        format!(
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2025/03/01/111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20250301T{hour:02}0000Z.json.gz"
        )
    };
    let bytes = forged(&scene.bucket, &key(1));
    for hour in 0..DIGESTS {
        watched.trail.put_into(&scene.bucket, &key(hour), bytes.clone(), &metadata).await;
    }
    let running = watched.run();
    let url = address(&running);
    until_async("all are judged", async || {
        let answer = reqwest::get(format!("{url}/stats")).await.ok()?;
        let stats: Value = answer.json().await.ok()?;
        (stats["integrity"]["digests_invalid"] == DIGESTS).then_some(())
    })
    .await;
    let mib = running.peak().unwrap() >> 20;
    assert!(mib < STATED + REST, "{mib} MiB");
    assert!(running.terminate().0.success());
}
