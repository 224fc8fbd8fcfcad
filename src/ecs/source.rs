//! The members of a record that the mapping looks at, each once, and the walk that finds them all in one pass.
//!
//! Whatever is not listed here is not read: it survives in `event.original` alone (ECS mapping 2).

use crate::record::json::{Blank, Kind, NodeId, Tape, Value};
use std::sync::LazyLock;

/// A member of a record by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source(u8);

macro_rules! sources {
    ($($id:ident = $path:literal;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "only counts the rows")]
        enum Row { $($id),* }
        $(#[doc = concat!("`", $path, "`")] pub const $id: Source = Source(Row::$id as u8);)*
        /// The paths, by number of their [`Source`].
        const PATHS: &[&str] = &[$($path),*];
    };
}

sources! {
    EVENT_VERSION = "eventVersion";
    EVENT_TIME = "eventTime";
    EVENT_SOURCE = "eventSource";
    EVENT_NAME = "eventName";
    EVENT_ID = "eventID";
    EVENT_TYPE = "eventType";
    EVENT_CATEGORY = "eventCategory";
    AWS_REGION = "awsRegion";
    SOURCE_IP_ADDRESS = "sourceIPAddress";
    USER_AGENT = "userAgent";
    ERROR_CODE = "errorCode";
    ERROR_MESSAGE = "errorMessage";
    REQUEST_ID = "requestID";
    API_VERSION = "apiVersion";
    MANAGEMENT_EVENT = "managementEvent";
    READ_ONLY = "readOnly";
    RESOURCES = "resources";
    RECIPIENT_ACCOUNT_ID = "recipientAccountId";
    SHARED_EVENT_ID = "sharedEventID";
    SHARED_EVENT_ID_OTHER = "sharedEventId";
    VPC_ENDPOINT_ID = "vpcEndpointId";
    VPC_ENDPOINT_ACCOUNT_ID = "vpcEndpointAccountId";
    SESSION_CREDENTIAL_FROM_CONSOLE = "sessionCredentialFromConsole";
    ADDENDUM_REASON = "addendum.reason";
    ADDENDUM_UPDATED_FIELDS = "addendum.updatedFields";
    ADDENDUM_ORIGINAL_REQUEST_ID = "addendum.originalRequestID";
    ADDENDUM_ORIGINAL_EVENT_ID = "addendum.originalEventID";
    TLS = "tlsDetails";
    TLS_VERSION = "tlsDetails.tlsVersion";
    TLS_CIPHER_SUITE = "tlsDetails.cipherSuite";
    TLS_HOST_HEADER = "tlsDetails.clientProvidedHostHeader";
    TLS_KEY_EXCHANGE = "tlsDetails.keyExchange";
    IDENTITY = "userIdentity";
    IDENTITY_TYPE = "userIdentity.type";
    IDENTITY_ARN = "userIdentity.arn";
    IDENTITY_PRINCIPAL_ID = "userIdentity.principalId";
    IDENTITY_USER_NAME = "userIdentity.userName";
    IDENTITY_ACCOUNT_ID = "userIdentity.accountId";
    IDENTITY_ACCESS_KEY_ID = "userIdentity.accessKeyId";
    IDENTITY_INVOKED_BY = "userIdentity.invokedBy";
    IDENTITY_DELEGATE_ACCOUNT_ID = "userIdentity.invokedByDelegate.accountId";
    IDENTITY_CREDENTIAL_ID = "userIdentity.credentialId";
    IDENTITY_PROVIDER = "userIdentity.identityProvider";
    SCOPE_ISSUER_TYPE = "userIdentity.inScopeOf.issuerType";
    SCOPE_CREDENTIALS_ISSUED_TO = "userIdentity.inScopeOf.credentialsIssuedTo";
    SCOPE_SOURCE_ARN = "userIdentity.inScopeOf.sourceArn";
    SCOPE_SOURCE_ACCOUNT = "userIdentity.inScopeOf.sourceAccount";
    BEHALF_USER_ID = "userIdentity.onBehalfOf.userId";
    BEHALF_STORE_ARN = "userIdentity.onBehalfOf.identityStoreArn";
    SESSION = "userIdentity.sessionContext";
    SESSION_MFA = "userIdentity.sessionContext.attributes.mfaAuthenticated";
    SESSION_CREATION_DATE = "userIdentity.sessionContext.attributes.creationDate";
    SESSION_EC2_ROLE_DELIVERY = "userIdentity.sessionContext.ec2RoleDelivery";
    SESSION_SOURCE_IDENTITY = "userIdentity.sessionContext.sourceIdentity";
    SESSION_ASSUMED_ROOT = "userIdentity.sessionContext.assumedRoot";
    SESSION_SIGN_IN_ARN = "userIdentity.sessionContext.signInSessionArn";
    SESSION_WEB_PROVIDER = "userIdentity.sessionContext.webIdFederationData.federatedProvider";
    SESSION_WEB_ATTRIBUTES = "userIdentity.sessionContext.webIdFederationData.attributes";
    ISSUER_TYPE = "userIdentity.sessionContext.sessionIssuer.type";
    ISSUER_PRINCIPAL_ID = "userIdentity.sessionContext.sessionIssuer.principalId";
    ISSUER_ARN = "userIdentity.sessionContext.sessionIssuer.arn";
    ISSUER_ACCOUNT_ID = "userIdentity.sessionContext.sessionIssuer.accountId";
    ISSUER_USER_NAME = "userIdentity.sessionContext.sessionIssuer.userName";
    REQUEST = "requestParameters";
    REQUEST_USER_NAME = "requestParameters.userName";
    REQUEST_NEW_USER_NAME = "requestParameters.newUserName";
    REQUEST_GROUP_NAME = "requestParameters.groupName";
    REQUEST_COMPUTER_NAME = "requestParameters.computerName";
    REQUEST_INSTANCE_ID = "requestParameters.instanceId";
    REQUEST_TARGET = "requestParameters.target";
    REQUEST_RESOURCE_ID = "requestParameters.resourceId";
    REQUEST_INSTANCE_IDS = "requestParameters.instanceIds";
    REQUEST_INSTANCES = "requestParameters.instancesSet.items";
    RESPONSE = "responseElements";
    RESPONSE_USER_ID = "responseElements.user.userId";
    RESPONSE_GROUP_ID = "responseElements.group.groupId";
    RESPONSE_CONSOLE_LOGIN = "responseElements.ConsoleLogin";
    RESPONSE_INSTANCE_ID = "responseElements.instanceId";
    RESPONSE_TARGET = "responseElements.target";
    RESPONSE_RESOURCE_ID = "responseElements.resourceId";
    RESPONSE_INSTANCE_IDS = "responseElements.instanceIds";
    RESPONSE_INSTANCES = "responseElements.instancesSet.items";
    ADDITIONAL = "additionalEventData";
    ADDITIONAL_USER_NAME = "additionalEventData.UserName";
    ADDITIONAL_LOGIN_TO = "additionalEventData.LoginTo";
    ADDITIONAL_MFA_USED = "additionalEventData.MFAUsed";
    ADDITIONAL_MOBILE_VERSION = "additionalEventData.MobileVersion";
    SERVICE_DETAILS = "serviceEventDetails";
    SERVICE_DETAILS_SOURCE_IP = "serviceEventDetails.sourceIpAddress";
    INSIGHT_DETAILS = "insightDetails";
    DIGEST_ACCOUNT_ID = "awsAccountId";
    DIGEST_START_TIME = "digestStartTime";
    DIGEST_END_TIME = "digestEndTime";
    DIGEST_NEWEST_TIME = "newestEventTime";
    DIGEST_OLDEST_TIME = "oldestEventTime";
    DIGEST_BUCKET = "digestS3Bucket";
    DIGEST_OBJECT = "digestS3Object";
    DIGEST_ALGORITHM = "digestSignatureAlgorithm";
    DIGEST_FINGERPRINT = "digestPublicKeyFingerprint";
    DIGEST_FINGERPRINT_OTHER = "publicKeyFingerprint";
    DIGEST_PREVIOUS_BUCKET = "previousDigestS3Bucket";
    DIGEST_PREVIOUS_OBJECT = "previousDigestS3Object";
    DIGEST_PREVIOUS_HASH_ALGORITHM = "previousDigestHashAlgorithm";
    DIGEST_PREVIOUS_HASH = "previousDigestHashValue";
    DIGEST_PREVIOUS_SIGNATURE = "previousDigestSignature";
    DIGEST_LOG_FILES = "logFiles";
    AGGREGATED_ID = "eventId";
    AGGREGATED_ACCOUNT_ID = "accountId";
    AGGREGATED_WINDOW_END = "timeWindow.windowEnd";
}

impl Source {
    /// The path in the record.
    pub fn path(self) -> &'static str {
        PATHS.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

/// Names of the members at the top of a record that the mapping looks at.
pub fn members() -> impl Iterator<Item = &'static str> {
    PATHS.iter().map(|path| path.split('.').next().unwrap_or_default())
}

/// Where each [`Source`] lies in a tape; kept and filled anew for each record.
#[derive(Debug)]
pub struct Found([Option<NodeId>; PATHS.len()]);

impl Default for Found {
    fn default() -> Self {
        Found([None; PATHS.len()])
    }
}

/// A cleaned record (R of the ECS mapping), with its members at hand.
#[derive(Clone, Copy)]
pub struct Record<'r> {
    tape: &'r Tape,
    found: &'r Found,
}

impl<'r> Record<'r> {
    /// Looks up every [`Source`] in what `tape` has parsed; a record that is not an object has none.
    pub fn find(tape: &'r Tape, found: &'r mut Found) -> Record<'r> {
        found.0.fill(None);
        if let Some(root) = tape.root() {
            Level::walk(&LEVELS, 0, root, found);
        }
        Record { tape, found }
    }

    /// The record whose members were looked up before.
    pub fn of(tape: &'r Tape, found: &'r Found) -> Record<'r> {
        Record { tape, found }
    }

    /// The whole record; none when there is no text.
    pub fn root(self) -> Option<Value<'r>> {
        self.tape.root()
    }

    /// The member, if the record has it.
    pub fn value(self, source: Source) -> Option<Value<'r>> {
        let id = (*self.found.0.get(usize::from(source.0))?)?;
        self.tape.value(id)
    }

    /// The member, if it is a string.
    pub fn text(self, source: Source) -> Option<&'r str> {
        self.value(source)?.as_str()
    }

    /// Whether the record has the member.
    pub fn has(self, source: Source) -> bool {
        self.value(source).is_some()
    }

    /// The member, and whether it is something else than an object.
    pub fn is_no_object(self, source: Source) -> bool {
        self.value(source).is_some_and(|value| !value.is_object())
    }

    /// The member, if it is a number or a boolean.
    pub fn is_number_or_bool(self, source: Source) -> bool {
        self.value(source).is_some_and(|value| matches!(value.kind(), Kind::Number(_) | Kind::Bool(_)))
    }

    /// What the record had at its top under this name before the clean-up dropped it.
    pub fn dropped(self, source: Source) -> Option<Blank> {
        self.tape.dropped(source.path())
    }
}

/// The names that are looked for in one object, shortest first.
struct Level {
    names: Vec<Name>,
    /// For each length in bytes: which names have it.
    by_length: [(u8, u8); LONGEST + 1],
}

struct Name {
    name: &'static str,
    source: Option<Source>,
    /// The level of what lies below.
    below: Option<usize>,
}

const LONGEST: usize = 31;

static LEVELS: LazyLock<Vec<Level>> = LazyLock::new(|| {
    let mut levels = Vec::new();
    Level::build(&mut levels, "");
    levels
});

impl Level {
    /// Adds the level of the paths that begin with `prefix`, and the levels below it.
    fn build(levels: &mut Vec<Level>, prefix: &str) -> usize {
        let own = levels.len();
        levels.push(Level { names: Vec::new(), by_length: [(0, 0); LONGEST + 1] });
        let mut names: Vec<Name> = Vec::new();
        for (i, path) in PATHS.iter().enumerate() {
            let Some(rest) = path.strip_prefix(prefix) else { continue };
            let name = rest.split('.').next().unwrap_or_default();
            let at = names.iter().position(|known| known.name == name).unwrap_or_else(|| {
                names.push(Name { name, source: None, below: None });
                names.len() - 1
            });
            if rest == name {
                names[at].source = Some(Source(i as u8));
            } else if names[at].below.is_none() {
                names[at].below = Some(Level::build(levels, &format!("{prefix}{name}.")));
            }
        }
        names.sort_by_key(|name| name.name.len());
        let mut by_length = [(0, 0); LONGEST + 1];
        for (length, range) in by_length.iter_mut().enumerate() {
            let from = names.partition_point(|name| name.name.len() < length);
            let to = names.partition_point(|name| name.name.len() <= length);
            *range = (from as u8, to as u8);
        }
        levels[own] = Level { names, by_length };
        own
    }

    fn walk(levels: &[Level], at: usize, object: Value<'_>, found: &mut Found) {
        let Some(level) = levels.get(at) else { return };
        for (key, value) in object.members() {
            let Some(&(from, to)) = level.by_length.get(key.text.len()) else { continue };
            let candidates = level.names.get(usize::from(from)..usize::from(to)).unwrap_or_default();
            let Some(name) = candidates.iter().find(|name| name.name == key.text) else { continue };
            if let Some(source) = name.source
                && let Some(place) = found.0.get_mut(usize::from(source.0))
            {
                *place = Some(value.id());
            }
            if let Some(below) = name.below {
                Level::walk(levels, below, value, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::record::json::{Blanks, write::to_json};

    #[test]
    fn every_source_is_found_where_its_path_says() {
        for (i, path) in PATHS.iter().enumerate() {
            let json =
                path.rsplit('.').fold("\"x\"".to_string(), |inner, name| format!("{{\"other\":1,\"{name}\":{inner}}}"));
            let (mut tape, mut found) = (Tape::default(), Found::default());
            tape.parse(json.as_bytes(), Blanks::Dropped).unwrap();
            let record = Record::find(&tape, &mut found);
            assert_eq!(record.text(Source(i as u8)), Some("x"), "{path}");
            assert_eq!(Source(i as u8).path(), *path);
        }
    }

    #[test]
    fn an_object_is_found_as_well_as_what_is_in_it() {
        let (mut tape, mut found) = (Tape::default(), Found::default());
        tape.parse(
            br#"{"userIdentity":{"type":"Root"},"eventTime":"-","readOnly":null,"resources":[[]]}"#,
            Blanks::Dropped,
        )
        .unwrap();
        let record = Record::find(&tape, &mut found);
        assert_eq!(to_json(record.value(IDENTITY).unwrap()), r#"{"type":"Root"}"#);
        assert_eq!(record.text(IDENTITY_TYPE), Some("Root"));
        assert!(!record.has(EVENT_TIME) && !record.has(READ_ONLY) && !record.has(RESOURCES));
        assert_eq!(record.dropped(EVENT_TIME), Some(Blank::Text));
        assert_eq!(record.dropped(READ_ONLY), Some(Blank::Null));
        assert_eq!(record.dropped(RESOURCES), Some(Blank::Container));
        assert_eq!(record.dropped(EVENT_NAME), None);
    }

    #[test]
    fn a_path_through_something_else_than_an_object_leads_nowhere() {
        let (mut tape, mut found) = (Tape::default(), Found::default());
        tape.parse(br#"{"userIdentity":"Root","requestParameters":[{"userName":"a"}]}"#, Blanks::Dropped).unwrap();
        let record = Record::find(&tape, &mut found);
        assert!(record.is_no_object(IDENTITY) && record.is_no_object(REQUEST) && !record.is_no_object(RESPONSE));
        assert!(!record.has(IDENTITY_TYPE) && !record.has(REQUEST_USER_NAME));
    }
}
