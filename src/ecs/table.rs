//! The single source of truth for fields: one row per declared field, in the order in which documents are written.
//!
//! From these rows come the slots of a document, the index templates and the fields reference. Rows with a common
//! beginning stand together, so that a document is written in one pass; a test checks it. Descriptions are ours. The
//! documents that trailship makes of itself have smaller tables below: [`dead_letter`], [`integrity`].

use super::field::Kind::{
    Boolean, ConstantKeyword, Date, Flattened, GeoPoint, Ip, Keyword, Long, MatchOnlyText, Object, Text,
};
#[allow(clippy::wildcard_imports, reason = "the rows name most of it")]
use super::field::*;
use super::source as s;

pub mod dead_letter;
pub mod integrity;

macro_rules! table {
    ($($id:ident = $field:expr;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "only counts the rows")]
        enum Row { $($id),* }
        $(pub const $id: FieldId = FieldId(Row::$id as u8);)*
        /// Every field that a document can have.
        pub const FIELDS: &[Field] = &[$($field),*];
    };
}

table! {
    TIMESTAMP = made(Date, "@timestamp", "eventTime, digestEndTime, timeWindow.windowEnd", "4, 11", "When the event happened; for a record without a time, when it was read.");
    CONF_RETAIN = settings(Keyword, "_conf.retain", "mapping.retain", "For the pipeline that maps: forms of the payloads to be kept; only with `mapping.where: pipeline`, which takes it away.");
    ACTOR_ENTITY_ID = made(Keyword, "actor.entity.id", "userIdentity", "10", "Who acted; only with tag `actor_target_mapping`. The fields `user`, `service`, `host` and `entity` say it by kind.").since("2.44.0");
    AGENT_EPHEMERAL_ID = settings(Keyword, "agent.ephemeral_id", "the running process", "Identifier of the shipper's run.");
    AGENT_ID = settings(Keyword, "agent.id", "the installation", "Identifier of the shipper's installation.");
    AGENT_NAME = settings(Keyword, "agent.name", "name or host name", "Name of the shipper.");
    AGENT_TYPE = settings(Keyword, "agent.type", "trailship", "Kind of the shipper.");
    AGENT_VERSION = settings(Keyword, "agent.version", "the program's version", "Version of the shipper.");

    ADDENDUM_ORIGINAL_EVENT_ID = moved(Keyword, "aws.cloudtrail.addendum.original_event_id", s::ADDENDUM_ORIGINAL_EVENT_ID, "The event that this record corrects.").since("7.4.0");
    ADDENDUM_ORIGINAL_REQUEST_ID = moved(Keyword, "aws.cloudtrail.addendum.original_request_id", s::ADDENDUM_ORIGINAL_REQUEST_ID, "The request of the event that this record corrects.").since("7.4.0");
    ADDENDUM_REASON = moved(Keyword, "aws.cloudtrail.addendum.reason", s::ADDENDUM_REASON, "Why the record came late or was sent again.").since("7.4.0");
    ADDENDUM_UPDATED_FIELDS = moved(Keyword, "aws.cloudtrail.addendum.updated_fields", s::ADDENDUM_UPDATED_FIELDS, "What the correction changed.").since("7.4.0");
    ADDITIONAL_EVENTDATA = made(Keyword, "aws.cloudtrail.additional_eventdata", "additionalEventData", "5", "Additional data of the event as Java text.").with_text(Text);
    API_VERSION = moved(Keyword, "aws.cloudtrail.api_version", s::API_VERSION, "Version of the API that was called.");
    LOGIN_TO = made(Keyword, "aws.cloudtrail.console_login.additional_eventdata.login_to", "additionalEventData.LoginTo", "8.2", "Where a console sign-in led to.");
    MFA_USED = made(Boolean, "aws.cloudtrail.console_login.additional_eventdata.mfa_used", "additionalEventData.MFAUsed", "8.2", "Whether a console sign-in used a second factor.");
    MOBILE_VERSION = made(Boolean, "aws.cloudtrail.console_login.additional_eventdata.mobile_version", "additionalEventData.MobileVersion", "8.2", "Whether a console sign-in came from the mobile page.");
    ERROR_CODE = moved(Keyword, "aws.cloudtrail.error_code", s::ERROR_CODE, "Error code of a call that failed.");
    ERROR_MESSAGE = moved(Keyword, "aws.cloudtrail.error_message", s::ERROR_MESSAGE, "Error text of a call that failed.");
    EVENT_CATEGORY_AWS = moved(Keyword, "aws.cloudtrail.event_category", s::EVENT_CATEGORY, "CloudTrail's own category: Management, Data, Insight, NetworkActivity.");
    EVENT_TYPE_AWS = moved(Keyword, "aws.cloudtrail.event_type", s::EVENT_TYPE, "CloudTrail's own type, such as AwsApiCall.");
    EVENT_VERSION = moved(Keyword, "aws.cloudtrail.event_version", s::EVENT_VERSION, "Version of the record's format.");
    FLATTENED_ADDITIONAL_EVENTDATA = made(Flattened, "aws.cloudtrail.flattened.additional_eventdata", "additionalEventData", "5, 6", "Additional data of the event as an object.");
    FLATTENED_DIGEST = made(Flattened, "aws.cloudtrail.flattened.digest", "members of a digest file", "11", "What a digest file says of itself, of its predecessor and of the log files.");
    FLATTENED_INSIGHT_DETAILS = made(Flattened, "aws.cloudtrail.flattened.insight_details", "insightDetails", "11", "What an Insight event found.");
    FLATTENED_REQUEST_PARAMETERS = made(Flattened, "aws.cloudtrail.flattened.request_parameters", "requestParameters", "5, 6", "Parameters of the call as an object.");
    FLATTENED_RESPONSE_ELEMENTS = made(Flattened, "aws.cloudtrail.flattened.response_elements", "responseElements", "5, 6", "Answer to the call as an object.");
    FLATTENED_SERVICE_EVENT_DETAILS = made(Flattened, "aws.cloudtrail.flattened.service_event_details", "serviceEventDetails", "5, 6", "Details of a service event as an object.");
    MANAGEMENT_EVENT = made(Keyword, "aws.cloudtrail.management_event", "managementEvent", "7", "`true` or `false`: whether it is a management event.");
    READ_ONLY = moved(Boolean, "aws.cloudtrail.read_only", s::READ_ONLY, "Whether the call only reads.");
    RECIPIENT_ACCOUNT_ID = moved(Keyword, "aws.cloudtrail.recipient_account_id", s::RECIPIENT_ACCOUNT_ID, "The account whose trail received the record.");
    REQUEST_ID = moved(Keyword, "aws.cloudtrail.request_id", s::REQUEST_ID, "Identifier that the service gave to the request.");
    REQUEST_PARAMETERS = made(Keyword, "aws.cloudtrail.request_parameters", "requestParameters", "5", "Parameters of the call as Java text.").limit(8191).with_text(Text);
    RESOURCES = made(Object, "aws.cloudtrail.resources", "resources", "7.1", "The resources that the event touched.");
    RESOURCES_ACCOUNT_ID = made(Keyword, "aws.cloudtrail.resources.account_id", "resources[].accountId", "7.1", "Account of a resource.");
    RESOURCES_ARN = made(Keyword, "aws.cloudtrail.resources.arn", "resources[].ARN", "7.1", "ARN of a resource.");
    RESOURCES_ARN_PREFIX = made(Keyword, "aws.cloudtrail.resources.ARNPrefix", "resources[].ARNPrefix", "7.1", "What the ARNs of several resources begin with.");
    RESOURCES_TYPE = made(Keyword, "aws.cloudtrail.resources.type", "resources[].type", "7.1", "Type of a resource, such as AWS::S3::Bucket.");
    RESPONSE_ELEMENTS = made(Keyword, "aws.cloudtrail.response_elements", "responseElements", "5", "Answer to the call as Java text.").limit(8191).with_text(Text);
    SERVICE_EVENT_DETAILS = made(Keyword, "aws.cloudtrail.service_event_details", "serviceEventDetails", "5", "Details of a service event as Java text.").with_text(Text);
    SESSION_CREDENTIAL_FROM_CONSOLE = moved(Keyword, "aws.cloudtrail.session_credential_from_console", s::SESSION_CREDENTIAL_FROM_CONSOLE, "`true` if the credentials came from a console session.").since("4.6.0");
    SHARED_EVENT_ID = made(Keyword, "aws.cloudtrail.shared_event_id", "sharedEventID, sharedEventId", "7", "The same in the copies that several accounts get of one event.");
    TLS_KEY_EXCHANGE = moved(Keyword, "aws.cloudtrail.tls_details.key_exchange", s::TLS_KEY_EXCHANGE, "Key exchange of the TLS connection.").since("7.4.0");

    ACCESS_KEY_ID = moved(Keyword, "aws.cloudtrail.user_identity.access_key_id", s::IDENTITY_ACCESS_KEY_ID, "Access key that signed the request.");
    IDENTITY_ARN = moved(Keyword, "aws.cloudtrail.user_identity.arn", s::IDENTITY_ARN, "ARN of the caller.");
    CREDENTIAL_ID = moved(Keyword, "aws.cloudtrail.user_identity.credential_id", s::IDENTITY_CREDENTIAL_ID, "Credential of an IAM Identity Center user.").since("7.4.0");
    IDENTITY_PROVIDER = moved(Keyword, "aws.cloudtrail.user_identity.identity_provider", s::IDENTITY_PROVIDER, "Identity provider of a SAML or web identity.").since("7.4.0");
    SCOPE_CREDENTIALS_ISSUED_TO = moved(Keyword, "aws.cloudtrail.user_identity.in_scope_of.credentials_issued_to", s::SCOPE_CREDENTIALS_ISSUED_TO, "Resource that the credentials were issued to.").since("7.4.0");
    SCOPE_ISSUER_TYPE = moved(Keyword, "aws.cloudtrail.user_identity.in_scope_of.issuer_type", s::SCOPE_ISSUER_TYPE, "Kind of service resource that got the credentials.").since("7.4.0");
    SCOPE_SOURCE_ACCOUNT = moved(Keyword, "aws.cloudtrail.user_identity.in_scope_of.source_account", s::SCOPE_SOURCE_ACCOUNT, "Account on whose behalf a service called.").since("7.4.0");
    SCOPE_SOURCE_ARN = moved(Keyword, "aws.cloudtrail.user_identity.in_scope_of.source_arn", s::SCOPE_SOURCE_ARN, "Resource on whose behalf a service called.").since("7.4.0");
    INVOKED_BY = moved(Keyword, "aws.cloudtrail.user_identity.invoked_by", s::IDENTITY_INVOKED_BY, "Service that made the call for the caller.");
    DELEGATE_ACCOUNT_ID = moved(Keyword, "aws.cloudtrail.user_identity.invoked_by_delegate.account_id", s::IDENTITY_DELEGATE_ACCOUNT_ID, "Account of a partner that called with delegated rights.").since("7.4.0");
    BEHALF_STORE_ARN = moved(Keyword, "aws.cloudtrail.user_identity.on_behalf_of.identity_store_arn", s::BEHALF_STORE_ARN, "Identity store of the user on whose behalf the call was made.").since("7.4.0");
    BEHALF_USER_ID = moved(Keyword, "aws.cloudtrail.user_identity.on_behalf_of.user_id", s::BEHALF_USER_ID, "User on whose behalf the call was made.").since("7.4.0");
    ASSUMED_ROOT = moved(Boolean, "aws.cloudtrail.user_identity.session_context.assumed_root", s::SESSION_ASSUMED_ROOT, "Whether the session is a root session in a member account.").since("7.4.0");
    CREATION_DATE = made(Date, "aws.cloudtrail.user_identity.session_context.creation_date", "userIdentity.sessionContext.attributes.creationDate", "4", "When the session began.");
    EC2_ROLE_DELIVERY = moved(Keyword, "aws.cloudtrail.user_identity.session_context.ec2_role_delivery", s::SESSION_EC2_ROLE_DELIVERY, "Version of the instance metadata service that gave the credentials.").since("7.4.0");
    MFA_AUTHENTICATED = moved(Keyword, "aws.cloudtrail.user_identity.session_context.mfa_authenticated", s::SESSION_MFA, "`true` if the session was opened with a second factor.");
    ISSUER_ACCOUNT_ID = moved(Keyword, "aws.cloudtrail.user_identity.session_context.session_issuer.account_id", s::ISSUER_ACCOUNT_ID, "Account of the role or user that issued the session.");
    ISSUER_ARN = moved(Keyword, "aws.cloudtrail.user_identity.session_context.session_issuer.arn", s::ISSUER_ARN, "ARN of the role or user that issued the session.");
    ISSUER_PRINCIPAL_ID = moved(Keyword, "aws.cloudtrail.user_identity.session_context.session_issuer.principal_id", s::ISSUER_PRINCIPAL_ID, "Identifier of the role or user that issued the session.");
    ISSUER_TYPE = moved(Keyword, "aws.cloudtrail.user_identity.session_context.session_issuer.type", s::ISSUER_TYPE, "Kind of what issued the session: Role, IAMUser, Root.");
    SIGN_IN_SESSION_ARN = moved(Keyword, "aws.cloudtrail.user_identity.session_context.sign_in_session_arn", s::SESSION_SIGN_IN_ARN, "The sign-in that the session goes back to.").since("7.4.0");
    SOURCE_IDENTITY = moved(Keyword, "aws.cloudtrail.user_identity.session_context.source_identity", s::SESSION_SOURCE_IDENTITY, "Who first assumed a role, handed on through the chain of roles.").since("7.4.0");
    WEB_ATTRIBUTES = moved(Flattened, "aws.cloudtrail.user_identity.session_context.web_id_federation_data.attributes", s::SESSION_WEB_ATTRIBUTES, "What the web identity provider said of the user.").since("7.4.0");
    WEB_PROVIDER = moved(Keyword, "aws.cloudtrail.user_identity.session_context.web_id_federation_data.federated_provider", s::SESSION_WEB_PROVIDER, "The web identity provider.").since("7.4.0");
    IDENTITY_TYPE = moved(Keyword, "aws.cloudtrail.user_identity.type", s::IDENTITY_TYPE, "Kind of the caller: IAMUser, AssumedRole, Root, AWSService and so on.");
    VPC_ENDPOINT_ACCOUNT_ID = moved(Keyword, "aws.cloudtrail.vpc_endpoint_account_id", s::VPC_ENDPOINT_ACCOUNT_ID, "Owner of the VPC endpoint.").since("7.4.0");
    VPC_ENDPOINT_ID = moved(Keyword, "aws.cloudtrail.vpc_endpoint_id", s::VPC_ENDPOINT_ID, "VPC endpoint through which the request came.");

    CLOUDWATCH_INGESTION_TIME = input(Date, "aws.cloudwatch.ingestion_time", "log event", "When CloudWatch Logs received the record.");
    CLOUDWATCH_LOG_GROUP = input(Keyword, "aws.cloudwatch.log_group", "log event", "Log group in which the record was found.");
    CLOUDWATCH_LOG_STREAM = input(Keyword, "aws.cloudwatch.log_stream", "log event", "Log stream in which the record was found.");
    S3_BUCKET_ARN = input(Keyword, "aws.s3.bucket.arn", "object", "Bucket in which the record was found.");
    S3_BUCKET_NAME = input(Keyword, "aws.s3.bucket.name", "object", "Name of the bucket in which the record was found.");
    S3_METADATA = foreign(Flattened, "aws.s3.metadata", "object metadata, as Filebeat can add it", "Metadata of the object.");
    S3_OBJECT_KEY = input(Keyword, "aws.s3.object.key", "object", "Object in which the record was found.");

    CLOUD_ACCOUNT_ID = made(Keyword, "cloud.account.id", "userIdentity.accountId, recipientAccountId, awsAccountId", "7.2", "Account of the caller, else the one that received the record.");
    CLOUD_IMAGE_ID = foreign(Keyword, "cloud.image.id", "metadata of an agent's host", "Image of the host of an agent.");
    CLOUD_PROVIDER = made(Keyword, "cloud.provider", "always `aws`", "7.2", "The cloud.").since("7.4.0");
    CLOUD_REGION = made(Keyword, "cloud.region", "awsRegion, else the bucket's region", "7", "Region in which the event happened.");
    CLOUD_SERVICE_NAME = made(Keyword, "cloud.service.name", "eventSource", "7.2", "The service that was called, in short.").since("7.4.0");
    DATA_STREAM_DATASET = settings(ConstantKeyword, "data_stream.dataset", "aws.cloudtrail", "Data set of the data stream.").always("aws.cloudtrail");
    DATA_STREAM_NAMESPACE = settings(ConstantKeyword, "data_stream.namespace", "namespace", "Namespace of the data stream.");
    DATA_STREAM_TYPE = settings(ConstantKeyword, "data_stream.type", "logs", "Type of the data stream.").always("logs");
    ECS_VERSION = made(Keyword, "ecs.version", "always `8.11.0`", "2", "Version of ECS that the document follows.");
    ENTITY_ID = made(Keyword, "entity.id", "userIdentity", "10", "Who acted, if neither user, service nor host; only with tag `actor_target_mapping`.").since("4.7.0");
    ENTITY_TARGET_ID = made(Keyword, "entity.target.id", "requestParameters, responseElements, resources", "10", "What was acted on, if neither user, service nor host; only with tag `actor_target_mapping`.").since("4.7.0");
    FAULTS = made(MatchOnlyText, "error.message", "what could not be mapped", "12", "What went wrong while the record was mapped.");

    EVENT_ACTION = made(Keyword, "event.action", "eventName", "7", "Name of the event.");
    EVENT_AGENT_ID_STATUS = foreign(Keyword, "event.agent_id_status", "Fleet", "Whether the agent was the one it claimed to be.");
    EVENT_CATEGORY = made(Keyword, "event.category", "eventName", "8.1", "ECS category of the event, for the names that have one.");
    EVENT_CREATED = made(Date, "event.created", "the time of reading", "2", "When the record was read.");
    EVENT_DATASET = settings(ConstantKeyword, "event.dataset", "aws.cloudtrail", "Data set of the event.").always("aws.cloudtrail");
    EVENT_ID = made(Keyword, "event.id", "eventID", "7", "Identifier of the event.");
    EVENT_INGESTED = made(Date, "event.ingested", "the time of mapping", "8", "When the document was made.");
    EVENT_KIND = made(Keyword, "event.kind", "`event` or `pipeline_error`", "8, 12", "`pipeline_error` if something could not be mapped.");
    EVENT_MODULE = settings(ConstantKeyword, "event.module", "aws", "Module of the event.").always("aws");
    EVENT_ORIGINAL = made(Keyword, "event.original", "the record's text", "12, 13", "Text of the record; only with tag `preserve_original_event`.").stored_only();
    EVENT_OUTCOME = made(Keyword, "event.outcome", "errorCode, errorMessage, responseElements.ConsoleLogin", "8", "`success` or `failure`.");
    EVENT_PROVIDER = made(Keyword, "event.provider", "eventSource", "7", "The service that was called.");
    EVENT_TYPE = made(Keyword, "event.type", "eventName", "8.1", "ECS types of the event.");
    FILE_PATH = made(Keyword, "file.path", "digestS3Object", "11", "Object of a digest file.");
    GROUP_ID = made(Keyword, "group.id", "responseElements.group.groupId", "9.2", "Identifier of a group that was made.");
    GROUP_NAME = made(Keyword, "group.name", "requestParameters.groupName", "9.2", "Name of the group in the request.");
    HOST_CONTAINERIZED = foreign(Boolean, "host.containerized", "metadata of an agent's host", "Whether an agent runs in a container.");
    HOST_ENTITY_ID = made(Keyword, "host.entity.id", "userIdentity", "10", "The host that acted; only with tag `actor_target_mapping`.").since("4.7.0");
    HOST_OS_BUILD = foreign(Keyword, "host.os.build", "metadata of an agent's host", "Build of the operating system of an agent's host.");
    HOST_OS_CODENAME = foreign(Keyword, "host.os.codename", "metadata of an agent's host", "Code name of the operating system of an agent's host.");
    HOST_TARGET_ENTITY_ID = made(Keyword, "host.target.entity.id", "requestParameters, responseElements, resources", "10", "Hosts that were acted on; only with tag `actor_target_mapping`.").since("4.7.0");
    HOST_TARGET_ID = made(Keyword, "host.target.id", "requestParameters, responseElements, resources", "10", "Instance ids of the hosts that were acted on; only with tag `actor_target_mapping`.").since("8.9.0");
    INPUT_TYPE = input(Keyword, "input.type", "kind of the input", "Input that read the record.");
    LOG_FILE_PATH = input(Keyword, "log.file.path", "object or file", "Address of the object or file in which the record was found.");
    LOG_OFFSET = input(Long, "log.offset", "position", "First byte of the record in the object's inflated text.");
    MESSAGE = input(MatchOnlyText, "message", "the record's text", "Text of the record; only with `mapping.where: pipeline`, which makes it `event.original`.");

    RELATED_ENTITY = made(Keyword, "related.entity", "userIdentity, requestParameters, responseElements, resources", "10", "Everything that took part; only with tag `actor_target_mapping`.").since("2.26.0");
    RELATED_HASH = made(Keyword, "related.hash", "previousDigestHashValue", "11", "Hash of the digest file before this one.");
    RELATED_HOSTS = made(Keyword, "related.hosts", "tlsDetails, sourceIPAddress, requestParameters, responseElements, resources", "9.3", "Host names and instance ids in the record.").since("7.4.0");
    RELATED_IP = made(Ip, "related.ip", "sourceIPAddress, serviceEventDetails.sourceIpAddress", "9.3", "Addresses in the record.").since("7.4.0");
    RELATED_USER = made(Keyword, "related.user", "userIdentity, requestParameters, responseElements", "9.3", "Users in the record, by name, id, e-mail and session.");
    SERVICE_ENTITY_ID = made(Keyword, "service.entity.id", "userIdentity", "10", "The service that acted; only with tag `actor_target_mapping`.").since("4.7.0");
    SERVICE_NAME = made(Keyword, "service.name", "userIdentity.invokedBy, sessionIssuer.arn", "9.1", "The AWS service that acted.").since("8.9.0");
    SERVICE_TARGET_ENTITY_ID = made(Keyword, "service.target.entity.id", "requestParameters, responseElements, resources", "10", "Services and their resources that were acted on; only with tag `actor_target_mapping`.").since("4.7.0");
    SOURCE_ADDRESS = made(Keyword, "source.address", "sourceIPAddress", "7.3", "Where the request came from: an address, or the name of a service.");
    SOURCE_AS_NUMBER = enriched(Long, "source.as.number", "GeoLite2-ASN", "Number of the autonomous system.");
    SOURCE_AS_ORGANIZATION_NAME = enriched(Keyword, "source.as.organization.name", "GeoLite2-ASN", "Name of the autonomous system's owner.").with_text(MatchOnlyText);
    SOURCE_GEO_CITY_NAME = enriched(Keyword, "source.geo.city_name", "GeoLite2-City", "City of the address.");
    SOURCE_GEO_CONTINENT_NAME = enriched(Keyword, "source.geo.continent_name", "GeoLite2-City", "Continent of the address.");
    SOURCE_GEO_COUNTRY_ISO_CODE = enriched(Keyword, "source.geo.country_iso_code", "GeoLite2-City", "Country of the address, two letters.");
    SOURCE_GEO_COUNTRY_NAME = enriched(Keyword, "source.geo.country_name", "GeoLite2-City", "Country of the address.");
    SOURCE_GEO_LOCATION = enriched(GeoPoint, "source.geo.location", "GeoLite2-City", "Place of the address.");
    SOURCE_GEO_REGION_ISO_CODE = enriched(Keyword, "source.geo.region_iso_code", "GeoLite2-City", "Region of the address by its code.");
    SOURCE_GEO_REGION_NAME = enriched(Keyword, "source.geo.region_name", "GeoLite2-City", "Region of the address.");
    SOURCE_IP = made(Ip, "source.ip", "sourceIPAddress", "7.3", "Address that the request came from.");
    TAGS = settings(Keyword, "tags", "tags", "The operator's tags, and those that control the mapping.");
    TARGET_ENTITY_ID = made(Keyword, "target.entity.id", "requestParameters, responseElements, resources", "10", "Everything that was acted on; only with tag `actor_target_mapping`.").since("2.44.0");
    TLS_CIPHER = made(Keyword, "tls.cipher", "tlsDetails.cipherSuite", "7.5", "Cipher suite of the connection.");
    TLS_CLIENT_SERVER_NAME = made(Keyword, "tls.client.server_name", "tlsDetails.clientProvidedHostHeader", "7.5", "Host name that the client asked for.");
    TLS_VERSION = made(Keyword, "tls.version", "tlsDetails.tlsVersion", "7.5", "Version of the protocol.");
    TLS_VERSION_PROTOCOL = made(Keyword, "tls.version_protocol", "tlsDetails.tlsVersion", "7.5", "Name of the protocol.");

    USER_CHANGES_NAME = made(Keyword, "user.changes.name", "requestParameters.newUserName", "9.2", "New name of a user.");
    USER_EMAIL = made(Keyword, "user.email", "userIdentity.arn, userIdentity.userName", "9.2", "E-mail address in the caller's session or name.");
    USER_ENTITY_ID = made(Keyword, "user.entity.id", "userIdentity", "10", "The user or role that acted; only with tag `actor_target_mapping`.").since("4.7.0");
    USER_ID = made(Keyword, "user.id", "userIdentity.principalId, userIdentity.onBehalfOf.userId", "9.2", "Identifier of the caller.");
    USER_NAME = made(Keyword, "user.name", "userIdentity.userName, sessionIssuer.userName", "9.2", "Name of the caller; of the role for assumed roles.").with_text(MatchOnlyText);
    USER_TARGET_ENTITY_ID = made(Keyword, "user.target.entity.id", "requestParameters, responseElements, resources", "10", "Users that were acted on; only with tag `actor_target_mapping`.").since("4.7.0");
    USER_TARGET_ID = made(Keyword, "user.target.id", "responseElements.user.userId", "9.2", "Identifier of the user that was acted on.");
    USER_TARGET_NAME = made(Keyword, "user.target.name", "requestParameters.userName", "9.2", "Name of the user in the request.");
    USER_AGENT_DEVICE_NAME = made(Keyword, "user_agent.device.name", "userAgent", "7.4", "Device of the user agent, or `Other`.");
    USER_AGENT_NAME = made(Keyword, "user_agent.name", "userAgent", "7.4", "Name of the user agent, or `Other`.");
    USER_AGENT_ORIGINAL = made(Keyword, "user_agent.original", "userAgent", "7.4", "The user agent as it was sent.").with_text(MatchOnlyText);
    USER_AGENT_OS_FULL = made(Keyword, "user_agent.os.full", "userAgent", "7.4", "Operating system of the user agent with its version.");
    USER_AGENT_OS_NAME = made(Keyword, "user_agent.os.name", "userAgent", "7.4", "Operating system of the user agent.");
    USER_AGENT_OS_VERSION = made(Keyword, "user_agent.os.version", "userAgent", "7.4", "Version of the user agent's operating system.");
    USER_AGENT_VERSION = made(Keyword, "user_agent.version", "userAgent", "7.4", "Version of the user agent.");
}

/// Number of rows, which is the number of slots of a document.
pub const COUNT: usize = FIELDS.len();

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Fields that Elastic's prebuilt AWS rules use (sub-fields of flattened ones left out).
    const USED_BY_RULES: &str = "event.action event.provider event.outcome data_stream.dataset aws.cloudtrail.user_identity.type \
        cloud.account.id aws.cloudtrail.request_parameters user.name aws.cloudtrail.user_identity.arn user_agent.original source.ip \
        @timestamp source.as.organization.name source.address aws.cloudtrail.user_identity.access_key_id event.dataset \
        aws.cloudtrail.resources.arn aws.cloudtrail.user_identity.invoked_by cloud.region data_stream.namespace \
        aws.cloudtrail.session_credential_from_console user.id aws.cloudtrail.error_code \
        aws.cloudtrail.user_identity.session_context.session_issuer.arn aws.cloudtrail.response_elements tls.client.server_name \
        user.target.name entity.target.id event.ingested source.as.number source.geo.city_name source.geo.country_iso_code \
        user_agent.name aws.cloudtrail.additional_eventdata aws.cloudtrail.console_login.additional_eventdata.mfa_used \
        aws.cloudtrail.event_category aws.cloudtrail.recipient_account_id aws.cloudtrail.resources.account_id \
        aws.cloudtrail.resources.type event.id related.entity source.geo.country_name user.changes.name \
        aws.cloudtrail.flattened.request_parameters aws.cloudtrail.flattened.response_elements";

    #[test]
    fn every_field_that_detection_rules_use_is_declared() {
        let declared: HashSet<&str> = FIELDS.iter().map(|field| field.name).collect();
        let missing: Vec<&str> = USED_BY_RULES.split_whitespace().filter(|name| !declared.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn no_name_is_both_a_field_and_the_beginning_of_others() {
        for field in FIELDS.iter().filter(|field| field.kind != Kind::Object) {
            let inside = format!("{}.", field.name);
            assert!(!FIELDS.iter().any(|other| other.name.starts_with(&inside)), "{}", field.name);
        }
    }

    #[test]
    fn names_are_unique_and_rows_of_one_object_stand_together() {
        let mut closed = HashSet::new();
        let mut open: Vec<String> = Vec::new();
        for field in FIELDS {
            assert!(closed.insert(field.name.to_string()), "`{}` is there twice", field.name);
            let objects: Vec<String> =
                field.name.match_indices('.').map(|(at, _)| field.name[..=at].to_string()).collect();
            for left in open.iter().filter(|object| !objects.contains(object)) {
                closed.insert(left.clone());
            }
            for object in &objects {
                assert!(!closed.contains(object), "`{object}` is opened again by `{}`", field.name);
            }
            open = objects;
        }
    }

    #[test]
    fn rows_say_what_they_are() {
        for field in FIELDS {
            assert!(field.description.ends_with('.') && !field.source().is_empty(), "{}", field.name);
            assert_eq!(field.ignore_above.is_some(), field.kind == Kind::Keyword && field.indexed, "{}", field.name);
            // Three bytes a character: no keyword becomes a term that an index refuses.
            assert!(field.ignore_above.is_none_or(|limit| limit * 3 <= 32_766), "{}", field.name);
        }
        assert_eq!(EVENT_ACTION.field().name, "event.action");
        assert_eq!(COUNT, FIELDS.len());
    }

    #[test]
    fn limits_and_sub_fields_are_those_of_the_integration() {
        for (field, limit, text) in [
            (REQUEST_PARAMETERS, Some(8191), Some(Kind::Text)),
            (RESPONSE_ELEMENTS, Some(8191), Some(Kind::Text)),
            (ADDITIONAL_EVENTDATA, Some(1024), Some(Kind::Text)),
            (SERVICE_EVENT_DETAILS, Some(1024), Some(Kind::Text)),
            (USER_AGENT_ORIGINAL, Some(1024), Some(Kind::MatchOnlyText)),
            (EVENT_ORIGINAL, None, None),
        ] {
            assert_eq!(
                (field.field().ignore_above, field.field().text_subfield),
                (limit, text),
                "{}",
                field.field().name
            );
        }
    }
}
