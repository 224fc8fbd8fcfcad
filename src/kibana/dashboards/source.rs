//! Reads a dashboard's source file into the model. What its queries and fields are worth, the validator of the tests says.

use crate::config::{ConfigErrors, document};
use crate::kibana::kql::any_of;

use super::Options;
use super::model::{Bucket, Dashboard, Draw, Measure};

/// Reads the text of `dashboards/src/<name>`.
///
/// # Errors
/// Everything in it that is no dashboard, with file, line and column.
pub fn read(name: &str, text: &str) -> Result<Dashboard, ConfigErrors> {
    document(name, text)
}

/// Puts in what the sources leave open: `{approved_regions}` in KQL and texts, and `{links}` in texts.
pub(super) fn complete(dashboards: &mut [Dashboard], options: &Options) {
    let in_kql = any_of(&options.approved_regions);
    let in_text = options.approved_regions.join(", ");
    let names: Vec<(String, String)> = dashboards.iter().map(|one| (one.id.clone(), one.title.clone())).collect();
    for dashboard in dashboards {
        let links = links(&names, &dashboard.id);
        for panel in dashboard.rows.iter_mut().flat_map(|row| &mut row.panels) {
            panel.help = panel.help.replace(REGIONS, &in_text);
            if let Some(only) = &mut panel.only {
                *only = only.replace(REGIONS, &in_kql);
            }
            if let Draw::Text(text) = &mut panel.draw {
                *text = text.replace(LINKS, &links).replace(REGIONS, &in_text);
            }
            for only in queries(&mut panel.draw) {
                *only = only.replace(REGIONS, &in_kql);
            }
        }
    }
}

const REGIONS: &str = "{approved_regions}";
const LINKS: &str = "{links}";

/// The way to every dashboard; the one that is open is bold instead.
fn links(names: &[(String, String)], open: &str) -> String {
    let shown = names.iter().map(|(id, title)| {
        let title = title.strip_prefix("CloudTrail: ").unwrap_or(title);
        if id == open { format!("**{title}**") } else { format!("[{title}](#/dashboard/{id})") }
    });
    shown.collect::<Vec<_>>().join("  |  ")
}

/// Every KQL text inside.
fn queries(draw: &mut Draw) -> Vec<&mut String> {
    let (buckets, measures): (Vec<&mut Bucket>, Vec<&mut Measure>) = match draw {
        Draw::Text(_) => (Vec::new(), Vec::new()),
        Draw::Metric { value, beside, .. } => (Vec::new(), std::iter::once(value).chain(beside).collect()),
        Draw::Chart { over, split, values, .. } => {
            (std::iter::once(over).chain(split).collect(), values.iter_mut().collect())
        }
        Draw::Table { rows, values, .. } => (rows.iter_mut().collect(), values.iter_mut().collect()),
        Draw::Heatmap { x, y, value } => (vec![x, y], vec![value]),
    };
    let of_buckets = buckets.into_iter().filter_map(|bucket| match bucket {
        Bucket::Filters(named) => Some(named.iter_mut().map(|one| &mut one.only)),
        Bucket::Time | Bucket::Terms { .. } => None,
    });
    of_buckets.flatten().chain(measures.into_iter().filter_map(|measure| measure.only.as_mut())).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const SMALL: &str = "
id: d
title: 'CloudTrail: Small'
description: ''
time: 24h
rows:
  - height: 4
    panels:
      - {id: links, width: 48, draw: {text: '{links}'}}
  - height: 6
    panels:
      - id: abroad
        help: Not {approved_regions}.
        width: 48
        only: 'not cloud.region: ({approved_regions})'
        draw:
          chart:
            style: line
            over: time
            split: {filters: [{label: at home, only: 'cloud.region: ({approved_regions})'}]}
            values: [{label: n, of: count, only: 'not cloud.region: ({approved_regions})'}]
";

    #[test]
    fn faults_name_file_line_and_column() {
        let wrong = SMALL.replace("style: line", "style: lines");
        let text = read("small.yml", &wrong).unwrap_err().to_string();
        assert!(
            text.starts_with("small.yml:18:20: rows[1].panels[0].draw.chart.style: `lines` is not one of"),
            "{text}"
        );
        assert!(!text.contains("must be set"), "{text}");
        let wrong = SMALL.replace("time: 24h", "times: 24h");
        let text = read("small.yml", &wrong).unwrap_err().to_string();
        assert!(text.starts_with("small.yml:5:1: there is no `times` here"), "{text}");
    }

    #[test]
    fn placeholders_become_lists_and_links() {
        let mut all = vec![read("small.yml", SMALL).unwrap(), read("small.yml", SMALL).unwrap()];
        all[1].id = "e".to_owned();
        all[1].title = "CloudTrail: Other".to_owned();
        complete(&mut all, &Options { approved_regions: vec!["eu-west-1".to_owned(), "a\"b".to_owned()] });
        let panels: Vec<_> = all[0].placed().map(|(_, panel)| panel).collect();
        assert_eq!(panels[0].draw, Draw::Text("**Small**  |  [Other](#/dashboard/e)".to_owned()));
        assert_eq!(panels[1].help, "Not eu-west-1, a\"b.");
        let outside = r#"not cloud.region: ("eu-west-1" or "a\"b")"#;
        assert_eq!(panels[1].only.as_deref(), Some(outside));
        let Draw::Chart { split: Some(Bucket::Filters(named)), values, .. } = &panels[1].draw else { panic!() };
        assert_eq!(named[0].only, r#"cloud.region: ("eu-west-1" or "a\"b")"#);
        assert_eq!(values[0].only.as_deref(), Some(outside));
    }

    #[test]
    fn without_approved_regions_every_region_is_outside() {
        let mut all = vec![read("small.yml", SMALL).unwrap()];
        complete(&mut all, &Options { approved_regions: Vec::new() });
        let panel = all[0].placed().nth(1).unwrap().1;
        assert_eq!(panel.only.as_deref(), Some(r#"not cloud.region: ("")"#));
    }
}
