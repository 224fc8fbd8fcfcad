//! Whether the templates take effect: which template wins for a data stream, and whether its index is older.
//!
//! Only looks, unless a rollover is asked for.

use super::install::Options;
use super::pattern::fits;
use super::report::Verdict;
use super::server::{Server, ServerError};
use super::template::{MANAGED_BY, STREAM_OPTIONS, Templates};
use serde_json::{Value, json};

/// A data stream that the templates concern.
pub struct Stream {
    pub name: String,
    state: State,
    winner: Winner,
}

#[derive(Debug, PartialEq)]
enum State {
    /// The first document makes it.
    Absent,
    /// An index or alias has its name.
    Taken,
    /// It writes this index.
    Writes(String),
}

/// Which template applies, in words.
enum Winner {
    Ours(String),
    Other(String),
}

/// The data stream of this name, first, and all others that get our template. A pattern for a name stands for none.
///
/// # Errors
/// The server does not answer, or refuses.
pub async fn find(server: &Server<'_>, templates: &Templates, stream: &str) -> Result<Vec<Stream>, ServerError> {
    let pattern = templates.pattern.as_str();
    let all = with_ours(server.get(PRIORITIES).await?.accepted()?, templates);
    let mut streams = Vec::new();
    if !stream.contains('*') {
        let winner = winner(&all, templates, stream);
        streams.push(Stream { name: stream.to_owned(), state: State::Absent, winner });
    }
    let apart = (!stream.contains('*') && !fits(pattern, stream)).then_some(stream);
    for asked in std::iter::once(pattern).chain(apart) {
        let found = server.get(&format!("_resolve/index/{asked}")).await?.found()?.unwrap_or_default();
        for (name, state) in resolved(&found) {
            if let Some(known) = streams.iter_mut().find(|known| known.name == name) {
                known.state = state;
                continue;
            }
            let winner = winner(&all, templates, name);
            if matches!((&state, &winner), (State::Writes(_), Winner::Ours(_))) {
                streams.push(Stream { name: name.to_owned(), state, winner });
            }
        }
    }
    Ok(streams)
}

/// Looks at one data stream, and with `rollover` gives it what is new, and a new index, where its own was made with other
/// templates.
///
/// # Errors
/// The server does not answer, or refuses.
pub async fn look(
    server: &Server<'_>,
    templates: &Templates,
    stream: &Stream,
    options: Options,
) -> Result<(Verdict, String), ServerError> {
    let name = &stream.name;
    let wins = match &stream.winner {
        Winner::Ours(wins) => wins,
        Winner::Other(detail) => return Ok((Verdict::Warning, detail.clone())),
    };
    if !options.dry_run && !is_made_of(server, templates, name).await? {
        let detail = format!(
            "{wins}, but an index made now would have other mappings: does `{}` replace their `_meta`?",
            templates.custom_name()
        );
        return Ok((Verdict::Warning, detail));
    }
    let index = match &stream.state {
        State::Absent => return Ok((Verdict::Ok, format!("{wins}; the first document makes it"))),
        State::Taken => {
            let detail = "an index or alias has this name, made before there was a template: reindex it under another name, then delete it";
            return Ok((Verdict::Warning, detail.to_owned()));
        }
        State::Writes(index) => index,
    };
    let mapping = server.get(&format!("{index}/_mapping")).await?.accepted()?;
    let mappings = mapping.get(index).and_then(|index| index.get("mappings"));
    if made_with(mappings) == Some(&templates.fingerprint()) {
        return Ok((Verdict::Unchanged, format!("{wins}; `{index}` was made with it")));
    }
    if !options.rollover {
        let detail = format!("{wins}, but `{index}` was made with other templates: run `trailship setup --rollover`");
        return Ok((Verdict::Warning, detail));
    }
    let unheard = renew(server, templates, name).await?;
    let rolled = server.post(&format!("{name}/_rollover")).await?.accepted()?;
    let new = rolled.get("new_index").and_then(Value::as_str);
    let to = new.map_or_else(|| "a new index".to_owned(), |new| format!("`{new}`"));
    let done = if options.dry_run { "to be rolled over" } else { "rolled over" };
    let mut detail = format!("{wins}; {done} from `{index}` to {to}");
    if !unheard.is_empty() {
        detail.push_str(&format!("; this server does not change the {} of a data stream", unheard.join(" and ")));
    }
    Ok((Verdict::Updated, detail))
}

/// Whether the server would make an index of this name with our mappings; also where it does not say. OpenSearch does not
/// simulate the index of a data stream that exists.
async fn is_made_of(server: &Server<'_>, templates: &Templates, name: &str) -> Result<bool, ServerError> {
    let answer = server.simulate(&format!("_index_template/_simulate_index/{name}"), None).await?;
    let mappings = answer.body.pointer("/template/mappings");
    Ok(!answer.is_accepted() || made_with(mappings) == Some(&templates.fingerprint()))
}

/// Gives a data stream what its template says of it, which otherwise counts only when it is made. What the server has no
/// call for is given back in words.
async fn renew(server: &Server<'_>, templates: &Templates, name: &str) -> Result<Vec<&'static str>, ServerError> {
    let mut unheard = Vec::new();
    for (key, call, words) in [("lifecycle", "_lifecycle", "lifecycle"), (STREAM_OPTIONS, "_options", "failure store")]
    {
        let Some(body) = templates.stream.get(key) else {
            continue;
        };
        let answer = server.put(&format!("_data_stream/{name}/{call}"), body).await?;
        if answer.is_no_such_call() {
            unheard.push(words);
        } else {
            answer.accepted()?;
        }
    }
    Ok(unheard)
}

/// The list of all templates with ours as it is, or in a dry run would be.
fn with_ours(mut all: Value, templates: &Templates) -> Value {
    let ours = json!({"name": templates.name, "index_template": {
        "index_patterns": [templates.pattern], "priority": templates.priority}});
    match all.get_mut("index_templates").and_then(Value::as_array_mut) {
        Some(listed) => {
            listed.retain(|listed| listed["name"] != templates.name.as_str());
            listed.push(ours);
        }
        None => all = json!({"index_templates": [ours]}),
    }
    all
}

/// Which template wins for a name, from the list of all.
fn winner(all: &Value, templates: &Templates, stream: &str) -> Winner {
    let (ours, pattern) = (templates.name.as_str(), templates.pattern.as_str());
    let fitting = fitting(all, stream);
    let Some((winner, others)) = fitting.split_first() else {
        return Winner::Other(format!("no template applies: `setup.template.pattern` is `{pattern}`"));
    };
    if winner.name != ours {
        return Winner::Other(format!(
            "`{}` applies, with priority {}: ours has the pattern `{pattern}` and priority {}; set \
             `setup.template.pattern` or `setup.template.priority`",
            winner.name, winner.priority, templates.priority
        ));
    }
    let others: Vec<String> = others.iter().map(|other| format!("`{}`", other.name)).collect();
    Winner::Ours(match others.is_empty() {
        true => format!("`{ours}` applies"),
        false => format!("`{ours}` applies, before {}", others.join(", ")),
    })
}

/// Names, patterns and priorities of all index templates.
const PRIORITIES: &str = "_index_template?filter_path=index_templates.name,index_templates.index_template.index_patterns,index_templates.index_template.priority";

/// What `GET _resolve/index/PATTERN` found: names with what they are.
fn resolved(answer: &Value) -> Vec<(&str, State)> {
    let mut found = Vec::new();
    for kind in ["indices", "aliases", "data_streams"] {
        for item in answer.get(kind).and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = item.get("name").and_then(Value::as_str) else {
                continue;
            };
            match kind {
                "data_streams" => found.extend(write_index(item).map(|index| (name, State::Writes(index)))),
                _ => found.push((name, State::Taken)),
            }
        }
    }
    found
}

/// The fingerprint of the templates that an index was made with, if they are ours.
fn made_with(mappings: Option<&Value>) -> Option<&str> {
    let meta = mappings?.get("_meta")?;
    let is_ours = meta.get("managed_by").and_then(Value::as_str) == Some(MANAGED_BY);
    meta.get("fingerprint").and_then(Value::as_str).filter(|_| is_ours)
}

/// The index that a data stream writes: the last, besides those of the failure store.
fn write_index(stream: &Value) -> Option<String> {
    let indices = stream["backing_indices"].as_array()?;
    let index = indices.iter().filter_map(Value::as_str).rfind(|name| !name.starts_with(".fs-"))?;
    Some(index.to_owned())
}

/// An index template in the list of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listed<'a> {
    name: &'a str,
    priority: u64,
}

/// The index templates that fit a name, the winner first.
fn fitting<'a>(all: &'a Value, name: &str) -> Vec<Listed<'a>> {
    let mut fitting = Vec::new();
    for listed in all.get("index_templates").and_then(Value::as_array).into_iter().flatten() {
        let (Some(template), Some(listed)) = (listed.get("index_template"), listed.get("name").and_then(Value::as_str))
        else {
            continue;
        };
        let patterns = template.get("index_patterns").and_then(Value::as_array).into_iter().flatten();
        if patterns.filter_map(Value::as_str).any(|pattern| fits(pattern, name)) {
            let priority = template.get("priority").and_then(Value::as_u64).unwrap_or(0);
            fitting.push(Listed { name: listed, priority });
        }
    }
    fitting.sort_by_key(|listed| std::cmp::Reverse(listed.priority));
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_highest_priority_that_fits_comes_first() {
        let template = |name: &str, pattern: &str, priority: Option<u64>| json!({"name": name, "index_template": {"index_patterns": ["x", pattern], "priority": priority}});
        let all = json!({"index_templates": [
            template("all", "*", None),
            template("logs", "logs-*-*", Some(100)),
            template("metrics", "metrics-*-*", Some(1000)),
        ]});
        let names = |name: &str| -> Vec<String> {
            fitting(&all, name).iter().map(|listed| format!("{} {}", listed.name, listed.priority)).collect()
        };
        assert_eq!(names("logs-aws.cloudtrail-default"), ["logs 100", "all 0"]);
        assert_eq!(names("other"), ["all 0"]);
        assert_eq!(fitting(&json!({}), "other"), []);
    }

    #[test]
    fn an_index_in_the_place_of_a_data_stream_is_told_apart() {
        let answer = json!({
            "indices": [{"name": "logs-a"}], "aliases": [{"name": "logs-b", "indices": ["x"]}],
            "data_streams": [{"name": "logs-c", "backing_indices": [".ds-logs-c-000001"]}],
        });
        let writes = State::Writes(".ds-logs-c-000001".to_owned());
        let expected = [("logs-a", State::Taken), ("logs-b", State::Taken), ("logs-c", writes)];
        assert_eq!(resolved(&answer), expected);
        assert_eq!(resolved(&json!(null)), []);
    }

    #[test]
    fn the_write_index_is_the_last_that_holds_documents() {
        let stream = json!({"backing_indices": [".ds-x-000001", ".ds-x-000002", ".fs-x-000003"]});
        assert_eq!(write_index(&stream).as_deref(), Some(".ds-x-000002"));
        assert_eq!(write_index(&json!({"name": "x"})), None);
    }
}
