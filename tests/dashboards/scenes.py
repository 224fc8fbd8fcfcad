"""Writes scenes.json: documents that must show up on the dashboards, and on which panels.

Every record names the topics that it is about, by hand, and every topic the panels that ask about it. So the number of
documents behind each panel is known without asking a server. Accounts, people and addresses are invented, as in the sample
trail, and lie in the same four hours. `scenes.py` writes the file, `scenes.py --check` compares.
"""

import json
import pathlib
import sys

MANAGEMENT, PRODUCTION, DEVELOPMENT = "111122223333", "444455556666", "777788889999"
OUTSIDER = "210987654321"
OFFICE, HOTEL, INTRUDER = "198.51.100.23", "192.0.2.77", "203.0.113.66"
CLI = "aws-cli/2.15.30 md/Botocore#1.34.60 ua/2.0 os/linux#6.1.0 md/arch#x86_64 lang/python#3.11.8 md/installer#exe"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36"

# Panels that ask about a topic. Panels that are not here ask about every document of their data view.
PANELS = {
    "failed": ["overview/failed"],
    "denied": ["overview/denied", "identity/denied", "identity/denied-callers", "identity/denied-actions"],
    "error": ["overview/errors"],
    "root": ["overview/root", "identity/root", "identity/root-use"],
    "address": ["overview/addresses", "overview/countries", "overview/networks"],
    "sign-in": ["identity/sign-in-course", "identity/sign-in-sources"],
    "signed-in": ["identity/sign-ins"],
    "sign-in-failed": ["identity/sign-in-failures"],
    "without-mfa": ["identity/without-mfa", "identity/mfa-missing"],
    "iam": ["identity/grants", "identity/iam-changes", "identity/iam-changers"],
    "role": ["identity/roles"],
    "new-key": ["identity/new-keys"],
    "long-key": ["identity/long-keys"],
    "by-hand": ["changes/writes", "changes/changers", "changes/latest"],
    "network": ["changes/network", "changes/network-table"],
    "storage": ["changes/storage", "changes/storage-table"],
    "encryption": ["changes/encryption", "changes/keys-table"],
    "watcher": ["changes/watchers", "changes/watchers-table"],
    "deletion": ["changes/deletions", "changes/deletions-table"],
    "organization": ["changes/organization", "changes/organization-table"],
    "refused-change": ["changes/refused"],
    "outside": [f"regions/outside{panel}" for panel in ("", "-regions", "-callers", "-course", "-who", "-what")],
    "outside-change": ["regions/outside-changes"],
    "inside": ["regions/inside", "regions/inside-regions"],
    "region": ["health/last-heard"],
    "data": [f"data-events/data{panel}" for panel in ("", "-course", "-actions", "-callers", "-resources")],
    "data-write": ["data-events/data-writes"],
    "data-deletion": ["data-events/data-deletions"],
    "data-refused": ["data-events/data-denied", "data-events/refused-callers"],
    "foreign": ["data-events/unknown-accounts"],
    "endpoint": ["data-events/endpoints"],
    "endpoint-refused": ["data-events/endpoint-denied", "data-events/endpoints-refused"],
    "insight": ["data-events/insights", "data-events/insights-course", "data-events/insights-where"],
    "fault": ["health/faults"],
    "finding": ["health/findings", "health/findings-course", "health/findings-table"],
    "ledger": ["health/not-indexed", "health/ledger", "health/ledger-table"],
}

# What the first number of a panel is, where it is not the number of documents: told by hand from the documents below.
NUMBERS = {
    "overview/accounts": 4,
    "regions/outside-regions": 2,
    "regions/outside-callers": 2,
    "regions/inside-regions": 2,
    "health/not-indexed": 4,
}


def main():
    Scenes.count = 0
    text = json.dumps(
        {"panels": PANELS, "numbers": NUMBERS, "records": records(), "integrity": integrity(), "dead_letter": dead_letter()},
        indent=None,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    # One document a line, so that a change can be read.
    text = text.replace('{"topics":', '\n{"topics":').replace('{"document":', '\n{"document":') + "\n"
    path = pathlib.Path(__file__).with_name("scenes.json")
    if "--check" in sys.argv:
        return int(path.read_text(encoding="utf-8") != text)
    path.write_text(text, encoding="utf-8")
    return 0


class Scenes:
    count = 0


def records():
    """Each scene with its topics; those that follow from the record's form alone are added by `call`."""
    frank, grace = user("frank-ops", PRODUCTION), user("grace", DEVELOPMENT)
    terraform = role("terraform-apply", PRODUCTION)
    etl = role("data-lake-etl", PRODUCTION)
    key = f"arn:aws:kms:us-east-1:{PRODUCTION}:key/11111111-2222-3333-4444-555555555555"
    return [
        # Sign-ins: a guess that succeeds, one with a second factor, root.
        *(sign_in(f"23:{10 + n}:0{n}", frank, INTRUDER, ok=False, topics=[]) for n in range(4)),
        sign_in("23:14:20", frank, INTRUDER, mfa=False, topics=["without-mfa"]),
        sign_in("22:04:00", grace, OFFICE, topics=[]),
        sign_in("22:40:00", root(MANAGEMENT), HOTEL, mfa=False, topics=["root", "without-mfa"]),
        call(
            "22:41:30",
            root(MANAGEMENT),
            HOTEL,
            "iam:CreateAccessKey",
            topics=["root", "iam", "new-key"],
            agent=BROWSER,
            request={"userName": "ci-deploy"},
            response={"accessKey": {"userName": "ci-deploy", "accessKeyId": "AKIAEXAMPLEROOTMADE1", "status": "Active"}},
        ),
        # Roles and keys.
        call(
            "22:10:00",
            grace,
            OFFICE,
            "sts:AssumeRole",
            topics=["role"],
            read_only=True,
            request={"roleArn": f"arn:aws:iam::{PRODUCTION}:role/security-audit", "roleSessionName": "grace"},
            resources=[{"accountId": PRODUCTION, "type": "AWS::IAM::Role", "ARN": f"arn:aws:iam::{PRODUCTION}:role/security-audit"}],
        ),
        call(
            "22:12:00",
            user("ci-deploy", DEVELOPMENT, key="AKIAEXAMPLECIDEPLOY1"),
            "203.0.113.24",
            "ecr:GetAuthorizationToken",
            topics=["long-key"],
            read_only=True,
        ),
        call(
            "23:16:00",
            frank,
            INTRUDER,
            "iam:CreateUser",
            topics=["iam", "new-key"],
            request={"userName": "backup-admin"},
            response={"user": {"userName": "backup-admin", "userId": "AIDAEXAMPLEBACKUPADM"}},
        ),
        call(
            "23:16:40",
            frank,
            INTRUDER,
            "iam:AttachUserPolicy",
            topics=["iam"],
            request={"userName": "backup-admin", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        ),
        call(
            "23:18:00",
            frank,
            INTRUDER,
            "iam:DeactivateMFADevice",
            topics=["denied", "refused-change"],
            error="AccessDenied",
            request={"userName": "grace"},
        ),
        # Changes.
        call(
            "23:20:00",
            frank,
            INTRUDER,
            "ec2:AuthorizeSecurityGroupIngress",
            topics=["network"],
            request={"groupId": "sg-0123456789abcdef0"},
        ),
        call("00:05:00", terraform, OFFICE, "ec2:CreateRoute", topics=["network"], request={"routeTableId": "rtb-0123456789abcdef0"}),
        call(
            "00:06:00",
            terraform,
            OFFICE,
            "ec2:DeleteNetworkAcl",
            topics=["network", "deletion"],
            request={"networkAclId": "acl-0123456789abcdef0"},
        ),
        call(
            "23:31:00",
            frank,
            INTRUDER,
            "s3:PutBucketPolicy",
            topics=["storage"],
            request={"bucketName": "invoices", "bucketPolicy": {"Version": "2012-10-17"}},
        ),
        call("00:15:00", terraform, OFFICE, "s3:PutBucketPublicAccessBlock", topics=["storage"], request={"bucketName": "reports"}),
        call(
            "23:40:00",
            frank,
            INTRUDER,
            "kms:ScheduleKeyDeletion",
            topics=["encryption"],
            request={"keyId": key, "pendingWindowInDays": 7},
            resources=[{"accountId": PRODUCTION, "type": "AWS::KMS::Key", "ARN": key}],
        ),
        call(
            "23:44:00",
            frank,
            INTRUDER,
            "cloudtrail:StopLogging",
            topics=["watcher", "denied", "refused-change"],
            error="AccessDenied",
            request={"name": "organization-trail"},
        ),
        call(
            "23:45:10",
            frank,
            INTRUDER,
            "guardduty:DeleteDetector",
            topics=["watcher", "deletion"],
            request={"detectorId": "12abc34d567e8fa901bc2d34e56789f0"},
        ),
        call(
            "23:46:00",
            frank,
            INTRUDER,
            "ec2:TerminateInstances",
            topics=["deletion"],
            request={"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}},
        ),
        call(
            "00:30:00",
            role("organization-admin", MANAGEMENT),
            OFFICE,
            "organizations:MoveAccount",
            topics=["organization"],
            request={"accountId": DEVELOPMENT},
        ),
        call(
            "00:31:00",
            role("organization-admin", MANAGEMENT),
            OFFICE,
            "organizations:AttachPolicy",
            topics=["organization"],
            request={"policyId": "p-examplepolicy"},
        ),
        # Regions that nobody approved.
        call(
            "23:50:00",
            frank,
            INTRUDER,
            "ec2:RunInstances",
            topics=["outside-change"],
            region="me-south-1",
            request={"instanceType": "p4d.24xlarge"},
        ),
        call("23:50:40", frank, INTRUDER, "ec2:DescribeInstances", topics=[], region="me-south-1", read_only=True),
        call(
            "23:55:00",
            frank,
            INTRUDER,
            "ec2:RunInstances",
            topics=["denied", "refused-change"],
            region="af-south-1",
            error="Client.UnauthorizedOperation",
            request={"instanceType": "p4d.24xlarge"},
        ),
        call("01:20:00", role("security-audit", PRODUCTION), OFFICE, "ec2:DescribeRegions", topics=[], region="me-south-1", read_only=True),
        # Data.
        *(
            call(
                f"23:{32 + n}:30",
                frank,
                INTRUDER,
                "s3:GetObject",
                topics=[],
                read_only=True,
                category="Data",
                request={"bucketName": "invoices", "key": f"2026/{n}.pdf"},
                resources=bucket("invoices", f"2026/{n}.pdf"),
            )
            for n in range(5)
        ),
        call(
            "23:38:00",
            frank,
            INTRUDER,
            "s3:GetObject",
            topics=["denied", "data-refused"],
            read_only=True,
            category="Data",
            error="AccessDenied",
            request={"bucketName": "payroll", "key": "2026/02.csv"},
            resources=bucket("payroll", "2026/02.csv"),
        ),
        call(
            "00:45:00",
            etl,
            "10.20.3.14",
            "s3:PutObject",
            topics=["data-write"],
            category="Data",
            request={"bucketName": "data-lake", "key": "raw/1.parquet"},
            resources=bucket("data-lake", "raw/1.parquet"),
        ),
        call(
            "00:46:00",
            etl,
            "10.20.3.14",
            "s3:DeleteObject",
            topics=["data-write", "data-deletion", "deletion"],
            category="Data",
            request={"bucketName": "data-lake", "key": "raw/0.parquet"},
            resources=bucket("data-lake", "raw/0.parquet"),
        ),
        call(
            "00:50:00",
            {"type": "AWSAccount", "principalId": "AIDAEXAMPLEOUTSIDER0", "accountId": OUTSIDER},
            "192.0.2.200",
            "s3:GetObject",
            topics=["foreign"],
            read_only=True,
            category="Data",
            request={"bucketName": "reports", "key": "public.csv"},
            resources=bucket("reports", "public.csv"),
            recipient=PRODUCTION,
        ),
        # VPC endpoints and Insights.
        endpoint("01:02:00", etl, "s3:GetObject", None, []),
        endpoint("01:03:00", etl, "s3:PutObject", "VpceAccessDenied", ["endpoint-refused", "denied"]),
        insight("23:35:00", "Start", "ApiCallRateInsight", ["insight"]),
        insight("23:52:00", "End", "ApiCallRateInsight", []),
        insight("23:48:00", "Start", "ApiErrorRateInsight", ["insight"]),
        # A part that cannot be mapped.
        call("01:10:00", user("heidi", DEVELOPMENT, session="some day"), OFFICE, "ecs:DescribeTasks", topics=["fault"], read_only=True),
    ]


def user(name, account, key=None, session=None):
    identity = {
        "type": "IAMUser",
        "principalId": f"AIDAEXAMPLE{name[:6].upper()}",
        "arn": f"arn:aws:iam::{account}:user/{name}",
        "accountId": account,
        "accessKeyId": key or f"ASIAEXAMPLE{name[:6].upper()}",
        "userName": name,
    }
    if session:
        identity["sessionContext"] = {"attributes": {"creationDate": session, "mfaAuthenticated": "false"}}
    return identity


def role(name, account):
    issuer = {
        "type": "Role",
        "principalId": f"AROAEXAMPLE{name[:6].upper()}",
        "arn": f"arn:aws:iam::{account}:role/{name}",
        "accountId": account,
        "userName": name,
    }
    return {
        "type": "AssumedRole",
        "principalId": f"{issuer['principalId']}:session",
        "arn": f"arn:aws:sts::{account}:assumed-role/{name}/session",
        "accountId": account,
        "accessKeyId": f"ASIAEXAMPLE{name[:6].upper()}",
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"creationDate": "2026-03-02T22:00:00Z", "mfaAuthenticated": "false"}},
    }


def root(account):
    return {"type": "Root", "principalId": account, "arn": f"arn:aws:iam::{account}:root", "accountId": account}


def bucket(name, key):
    return [
        {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{name}/{key}"},
        {"accountId": PRODUCTION, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{name}"},
    ]


def time(at):
    """A time of the four hours around midnight."""
    return f"2026-03-0{2 if at >= '22' else 3}T{at}Z"


def base(at, identity, account, region, **more):
    Scenes.count += 1
    return {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": time(at),
        "awsRegion": region,
        "requestParameters": None,
        "responseElements": None,
        "eventID": f"5ce0e000-0000-4000-8000-{Scenes.count:012d}",
        "recipientAccountId": account,
        **more,
    }


def call(
    at,
    identity,
    ip,
    action,
    topics,
    read_only=False,
    region="us-east-1",
    category="Management",
    error=None,
    request=None,
    response=None,
    resources=None,
    agent=CLI,
    recipient=None,
):
    service, name = action.split(":")
    record = base(
        at,
        identity,
        recipient or identity["accountId"],
        region,
        eventSource=f"{service}.amazonaws.com",
        eventName=name,
        sourceIPAddress=ip,
        userAgent=agent,
        eventType="AwsApiCall",
        eventCategory=category,
        managementEvent=category == "Management",
        readOnly=read_only,
    )
    record["requestParameters"], record["responseElements"] = request, response
    if resources:
        record["resources"] = resources
    if error:
        record["errorCode"], record["errorMessage"] = error, "Not authorized to perform this operation."
    found = ["address", "region", *topics]
    found += ["failed", "error"] if error else []
    found += ["data"] if category == "Data" else []
    found += ["by-hand"] if category == "Management" and not read_only else []
    found += ["outside"] if region in ("me-south-1", "af-south-1") else ["inside"]
    return {"topics": sorted(found), "record": record}


def sign_in(at, identity, ip, topics, ok=True, mfa=True):
    identity = {key: value for key, value in identity.items() if key != "accessKeyId"}
    record = base(
        at,
        identity,
        identity["accountId"],
        "us-east-1",
        eventSource="signin.amazonaws.com",
        eventName="ConsoleLogin",
        sourceIPAddress=ip,
        userAgent=BROWSER,
        eventType="AwsConsoleSignIn",
        eventCategory="Management",
        managementEvent=True,
        readOnly=False,
    )
    record["responseElements"] = {"ConsoleLogin": "Success" if ok else "Failure"}
    record["additionalEventData"] = {
        "LoginTo": "https://console.aws.amazon.com/console/home",
        "MobileVersion": "No",
        "MFAUsed": "Yes" if mfa else "No",
    }
    found = ["address", "region", "inside", "by-hand", "sign-in", *topics]
    if not ok:
        record["errorMessage"] = "Failed authentication"
    found += ["signed-in"] if ok else ["sign-in-failed", "failed"]
    return {"topics": sorted(found), "record": record}


def endpoint(at, identity, action, error, topics):
    service, name = action.split(":")
    record = base(
        at,
        identity,
        identity["accountId"],
        "eu-west-1",
        eventSource=f"{service}.amazonaws.com",
        eventName=name,
        sourceIPAddress="10.20.3.14",
        userAgent=CLI,
        eventType="AwsVpceEvent",
        eventCategory="NetworkActivity",
        managementEvent=False,
        readOnly=name.startswith("Get"),
        vpcEndpointId="vpce-0123456789abcdef0",
        vpcEndpointAccountId=identity["accountId"],
    )
    found = ["address", "region", "inside", "endpoint", *topics]
    if error:
        record["errorCode"], record["errorMessage"] = error, "The request was denied due to a VPC endpoint policy"
        found += ["failed", "error"]
    return {"topics": sorted(found), "record": record}


def insight(at, state, kind, topics):
    Scenes.count += 1
    average = {"average": 0.02} if kind == "ApiCallRateInsight" else {"average": 0.0}
    details = {
        "state": state,
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "insightType": kind,
        "insightContext": {
            "statistics": {"baseline": average, "insight": {"average": 9.5}, "insightDuration": 4, "baselineDuration": 9981}
        },
    }
    if kind == "ApiErrorRateInsight":
        details["errorCode"] = "AccessDenied"
    record = {
        "eventVersion": "1.10",
        "eventTime": time(at),
        "awsRegion": "us-east-1",
        "eventID": f"5ce0e000-0000-4000-8000-{Scenes.count:012d}",
        "eventType": "AwsCloudTrailInsight",
        "recipientAccountId": PRODUCTION,
        "sharedEventID": f"5ce0e000-1111-4000-8000-{len(kind):012d}",
        "insightDetails": details,
        "eventCategory": "Insight",
    }
    return {"topics": sorted(["region", "inside", *topics]), "record": record}


def integrity():
    """The hourly ledger of two accounts, four objects of which failed, and findings."""
    documents = []
    for hour, at in enumerate(("22:00:00", "23:00:00", "00:00:00", "01:00:00")):
        for account in (PRODUCTION, DEVELOPMENT):
            for region, expected in (("us-east-1", 24 + 3 * hour), ("eu-west-1", 12)):
                failed = {"23:00:00": 3, "00:00:00": 1}.get(at, 0) if (account, region) == (PRODUCTION, "us-east-1") else 0
                ledger = {
                    "hour": time(at),
                    "expected": expected,
                    "notified": expected,
                    "read": expected - failed,
                    "indexed": expected - failed,
                    "failed": failed,
                    "records": 37 * (expected - failed),
                }
                documents.append(
                    integral(
                        at,
                        account,
                        region,
                        ["ledger"],
                        {"kind": "metric", "action": "ledger_hour", "outcome": "failure" if failed else "success"},
                        {"ledger": ledger},
                    )
                )
    findings = [
        ("23:05:00", PRODUCTION, "us-east-1", "log_file_late", 30, "2300", "named by a digest, arrived 65 min later"),
        ("00:20:00", PRODUCTION, "us-east-1", "log_file_missing", 70, "2345", "named by a digest, not in the bucket"),
        ("00:20:01", PRODUCTION, "us-east-1", "log_file_altered", 90, "2350", "its SHA-256 is not that of the digest"),
        ("00:21:00", DEVELOPMENT, "eu-west-1", "digest_missing", 70, "2317", "no digest for 23:17 to 00:17"),
        ("01:30:00", DEVELOPMENT, "eu-west-1", "chain_broken", 80, "0017", "does not name the digest before it"),
        ("01:45:00", MANAGEMENT, None, "account_silent", 50, None, "no object for 3 h, usually one every 5 min"),
    ]
    for at, account, region, action, severity, name, reason in findings:
        document = integral(
            at,
            account,
            region,
            ["finding"],
            {"kind": "alert", "action": action, "severity": severity, "outcome": "failure", "reason": reason},
            {},
        )
        if name:
            path = f"AWSLogs/o-exampleorg/{account}/CloudTrail/{region}/2026/03/02/{account}_CloudTrail_{region}_20260302T{name}Z_exampleexample00.json.gz"
            document["document"]["aws"] = {"s3": {"bucket": {"name": "example-organization-trail"}, "object": {"key": path}}}
        documents.append(document)
    return documents


def integral(at, account, region, topics, event, trailship):
    document = {
        "@timestamp": time(at),
        "event": {"module": "aws", "dataset": "aws.cloudtrail_integrity", "ingested": time(at), **event},
        "cloud": {"account": {"id": account}},
    }
    if region:
        document["cloud"]["region"] = region
    if trailship:
        document["trailship"] = trailship
    return {"document": document, "topics": topics}


def dead_letter():
    """Records that were parked: one cause with several records, two with one each."""
    causes = [
        ("00:40:00", "mapping-refused", 400),
        ("00:40:01", "mapping-refused", 400),
        ("00:40:02", "mapping-refused", 400),
        ("01:00:00", "broken-json", None),
        ("01:15:00", "too-large", 413),
    ]
    documents = []
    for at, code, status in causes:
        document = {
            "@timestamp": time(at),
            "event": {"kind": "pipeline_error", "module": "aws", "dataset": "aws.cloudtrail_dead_letter", "created": time(at)},
            "error": {"code": code, "message": f"invented: {code}"},
            "cloud": {"account": {"id": PRODUCTION}, "region": "us-east-1"},
            "aws": {
                "s3": {
                    "bucket": {"name": "example-organization-trail"},
                    "object": {"key": f"AWSLogs/o-exampleorg/{PRODUCTION}/CloudTrail/us-east-1/2026/03/03/{code}.json.gz"},
                }
            },
            "input": {"type": "aws-s3"},
            "trailship": {"input": {"id": "organization"}},
        }
        if status:
            document["http"] = {"response": {"status_code": status}}
        documents.append({"document": document, "topics": []})
    return documents


if __name__ == "__main__":
    sys.exit(main())
