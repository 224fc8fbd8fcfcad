"""The accounts, addresses and callers of the sample trail, and the records that they cause.

People, addresses and things are invented; the addresses come from the ranges reserved for documentation.
"""

from world import BROWSER, UAS, World

MANAGEMENT, PRODUCTION, DEVELOPMENT, SECURITY = "111122223333", "444455556666", "777788889999", "123456789012"
HOME = "us-east-1"
OFFICE, HOTEL, INTRUDER, OUTSIDER = "198.51.100.23", "192.0.2.77", "203.0.113.66", "210987654321"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
CLI = next(agent for agent in UAS if agent.startswith("aws-cli"))


class Place(World):
    """One account in one region over the whole trail. Ids of users and roles are those of the account."""

    def __init__(self, r, account, region, t0, ids=None):
        super().__init__(r, account, region, t0)
        if ids:
            self.role_ids, self.user_ids = ids
        self.sessions = [self._session() for _ in range(70)]

    def addresses(self):
        r = self.r
        ips = [f"{r.pick(['192.0.2', '198.51.100', '203.0.113'])}.{r.rng(1, 60)}" for _ in range(50)]
        ips += [f"10.{r.n(40)}.{r.n(256)}.{r.rng(1, 254)}" for _ in range(60)]
        return ips + [f"2001:db8:{r.n(9999)}:{r.rng(1, 9)}::{r.rng(1, 9999)}" for _ in range(10)]

    def network(self):
        return self.r.pick(["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/26", "10.20.0.0/16"])

    def _session(self):
        """Root is used on purpose only: in the scenes."""
        session = super()._session()
        while session[0]["type"] == "Root":
            session = super()._session()
        return session

    def user(self, name, ip=OFFICE, agent=CLI, mfa=None):
        identity = {
            "type": "IAMUser",
            "principalId": self.user_ids[name],
            "arn": f"arn:aws:iam::{self.account}:user/{name}",
            "accountId": self.account,
            "accessKeyId": f"ASIAEXAMPLE{self.user_ids[name][-9:]}",
            "userName": name,
        }
        if mfa is not None:
            identity["sessionContext"] = {"attributes": {"creationDate": self.iso(0), "mfaAuthenticated": "true" if mfa else "false"}}
        return identity, ip, agent

    def role(self, name, session, ip=OFFICE, agent=CLI):
        issuer = {
            "type": "Role",
            "principalId": self.role_ids[name],
            "arn": f"arn:aws:iam::{self.account}:role/{name}",
            "accountId": self.account,
            "userName": name,
        }
        identity = {
            "type": "AssumedRole",
            "principalId": f"{self.role_ids[name]}:{session}",
            "arn": f"arn:aws:sts::{self.account}:assumed-role/{name}/{session}",
            "accountId": self.account,
            "accessKeyId": f"ASIAEXAMPLE{self.role_ids[name][-9:]}",
            "sessionContext": {"sessionIssuer": issuer, "attributes": {"creationDate": self.iso(0), "mfaAuthenticated": "false"}},
        }
        return identity, ip, agent

    def root(self, ip=OFFICE, agent=BROWSER):
        identity = {"type": "Root", "principalId": self.account, "arn": f"arn:aws:iam::{self.account}:root", "accountId": self.account}
        return identity, ip, agent

    def call(self, at, who, action, parameters=None, response=None, error=None, read_only=False, **tail):
        """One API call; `action` is `service:Name`, `at` seconds since the start, `error` a pair of code and message."""
        service, name = action.split(":")
        record, _ = self.base(f"{service}.amazonaws.com", name, read_only, *who, off=at)
        if error:
            record["errorCode"], record["errorMessage"] = error
        record["requestParameters"] = parameters
        record["responseElements"] = response
        return self.tail(record, read_only, **{"tls": f"{service}.{self.region}.amazonaws.com", **tail})

    def sign_in(self, at, who, ok=True, mfa=True):
        """A console sign-in with password."""
        identity, ip, agent = who
        identity = {key: value for key, value in identity.items() if key != "sessionContext"}
        if identity["type"] != "Root":
            identity["accessKeyId"] = ""
        record, _ = self.base("signin.amazonaws.com", "ConsoleLogin", False, identity, ip, agent, off=at)
        if not ok:
            record["errorMessage"] = "Failed authentication"
        record["requestParameters"] = None
        record["responseElements"] = {"ConsoleLogin": "Success" if ok else "Failure"}
        page = (
            f"https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true&state=hashArgsFromTB_{self.region}_{self.r.hex(16)}"
        )
        record["additionalEventData"] = {"LoginTo": page, "MobileVersion": "No", "MFAUsed": "Yes" if mfa else "No"}
        return self.tail(record, False, event_type="AwsConsoleSignIn", request_id=False, tls="signin.aws.amazon.com")

    def denied(self, who, action):
        return (
            "AccessDenied",
            f"User: {who[0]['arn']} is not authorized to perform: {action} with an explicit deny in a service control policy",
        )


def copies(caller, owner, at, who, action, parameters, answer, resources, read_only=False):
    """One call across accounts: the same sharedEventID, each account its own eventID."""
    first = caller.call(at, who, action, parameters, answer, resources=resources, read_only=read_only, shared=True)
    outsider = {"type": "AWSAccount", "principalId": who[0]["principalId"], "accountId": caller.account}
    second = owner.call(at, (outsider, who[1], who[2]), action, parameters, answer, resources=resources, read_only=read_only, shared=True)
    second["sharedEventID"], second["requestID"] = first["sharedEventID"], first["requestID"]
    yield caller, first
    yield owner, second
