"""Records of who may do what: roles assumed, sign-ins, refusals, policies."""

import json
from datetime import timedelta

from draw import B64, KEYC
from world import BROWSER, BUCKETS, ROLES, SVC_PRINCIPALS, UAS, USERS


def assume_role(w, off):
    r = w.r
    svc = r.zipf(SVC_PRINCIPALS)
    role, sess = r.zipf(ROLES, 1.5), r.pick([r.hex(32), "AWSConfig-Describe", "i-0" + r.hex(16), r.uuid()])
    ui = {"type": "AWSService", "invokedBy": svc} if r.p(0.7) else None
    rec, ro = w.base("sts.amazonaws.com", "AssumeRole", True, ui, svc, svc, off=off)
    rec["requestParameters"] = {"roleArn": f"arn:aws:iam::{w.account}:role/{role}", "roleSessionName": sess, "durationSeconds": 3600}
    if r.p(0.3):
        rec["requestParameters"]["externalId"] = r.uuid()
    rec["responseElements"] = {
        "credentials": {
            "accessKeyId": "ASIA" + r.chars(KEYC, 16),
            "sessionToken": r.chars(B64, r.rng(300, 420)) + "==",
            "expiration": (w.t0 + timedelta(seconds=off + 3600)).strftime("%b %d, %Y, %-I:%M:%S %p"),
        },
        "assumedRoleUser": {"assumedRoleId": f"{w.role_ids[role]}:{sess}", "arn": f"arn:aws:sts::{w.account}:assumed-role/{role}/{sess}"},
    }
    return w.tail(
        rec,
        ro,
        resources=[{"accountId": w.account, "type": "AWS::IAM::Role", "ARN": f"arn:aws:iam::{w.account}:role/{role}"}],
        shared=True,
        tls=f"sts.{w.region}.amazonaws.com" if r.p(0.4) else None,
    )


def web_identity(w, off):
    r = w.r
    role, ns = r.pick(ROLES), r.pick(["kube-system", "payments", "monitoring", "argocd"])
    prov = f"arn:aws:iam::{w.account}:oidc-provider/oidc.eks.{w.region}.amazonaws.com/id/{'A1B2C3D4E5F60718293A4B5C6D7E8F90'}"
    ui = {
        "type": "WebIdentityUser",
        "principalId": f"{prov}:sts.amazonaws.com:system:serviceaccount:{ns}:{role}",
        "userName": f"system:serviceaccount:{ns}:{role}",
        "identityProvider": prov,
    }
    rec, ro = w.base("sts.amazonaws.com", "AssumeRoleWithWebIdentity", True, ui, r.pick(w.ips), r.pick(UAS), off=off)
    sess = "botocore-session-17%08d" % r.n(10**8)
    rec["requestParameters"] = {"roleArn": f"arn:aws:iam::{w.account}:role/{role}", "roleSessionName": sess}
    rec["responseElements"] = {
        "credentials": {
            "accessKeyId": "ASIA" + r.chars(KEYC, 16),
            "sessionToken": r.chars(B64, r.rng(700, 1100)) + "==",
            "expiration": (w.t0 + timedelta(seconds=off + 3600)).strftime("%b %d, %Y, %-I:%M:%S %p"),
        },
        "subjectFromWebIdentityToken": f"system:serviceaccount:{ns}:{role}",
        "assumedRoleUser": {"assumedRoleId": f"{w.role_ids[role]}:{sess}", "arn": f"arn:aws:sts::{w.account}:assumed-role/{role}/{sess}"},
        "provider": prov,
        "audience": "sts.amazonaws.com",
    }
    rec["additionalEventData"] = {"identityProviderConnectionVerificationMethod": "IAMTrustStore"}
    return w.tail(
        rec,
        ro,
        resources=[{"accountId": w.account, "type": "AWS::IAM::Role", "ARN": f"arn:aws:iam::{w.account}:role/{role}"}],
        tls=f"sts.{w.region}.amazonaws.com",
    )


def console_login(w, off):
    r = w.r
    u = r.pick(USERS)
    ok = r.p(0.8)
    ui = {
        "type": "IAMUser",
        "principalId": w.user_ids[u],
        "accountId": w.account,
        "accessKeyId": "",
        "userName": u if ok else "HIDDEN_DUE_TO_SECURITY_REASONS",
    }
    if ok:
        ui["arn"] = f"arn:aws:iam::{w.account}:user/{u}"
    rec, ro = w.base("signin.amazonaws.com", "ConsoleLogin", False, ui, r.pick(w.ips), BROWSER, off=off)
    if not ok:
        rec["errorMessage"] = "Failed authentication"
    rec["requestParameters"] = None
    rec["responseElements"] = {"ConsoleLogin": "Success" if ok else "Failure"}
    rec["additionalEventData"] = {
        "LoginTo": "https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true&state=hashArgsFromTB_"
        + w.region
        + "_"
        + r.hex(16),
        "MobileVersion": "No",
        "MFAUsed": "Yes" if r.p(0.7) else "No",
    }
    return w.tail(rec, ro, event_type="AwsConsoleSignIn", request_id=False, tls="signin.aws.amazon.com")


DENIED = [
    ("s3.amazonaws.com", "GetBucketPolicy", "s3:GetBucketPolicy"),
    ("iam.amazonaws.com", "CreateAccessKey", "iam:CreateAccessKey"),
    ("ec2.amazonaws.com", "DescribeInstances", "ec2:DescribeInstances"),
    ("secretsmanager.amazonaws.com", "GetSecretValue", "secretsmanager:GetSecretValue"),
    ("kms.amazonaws.com", "Decrypt", "kms:Decrypt"),
    ("sts.amazonaws.com", "AssumeRole", "sts:AssumeRole"),
]


def denied(w, off):
    r = w.r
    src, name, act = r.pick(DENIED)
    rec, ro = w.base(src, name, name != "CreateAccessKey", off=off)
    who = rec["userIdentity"].get("arn", "unknown")
    rec["errorCode"] = r.pick(
        [
            "AccessDenied",
            "AccessDenied",
            "AccessDeniedException",
            "Client.UnauthorizedOperation",
            "ThrottlingException",
            "ResourceNotFoundException",
        ]
    )
    rec["errorMessage"] = (
        f"User: {who} is not authorized to perform: {act} on resource: arn:aws:{src.split('.')[0]}:{w.region}:{w.account}:{r.hex(12)} because no identity-based policy allows the {act} action"
    )
    rec["requestParameters"] = None if r.p(0.5) else {"secretId": f"prod/{r.pick(ROLES)}/api-key"}
    rec["responseElements"] = None
    return w.tail(rec, ro, tls=f"{src.split('.')[0]}.{w.region}.amazonaws.com")


def policy(w, off):
    r = w.r
    name = r.pick(["PutRolePolicy", "CreatePolicyVersion", "PutBucketPolicy"])
    doc = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": f"Allow{r.hex(6)}",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "kms:Decrypt", "logs:*"][: r.rng(1, 4)],
                "Resource": f"arn:aws:s3:::{r.pick(BUCKETS)}/*",
                "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-" + r.hex(10)}},
            }
            for _ in range(r.rng(1, 8))
        ],
    }
    if name == "PutBucketPolicy":
        rec, ro = w.base("s3.amazonaws.com", name, False, off=off)
        rec["requestParameters"] = {
            "bucketPolicy": doc,
            "bucketName": r.pick(BUCKETS),
            "Host": f"s3.{w.region}.amazonaws.com",
            "policy": "",
        }
    else:
        rec, ro = w.base("iam.amazonaws.com", name, False, off=off)
        rec["requestParameters"] = {
            "roleName": r.pick(ROLES),
            "policyName": "inline-" + r.hex(6),
            "policyDocument": json.dumps(doc, indent=2 if r.p(0.5) else None),
        }
    rec["responseElements"] = None
    return w.tail(rec, ro, tls="iam.amazonaws.com")
