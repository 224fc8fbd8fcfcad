"""The organization that the records speak of: its accounts, people, roles and things, and the head and tail of a record."""

from datetime import timedelta

from draw import KEYC

REGIONS = ["us-east-1", "eu-west-1", "us-west-2", "eu-central-1", "ap-southeast-2", "us-east-2"]
ACCOUNTS = ["111122223333", "444455556666", "777788889999", "123456789012"]
ROLES = [
    "payments-api",
    "orders-worker",
    "eks-node-group",
    "ci-deploy",
    "data-lake-etl",
    "AWSReservedSSO_AdministratorAccess_4f1c0de9a1b2c3d4",
    "AWSReservedSSO_ReadOnly_9b8a7c6d5e4f3a2b",
    "lambda-image-resize",
    "ecs-task-frontend",
    "datadog-integration",
    "terraform-apply",
    "backup-service",
    "security-audit",
    "OrganizationAccountAccessRole",
    "grafana-cloudwatch",
    "karpenter-controller",
    "cluster-autoscaler",
    "external-dns",
    "external-secrets",
    "glue-crawler",
    "emr-ec2-default",
    "sagemaker-exec",
    "step-functions-orchestrator",
    "config-recorder",
    "vpn-access-broker",
    "log-shipper",
    "cert-manager",
    "argocd-manager",
    "batch-jobs",
    "kinesis-firehose-delivery",
]
USERS = [
    "alice",
    "bob",
    "carol.smith",
    "david",
    "erin@example.com",
    "frank-ops",
    "grace",
    "heidi",
    "ivan",
    "judy",
    "svc-jenkins",
    "svc-backup",
    "mallory",
    "niaj",
    "olivia",
    "peggy",
    "renée.dubois",
    "sven-åberg",
    "trent",
    "victor",
]
BUCKETS = [
    "acme-prod-data-lake",
    "acme-logs-archive",
    "acme-web-assets",
    "acme-ml-features",
    "acme-terraform-state",
    "acme-customer-uploads",
    "acme-billing-exports",
    "acme-backups-eu",
    "acme-analytics-raw",
    "acme-config-snapshots",
]
UAS = [
    "aws-sdk-nodejs/2.1590.0 linux/v18.20.2 promise",
    "aws-internal/3",
    "Fluent Bit/2.32.0 aws-sdk",
    "kubernetes/karpenter v0.36.0 aws-sdk-go/1.51.21 (go1.22.2; linux; amd64)",
    "aws-sdk-go-v2/1.26.1 os/linux lang/go#1.22.2 md/GOOS#linux md/GOARCH#arm64 api/sts#1.28.6",
    "amazon-ssm-agent/3.2.2303.0 (linux; x86_64)",
    "Boto3/1.34.84 md/Botocore#1.34.84 ua/2.0 os/linux#5.10.214-202.855.amzn2.x86_64 md/arch#x86_64 lang/python#3.11.8 md/pyimpl#CPython exec-env/AWS_Lambda_python3.11 cfg/retry-mode#legacy Botocore/1.34.84",
    "aws-sdk-java/2.25.31 Linux/5.10.210-201.852.amzn2.x86_64 OpenJDK_64-Bit_Server_VM/17.0.10+7-LTS Java/17.0.10 vendor/Amazon.com_Inc. io/sync http/Apache cfg/retry-mode/legacy",
    "APN/1.0 HashiCorp/1.0 Terraform/1.7.5 (+https://www.terraform.io) terraform-provider-aws/5.45.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.26.1 os/linux lang/go#1.21.8 md/GOOS#linux md/GOARCH#amd64 api/ec2#1.156.0",
    "aws-cli/2.15.38 Python/3.11.8 Linux/6.1.82-99.168.amzn2023.x86_64 exe/x86_64.amzn.2023 prompt/off command/s3api.get-object",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
    "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.488 Linux/5.10.213 OpenJDK_64-Bit_Server_VM/25.372-b08 java/1.8.0_372 vendor/Oracle_Corporation cfg/retry-mode/standard]",
]
BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"
SVC_PRINCIPALS = [
    "lambda.amazonaws.com",
    "ec2.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "config.amazonaws.com",
    "states.amazonaws.com",
    "glue.amazonaws.com",
    "elasticmapreduce.amazonaws.com",
    "cloudformation.amazonaws.com",
    "autoscaling.amazonaws.com",
    "firehose.amazonaws.com",
]


class World:
    """One file's account, region, sessions: what makes real objects compress ~10:1."""

    def __init__(self, r, account, region, t0):
        self.r, self.account, self.region, self.t0 = r, account, region, t0
        self.kms = [f"arn:aws:kms:{region}:{account}:key/{r.uuid()}" for _ in range(8)]
        self.subnets = ["subnet-0" + r.hex(16) for _ in range(6)]
        self.vpcs = ["vpc-0" + r.hex(16) for _ in range(2)]
        self.sgs = ["sg-0" + r.hex(16) for _ in range(10)]
        self.instances = ["i-0" + r.hex(16) for _ in range(60)]
        self.vpces = ["vpce-0" + r.hex(16) for _ in range(3)]
        self.role_ids = {x: "AROA" + r.chars(KEYC, 17) for x in ROLES}
        self.user_ids = {x: "AIDA" + r.chars(KEYC, 17) for x in USERS}
        self.ips = self.addresses()
        self.sessions = [self._session() for _ in range(70)]
        self.cur, self.burst, self.tls_on = None, False, True

    def addresses(self):
        """Whence the calls come."""
        r = self.r
        ips = ["%d.%d.%d.%d" % (r.pick([3, 18, 34, 52, 54]), r.n(256), r.n(256), r.rng(1, 254)) for _ in range(60)]
        ips += ["10.%d.%d.%d" % (r.n(40), r.n(256), r.rng(1, 254)) for _ in range(60)]
        ips += ["2a05:d018:%s:%s:%s:%s:%s:%s" % tuple(r.hex(4).lstrip("0") or "0" for _ in range(6)) for _ in range(10)]
        return ips

    def network(self):
        """A network that somebody lets in."""
        return f"{self.r.n(224)}.{self.r.n(256)}.0.0/16"

    def iso(self, off):
        return (self.t0 + timedelta(seconds=off)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _session(self):
        r, acc = self.r, self.account
        k = r.f()
        ip, ua = r.pick(self.ips), r.zipf(UAS, 1.4)
        if k < 0.15:
            svc = r.pick(SVC_PRINCIPALS)
            return {"type": "AWSService", "invokedBy": svc}, svc, svc
        if k < 0.72:
            role = r.zipf(ROLES, 1.5)
            if role.startswith("AWSReservedSSO"):
                name, path = r.pick(USERS), "aws-reserved/sso.amazonaws.com/eu-west-1/"
            elif role == "eks-node-group" or role == "emr-ec2-default":
                name, path = r.pick(self.instances), ""
            else:
                name, path = (
                    r.pick(
                        [
                            role,
                            "botocore-session-17" + str(r.rng(10000000, 49999999)),
                            "aws-go-sdk-17%017d" % r.n(10**17),
                            role + "-session",
                            r.uuid(),
                        ]
                    ),
                    "",
                )
            rid = self.role_ids[role]
            ui = {
                "type": "AssumedRole",
                "principalId": f"{rid}:{name}",
                "arn": f"arn:aws:sts::{acc}:assumed-role/{role}/{name}",
                "accountId": acc,
                "accessKeyId": "ASIA" + r.chars(KEYC, 16),
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": rid,
                        "arn": f"arn:aws:iam::{acc}:role/{path}{role}",
                        "accountId": acc,
                        "userName": role,
                    },
                    "attributes": {"creationDate": self.iso(-r.rng(60, 3500)), "mfaAuthenticated": "false"},
                },
            }
            if r.p(0.25):
                ui["sessionContext"]["webIdFederationData"] = (
                    {}
                    if r.p(0.5)
                    else {
                        "federatedProvider": f"arn:aws:iam::{acc}:oidc-provider/oidc.eks.{self.region}.amazonaws.com/id/{r.chars('0123456789ABCDEF', 32)}",
                        "attributes": {},
                    }
                )
            if role in ("eks-node-group", "emr-ec2-default"):
                ui["sessionContext"]["ec2RoleDelivery"] = "2.0"
            inv = r.p(0.08)
            if inv:
                svc = r.pick(SVC_PRINCIPALS)
                ui["invokedBy"] = svc
                ip = ua = svc
        elif k < 0.97:
            u = r.pick(USERS)
            ui = {
                "type": "IAMUser",
                "principalId": self.user_ids[u],
                "arn": f"arn:aws:iam::{acc}:user/{u}",
                "accountId": acc,
                "accessKeyId": "AKIA" + r.chars(KEYC, 16),
                "userName": u,
            }
            if r.p(0.3):
                ui["sessionContext"] = {"attributes": {"creationDate": self.iso(-r.rng(60, 3500)), "mfaAuthenticated": "true"}}
        else:
            ui = {
                "type": "Root",
                "principalId": acc,
                "arn": f"arn:aws:iam::{acc}:root",
                "accountId": acc,
                "accessKeyId": "ASIA" + r.chars(KEYC, 16),
            }
        return ui, ip, ua

    def base(self, source, name, read_only, ui=None, ip=None, ua=None, off=0):
        """The common head; keys are in CloudTrail's own order."""
        r = self.r
        if ui is None:
            if not self.burst or self.cur is None:
                self.cur = r.zipf(self.sessions, 1.6)
            ui, ip, ua = self.cur
        return {
            "eventVersion": r.pick(["1.08", "1.09", "1.10", "1.11"]),
            "userIdentity": ui,
            "eventTime": self.iso(off),
            "eventSource": source,
            "eventName": name,
            "awsRegion": self.region,
            "sourceIPAddress": ip,
            "userAgent": ua,
        }, read_only

    def tail(
        self,
        rec,
        read_only,
        category="Management",
        event_type="AwsApiCall",
        resources=None,
        tls=None,
        shared=False,
        api=None,
        management=None,
        request_id=True,
        vpce=False,
    ):
        r = self.r
        if request_id:
            rec["requestID"] = r.uuid() if not isinstance(request_id, str) else request_id
        rec["eventID"] = r.uuid()
        rec["readOnly"] = read_only
        if resources is not None:
            rec["resources"] = resources
        rec["eventType"] = event_type
        if api:
            rec["apiVersion"] = api
        rec["managementEvent"] = (category == "Management") if management is None else management
        rec["recipientAccountId"] = self.account
        if shared:
            rec["sharedEventID"] = r.uuid()
        if vpce:
            rec["vpcEndpointId"] = self.vpces[0]
            rec["vpcEndpointAccountId"] = self.account
        rec["eventCategory"] = category
        if tls and self.tls_on:
            rec["tlsDetails"] = {
                "tlsVersion": r.zipf(["TLSv1.3", "TLSv1.2"], 1.5),
                "cipherSuite": r.zipf(["TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"], 1.5),
                "clientProvidedHostHeader": tls,
            }
        if r.p(0.02) and category == "Management":
            rec["sessionCredentialFromConsole"] = "true"
        return rec
