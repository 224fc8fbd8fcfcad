#![allow(clippy::unwrap_used)]
//! Two digests signed by a key made for this vector, accepted by both generations of the AWS CLI.

use super::digest::Digest;
use super::key::{Key, hex};
use aws_smithy_types::base64;

/// PKCS#1 DER in base64; fingerprint `8330b783b8f111b268492d4e4dc86c43`.
pub const KEY: &str = "MIIBCgKCAQEAq327agJ0yEeJmmPRQl7e+GPYx0HeoMcl0Zx4s9iZu1AGIBuFAwm5em/oEqkORbvheiF8ms766Lj+WtODIc78FeoY\
     wgRkOTUxacUg7Wlhry79RpHO9+QAhTQsHhXgWapSWSWRbOTlq12zS+Mot402DmJtICBDaXxPCc+4eodUyWnYl3fyPkJOyXcdSIaF\
     6vaKEz7Nk1h8pd8fkOh/XO+MiRWNsKU758GJPwh/I9je0Sk7kyvQ4js7DKgOxLm8CF1UW9PJkqtJZKdSkCIzyF8M2lBY4v8cGRNb\
     bgwtvcuaP3aB2ok3gA9NCgjAdUtcfkw1mLzxhulqlajryiyEzX15sQIDAQAB";
/// The starting digest, empty; SHA-256 `423d2237...`.
pub const FIRST: &str = r#"{"awsAccountId":"111122223333","digestStartTime":"2026-03-01T09:00:31Z","digestEndTime":"2026-03-01T10:00:31Z","digestS3Bucket":"ct-bucket","digestS3Object":"AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/01/111122223333_CloudTrail-Digest_us-east-1_mytrail_us-east-1_20260301T100031Z.json.gz","digestPublicKeyFingerprint":"8330b783b8f111b268492d4e4dc86c43","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":null,"oldestEventTime":null,"previousDigestS3Bucket":null,"previousDigestS3Object":null,"previousDigestHashValue":null,"previousDigestHashAlgorithm":null,"previousDigestSignature":null,"logFiles":[]}"#;
pub const FIRST_SIGNATURE: &str = "28232637d654ec066cb074fec5b6c9f81a529410d4d6134bc52ddd46a574154c8efc42d2704f64ab078f7f3894764aa93976\
     8ea13d5910b642d52bc90376d7cbd76bf1a307f414438a82f2e8b01274790ec376c92697deacc409c132587177182016db49\
     de1859cc0de89b8ed0396fe11ac04d038aea4f4b3f539a264aa8e77bd3743abe324bf14460de60aa725d23d884c5f379d1b1\
     bfdc1dcab64849e46807947e5f996b600b167509a87fdf98d3b7dafad51429d6f4046fa80f7874c8ccd242d08176e7adb55e\
     1e9702ce33de5798bef027e97e0b87893920363bb3a68cf93cb907ee303109382828d155a59a8b040e278ada712e629337a8\
     f3ba4044d67e";
/// The next one, with one log file whose text is `{"Records":[]}`; `<SIGNATURE>` stands for [`FIRST_SIGNATURE`].
const SECOND: &str = r#"{"awsAccountId":"111122223333","digestStartTime":"2026-03-01T10:00:31Z","digestEndTime":"2026-03-01T11:00:31Z","digestS3Bucket":"ct-bucket","digestS3Object":"AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/01/111122223333_CloudTrail-Digest_us-east-1_mytrail_us-east-1_20260301T110031Z.json.gz","digestPublicKeyFingerprint":"8330b783b8f111b268492d4e4dc86c43","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":null,"oldestEventTime":null,"previousDigestS3Bucket":"ct-bucket","previousDigestS3Object":"AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/01/111122223333_CloudTrail-Digest_us-east-1_mytrail_us-east-1_20260301T100031Z.json.gz","previousDigestHashValue":"423d2237ffd22624a086d9bc69b2f1385e5aeab524138f006da06be3e34ddf3d","previousDigestHashAlgorithm":"SHA-256","previousDigestSignature":"<SIGNATURE>","logFiles":[{"s3Bucket":"ct-bucket","s3Object":"AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/111122223333_CloudTrail_us-east-1_20260301T1030Z_AbCdEfGhIjKlMnOp.json.gz","hashValue":"26a792db36a3afba23b1dd277fcc9f15a7313c4a92e4e4cc0494846af345ecff","hashAlgorithm":"SHA-256","newestEventTime":"2026-03-01T10:29:58Z","oldestEventTime":"2026-03-01T10:24:03Z"}]}"#;
pub const SECOND_SIGNATURE: &str = "a8b427bfd3acbf786f5538748fa59c9a18173e434f912ffbeb6556ed0f253e8acf701a2a64ce7410e2ae3aacb8bfd9323d85\
     5eae2cbc38737f03412ee3ca8e47df54cb8ca65ad66ad0fc5dfc07f9cad311ff76e62425136a9c5544c6812c9df1d8d3d5df\
     29aa84df3bcb39dee869a9e14a6eecdafac4efd920e8b080264cb39c0295ad9d2f1204634891afdfc4e79dbc728fb5047e60\
     2a9a230f56082b43f824cbf395be79486b025a8548c5064b1c6c51fc178967d7a41138a71340d2a4011af87be579000433fd\
     1a0fcb561ca1eb23d4a9b47408d7e43457118750d3aef956d9e51d655bd96e6e2a06e96682720390155fb5045ffe9cf41c6c\
     6c060b7ae9b2";

pub fn key() -> Key {
    Key {
        der: base64::decode(KEY).unwrap(),
        fingerprint: "8330b783b8f111b268492d4e4dc86c43".to_owned(),
        valid_from: None,
        valid_to: None,
    }
}

/// The text of the second digest; SHA-256 `a279cb4a...`.
pub fn second_text() -> String {
    SECOND.replace("<SIGNATURE>", FIRST_SIGNATURE)
}

pub fn digest(text: &str) -> Digest {
    let hash = hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref());
    Digest::parse(text.as_bytes(), hash).unwrap()
}

/// The text that is signed, and the signature.
pub fn first() -> (String, String) {
    (digest(FIRST).string_to_sign(), FIRST_SIGNATURE.to_owned())
}

pub fn second() -> (String, String) {
    (digest(&second_text()).string_to_sign(), SECOND_SIGNATURE.to_owned())
}
