//! Keys by which an input reaches AWS, the same for every input that does: who asks, by which endpoint, over which TLS.
//!
//! Each input has the keys in a section of its own; here are their types, what they say together, and what is made of
//! them.

use super::Verdict;
use crate::aws::Session;
use crate::aws::credentials::CredentialSettings;
use crate::config::types::{Arn, HttpUrl, Malformed, Period, Secret};
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;

/// `assume_role.*`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssumeRoleConfig {
    /// How long a session of the role lasts, 15m to 12h.
    pub duration: Period,
}

/// `ssl.*` towards AWS. Verification cannot be switched off here.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SslConfig {
    pub verification_mode: VerificationMode,
    /// Files or PEM texts, trusted in addition to the system's.
    pub certificate_authorities: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VerificationMode {
    #[default]
    Full,
    Strict,
    Certificate,
    None,
}

impl Default for AssumeRoleConfig {
    fn default() -> AssumeRoleConfig {
        AssumeRoleConfig { duration: Period::from_secs(900) }
    }
}

/// A key whose value, or absence, makes the input impossible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key within the input, such as `sqs.wait_time`.
    pub key: &'static str,
    pub complaint: Malformed,
}

/// What an input's section says of the way to AWS.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    pub access_key_id: &'a Secret,
    pub secret_access_key: &'a Secret,
    pub session_token: &'a Secret,
    pub credential_profile_name: &'a str,
    pub shared_credential_file: &'a str,
    pub role_arn: Option<&'a Arn>,
    pub external_id: &'a str,
    pub assume_role: &'a AssumeRoleConfig,
    pub fips_enabled: bool,
    pub endpoint: Option<&'a HttpUrl>,
    pub ssl: &'a SslConfig,
}

/// The first steps of `trailship test input`, told by `done`: region and identity. False when nothing can be asked without
/// an identity.
pub async fn identify(session: &Session, done: &mut impl FnMut(&str, Verdict, String)) -> bool {
    done("region", Verdict::Ok, format!("`{}`", session.region()));
    match session.identity().await {
        Ok(identity) => {
            done("credentials", Verdict::Ok, identity);
            true
        }
        Err(error) => {
            let advice = "set `access_key_id` and `secret_access_key`, `credential_profile_name`, or give the host credentials of the AWS chain";
            done("credentials", Verdict::Failed, format!("{error}; {advice}"));
            false
        }
    }
}

const LONGEST_ROLE: Duration = Duration::from_secs(12 * 3600);
const SHORTEST_ROLE: Duration = Duration::from_secs(900);

impl Access<'_> {
    /// What the types of the keys do not say; empty when AWS can be asked.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong =
            |key, message: String, hint: &str| problems.push(Problem { key, complaint: Malformed::new(message, hint) });
        let role = self.assume_role.duration.get();
        if role < SHORTEST_ROLE || role > LONGEST_ROLE {
            wrong(
                "assume_role.duration",
                format!("`{}` is not a time that a role can last", self.assume_role.duration),
                "write 15m to 12h",
            );
        }
        if self.access_key_id.is_blank() != self.secret_access_key.is_blank() {
            let (given, missing) = if self.access_key_id.is_blank() {
                ("secret_access_key", "access_key_id")
            } else {
                ("access_key_id", "secret_access_key")
            };
            wrong(given, format!("`{given}` needs `{missing}`"), "give both, or neither for the AWS chain");
        } else if !self.session_token.is_blank() && self.access_key_id.is_blank() {
            wrong(
                "session_token",
                "`session_token` needs `access_key_id` and `secret_access_key`".to_owned(),
                "give all three, or none for the AWS chain",
            );
        }
        if !self.external_id.trim().is_empty() && self.role_arn.is_none() {
            wrong("external_id", "`external_id` needs `role_arn`".to_owned(), "name the role, or leave both out");
        }
        if self.fips_enabled && self.endpoint.is_some() {
            wrong(
                "fips_enabled",
                "`fips_enabled` and `endpoint` exclude each other".to_owned(),
                "FIPS endpoints are AWS's own",
            );
        }
        if matches!(self.ssl.verification_mode, VerificationMode::None | VerificationMode::Certificate) {
            let message = "certificates of AWS endpoints are always verified in full".to_owned();
            wrong("ssl.verification_mode", message, "put the endpoint's authority into `ssl.certificate_authorities`");
        }
        problems
    }

    /// The settings of the identity.
    pub fn credentials(&self) -> CredentialSettings {
        CredentialSettings {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            session_token: self.session_token.clone(),
            profile: self.credential_profile_name.to_owned(),
            shared_file: self.shared_credential_file.to_owned(),
            role: self.role_arn.cloned(),
            external_id: self.external_id.to_owned(),
            role_duration: self.assume_role.duration.get(),
        }
    }
}

/// A text that says something, trimmed.
pub fn filled(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A URL; or nothing, which is also what the older spelling as AWS's own domain means.
///
/// # Errors
/// A text that is neither.
pub fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HttpUrl>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    match text.trim() {
        "" | "amazonaws.com" | "amazonaws.com.cn" => Ok(None),
        text => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}
