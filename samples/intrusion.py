"""The intrusion in the sample trail, and the answer to it."""

from place import CLI, HIDDEN, HOME, INTRUDER, MANAGEMENT, OUTSIDER, PRODUCTION, SECURITY, copies
from world import BROWSER, BUCKETS


def intrusion(places):
    """Passwords are sprayed, one fits and no second factor is asked for; what follows is what intruders do."""
    place = places[PRODUCTION, HOME]
    for n, name in enumerate(["alice", "bob", "carol.smith", "david", None, None, "grace", "heidi", None, "frank-ops", "frank-ops"]):
        who = place.user(name or "mallory", ip=INTRUDER, agent=BROWSER)
        if not name:
            who = (
                {"type": "IAMUser", "principalId": "", "accountId": PRODUCTION, "accessKeyId": "", "userName": HIDDEN},
                INTRUDER,
                BROWSER,
            )
        failed = place.sign_in(7300 + 23 * n, who, ok=False, mfa=False)
        if not name:
            failed["errorMessage"] = "No username found in supplied account"
        yield place, failed
    frank = place.user("frank-ops", ip=INTRUDER, agent=BROWSER, mfa=False)
    yield place, place.sign_in(7570, frank, mfa=False)
    looks = [
        "sts:GetCallerIdentity",
        "iam:ListUsers",
        "iam:ListRoles",
        "iam:ListAttachedUserPolicies",
        "iam:GetAccountAuthorizationDetails",
        "s3:ListBuckets",
        "ec2:DescribeInstances",
        "ec2:DescribeSecurityGroups",
        "secretsmanager:ListSecrets",
        "guardduty:ListDetectors",
        "cloudtrail:DescribeTrails",
    ]
    for n, action in enumerate(looks):
        yield place, place.call(7620 + 9 * n, frank, action, read_only=True)
    name = "backup-admin"
    user = {"userName": name}
    yield (
        place,
        place.call(
            7800,
            frank,
            "iam:CreateUser",
            user,
            {"user": {**user, "path": "/", "userId": "AIDAEXAMPLEBACKUPADM1", "arn": f"arn:aws:iam::{PRODUCTION}:user/{name}"}},
        ),
    )
    yield place, place.call(7812, frank, "iam:AttachUserPolicy", {**user, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"})
    yield (
        place,
        place.call(
            7824, frank, "iam:CreateAccessKey", user, {"accessKey": {**user, "accessKeyId": "AKIAEXAMPLEBACKUPADM", "status": "Active"}}
        ),
    )
    yield place, place.call(7840, frank, "iam:CreateLoginProfile", {**user, "passwordResetRequired": False})
    yield (
        place,
        place.call(7862, frank, "iam:DeactivateMFADevice", {"userName": "alice", "serialNumber": f"arn:aws:iam::{PRODUCTION}:mfa/alice"}),
    )
    rule = {
        "ipProtocol": "tcp",
        "fromPort": 22,
        "toPort": 22,
        "groups": {},
        "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
        "ipv6Ranges": {},
        "prefixListIds": {},
    }
    yield (
        place,
        place.call(
            7900,
            frank,
            "ec2:AuthorizeSecurityGroupIngress",
            {"groupId": place.sgs[0], "ipPermissions": {"items": [rule]}},
            {"requestId": place.r.uuid(), "_return": True},
        ),
    )
    for n, (action, parameters) in enumerate(
        [
            ("cloudtrail:StopLogging", {"name": f"arn:aws:cloudtrail:{HOME}:{MANAGEMENT}:trail/organization-trail"}),
            ("cloudtrail:DeleteTrail", {"name": f"arn:aws:cloudtrail:{HOME}:{MANAGEMENT}:trail/organization-trail"}),
            ("guardduty:DeleteDetector", {"detectorId": place.r.hex(32)}),
            ("config:StopConfigurationRecorder", {"configurationRecorderName": "default"}),
            ("organizations:LeaveOrganization", None),
        ]
    ):
        yield place, place.call(7950 + 11 * n, frank, action, parameters, error=place.denied(frank, action))
    key = {"keyId": place.kms[2], "pendingWindowInDays": 7}
    yield (
        place,
        place.call(
            8040,
            frank,
            "kms:ScheduleKeyDeletion",
            key,
            key,
            resources=[{"accountId": PRODUCTION, "type": "AWS::KMS::Key", "ARN": place.kms[2]}],
        ),
    )
    share = {
        "snapshotId": f"snap-0{place.r.hex(16)}",
        "createVolumePermission": {"add": {"items": [{"userId": OUTSIDER}]}},
        "attributeType": "CREATE_VOLUME_PERMISSION",
    }
    yield place, place.call(8055, frank, "ec2:ModifySnapshotAttribute", share, {"requestId": place.r.uuid(), "_return": True})
    bucket = BUCKETS[5]
    public = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}],
    }
    yield place, place.call(8070, frank, "s3:PutBucketPolicy", {"bucketName": bucket, "bucketPolicy": public, "policy": ""})
    thief = (
        {
            **frank[0],
            "userName": name,
            "arn": f"arn:aws:iam::{PRODUCTION}:user/{name}",
            "principalId": "AIDAEXAMPLEBACKUPADM1",
            "accessKeyId": "AKIAEXAMPLEBACKUPADM",
        },
        INTRUDER,
        CLI,
    )
    for n in range(40):
        path = f"uploads/{place.r.hex(8)}/invoice-{place.r.n(100000)}.pdf"
        record = place.call(
            8100 + 2 * n,
            thief,
            "s3:GetObject",
            {"bucketName": bucket, "key": path},
            read_only=True,
            category="Data",
            resources=[
                {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{path}"},
                {"accountId": PRODUCTION, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"},
            ],
        )
        record["additionalEventData"] = {
            "bytesTransferredOut": place.r.n(900000),
            "AuthenticationMethod": "AuthHeader",
            "SignatureVersion": "SigV4",
        }
        yield place, record


def response(places):
    """Analysts of the security account step into production: every step is recorded in both accounts."""
    caller, owner = places[SECURITY, HOME], places[PRODUCTION, HOME]
    for n, analyst in enumerate(["judy", "ivan", "olivia", "judy", "ivan", "judy"]):
        at = 9000 + 240 * n
        session = {"roleArn": f"arn:aws:iam::{PRODUCTION}:role/security-audit", "roleSessionName": analyst, "durationSeconds": 3600}
        issued = {
            "assumedRoleUser": {
                "assumedRoleId": f"{owner.role_ids['security-audit']}:{analyst}",
                "arn": f"arn:aws:sts::{PRODUCTION}:assumed-role/security-audit/{analyst}",
            },
            "credentials": {
                "accessKeyId": f"ASIAEXAMPLE{owner.role_ids['security-audit'][-9:]}",
                "expiration": owner.iso(at + 3600),
                "sessionToken": HIDDEN,
            },
        }
        resources = [{"accountId": PRODUCTION, "type": "AWS::IAM::Role", "ARN": session["roleArn"]}]
        yield from copies(caller, owner, at, caller.role("security-audit", analyst), "sts:AssumeRole", session, issued, resources)
    who = owner.role("security-audit", "judy")
    name = {"userName": "backup-admin"}
    yield (
        owner,
        owner.call(
            9300,
            who,
            "cloudtrail:LookupEvents",
            {"lookupAttributes": [{"attributeKey": "Username", "attributeValue": "frank-ops"}]},
            read_only=True,
        ),
    )
    yield owner, owner.call(9360, who, "iam:UpdateAccessKey", {**name, "accessKeyId": "AKIAEXAMPLEBACKUPADM", "status": "Inactive"})
    yield owner, owner.call(9371, who, "iam:DeleteLoginProfile", name)
    yield owner, owner.call(9383, who, "iam:DetachUserPolicy", {**name, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"})
    yield (
        owner,
        owner.call(9402, who, "ec2:RevokeSecurityGroupIngress", {"groupId": owner.sgs[0]}, {"requestId": owner.r.uuid(), "_return": True}),
    )
    yield (
        owner,
        owner.call(
            9415,
            who,
            "kms:CancelKeyDeletion",
            {"keyId": owner.kms[2]},
            resources=[{"accountId": PRODUCTION, "type": "AWS::KMS::Key", "ARN": owner.kms[2]}],
        ),
    )
    yield owner, owner.call(9430, who, "s3:DeleteBucketPolicy", {"bucketName": BUCKETS[5]})
