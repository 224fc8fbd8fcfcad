"""Records of S3, KMS, DynamoDB, Lambda, Secrets Manager and CloudWatch Logs."""

from draw import ALNUM, B64, KEYC
from world import ACCOUNTS, BUCKETS, ROLES

STEMS = ["invoice", "report", "photo", "scan", "Ünïcode-Dateiname", 'export "final"']


def s3_key(r):
    k = r.f()
    if k < 0.6:
        return f"year=2025/month=06/day={r.rng(1, 30):02d}/hour={r.n(24):02d}/part-{r.n(99999):05d}-{r.uuid()}.c000.snappy.parquet"
    if k < 0.9:
        return f"uploads/{r.hex(8)}/{r.pick(STEMS)}-{r.n(100000)}.{r.pick(['pdf', 'jpg', 'csv', 'json'])}"
    return f"AWSLogs/{r.pick(ACCOUNTS)}/CloudTrail/eu-west-1/2025/06/{r.rng(1, 30):02d}/{r.chars(ALNUM, 24)}.json.gz"


def object_call(w, off, name, ro):
    r = w.r
    rec, ro = w.base("s3.amazonaws.com", name, ro, off=off)
    b, k = r.zipf(BUCKETS), s3_key(r)
    host = f"{b}.s3.{w.region}.amazonaws.com"
    rp = {"bucketName": b, "Host": host, "key": k}
    if name == "ListObjects":
        rp = {"list-type": "2", "bucketName": b, "encoding-type": "url", "prefix": k[:30], "delimiter": "/", "Host": host}
    if name == "PutObject":
        rp.update({"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": r.zipf(w.kms)})
    rec["requestParameters"] = rp
    rec["responseElements"] = (
        None
        if ro
        else {
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": r.zipf(w.kms),
            "x-amz-server-side-encryption-bucket-key-enabled": "true",
        }
    )
    rec["additionalEventData"] = {
        "SignatureVersion": "SigV4",
        "CipherSuite": "TLS_AES_128_GCM_SHA256",
        "bytesTransferredIn": 0 if ro else r.n(9000000),
        "SSEApplied": "SSE_KMS",
        "AuthenticationMethod": "AuthHeader",
        "x-amz-id-2": r.chars(B64, 75) + "=",
        "bytesTransferredOut": r.n(9000000) if ro else 0,
    }
    res = [
        {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{b}/{k}"},
        {"accountId": w.account, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{b}"},
    ]
    return w.tail(rec, ro, "Data", resources=res, tls=host, vpce=r.p(0.3), request_id=r.chars(ALNUM, 16))


def decrypt(w, off, name="Decrypt"):
    r = w.r
    rec, ro = w.base("kms.amazonaws.com", name, True, off=off)
    key = r.zipf(w.kms)
    rp = {
        "encryptionContext": r.pick(
            [
                {"aws:s3:arn": f"arn:aws:s3:::{r.zipf(BUCKETS)}"},
                {"PARAMETER_ARN": f"arn:aws:ssm:{w.region}:{w.account}:parameter/prod/{r.pick(ROLES)}/db-password"},
                {
                    "SecretARN": f"arn:aws:secretsmanager:{w.region}:{w.account}:secret:prod/{r.pick(ROLES)}-{r.chars(KEYC, 6)}",
                    "SecretVersionId": r.uuid(),
                },
            ]
        )
    }
    if name == "Decrypt":
        rp["encryptionAlgorithm"] = "SYMMETRIC_DEFAULT"
    else:
        rp["keySpec"] = "AES_256"
        rp["keyId"] = key
    rec["requestParameters"] = rp
    rec["responseElements"] = None
    if r.p(0.2):
        rec["additionalEventData"] = {"keyMaterialId": r.hex(64)}
    return w.tail(
        rec,
        ro,
        resources=[{"accountId": w.account, "type": "AWS::KMS::Key", "ARN": key}],
        shared=r.p(0.2),
        tls=f"kms.{w.region}.amazonaws.com" if r.p(0.7) else None,
    )


def lambda_invoke(w, off):
    r = w.r
    rec, ro = w.base("lambda.amazonaws.com", "Invoke", False, off=off)
    fn = f"arn:aws:lambda:{w.region}:{w.account}:function:{r.zipf(ROLES)}"
    rec["requestParameters"] = {
        "functionName": fn,
        "sourceAccount": w.account,
        "sourceArn": f"arn:aws:events:{w.region}:{w.account}:rule/every-minute",
        "invocationType": "RequestResponse",
        "clientContext": r.chars(B64, 200) if r.p(0.2) else "e30=",
    }
    rec["responseElements"] = None
    rec["additionalEventData"] = {"functionVersion": fn + ":$LATEST"}
    return w.tail(
        rec,
        ro,
        "Data",
        resources=[{"accountId": w.account, "type": "AWS::Lambda::Function", "ARN": fn}],
        tls=f"lambda.{w.region}.amazonaws.com",
        shared=r.p(0.1),
    )


def dynamodb(w, off):
    r = w.r
    name, ro = r.pick([("GetItem", True), ("Query", True), ("UpdateItem", False), ("PutItem", False), ("BatchGetItem", True)])
    rec, ro = w.base("dynamodb.amazonaws.com", name, ro, off=off)
    t = r.pick(["orders", "customers", "sessions", "feature-flags", "ledger"])
    rec["requestParameters"] = {
        "tableName": t,
        "key": {"pk": "HIDDEN_DUE_TO_SECURITY_REASONS", "sk": "HIDDEN_DUE_TO_SECURITY_REASONS"},
        "consistentRead": False,
        "expressionAttributeNames": {"#s": "status", "#u": "updatedAt"},
        "updateExpression": "SET #s = :s, #u = :u",
    }
    rec["responseElements"] = None
    return w.tail(
        rec,
        ro,
        "Data",
        resources=[{"accountId": w.account, "type": "AWS::DynamoDB::Table", "ARN": f"arn:aws:dynamodb:{w.region}:{w.account}:table/{t}"}],
        api="2012-08-10",
        tls=f"dynamodb.{w.region}.amazonaws.com",
        vpce=r.p(0.3),
        request_id=r.chars(ALNUM, 52),
    )


def secret(w, off):
    r = w.r
    rec, ro = w.base("secretsmanager.amazonaws.com", "GetSecretValue", True, off=off)
    rec["requestParameters"] = {
        "secretId": f"arn:aws:secretsmanager:{w.region}:{w.account}:secret:prod/{r.pick(ROLES)}-{r.chars(KEYC, 6)}",
        "versionStage": "AWSCURRENT",
    }
    rec["responseElements"] = None
    return w.tail(rec, ro, tls=f"secretsmanager.{w.region}.amazonaws.com")


def log_stream(w, off):
    r = w.r
    rec, ro = w.base("logs.amazonaws.com", "CreateLogStream", False, off=off)
    rec["requestParameters"] = {
        "logGroupName": f"/aws/lambda/{r.zipf(ROLES)}",
        "logStreamName": f"2025/06/{r.rng(1, 30):02d}/[$LATEST]{r.hex(32)}",
    }
    rec["responseElements"] = None
    return w.tail(rec, ro, api="20140328", tls=f"logs.{w.region}.amazonaws.com")
