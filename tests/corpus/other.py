"""Records that no caller made: insights, service events, network activity."""

from world import ROLES


def insight(w, off):
    r = w.r
    rec = {
        "eventVersion": "1.09",
        "eventTime": w.iso(off),
        "awsRegion": w.region,
        "eventID": r.uuid(),
        "eventType": "AwsCloudTrailInsight",
        "recipientAccountId": w.account,
        "sharedEventID": r.uuid(),
        "insightDetails": {
            "state": r.pick(["Start", "End"]),
            "eventSource": "autoscaling.amazonaws.com",
            "eventName": "CompleteLifecycleAction",
            "insightType": "ApiCallRateInsight",
            "insightContext": {
                "statistics": {
                    "baseline": {"average": round(r.f() * 0.01, 10)},
                    "insight": {"average": round(r.f() * 5, 6)},
                    "insightDuration": r.rng(1, 30),
                    "baselineDuration": 10080,
                },
                "attributions": [
                    {
                        "attribute": a,
                        "insight": [
                            {"value": f"arn:aws:sts::{w.account}:assumed-role/{r.pick(ROLES)}", "average": round(r.f(), 9)}
                            for _ in range(r.rng(1, 4))
                        ],
                        "baseline": [
                            {"value": f"arn:aws:sts::{w.account}:assumed-role/{r.pick(ROLES)}", "average": round(r.f() * 0.01, 10)}
                        ],
                    }
                    for a in ("userIdentityArn", "userAgent", "errorCode")
                ],
            },
        },
        "eventCategory": "Insight",
    }
    return rec


def service_event(w, off):
    r = w.r
    rec, ro = w.base(
        "kms.amazonaws.com",
        "RotateKey",
        False,
        {"accountId": w.account, "invokedBy": "AWS Internal"},
        "AWS Internal",
        "AWS Internal",
        off=off,
    )
    key = r.pick(w.kms)
    rec["requestParameters"] = None
    rec["responseElements"] = None
    rec = w.tail(
        rec, ro, event_type="AwsServiceEvent", request_id=False, resources=[{"accountId": w.account, "type": "AWS::KMS::Key", "ARN": key}]
    )
    rec["serviceEventDetails"] = {
        "rotationType": "AUTOMATIC",
        "keyOrigin": "AWS_KMS",
        "previousKeyMaterialId": r.hex(64),
        "currentKeyMaterialId": r.hex(64),
        "backingKeyId": r.hex(64),
        "keyId": key.split("/")[1],
    }
    return rec


def network_activity(w, off):
    rec, ro = w.base("cloudtrail.amazonaws.com", "ListTrails", True, off=off)
    rec["errorCode"] = "VpceAccessDenied"
    rec["errorMessage"] = "The request was denied due to a VPC endpoint policy"
    rec = w.tail(rec, ro, "NetworkActivity", event_type="AwsVpceEvent", management=False, vpce=True)
    return rec
