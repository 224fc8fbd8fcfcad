//! Who we are at AWS: keys, a profile, or the AWS chain (environment, files, web identity, container, instance), and a
//! role over any of them.
//!
//! Keys in files and in the environment of others may be rotated while we run: every refresh reads its source anew.
//! Secrets are held in [`Secret`]s and never shown.

use super::SetupError;
use super::http::HttpClient;
use crate::config::types::{Arn, Secret};
use aws_config::Region;
use aws_config::SdkConfig;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
#[expect(deprecated, reason = "the new names live in a crate that nothing else here needs")]
use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use std::path::PathBuf;
use std::time::Duration;

/// The settings of an identity. Empty texts count as not given.
#[derive(Debug, Clone, Default)]
pub struct CredentialSettings {
    pub access_key_id: Secret,
    pub secret_access_key: Secret,
    pub session_token: Secret,
    pub profile: String,
    /// Read instead of the usual credentials file.
    pub shared_file: String,
    pub role: Option<Arn>,
    pub external_id: String,
    /// How long a session of the role lasts.
    pub role_duration: Duration,
}

impl CredentialSettings {
    /// The provider of the base identity, without the role.
    ///
    /// # Errors
    /// One key without the other.
    pub fn base(&self, http: &HttpClient, region: Option<Region>) -> Result<SharedCredentialsProvider, SetupError> {
        match (self.access_key_id.is_blank(), self.secret_access_key.is_blank()) {
            (false, false) => {
                let token = (!self.session_token.is_blank()).then(|| self.session_token.reveal().to_owned());
                let (id, secret) = (self.access_key_id.reveal(), self.secret_access_key.reveal());
                Ok(SharedCredentialsProvider::new(Credentials::new(id, secret, token, None, "configuration")))
            }
            (true, true) if !self.session_token.is_blank() => {
                Err(SetupError("`session_token` needs `access_key_id` and `secret_access_key`".to_owned()))
            }
            (true, true) => Ok(SharedCredentialsProvider::new(Chain {
                profile: filled(&self.profile),
                shared_file: filled(&self.shared_file).map(PathBuf::from),
                http: http.clone(),
                region,
            })),
            (false, true) => Err(SetupError("`access_key_id` needs `secret_access_key`".to_owned())),
            (true, false) => Err(SetupError("`secret_access_key` needs `access_key_id`".to_owned())),
        }
    }

    /// Names the account by what the settings tell of it: the role's account, else the key, the profile, or nothing
    /// for the AWS chain. Two names may be of one account, never one name of two.
    pub fn caller(&self) -> String {
        match &self.role {
            Some(role) if !role.account().is_empty() => role.account().to_owned(),
            _ => [self.access_key_id.reveal(), &self.profile, &self.shared_file].join("/"),
        }
    }

    /// Puts the role over `sdk`, if one is set; STS is asked with the identity that `sdk` has.
    pub async fn assume(&self, sdk: SdkConfig) -> SdkConfig {
        let (Some(role), Some(base)) = (&self.role, sdk.credentials_provider()) else {
            return sdk;
        };
        let mut builder = AssumeRoleProvider::builder(role.to_string())
            .session_name("trailship")
            .session_length(self.role_duration)
            .configure(&sdk);
        if let Some(id) = filled(&self.external_id) {
            builder = builder.external_id(id);
        }
        let provider = builder.build_from_provider(base).await;
        sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
    }
}

fn filled(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A profile, or the whole AWS chain, read anew on every refresh: the SDK's own providers read their files once.
#[derive(Debug)]
struct Chain {
    profile: Option<String>,
    shared_file: Option<PathBuf>,
    http: HttpClient,
    region: Option<Region>,
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

impl Chain {
    #[expect(deprecated, reason = "the new names live in a crate that nothing else here needs")]
    async fn load(&self) -> aws_credential_types::provider::Result {
        let config =
            ProviderConfig::without_region().with_http_client(self.http.clone()).with_region(self.region.clone());
        if self.profile.is_none() && self.shared_file.is_none() {
            let chain = DefaultCredentialsChain::builder().configure(config).region(self.region.clone()).build().await;
            return chain.provide_credentials().await;
        }
        // A profile that is named wins over the environment, as in Filebeat.
        let mut builder = ProfileFileCredentialsProvider::builder().configure(&config);
        if let Some(profile) = &self.profile {
            builder = builder.profile_name(profile);
        }
        if let Some(file) = &self.shared_file {
            let files =
                ProfileFiles::builder().include_default_config_file(true).with_file(ProfileFileKind::Credentials, file);
            builder = builder.profile_files(files.build());
        }
        builder.build().provide_credentials().await
    }
}
