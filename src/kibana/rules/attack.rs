//! MITRE ATT&CK, as far as the rules use it: names for numbers, and which technique serves which tactic.
//!
//! Numbers are those of version 19, which split the former tactic of defense evasion in two.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What somebody is after, and how; both by number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tactic {
    /// `TA0001`
    pub tactic: String,
    /// `T1078`, or with a sub-technique `T1078.004`.
    pub techniques: Vec<String>,
}

const TACTICS: &[(&str, &str)] = &[
    ("TA0001", "Initial Access"),
    ("TA0003", "Persistence"),
    ("TA0004", "Privilege Escalation"),
    ("TA0005", "Stealth"),
    ("TA0006", "Credential Access"),
    ("TA0007", "Discovery"),
    ("TA0009", "Collection"),
    ("TA0010", "Exfiltration"),
    ("TA0040", "Impact"),
    ("TA0112", "Defense Impairment"),
];

/// Number and name of a technique, its tactics, and its sub-techniques.
struct Technique(&'static str, &'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const TECHNIQUES: &[Technique] = &[
    Technique("T1048", "Exfiltration Over Alternative Protocol", &["TA0010"], &[]),
    Technique("T1078", "Valid Accounts", &["TA0001", "TA0003", "TA0004", "TA0005"], &[("004", "Cloud Accounts")]),
    Technique("T1087", "Account Discovery", &["TA0007"], &[("004", "Cloud Account")]),
    Technique("T1098", "Account Manipulation", &["TA0003", "TA0004"], &[("003", "Additional Cloud Roles")]),
    Technique("T1110", "Brute Force", &["TA0006"], &[("001", "Password Guessing"), ("003", "Password Spraying")]),
    Technique("T1133", "External Remote Services", &["TA0001", "TA0003"], &[]),
    Technique("T1136", "Create Account", &["TA0003"], &[("003", "Cloud Account")]),
    Technique("T1199", "Trusted Relationship", &["TA0001"], &[]),
    Technique("T1484", "Domain or Tenant Policy Modification", &["TA0004"], &[]),
    Technique("T1485", "Data Destruction", &["TA0040"], &[("001", "Lifecycle-Triggered Deletion")]),
    Technique("T1486", "Data Encrypted for Impact", &["TA0040"], &[]),
    Technique("T1490", "Inhibit System Recovery", &["TA0040"], &[]),
    Technique("T1496", "Resource Hijacking", &["TA0040"], &[]),
    Technique("T1530", "Data from Cloud Storage", &["TA0009"], &[]),
    Technique("T1535", "Unused/Unsupported Cloud Regions", &["TA0005"], &[]),
    Technique("T1537", "Transfer Data to Cloud Account", &["TA0010"], &[]),
    Technique("T1557", "Adversary-in-the-Middle", &["TA0006", "TA0009"], &[]),
    Technique("T1565", "Data Manipulation", &["TA0040"], &[("001", "Stored Data Manipulation")]),
    Technique("T1580", "Cloud Infrastructure Discovery", &["TA0007"], &[]),
    Technique("T1685", "Disable or Modify Tools", &["TA0112"], &[("002", "Disable or Modify Cloud Log")]),
];

/// The name of a tactic that the rules use.
pub fn tactic_name(number: &str) -> Option<&'static str> {
    TACTICS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// The entry of a rule's `threat`. Sub-techniques of one technique stand together; what is in no table is left out,
/// and a test sees to it that nothing is.
pub fn threat(of: &Tactic) -> Value {
    let mut techniques: Vec<Value> = Vec::new();
    for written in &of.techniques {
        let (number, sub) =
            written.split_once('.').map_or((written.as_str(), None), |(number, sub)| (number, Some(sub)));
        let Some(Technique(_, name, tactics, subs)) = TECHNIQUES.iter().find(|known| known.0 == number) else {
            continue;
        };
        if !tactics.contains(&of.tactic.as_str()) {
            continue;
        }
        let reference = format!("https://attack.mitre.org/techniques/{number}/");
        let place = techniques.iter().position(|technique| technique["id"] == number).unwrap_or_else(|| {
            techniques.push(json!({"id": number, "name": name, "reference": reference, "subtechnique": []}));
            techniques.len() - 1
        });
        let named = sub.and_then(|sub| subs.iter().find(|(known, _)| *known == sub));
        let Some(((sub, name), list)) = named.zip(techniques[place]["subtechnique"].as_array_mut()) else { continue };
        list.push(json!({"id": format!("{number}.{sub}"), "name": name, "reference": format!("{reference}{sub}/")}));
    }
    json!({
        "framework": "MITRE ATT&CK",
        "tactic": {
            "id": of.tactic,
            "name": tactic_name(&of.tactic),
            "reference": format!("https://attack.mitre.org/tactics/{}/", of.tactic),
        },
        "technique": techniques,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kibana::dashboards::Options;

    #[test]
    fn sub_techniques_stand_under_their_technique() {
        let of =
            Tactic { tactic: "TA0006".to_owned(), techniques: vec!["T1110.001".to_owned(), "T1110.003".to_owned()] };
        let page = "https://attack.mitre.org/techniques/T1110/";
        assert_eq!(
            threat(&of)["technique"],
            json!([{"id": "T1110", "name": "Brute Force", "reference": page, "subtechnique": [
                {"id": "T1110.001", "name": "Password Guessing", "reference": format!("{page}001/")},
                {"id": "T1110.003", "name": "Password Spraying", "reference": format!("{page}003/")},
            ]}])
        );
    }

    #[test]
    fn every_number_of_the_sources_has_a_name_and_serves_its_tactic() {
        for rule in crate::kibana::rules::all(&Options::default()) {
            for of in &rule.attack {
                let threat = threat(of);
                assert!(threat["tactic"]["name"].is_string(), "{}: {}", rule.id, of.tactic);
                let written: Vec<String> = threat["technique"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .flat_map(|technique| match technique["subtechnique"].as_array().map(Vec::as_slice) {
                        Some([]) | None => vec![technique["id"].as_str().unwrap_or_default().to_owned()],
                        Some(subs) => {
                            subs.iter().map(|sub| sub["id"].as_str().unwrap_or_default().to_owned()).collect()
                        }
                    })
                    .collect();
                assert_eq!(written, of.techniques, "{}", rule.id);
            }
        }
    }
}
