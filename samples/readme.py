"""The page about the sample trail, with its counts."""

import textwrap

from place import INTRUDER, PRODUCTION, SECURITY

PARAGRAPHS = """# The sample trail

A small organization trail as CloudTrail lays it out in a bucket: four accounts, three regions, four hours around midnight
UTC, from {first_event} on. Accounts, people, addresses and things are invented. `generate.py` writes all of it, this page
and `expected.json` too, and always the same; `generate.py --check` compares.

| kind of object | objects |
| --- | --- |
{rows}

The log, insight and network activity objects hold {log_records} records, which are {distinct_events} distinct events (by
`eventID` and `recipientAccountId`) and {duplicates} duplicates: one object was delivered twice. {cross_account_pairs}
calls were recorded in two accounts: the same `sharedEventID`, different `eventID`; these are not duplicates. Each digest
counts as one record and is one document, so an index holds {documents} documents of {records} records.
The most frequent actions: {actions}.

The digests are a chain with the real hashes of the log objects and of each other. Their signatures are placeholders of
the right length: no key signed them.

## The story

Behind the usual calls of roles and services, people sign in: {sign_ins} times, {failed_sign_ins} of them in vain, and
{sign_ins_without_mfa} times without a second factor. Terraform changes roles and networks; root changes the password
policy. Shortly after midnight somebody at {intruder} tries passwords in account {production}, gets in as `frank-ops`,
makes an administrator `backup-admin`, opens port 22, is refused when stopping the trail, and reads invoices from a bucket.
Insight events notice. Analysts from account {security} step in and undo it.
"""


def readme(expected):
    kinds = {**expected["objects_by_kind"], "all": expected["objects"]}
    values = {
        "rows": "\n".join(f"| {kind.replace('_', ' ')} | {count} |" for kind, count in kinds.items()),
        "log_records": expected["records"] - kinds["digest"],
        "actions": ", ".join(f"{entry['action']} ({entry['count']})" for entry in expected["top_actions"]),
        "intruder": INTRUDER,
        "production": PRODUCTION,
        "security": SECURITY,
    }
    paragraphs = PARAGRAPHS.format_map({**expected, **values}).split("\n\n")
    return "\n\n".join(part if part.startswith("|") else textwrap.fill(part, 120) for part in paragraphs) + "\n"
