//! Looks into the index, past the program.

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

    /// Every document, as `(_id, _source)`, sorted by `event.id`. Empty when the stream does not exist.
    pub async fn documents(&self) -> Vec<(String, Value)> {
        let (status, _) = self.call(reqwest::Method::POST, &format!("{}/_refresh", self.name()), None).await;
        if status == 404 {
            return Vec::new();
        }
        assert_eq!(status, 200);
        let mut found: Vec<(String, Value)> = Vec::new();
        let mut after: Option<Value> = None;
        loop {
            let sort = json!([{"event.id": {"order": "asc", "missing": "_last"}}, {"log.offset": "asc"}]);
            let mut query = json!({"size": 5000, "sort": sort});
            if let Some(after) = &after {
                query["search_after"] = after.clone();
            }
            let (status, answer) =
                self.call(reqwest::Method::POST, &format!("{}/_search", self.name()), Some(query)).await;
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
