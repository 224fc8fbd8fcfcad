"""The scenes of the sample trail: sign-ins, everyday changes, keys shared across accounts, what services do.

Each scene yields pairs of a place and a record: where CloudTrail would have recorded it.
"""

import json

from intrusion import intrusion, response
from place import CLI, DEVELOPMENT, HIDDEN, HOME, HOTEL, MANAGEMENT, OFFICE, OUTSIDER, PRODUCTION, SECURITY, copies
from world import BROWSER, BUCKETS, ROLES, UAS, USERS

TERRAFORM = next(agent for agent in UAS if "Terraform" in agent)


def story(places):
    """Pairs of place and record of all scenes."""
    for scene in (
        sign_ins,
        root_use,
        identity_center,
        everyday_changes,
        intrusion,
        response,
        shared_keys,
        service_events,
        insights,
        network_activity,
    ):
        yield from scene(places)


def sign_ins(places):
    """The working day of an office: most with a second factor, two without, one mistyped password."""
    for n, name in enumerate(USERS[:10]):
        place = places[(MANAGEMENT, PRODUCTION, DEVELOPMENT, SECURITY)[n % 4], ("us-east-1", "eu-west-1", "ap-southeast-2")[n % 3]]
        yield place, place.sign_in(900 + 437 * n, place.user(name, agent=BROWSER), mfa=name not in ("bob", "heidi"))
    place = places[DEVELOPMENT, HOME]
    yield place, place.sign_in(3302, place.user("grace", ip=HOTEL, agent=BROWSER), ok=False)
    yield place, place.sign_in(3331, place.user("grace", ip=HOTEL, agent=BROWSER))
    switch = place.call(
        3360,
        place.user("grace", ip=HOTEL, agent=BROWSER),
        "signin:SwitchRole",
        None,
        {"SwitchRole": "Success"},
        event_type="AwsConsoleSignIn",
        request_id=False,
        tls="signin.aws.amazon.com",
    )
    switch["additionalEventData"] = {
        "SwitchTo": f"arn:aws:iam::{PRODUCTION}:role/security-audit",
        "SwitchFrom": switch["userIdentity"]["arn"],
    }
    yield place, switch
    yield (
        place,
        place.call(
            4000,
            place.user("grace", ip=HOTEL, agent=BROWSER),
            "billingconsole:AWSPaymentPortalService.DescribePaymentsDashboard",
            read_only=True,
            event_type="AwsConsoleAction",
            request_id=False,
        ),
    )


def root_use(places):
    place = places[MANAGEMENT, HOME]
    root = place.root()
    yield place, place.sign_in(5400, place.root(ip=HOTEL), ok=False, mfa=False)
    yield place, place.sign_in(5460, root)
    yield place, place.call(5520, root, "organizations:DescribeOrganization", read_only=True)
    yield (
        place,
        place.call(5571, root, "account:PutAlternateContact", {"alternateContactType": "SECURITY", "emailAddress": HIDDEN, "name": HIDDEN}),
    )
    yield (
        place,
        place.call(
            5610, root, "iam:UpdateAccountPasswordPolicy", {"minimumPasswordLength": 16, "requireSymbols": True, "maxPasswordAge": 90}
        ),
    )


def identity_center(places):
    """Sign-ins through IAM Identity Center: service events with their own identity type."""
    place = places[MANAGEMENT, HOME]
    store = f"arn:aws:identitystore::{MANAGEMENT}:identitystore/d-9067example"
    for n, (name, outcome) in enumerate([("peggy", "Success"), ("sven-åberg", "Failure"), ("sven-åberg", "Success")]):
        identity = {
            "type": "IdentityCenterUser",
            "accountId": MANAGEMENT,
            "onBehalfOf": {"userId": place.r.uuid(), "identityStoreArn": store},
            "credentialId": place.r.uuid(),
        }
        record = place.call(
            1500 + 60 * n, (identity, OFFICE, BROWSER), "signin:UserAuthentication", event_type="AwsServiceEvent", request_id=False
        )
        record["additionalEventData"] = {"AuthWorkflowID": place.r.uuid(), "CredentialType": "PASSWORD", "UserName": name}
        record["serviceEventDetails"] = {"UserAuthentication": outcome}
        yield place, record


def everyday_changes(places):
    """Terraform and people change roles, networks and keys."""
    for n, region in enumerate(("us-east-1", "eu-west-1", "ap-southeast-2")):
        for account in (PRODUCTION, DEVELOPMENT):
            place = places[account, region]
            who = place.role("terraform-apply", f"run-{place.r.hex(8)}", agent=TERRAFORM)
            group, at = place.sgs[n], 2000 + 700 * n
            allow = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
            trust = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
            role = f"report-builder-{region}"
            yield (
                place,
                place.call(
                    at,
                    who,
                    "ec2:CreateSecurityGroup",
                    {"groupName": f"reports-{n}", "groupDescription": "report builder", "vpcId": place.vpcs[0]},
                    {"requestId": place.r.uuid(), "groupId": group, "_return": True},
                ),
            )
            yield (
                place,
                place.call(
                    at + 2,
                    who,
                    "ec2:CreateRoute",
                    {
                        "routeTableId": f"rtb-0{place.r.hex(16)}",
                        "destinationCidrBlock": "10.64.0.0/16",
                        "transitGatewayId": f"tgw-0{place.r.hex(16)}",
                    },
                    {"requestId": place.r.uuid(), "_return": True},
                ),
            )
            yield (
                place,
                place.call(
                    at + 5,
                    who,
                    "kms:CreateAlias",
                    {"aliasName": "alias/reports", "targetKeyId": place.kms[n]},
                    resources=[{"accountId": account, "type": "AWS::KMS::Key", "ARN": place.kms[n]}],
                ),
            )
            if region == HOME:
                created = {
                    "role": {
                        "path": "/",
                        "roleName": role,
                        "roleId": f"AROA{place.r.hex(16).upper()}",
                        "arn": f"arn:aws:iam::{account}:role/{role}",
                    }
                }
                yield place, place.call(at + 8, who, "iam:CreateRole", {"roleName": role, "assumeRolePolicyDocument": trust}, created)
                yield (
                    place,
                    place.call(
                        at + 9, who, "iam:AttachRolePolicy", {"roleName": role, "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
                    ),
                )
    place = places[MANAGEMENT, HOME]
    trail = f"arn:aws:cloudtrail:{HOME}:{MANAGEMENT}:trail/organization-trail"
    selectors = {
        "trailName": trail,
        "advancedEventSelectors": [
            {"name": "network activity", "fieldSelectors": [{"field": "eventCategory", "equals": ["NetworkActivity"]}]}
        ],
    }
    yield place, place.call(3000, place.user("alice", mfa=True), "cloudtrail:PutEventSelectors", selectors, {"trailARN": trail})
    yield (
        place,
        place.call(
            3044,
            place.user("alice", mfa=True),
            "cloudtrail:PutInsightSelectors",
            {"trailName": trail, "insightSelectors": [{"insightType": "ApiErrorRateInsight"}]},
        ),
    )


def shared_keys(places):
    """Development decrypts with a key of production: the key's owner and its user each get a copy."""
    caller, owner = places[DEVELOPMENT, "eu-west-1"], places[PRODUCTION, "eu-west-1"]
    resources = [{"accountId": PRODUCTION, "type": "AWS::KMS::Key", "ARN": owner.kms[0]}]
    context = {"encryptionContext": {"aws:s3:arn": f"arn:aws:s3:::{BUCKETS[0]}"}, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    for n in range(12):
        yield from copies(
            caller, owner, 600 + 1100 * n, caller.role("data-lake-etl", "nightly"), "kms:Decrypt", context, None, resources, read_only=True
        )


def service_events(places):
    """What services do on their own: no caller, no request id."""
    for n, account in enumerate((PRODUCTION, DEVELOPMENT, SECURITY)):
        place = places[account, HOME]
        who = (
            {"accountId": account, "invokedBy": "secretsmanager.amazonaws.com"},
            "secretsmanager.amazonaws.com",
            "secretsmanager.amazonaws.com",
        )
        record = place.call(4800 + 60 * n, who, "secretsmanager:RotationSucceeded", event_type="AwsServiceEvent", request_id=False)
        record["additionalEventData"] = {"SecretId": f"arn:aws:secretsmanager:{HOME}:{account}:secret:prod/{ROLES[n]}-AbCdEf"}
        yield place, record


def insights(places):
    """Two anomalies, each with a beginning and an end."""
    place = places[PRODUCTION, HOME]
    yield from insight(place, 8000, "cloudtrail.amazonaws.com", "StopLogging", "ApiErrorRateInsight", "AccessDenied", 0.0002, 1.4)
    yield from insight(place, 8160, "s3.amazonaws.com", "PutBucketPolicy", "ApiCallRateInsight", None, 0.01, 3.25)
    yield from insight(places[DEVELOPMENT, "eu-west-1"], 5000, "ec2.amazonaws.com", "RunInstances", "ApiCallRateInsight", None, 0.4, 22.5)


def insight(place, at, source, name, kind, error, baseline, average):
    shared = place.r.uuid()
    caller = f"arn:aws:iam::{place.account}:user/frank-ops"
    for state, later in (("Start", 0), ("End", 540)):
        statistics = {
            "baseline": {"average": baseline},
            "insight": {"average": average},
            "insightDuration": 1 + later // 60,
            "baselineDuration": 10080,
        }
        attributions = [
            {"attribute": "userIdentityArn", "insight": [{"value": caller, "average": average}], "baseline": []},
            {"attribute": "userAgent", "insight": [{"value": CLI, "average": average}], "baseline": []},
            {
                "attribute": "errorCode",
                "insight": [{"value": error or "null", "average": average}],
                "baseline": [{"value": "null", "average": baseline}],
            },
        ]
        details = {"state": state, "eventSource": source, "eventName": name, "insightType": kind}
        if error:
            details["errorCode"] = error
        details["insightContext"] = {"statistics": statistics, "attributions": attributions}
        yield (
            place,
            {
                "eventVersion": "1.09",
                "eventTime": place.iso(at + later),
                "awsRegion": place.region,
                "eventID": place.r.uuid(),
                "eventType": "AwsCloudTrailInsight",
                "recipientAccountId": place.account,
                "sharedEventID": shared,
                "insightDetails": details,
                "eventCategory": "Insight",
            },
        )


def network_activity(places):
    """Calls that passed, or were refused at, VPC endpoints."""
    for account in (PRODUCTION, SECURITY):
        for region in ("us-east-1", "eu-west-1"):
            place = places[account, region]
            for n in range(14):
                outsider = n % 5 == 4
                identity = (
                    {"type": "AWSAccount", "principalId": "AROAEXAMPLEOUTSIDER01:job", "accountId": OUTSIDER}
                    if outsider
                    else place.role(ROLES[n % 4], "job")[0]
                )
                record = {
                    "eventVersion": "1.09",
                    "userIdentity": identity,
                    "eventTime": place.iso(1200 + 800 * n),
                    "eventSource": "kms.amazonaws.com",
                    "eventName": "Decrypt",
                    "awsRegion": region,
                    "sourceIPAddress": f"10.{n}.4.{20 + n}",
                }
                if outsider:
                    record |= {"errorCode": "VpceAccessDenied", "errorMessage": "The request was denied due to a VPC endpoint policy"}
                record |= {
                    "requestID": place.r.uuid(),
                    "eventID": place.r.uuid(),
                    "eventType": "AwsVpceEvent",
                    "recipientAccountId": account,
                    "sharedEventID": place.r.uuid(),
                    "vpcEndpointId": place.vpces[0],
                    "vpcEndpointAccountId": account,
                    "eventCategory": "NetworkActivity",
                }
                yield place, record
