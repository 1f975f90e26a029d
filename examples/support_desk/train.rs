//! Makes the model from labelled questions.
//!
//! Multinomial logistic regression by `AdaGrad` with a pull towards zero, so that most weights vanish and the file stays
//! small. The order of the rows is shuffled by a fixed seed: the same questions give the same file.

use std::{collections::BTreeMap, fmt, fmt::Write};

use crate::{
    cases::Case,
    classify::{feature_value, features, softmax},
    intents::INTENTS,
};

const EPOCHS: usize = 30;
const STEP: f32 = 0.5;
/// How hard each visit pulls a weight towards zero.
const PULL: f32 = 0.001;
/// A feature must occur in this many questions to be learned.
const SEEN_AT_LEAST: u32 = 5;
/// A weight below this is not worth its room in the file; those that matter run up to about 15.
const WORTH_KEEPING: u16 = 2;

const HEADER: &str = "\
# What the triage of the support desk knows. Written by its subcommand `train`; do not edit.
# Learned from banking77 (https://github.com/PolyAI-LDN/task-specific-datasets), by PolyAI, licence CC BY 4.0
# (https://creativecommons.org/licenses/by/4.0/). Changed: the questions are reduced to weights of stemmed words.
# First a line an intent: `=name`, bias. Then a line a feature: words, intent:weight pairs.
";

/// Learns from labelled questions; the result is the text of the model's file.
pub(crate) fn train(cases: &[Case]) -> Result<String, LabelError> {
    let counts = count_features(cases);
    let numbers: BTreeMap<&str, usize> = counts.keys().map(String::as_str).zip(0..).collect();
    let rows = cases
        .iter()
        .map(|case| Row::of(case, &numbers))
        .collect::<Result<Vec<_>, _>>()?;
    let mut learner = Learner::new(numbers.len());
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut seed = 77;
    for _ in 0..EPOCHS {
        shuffle(&mut order, &mut seed);
        for &at in &order {
            learner.visit(&rows[at]);
        }
    }
    Ok(learner.write(&numbers))
}

fn count_features(cases: &[Case]) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for feature in cases.iter().flat_map(|case| features(&case.text)) {
        *counts.entry(feature.key).or_insert(0) += 1;
    }
    counts.retain(|_, count| *count >= SEEN_AT_LEAST);
    counts
}

struct Row {
    features: Vec<usize>,
    value: f32,
    intent: usize,
}

impl Row {
    fn of(case: &Case, numbers: &BTreeMap<&str, usize>) -> Result<Self, LabelError> {
        let label = case.category.as_deref();
        let intent = label.and_then(|label| INTENTS.iter().position(|(name, _)| *name == label));
        let all = features(&case.text);
        Ok(Self {
            features: all
                .iter()
                .filter_map(|feature| numbers.get(feature.key.as_str()).copied())
                .collect(),
            value: feature_value(all.len()),
            intent: intent.ok_or_else(|| LabelError {
                question: case.number,
                label: label.map(String::from),
            })?,
        })
    }
}

/// One weight an intent, for a feature or for the bias, each with the sum of its squared gradients.
#[derive(Clone)]
struct Weights([(f32, f32); INTENTS.len()]);

impl Weights {
    const ZERO: Self = Self([(0.0, 1e-6); INTENTS.len()]);

    fn learn(&mut self, errors: &[f32], value: f32, pull: f32) {
        for ((weight, squares), error) in self.0.iter_mut().zip(errors) {
            let gradient = error * value;
            *squares += gradient * gradient;
            let step = STEP / squares.sqrt();
            let moved = *weight - step * gradient;
            *weight = moved.signum() * (moved.abs() - step * pull).max(0.0);
        }
    }
}

struct Learner {
    bias: Weights,
    weights: Vec<Weights>,
}

impl Learner {
    fn new(features: usize) -> Self {
        Self {
            bias: Weights::ZERO,
            weights: vec![Weights::ZERO; features],
        }
    }

    fn visit(&mut self, row: &Row) {
        let mut errors = self.bias.0.map(|(weight, _)| weight);
        for &feature in &row.features {
            for (score, (weight, _)) in errors.iter_mut().zip(&self.weights[feature].0) {
                *score += weight * row.value;
            }
        }
        softmax(&mut errors);
        errors[row.intent] -= 1.0;
        self.bias.learn(&errors, 1.0, 0.0);
        for &feature in &row.features {
            self.weights[feature].learn(&errors, row.value, PULL);
        }
    }

    fn write(&self, numbers: &BTreeMap<&str, usize>) -> String {
        let mut text = HEADER.to_owned();
        for ((name, _), (bias, _)) in INTENTS.iter().zip(&self.bias.0) {
            let _ = writeln!(text, "={name}\t{}", round(*bias));
        }
        for (words, &at) in numbers {
            let rounded = self.weights[at]
                .0
                .iter()
                .enumerate()
                .map(|(index, (weight, _))| (index, round(*weight)));
            let kept = rounded.filter(|(_, weight)| weight.unsigned_abs() >= WORTH_KEEPING);
            let kept: Vec<_> = kept
                .map(|(index, weight)| format!("{index}:{weight}"))
                .collect();
            if !kept.is_empty() {
                let _ = writeln!(text, "{words}\t{}", kept.join(" "));
            }
        }
        text
    }
}

fn round(weight: f32) -> i16 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "weights are small, and `as` saturates"
    )]
    let whole = weight.round() as i16;
    whole
}

/// Fisher and Yates, over a generator of Knuth's that is good enough to mix rows.
fn shuffle(order: &mut [usize], seed: &mut u64) {
    for last in (1..order.len()).rev() {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let other = ((*seed >> 33) % (last as u64 + 1)) as usize;
        order.swap(last, other);
    }
}

/// Splits off every fifth question, to measure what was learned from the others.
pub(crate) fn hold_back(cases: &[Case]) -> (Vec<Case>, Vec<Case>) {
    cases.iter().cloned().partition(|case| case.number % 5 != 0)
}

/// A question to learn from has no label that the table of intents knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LabelError {
    question: usize,
    label: Option<String>,
}

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => write!(
                f,
                "question {} is labelled `{label}`, which is no known intent",
                self.question
            ),
            None => write!(
                f,
                "question {} has no label; training needs a column `category`",
                self.question
            ),
        }
    }
}

impl std::error::Error for LabelError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        classify::{Classifier, Reading},
        intents::Desk,
    };

    fn case(number: usize, text: &str, category: &str) -> Case {
        Case {
            number,
            text: text.into(),
            category: (!category.is_empty()).then(|| category.into()),
        }
    }

    fn few() -> Vec<Case> {
        let texts = [
            ("where is my card", "card_arrival"),
            ("i was charged twice", "transaction_charged_twice"),
        ];
        (0..12)
            .map(|at| case(at + 1, texts[at % 2].0, texts[at % 2].1))
            .collect()
    }

    #[test]
    fn the_same_questions_give_the_same_model() {
        assert_eq!(train(&few()), train(&few()));
    }

    #[test]
    fn a_model_knows_what_it_was_taught() {
        let model = Classifier::parse(&train(&few()).expect("labels are known"))
            .expect("a model reads what it writes");
        assert!(
            matches!(model.classify("charged twice", &[]), Reading::Clear(guess) if guess.desk == Desk::Charges)
        );
    }

    #[test]
    fn a_label_that_nobody_knows_is_told_with_its_question() {
        let told = |category| {
            train(&[case(7, "hello", category)])
                .expect_err("no such label")
                .to_string()
        };
        assert_eq!(
            told("greeting"),
            "question 7 is labelled `greeting`, which is no known intent"
        );
        assert_eq!(
            told(""),
            "question 7 has no label; training needs a column `category`"
        );
    }

    #[test]
    fn a_shuffle_keeps_every_row() {
        let mut order: Vec<usize> = (0..100).collect();
        shuffle(&mut order, &mut 1);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
