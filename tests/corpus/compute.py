"""Records of EC2, ECS and SSM, and of the many calls that only look."""

from draw import B64, KEYC
from world import ROLES, USERS

DESCRIBES = [
    ("ec2.amazonaws.com", "DescribeSecurityGroups", "2016-11-15"),
    ("ec2.amazonaws.com", "DescribeVolumes", "2016-11-15"),
    ("ec2.amazonaws.com", "DescribeSubnets", "2016-11-15"),
    ("ec2.amazonaws.com", "DescribeTags", "2016-11-15"),
    ("autoscaling.amazonaws.com", "DescribeAutoScalingGroups", "2011-01-01"),
    ("elasticloadbalancing.amazonaws.com", "DescribeTargetHealth", "2015-12-01"),
    ("rds.amazonaws.com", "DescribeDBInstances", "2014-10-31"),
    ("monitoring.amazonaws.com", "DescribeAlarms", "2010-08-01"),
    ("logs.amazonaws.com", "DescribeLogGroups", "20140328"),
    ("eks.amazonaws.com", "DescribeCluster", None),
    ("iam.amazonaws.com", "GetRole", None),
    ("iam.amazonaws.com", "ListAttachedRolePolicies", None),
    ("cloudtrail.amazonaws.com", "LookupEvents", None),
    ("tagging.amazonaws.com", "GetResources", None),
    ("ecr.amazonaws.com", "BatchGetImage", None),
    ("sts.amazonaws.com", "GetCallerIdentity", None),
    ("organizations.amazonaws.com", "ListAccounts", None),
]


def describe(w, off):
    r = w.r
    src, name, api = r.zipf(DESCRIBES, 1.3)
    rec, ro = w.base(src, name, True, off=off)
    rec["requestParameters"] = r.pick(
        [
            None,
            {"maxResults": r.rng(1, 1000)},
            {"nextToken": r.chars(B64, r.rng(40, 200))},
            {"filterSet": {"items": [{"name": "vpc-id", "valueSet": {"items": [{"value": r.pick(w.vpcs)}]}}]}},
            {"roleName": r.pick(ROLES)},
            {"targetGroupArn": f"arn:aws:elasticloadbalancing:{w.region}:{w.account}:targetgroup/k8s-web/{r.hex(16)}"},
        ]
    )
    rec["responseElements"] = None
    return w.tail(rec, ro, api=api, tls=f"{src.split('.')[0]}.{w.region}.amazonaws.com")


def describe_instances(w, off):
    r = w.r
    rec, ro = w.base("ec2.amazonaws.com", "DescribeInstances", True, off=off)
    rec["requestParameters"] = r.pick(
        [
            {"instancesSet": {}, "filterSet": {}},
            {
                "maxResults": 1000,
                "instancesSet": {},
                "filterSet": {
                    "items": [
                        {"name": "tag:karpenter.sh/nodepool", "valueSet": {"items": [{"value": "*"}]}},
                        {"name": "instance-state-name", "valueSet": {"items": [{"value": "pending"}, {"value": "running"}]}},
                    ]
                },
            },
            {"instancesSet": {"items": [{"instanceId": r.pick(w.instances)} for _ in range(r.rng(1, 12))]}, "filterSet": {}},
        ]
    )
    rec["responseElements"] = None
    return w.tail(rec, ro, tls=f"ec2.{w.region}.amazonaws.com")


def run_instances(w, off):
    r = w.r
    rec, ro = w.base("ec2.amazonaws.com", "RunInstances", False, off=off)
    n = 1 + r.n(3) + (r.n(4) if r.p(0.2) else 0)
    tags = [
        {"key": k, "value": v}
        for k, v in [
            ("Name", r.pick(ROLES)),
            ("karpenter.sh/nodepool", "default"),
            ("env", "prod"),
            ("cost-center", str(r.rng(1000, 9999))),
            ("kubernetes.io/cluster/prod", "owned"),
            ("Owner", r.pick(USERS)),
        ]
    ]
    ami, itype = "ami-0" + r.hex(16), r.pick(["m6i.large", "c7g.xlarge", "r6a.2xlarge", "t3.medium"])
    rec["requestParameters"] = {
        "instancesSet": {"items": [{"imageId": ami, "minCount": n, "maxCount": n}]},
        "userData": "<sensitiveDataRemoved>",
        "instanceType": itype,
        "blockDeviceMapping": {
            "items": [
                {
                    "deviceName": "/dev/xvda",
                    "ebs": {
                        "volumeSize": 100,
                        "deleteOnTermination": True,
                        "volumeType": "gp3",
                        "encrypted": True,
                        "throughput": 125,
                        "iops": 3000,
                    },
                }
            ]
        },
        "monitoring": {"enabled": False},
        "disableApiTermination": False,
        "clientToken": r.uuid(),
        "networkInterfaceSet": {
            "items": [{"deviceIndex": 0, "subnetId": r.pick(w.subnets), "groupSet": {"items": [{"groupId": g} for g in w.sgs[:3]]}}]
        },
        "iamInstanceProfile": {"arn": f"arn:aws:iam::{w.account}:instance-profile/eks-node-group"},
        "ebsOptimized": False,
        "tagSpecificationSet": {"items": [{"resourceType": t, "tags": tags} for t in ("instance", "volume", "network-interface")]},
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 2},
    }
    items = []
    for i in range(n):
        ip = f"10.{r.n(40)}.{r.n(256)}.{r.n(255)}"
        dns = f"ip-{ip.replace('.', '-')}.{w.region}.compute.internal"
        eni = "eni-0" + r.hex(16)
        groups = {"items": [{"groupId": g, "groupName": f"k8s-node-{g[-6:]}"} for g in w.sgs[:3]]}
        items.append(
            {
                "instanceId": "i-0" + r.hex(16),
                "imageId": ami,
                "bootMode": "uefi-preferred",
                "currentInstanceBootMode": "uefi",
                "instanceState": {"code": 0, "name": "pending"},
                "privateDnsName": dns,
                "amiLaunchIndex": i,
                "productCodes": {},
                "instanceType": itype,
                "launchTime": 1748851200000 + off * 1000,
                "placement": {"availabilityZone": w.region + "a", "tenancy": "default"},
                "monitoring": {"state": "disabled"},
                "subnetId": r.pick(w.subnets),
                "vpcId": w.vpcs[0],
                "privateIpAddress": ip,
                "stateReason": {"code": "pending", "message": "pending"},
                "architecture": "x86_64",
                "rootDeviceType": "ebs",
                "rootDeviceName": "/dev/xvda",
                "blockDeviceMapping": {},
                "virtualizationType": "hvm",
                "hypervisor": "xen",
                "tagSet": {"items": tags},
                "clientToken": rec["requestParameters"]["clientToken"],
                "groupSet": groups,
                "sourceDestCheck": True,
                "networkInterfaceSet": {
                    "items": [
                        {
                            "networkInterfaceId": eni,
                            "subnetId": w.subnets[0],
                            "vpcId": w.vpcs[0],
                            "ownerId": w.account,
                            "status": "in-use",
                            "macAddress": "02:" + ":".join(r.hex(2) for _ in range(5)),
                            "privateIpAddress": ip,
                            "privateDnsName": dns,
                            "sourceDestCheck": True,
                            "interfaceType": "interface",
                            "groupSet": groups,
                            "attachment": {
                                "attachmentId": "eni-attach-0" + r.hex(16),
                                "deviceIndex": 0,
                                "networkCardIndex": 0,
                                "status": "attaching",
                                "attachTime": 1748851200000 + off * 1000,
                                "deleteOnTermination": True,
                            },
                            "privateIpAddressesSet": {"item": [{"privateIpAddress": ip, "privateDnsName": dns, "primary": True}]},
                            "ipv6AddressesSet": {},
                            "tagSet": {},
                        }
                    ]
                },
                "iamInstanceProfile": {
                    "arn": f"arn:aws:iam::{w.account}:instance-profile/eks-node-group",
                    "id": "AIPA" + r.chars(KEYC, 17),
                },
                "ebsOptimized": False,
                "enaSupport": True,
                "cpuOptions": {"coreCount": 1, "threadsPerCore": 2},
                "capacityReservationSpecification": {"capacityReservationPreference": "open"},
                "enclaveOptions": {"enabled": False},
                "metadataOptions": {
                    "state": "pending",
                    "httpTokens": "required",
                    "httpPutResponseHopLimit": 2,
                    "httpEndpoint": "enabled",
                    "httpProtocolIpv4": "enabled",
                    "httpProtocolIpv6": "disabled",
                    "instanceMetadataTags": "disabled",
                },
                "maintenanceOptions": {"autoRecovery": "default"},
                "privateDnsNameOptions": {
                    "hostnameType": "ip-name",
                    "enableResourceNameDnsARecord": False,
                    "enableResourceNameDnsAAAARecord": False,
                },
            }
        )
    rec["responseElements"] = {
        "requestId": r.uuid(),
        "reservationId": "r-0" + r.hex(16),
        "ownerId": w.account,
        "groupSet": {},
        "instancesSet": {"items": items},
        "requesterId": r.chars("0123456789", 12),
    }
    return w.tail(rec, ro, tls=f"ec2.{w.region}.amazonaws.com")


def task_definition(w, off):
    r = w.r
    rec, ro = w.base("ecs.amazonaws.com", "RegisterTaskDefinition", False, off=off)
    app = r.pick(ROLES)
    cds = [
        {
            "name": f"{app}-{i}",
            "image": f"{w.account}.dkr.ecr.{w.region}.amazonaws.com/{app}:{r.hex(40)}",
            "cpu": 512,
            "memory": 1024,
            "essential": True,
            "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
            "environment": [
                {"name": f"{k}_{j}", "value": f'https://{r.hex(8)}.internal.example.com/{k.lower()}?x="{j}"&y=1'}
                for j in range(r.rng(2, 12))
                for k in ("SERVICE_URL",)
            ],
            "secrets": [{"name": "DB_PASSWORD", "valueFrom": f"arn:aws:ssm:{w.region}:{w.account}:parameter/prod/{app}/db"}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": f"/ecs/{app}", "awslogs-region": w.region, "awslogs-stream-prefix": "ecs"},
            },
            "healthCheck": {
                "command": ["CMD-SHELL", "curl -f http://localhost:8080/health || exit 1\n"],
                "interval": 30,
                "timeout": 5,
                "retries": 3,
            },
        }
        for i in range(r.rng(1, 3))
    ]
    rec["requestParameters"] = {
        "family": app,
        "containerDefinitions": cds,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "1024",
        "memory": "2048",
        "executionRoleArn": f"arn:aws:iam::{w.account}:role/{app}",
    }
    rec["responseElements"] = {
        "taskDefinition": {
            "taskDefinitionArn": f"arn:aws:ecs:{w.region}:{w.account}:task-definition/{app}:{r.n(900)}",
            "containerDefinitions": cds,
            "family": app,
            "revision": r.n(900),
            "volumes": [],
            "status": "ACTIVE",
            "registeredAt": w.iso(off).replace("T", " "),
        }
    }
    return w.tail(rec, ro, tls=f"ecs.{w.region}.amazonaws.com")


def network_interface(w, off):
    r = w.r
    rec, ro = w.base("ec2.amazonaws.com", "CreateNetworkInterface", False, off=off)
    ip = f"10.{r.n(40)}.{r.n(256)}.{r.n(255)}"
    sn = r.pick(w.subnets)
    desc = f"AWS Lambda VPC ENI-{r.pick(ROLES)}-{r.uuid()}"
    rec["requestParameters"] = {
        "subnetId": sn,
        "description": desc,
        "groupSet": {"items": [{"groupId": r.pick(w.sgs)}]},
        "privateIpAddressesSet": {},
        "ipv6AddressCount": 0,
        "clientToken": r.uuid(),
    }
    rec["responseElements"] = {
        "requestId": r.uuid(),
        "networkInterface": {
            "networkInterfaceId": "eni-0" + r.hex(16),
            "subnetId": sn,
            "vpcId": w.vpcs[0],
            "availabilityZone": w.region + "b",
            "description": desc,
            "ownerId": w.account,
            "requesterId": "AROA" + r.chars(KEYC, 17) + ":" + r.hex(20),
            "requesterManaged": False,
            "status": "pending",
            "macAddress": "02:" + ":".join(r.hex(2) for _ in range(5)),
            "privateIpAddress": ip,
            "privateDnsName": f"ip-{ip.replace('.', '-')}.{w.region}.compute.internal",
            "sourceDestCheck": True,
            "interfaceType": "lambda",
            "groupSet": {"items": [{"groupId": r.pick(w.sgs), "groupName": "lambda-egress"}]},
            "privateIpAddressesSet": {"item": [{"privateIpAddress": ip, "primary": True}]},
            "ipv6AddressesSet": {},
            "tagSet": {},
        },
    }
    return w.tail(rec, ro, tls=f"ec2.{w.region}.amazonaws.com" if r.p(0.5) else None)


def security_group(w, off):
    r = w.r
    rec, ro = w.base("ec2.amazonaws.com", "AuthorizeSecurityGroupIngress", False, off=off)
    g = r.pick(w.sgs)
    rules = [
        {
            "ipProtocol": "tcp",
            "fromPort": p,
            "toPort": p,
            "groups": {},
            "ipRanges": {"items": [{"cidrIp": w.network(), "description": r.pick(["office <HQ> & VPN", "dépôt Québec", "temp\tdebug"])}]},
            "ipv6Ranges": {},
            "prefixListIds": {},
        }
        for p in [22, 443, 5432, 8080][: r.rng(1, 4)]
    ]
    rec["requestParameters"] = {"groupId": g, "ipPermissions": {"items": rules}}
    rec["responseElements"] = {
        "requestId": r.uuid(),
        "_return": True,
        "securityGroupRuleSet": {
            "items": [
                {
                    "groupOwnerId": w.account,
                    "groupId": g,
                    "securityGroupRuleId": "sgr-0" + r.hex(16),
                    "isEgress": False,
                    "ipProtocol": "tcp",
                    "fromPort": x["fromPort"],
                    "toPort": x["toPort"],
                    "cidrIpv4": x["ipRanges"]["items"][0]["cidrIp"],
                }
                for x in rules
            ]
        },
    }
    return w.tail(rec, ro, tls=f"ec2.{w.region}.amazonaws.com")


def ssm(w, off):
    r = w.r
    i = r.pick(w.instances)
    rec, ro = w.base("ssm.amazonaws.com", "UpdateInstanceInformation", False, off=off)
    rec["requestParameters"] = {
        "instanceId": i,
        "agentVersion": "3.2.2303.0",
        "agentStatus": "Active",
        "platformType": "Linux",
        "platformName": "Amazon Linux",
        "platformVersion": "2023",
        "iPAddress": f"10.0.{r.n(256)}.{r.n(255)}",
        "computerName": f"ip-10-0-{r.n(256)}-{r.n(255)}.{w.region}.compute.internal",
        "agentName": "amazon-ssm-agent",
        "availabilityZone": w.region + "a",
        "availabilityZoneId": "use1-az4",
        "sSMConnectionChannel": "ssmmessages",
    }
    rec["responseElements"] = None
    return w.tail(rec, ro, tls=f"ssm.{w.region}.amazonaws.com")
