//! `eval`: a node judged by labelled cases.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Verdict;
use super::args::{Eval as Args, Format};
use super::error::Error;
use super::graph::Graphs;
use super::output::{Output, note};
use crate::Runnable;
use crate::eval::{Case, Eval, EvalError, Report, read_csv, read_states};

/// A row of any CSV file. The columns are in the order of their names.
type Row = BTreeMap<String, String>;

pub(super) async fn run(args: &Args, graphs: &Graphs, out: &mut Output) -> Result<Verdict, Error> {
    // What cannot be compared with is told before anything costs anything.
    let baseline = args.baseline.as_ref().map(Report::load).transpose()?;
    let report = graphs.runner(&args.graph)?.eval(args).await?;
    let comparison = baseline
        .map(|baseline| report.against(&baseline))
        .transpose()?;
    if let Some(path) = &args.save {
        report.save(path)?;
    }
    match out.format {
        Format::Json => {
            out.json(&json!({"report": report.written(), "comparison": comparison}))?;
        }
        Format::Markdown => {
            out.text(report.markdown())?;
            if let Some(comparison) = &comparison {
                out.text(format!("\n{}", comparison.markdown()))?;
            }
        }
        Format::Text => {
            out.text(&report)?;
            if let Some(comparison) = &comparison {
                out.text(format!("\n{comparison}"))?;
            }
        }
    }
    let percent = |share| crate::table::percent(Some(share));
    let least = args.threshold.filter(|least| report.accuracy() < *least);
    if let Some(least) = least {
        let is = percent(report.accuracy());
        note(format!(
            "{is} are right, and {} are the least",
            percent(least)
        ));
    }
    let is_worse = comparison.is_some_and(|comparison| comparison.is_worse());
    if is_worse {
        note("fewer cases are right than were");
    }
    Ok(Verdict::failed_if(least.is_some() || is_worse))
}

/// Judges a node of a graph.
pub(super) async fn judge<G: Runnable>(graph: &G, args: &Args) -> Result<Report, Error> {
    let node = Eval::new(graph, &args.node)?
        .at_once(args.at_once)
        .show_progress();
    let cases: Vec<Case<G::State>> = match &args.state {
        Some(state) => Template::new(args, state)?.read(&args.cases)?,
        None if args.cases.extension().is_some_and(|end| end == "csv") => {
            return Err(Error::Usage(
                "what state does a row of a CSV file make? say it with \
                 `--state '{\"question\": \"{text}\"}'`"
                    .to_owned(),
            ));
        }
        None => read_states(&args.cases)?,
    };
    Ok(node.run(cases).await?)
}

/// How a case is made of a row.
struct Template<'a> {
    state: Map<String, Value>,
    expected: &'a str,
    name: Option<&'a str>,
    labels: Option<BTreeMap<String, String>>,
}

impl<'a> Template<'a> {
    fn new(args: &'a Args, state: &str) -> Result<Self, Error> {
        Ok(Self {
            state: serde_json::from_str(state).map_err(|source| Error::Json {
                what: "the state",
                source,
            })?,
            expected: &args.expected,
            name: args.name.as_deref(),
            labels: args.labels.as_deref().map(labels).transpose()?,
        })
    }

    fn read<S: crate::State>(&self, path: &Path) -> Result<Vec<Case<S>>, EvalError> {
        read_csv(path, |row: Row| self.case(&row))
    }

    fn case<S: crate::State>(&self, row: &Row) -> Result<Case<S>, String> {
        let fields = self.state.iter();
        let fields = fields.map(|(name, value)| Ok((name.clone(), filled(value, row)?)));
        let state = crate::from_json::state(fields.collect::<Result<_, String>>()?)?;
        let label = column(row, self.expected)?;
        let expected = match &self.labels {
            None => label,
            Some(labels) => labels
                .get(label)
                .ok_or_else(|| format!("`--labels` says nothing of `{label}`"))?,
        };
        let name = match self.name {
            Some(name) => column(row, name)?.to_owned(),
            None => self.texts(row),
        };
        Ok(Case::new(state, expected).named(name))
    }

    /// Returns what a row brings to the state, for want of a name.
    fn texts(&self, row: &Row) -> String {
        let state = Value::from(self.state.clone()).to_string();
        let used = row
            .iter()
            .filter(|(name, _)| state.contains(&format!("{{{name}}}")));
        let used: Vec<_> = used.map(|(_, text)| text.as_str()).collect();
        used.join(", ")
    }
}

/// Reads what labels stand for.
fn labels(path: &Path) -> Result<BTreeMap<String, String>, EvalError> {
    #[derive(Deserialize)]
    struct Label {
        label: String,
        node: String,
    }
    let labels = read_csv(path, |row: Label| Case::new(row.label, row.node))?;
    Ok(labels.into_iter().map(Case::into_parts).collect())
}

fn column<'r>(row: &'r Row, name: &str) -> Result<&'r str, String> {
    let column = row.get(name).map(String::as_str);
    column.ok_or_else(|| {
        let columns: Vec<_> = row.keys().map(|name| format!("`{name}`")).collect();
        format!(
            "there is no column `{name}`; the columns are {}",
            columns.join(", ")
        )
    })
}

/// Puts the row's texts into those of a value.
fn filled(value: &Value, row: &Row) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(text_of(text, row)?),
        Value::Array(items) => {
            let items = items.iter().map(|item| filled(item, row));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| Ok((name.clone(), filled(value, row)?)));
            Value::Object(fields.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

fn text_of(template: &str, row: &Row) -> Result<String, String> {
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, behind)) = behind.split_once('}') else {
            return Err(format!(
                "`{template}` begins a column with `{{` and does not end it"
            ));
        };
        text += before;
        text += column(row, name)?;
        rest = behind;
    }
    Ok(text + rest)
}
