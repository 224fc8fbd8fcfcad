//! From the arguments to what is to be verified: the window, the trail, its bucket, accounts and regions.

use crate::aws::client::{Session, Settings};
use crate::aws::cloudtrail::{CloudTrail, Trail};
use crate::aws::credentials::CredentialSettings;
use crate::aws::region::is_region;
use crate::cli::Failure;
use crate::cli::args::ValidateArgs;
use crate::config::types::HttpUrl;
use crate::verify::chain::Window;
use crate::verify::discover::{Filter, Roots};
use crate::verify::finding::{Finding, Kind};
use crate::verify::keys::KeyRing;
use crate::verify::moment::{self, Offsets};
use crate::verify::run::{Progress, Verifier};
use crate::verify::scope::{Chain, Scope};
use crate::verify::since::Last;
use crate::verify::store::{PathMap, Store, failure};
use crate::verify::trust::{Origin, Trust};
use crate::verify::walk;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Exit code of the AWS CLI when it gives up.
pub const GAVE_UP: u8 = 255;
/// Longest time of one call, retries included.
const CALL: Duration = Duration::from_secs(120);
/// When nothing tells a region.
const REGION: &str = "us-east-1";
const ALL: &str = "all";

/// State of `--since-last`, with its folder.
pub type Kept = (Last, PathBuf);

/// What is to be done.
pub struct Plan {
    pub verifier: Arc<Verifier>,
    pub scopes: Vec<(Scope, Option<Chain>)>,
    /// Findings about no chain.
    pub other: Vec<Finding>,
    pub kept: Option<Kept>,
}

/// The parts of a trail's ARN.
struct TrailArn {
    arn: String,
    name: String,
    account: String,
    region: String,
}

/// Finds out what is to be verified.
///
/// # Errors
/// Wrong usage, a trail that is not known, a bucket that cannot be listed.
pub async fn make(args: &ValidateArgs, data: &Path) -> Result<Plan, Failure> {
    let kept =
        if args.since_last { Some((Last::load(data).map_err(anyhow::Error::from)?, data.to_owned())) } else { None };
    let arn = args.trail_arn.as_deref().map(|arn| trail_arn(args, arn)).transpose();
    let trail = arn.as_ref().ok().and_then(Option::as_ref).map(|arn| (arn.region.as_str(), arn.name.as_str()));
    // The AWS CLI looks at the times first.
    let window = window(args, kept.as_ref().map(|(last, _)| last), trail)?;
    let arn = arn?;
    if let Some(folder) = args.path_maps.iter().find_map(PathMap::lacks_folder) {
        return Err(Failure::Usage(format!("`{}` of `--path-map` is no folder", folder.display())));
    }
    let session = session(args, arn.as_ref()).await?;
    let endpoint = match &args.endpoint_url {
        Some(url) => Some(url.clone()),
        None => endpoint("CLOUDTRAIL")?,
    };
    let origin = match &args.public_keys {
        Some(file) => Origin::Ring(key_ring(file)?),
        None => Origin::Api(Box::new(CloudTrail::new(&session, endpoint.clone()))),
    };
    let verifier = Arc::new(Verifier {
        store: Store::new(Some(session.buckets()), args.path_maps.clone()),
        trust: Trust::new(origin),
        window,
        compat: args.compat,
        key_region: args.compat.then(|| session.region().to_owned()),
        permits: Arc::new(Semaphore::new(usize::from(args.concurrency))),
        last: kept.as_ref().map(|(last, _)| last.clone()),
        progress: Progress::default(),
        roots: Roots::default(),
    });
    let trail = match (&args.s3_bucket, &arn) {
        (Some(bucket), _) => {
            let arn = arn.as_ref().map(|arn| arn.arn.clone()).unwrap_or_default();
            Trail { arn, bucket: bucket.clone(), prefix: args.s3_prefix.clone(), organization: false }
        }
        (None, Some(arn)) => describe(args, &CloudTrail::new(&session, endpoint), arn).await?,
        (None, None) => return Err(Failure::usage("`--trail-arn` or `--s3-bucket` is needed")),
    };
    let (scopes, other) = scopes(args, &verifier, &trail, arn.as_ref()).await?;
    let chain = |scope: &Scope| {
        arn.as_ref().map(|arn| Chain {
            scope: scope.clone(),
            trail: arn.name.clone(),
            home_region: arn.region.clone(),
            arn: arn.arn.clone(),
        })
    };
    let scopes = scopes.into_iter().map(|scope| (scope.clone(), chain(&scope))).collect();
    Ok(Plan { verifier, scopes, other, kept })
}

/// The time that is asked about.
///
/// # Errors
/// Times that cannot be read, or that are in the wrong order.
fn window(args: &ValidateArgs, last: Option<&Last>, trail: Option<(&str, &str)>) -> Result<Window, Failure> {
    let offsets = if args.compat { Offsets::Drop } else { Offsets::Convert };
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    let read = |text: &String| {
        moment::parse(text, offsets)
            .map_err(|error| refused(args, format!("Unable to parse date value: {text}"), error.to_string()))
    };
    let asked = args.start_time.as_ref().map(read).transpose()?;
    let Some(from) = last.and_then(|last| last.earliest(args.s3_bucket.as_deref(), trail)).or(asked) else {
        return Err(Failure::usage("the first run with `--since-last` over this bucket or trail needs `--start-time`"));
    };
    let to = args.end_time.as_ref().map(read).transpose()?.unwrap_or(now);
    if from > to {
        let text = "Invalid time range specified: start-time must occur before end-time";
        return Err(refused(args, text.to_owned(), "the start of the time lies after its end".to_owned()));
    }
    Ok(Window { from, to, now })
}

/// Wrong usage: in the AWS CLI's words and with its code, or in ours.
fn refused(args: &ValidateArgs, theirs: String, ours: String) -> Failure {
    if args.compat { Failure::Said(GAVE_UP, format!("\n{theirs}\n")) } else { Failure::Usage(ours) }
}

fn trail_arn(args: &ValidateArgs, arn: &str) -> Result<TrailArn, Failure> {
    let bad = || {
        let ours = format!(
            "`{arn}` is not the ARN of a trail, such as `arn:aws:cloudtrail:us-east-1:111122223333:trail/main`"
        );
        refused(args, format!("Invalid trail ARN provided: {arn}"), ours)
    };
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "cloudtrail", region, account, resource] = parts.as_slice() else { return Err(bad()) };
    let named = resource.strip_prefix("trail/").filter(|name| !name.is_empty());
    let numbered = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    if partition.is_empty() || region.is_empty() || !numbered || named.is_none() {
        return Err(bad());
    }
    let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(TrailArn { arn: arn.to_owned(), name, account: (*account).to_owned(), region: (*region).to_owned() })
}

async fn session(args: &ValidateArgs, arn: Option<&TrailArn>) -> Result<Session, Failure> {
    let one = match args.region.as_slice() {
        [region] if region != ALL => Some(region.clone()),
        _ => None,
    };
    let told = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().any(|name| filled(name).is_some());
    let home = arn.map(|arn| arn.region.as_str()).filter(|region| is_region(region)).unwrap_or(REGION);
    let endpoint = endpoint("S3")?;
    let settings = Settings {
        credentials: CredentialSettings {
            profile: args.profile.clone().unwrap_or_default(),
            ..CredentialSettings::default()
        },
        region: one.filter(|region| is_region(region)),
        queue_url: None,
        default_region: (!told).then(|| home.to_owned()),
        path_style: endpoint.is_some(),
        endpoint,
        fips: filled("AWS_USE_FIPS_ENDPOINT").is_some_and(|text| text == "true"),
        proxy: None,
        certificate_authorities: filled("AWS_CA_BUNDLE").into_iter().collect(),
        api_timeout: CALL,
    };
    Ok(Session::open(settings).await.map_err(anyhow::Error::from)?)
}

/// The endpoint of a service, as AWS's own tools find it in the environment.
fn endpoint(service: &str) -> Result<Option<HttpUrl>, Failure> {
    let Some(text) = filled(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| filled("AWS_ENDPOINT_URL")) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|error| Failure::Usage(format!("`AWS_ENDPOINT_URL`: {error}")))
}

fn filled(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn key_ring(file: &Path) -> Result<KeyRing, Failure> {
    let text = std::fs::read(file)
        .map_err(|error| Failure::Usage(format!("cannot read the key ring `{}`: {error}", file.display())))?;
    KeyRing::parse(&text).map_err(|error| Failure::Usage(format!("`{}`: {error}", file.display())))
}

async fn describe(args: &ValidateArgs, cloudtrail: &CloudTrail, arn: &TrailArn) -> Result<Trail, Failure> {
    let trails = cloudtrail.trails(&arn.region).await.map_err(|fault| {
        let fault = failure(&fault);
        let theirs = walk::client_error(&fault);
        if args.compat { Failure::Said(GAVE_UP, format!("\n{theirs}\n")) } else { unreadable(&fault.text) }
    })?;
    let found = trails.into_iter().find(|trail| trail.arn == arn.arn);
    found.ok_or_else(|| {
        let ours = format!("there is no trail `{}`; name its bucket by `--s3-bucket`", arn.arn);
        refused(args, format!("A trail could not be found for {}", arn.arn), ours)
    })
}

/// Exit code 5.
fn unreadable(text: &str) -> Failure {
    Failure::Said(5, format!("{text}\n"))
}

/// Where there are digests to verify.
async fn scopes(
    args: &ValidateArgs,
    verifier: &Arc<Verifier>,
    trail: &Trail,
    arn: Option<&TrailArn>,
) -> Result<(Vec<Scope>, Vec<Finding>), Failure> {
    let given = |list: &[String]| {
        let named: Vec<String> = list.iter().filter(|item| !item.is_empty()).cloned().collect();
        (!named.is_empty() && named.iter().all(|item| item != ALL)).then_some(named)
    };
    let wants_all = |list: &[String]| list.iter().any(|item| item == ALL);
    if args.compat && trail.organization && args.account_id.is_empty() {
        let text = "Missing required parameter for organization trail: '--account-id'";
        return Err(Failure::Said(GAVE_UP, format!("\n{text}\n")));
    }
    let own = |value: fn(&TrailArn) -> &String| arn.map(|arn| vec![value(arn).clone()]);
    let own_account = if trail.organization { None } else { own(|arn| &arn.account) };
    let filter = Filter {
        accounts: given(&args.account_id).or_else(|| own_account.filter(|_| !wants_all(&args.account_id))),
        regions: given(&args.region).or_else(|| own(|arn| &arn.region).filter(|_| !wants_all(&args.region))),
    };
    let prefix = trail.prefix.clone().unwrap_or_default();
    let prefix = if args.compat { prefix } else { prefix.trim_matches('/').to_owned() };
    let plain = || -> Vec<Scope> {
        let (accounts, regions) = (filter.accounts.iter().flatten(), filter.regions.as_deref().unwrap_or_default());
        let scope = |account: &String, region: &String| Scope {
            bucket: trail.bucket.clone(),
            prefix: prefix.clone(),
            organization: None,
            account: account.clone(),
            region: region.clone(),
        };
        accounts.flat_map(|account| regions.iter().map(move |region| scope(account, region))).collect()
    };
    // An organization's folder is needed at once where it is known that there is one, or where every trail is asked about;
    // else only where the trail is not found.
    if !trail.organization && (args.compat || (arn.is_some() && !plain().is_empty())) {
        return Ok((plain(), Vec::new()));
    }
    let found = match verifier.discover(&trail.bucket, &prefix, &filter).await {
        Ok(found) => found,
        // Who may read only a part of the bucket names accounts and regions.
        Err(_) if !plain().is_empty() => return Ok((plain(), Vec::new())),
        Err(failure) if args.compat => {
            return Err(Failure::Said(GAVE_UP, format!("\n{}\n", walk::client_error(&failure))));
        }
        Err(failure) => return Err(unreadable(&failure.text)),
    };
    let in_organization = found.scopes.iter().any(|scope| scope.organization.is_some());
    let kept = |scope: &Scope| !(trail.organization && in_organization) || scope.organization.is_some();
    let mut scopes: Vec<Scope> = found.scopes.into_iter().filter(kept).collect();
    // What was named and has no folder is looked at all the same, so that it is said to be empty.
    for scope in plain() {
        if !scopes.iter().any(|known| known.account == scope.account && known.region == scope.region) {
            scopes.push(scope);
        }
    }
    let silent = found.silent.iter().map(|account| {
        Finding::new(Kind::NoDigests, format!("account `{account}` has log files in this bucket and no digests"))
    });
    Ok((scopes, silent.collect()))
}
