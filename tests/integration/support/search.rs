//! Looks into the index, past the program.

use super::program::until_async;
use serde_json::{Value, json};

/// One data stream on a search server.
pub struct Stream {
    pub url: String,
    pub namespace: String,
    http: reqwest::Client,
}

impl Stream {
    pub fn new(url: &str, namespace: &str) -> Stream {
        let namespace = format!("{}_{}", namespace, std::process::id());
        Stream { url: url.to_owned(), namespace, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    pub fn name(&self) -> String {
        format!("logs-aws.cloudtrail-{}", self.namespace)
    }

    /// The data stream of another data set in the same namespace, by its suffix.
    pub fn beside(&self, suffix: &str) -> String {
        format!("logs-aws.cloudtrail{suffix}-{}", self.namespace)
    }

    /// What lies in it, as hits; nothing while it is not there.
    pub async fn found_beside(&self, suffix: &str) -> Vec<Value> {
        let name = self.beside(suffix);
        let (status, _) = self.call(reqwest::Method::POST, &format!("{name}/_refresh"), None).await;
        if status != 200 {
            return Vec::new();
        }
        let (_, answer) =
            self.call(reqwest::Method::POST, &format!("{name}/_search"), Some(json!({"size": 1000}))).await;
        answer["hits"]["hits"].as_array().cloned().unwrap_or_default()
    }

    pub async fn call(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}/{path}", self.url));
        if let Some(body) = body {
            request = request.json_body(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// A call about this stream. After a start a node answers before its shards do, with 503: then it is asked again.
    async fn ask(&self, what: &str, body: Option<Value>) -> (u16, Value) {
        until_async("the shards are there", async || {
            let answer = self.call(reqwest::Method::POST, &format!("{}/{what}", self.name()), body.clone()).await;
            (answer.0 != 503).then_some(answer)
        })
        .await
    }

    /// Makes what was indexed visible; false when the stream does not exist.
    async fn refresh(&self) -> bool {
        let (status, answer) = self.ask("_refresh", None).await;
        assert!(matches!(status, 200 | 404), "{status}: {answer}");
        status == 200
    }

    /// The number of documents; 0 when the stream does not exist.
    pub async fn count(&self) -> usize {
        if !self.refresh().await {
            return 0;
        }
        let (status, answer) = self.ask("_count", None).await;
        assert_eq!(status, 200, "{answer}");
        usize::try_from(answer["count"].as_u64().unwrap()).unwrap()
    }

    /// Every document, as `(_id, _source)`, sorted by `event.id`. Empty when the stream does not exist.
    pub async fn documents(&self) -> Vec<(String, Value)> {
        if !self.refresh().await {
            return Vec::new();
        }
        let mut found: Vec<(String, Value)> = Vec::new();
        let mut after: Option<Value> = None;
        loop {
            let sort = json!([{"event.id": {"order": "asc", "missing": "_last"}}, {"log.offset": "asc"}]);
            let mut query = json!({"size": 5000, "sort": sort});
            if let Some(after) = &after {
                query["search_after"] = after.clone();
            }
            let (status, answer) = self.ask("_search", Some(query)).await;
            assert_eq!(status, 200, "{answer}");
            let hits = answer["hits"]["hits"].as_array().unwrap();
            let Some(last) = hits.last() else { return found };
            after = Some(last["sort"].clone());
            found.extend(hits.iter().map(|hit| (hit["_id"].as_str().unwrap().to_owned(), hit["_source"].clone())));
        }
    }

    /// `event.id` of every document, sorted; with repeats, were there any.
    pub async fn event_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .documents()
            .await
            .iter()
            .filter_map(|(_, source)| source["event"]["id"].as_str().map(str::to_owned))
            .collect();
        ids.sort();
        ids
    }
}

trait JsonBody {
    fn json_body(self, body: &Value) -> Self;
}

impl JsonBody for reqwest::RequestBuilder {
    fn json_body(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }
}
