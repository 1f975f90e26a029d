//! How often triage finds the right desk, on questions that people have labelled.

use std::path::Path;

use handoffs::eval::{Case, Eval, EvalError, Report, read_csv};
use serde::Deserialize;

use crate::cases;
use crate::graph::{SupportDesk, Ticket};
use crate::intents::{UnknownIntent, desk_of};

/// Questions under way at once.
const AT_ONCE: usize = 32;

/// A line of a file such as `dev.csv`.
#[derive(Deserialize)]
struct Row {
    text: String,
    category: String,
}

/// Asks the triage of a desk the questions of a file.
pub(crate) async fn file(desk: &SupportDesk, path: &Path) -> Result<Report, EvalError> {
    judge(
        desk,
        read_csv(path, |row: Row| case(row.text, &row.category))?,
    )
    .await
}

/// Asks the triage of a desk these questions, each of which has its category.
pub(crate) async fn questions(
    desk: &SupportDesk,
    questions: &[cases::Case],
) -> Result<Report, crate::Error> {
    let labelled = questions.iter().map(|question| {
        let category = question.category.as_deref().unwrap_or_default();
        case(question.text.clone(), category)
    });
    Ok(judge(desk, labelled.collect::<Result<_, _>>()?).await?)
}

/// Expects a question at the desk that sees to what the customer wants.
fn case(text: String, category: &str) -> Result<Case<Ticket>, UnknownIntent> {
    let ticket = Ticket::new("somebody", text.as_str());
    Ok(Case::new(ticket, desk_of(category)?.name()).named(text))
}

async fn judge(desk: &SupportDesk, cases: Vec<Case<Ticket>>) -> Result<Report, EvalError> {
    let triage = Eval::new(desk, "triage")?;
    triage.at_once(AT_ONCE).show_progress().run(cases).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::data_folder;

    const README: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/support_desk/README.md"
    );

    /// What stands in the README behind the first mark, up to the second.
    const MARKS: [&str; 2] = ["<!-- evaluation -->\n", "<!-- end of evaluation -->"];

    async fn report() -> Option<Report> {
        let desk = SupportDesk::open().expect("the model is good");
        let file = file(&desk, &data_folder()?.join("dev.csv")).await;
        Some(file.expect("dev.csv is sound"))
    }

    /// The questions of `dev.csv` took no part in the making of the model.
    #[tokio::test]
    async fn nine_in_ten_real_questions_find_their_desk_and_few_are_unclear() {
        let Some(report) = report().await else { return };
        report.assert_accuracy(0.9);
        assert_eq!(report.failed(), 0);
        let scores = report.scores();
        let human = scores.iter().find(|score| score.target == "human");
        let unclear = human.map_or(0, |human| human.got) * 100;
        let all = report.cases().len();
        assert!((3 * all..8 * all).contains(&unclear), "{report}");
    }

    #[tokio::test]
    async fn the_table_in_the_readme_is_up_to_date() {
        let Some(report) = report().await else { return };
        let page = std::fs::read_to_string(README).expect("there is a README");
        let [begin, end] = MARKS.map(|mark| page.find(mark).expect("it has a place for the table"));
        let (before, after) = (&page[..begin + MARKS[0].len()], &page[end..]);
        let today = format!("{before}\n{}\n{after}", report.markdown());
        if std::env::var_os("HANDOFFS_BLESS").is_some_and(|bless| bless == "1") {
            std::fs::write(README, today).expect("the README can be written");
        } else {
            assert!(
                page == today,
                "the README has another table than this:\n\n{}",
                report.markdown()
            );
        }
    }

    #[test]
    fn a_question_of_which_nobody_knows_the_desk_is_told_by_its_line() {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let path = folder.path().join("cases.csv");
        std::fs::write(&path, "text,category\nHello,age_limit\nHi,greeting\n").expect("a file");
        let read = read_csv(&path, |row: Row| case(row.text, &row.category));
        let text = read.expect_err("there is no such intent").to_string();
        assert!(
            text.ends_with("cases.csv`, line 3: `greeting` is no known intent"),
            "{text}"
        );
    }
}
