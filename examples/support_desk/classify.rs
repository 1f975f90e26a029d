//! What a customer wants, read from the words: a linear model over single words and pairs of words.
//!
//! The model gives each of the 77 intents a probability. A desk's probability is the sum over its intents, so a
//! question that hovers between two kinds of fee is still surely one for the charges desk. `train.rs` makes the model.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::intents::{Desk, intent};

/// The best desk must be this far ahead of the second best, or a person decides.
///
/// Chosen on the fifth of `train.csv` that `train` holds back, where it leaves about one question in twenty to a person.
pub(crate) const CLEAR_MARGIN: f32 = 0.20;

/// The trained model.
#[derive(Debug)]
pub(crate) struct Classifier {
    intents: Vec<(&'static str, Desk, f32)>,
    weights: HashMap<String, Vec<(usize, f32)>>,
}

/// What the classifier makes of a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Reading {
    /// One desk stands out.
    Clear(Guess),
    /// No desk does; the nearest, if the question had any word that the model knows.
    Unclear(Option<Guess>),
}

/// The desk that fits best.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Guess {
    /// Who should answer.
    pub(crate) desk: Desk,
    /// What the customer most likely wants from that desk.
    pub(crate) intent: String,
    /// The desk's probability among those that were not excluded.
    pub(crate) confidence: f32,
    /// How far the desk is ahead of the second best.
    pub(crate) margin: f32,
    /// The words that spoke loudest for it, at most three.
    pub(crate) because: Vec<String>,
}

impl Guess {
    /// The confidence in whole percent.
    pub(crate) fn percent(&self) -> u8 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it lies between 0 and 100"
        )]
        let percent = (self.confidence.clamp(0.0, 1.0) * 100.0).round() as u8;
        percent
    }
}

impl Classifier {
    /// The model that comes with the example.
    pub(crate) fn bundled() -> Result<Self, ModelError> {
        Self::parse(include_str!("model.tsv"))
    }

    /// Reads a model as `train` writes it: comments, then `intent name bias`, then `words` and `intent:weight` pairs.
    pub(crate) fn parse(text: &str) -> Result<Self, ModelError> {
        let mut model = Self {
            intents: Vec::new(),
            weights: HashMap::new(),
        };
        for (line, content) in (1..).zip(text.lines()) {
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            model.take_line(content).ok_or_else(|| ModelError {
                line,
                content: content.into(),
            })?;
        }
        if model.weights.is_empty() {
            Err(ModelError {
                line: 0,
                content: String::new(),
            })
        } else {
            Ok(model)
        }
    }

    fn take_line(&mut self, line: &str) -> Option<()> {
        let (words, rest) = line.split_once('\t')?;
        if let Some(name) = words.strip_prefix('=') {
            let (name, desk) = intent(name)?;
            self.intents.push((name, desk, weight(rest)?));
            return Some(());
        }
        let pairs = rest.split(' ').map(|pair| {
            let (index, number) = pair.split_once(':')?;
            let index = index
                .parse()
                .ok()
                .filter(|index| *index < self.intents.len())?;
            Some((index, weight(number)?))
        });
        let pairs = pairs.collect::<Option<_>>()?;
        self.weights.insert(words.to_owned(), pairs);
        Some(())
    }

    /// The desk for a question, passing over those that already said it is not theirs.
    pub(crate) fn classify(&self, text: &str, excluding: &[Desk]) -> Reading {
        let features = features(text);
        if !features
            .iter()
            .any(|feature| self.weights.contains_key(&feature.key))
        {
            return Reading::Unclear(None);
        }
        let chances = self.chances(&features);
        let mut desks: Vec<(Desk, f32)> = Desk::ALL
            .into_iter()
            .filter(|desk| !excluding.contains(desk))
            .map(|desk| {
                (
                    desk,
                    self.of_desk(&chances, desk).map(|(_, chance)| chance).sum(),
                )
            })
            .collect();
        // Stable, so that equal desks keep the written order.
        desks.sort_by(|a, b| b.1.total_cmp(&a.1));
        let total: f32 = desks.iter().map(|(_, chance)| chance).sum();
        let Some(&(desk, first)) = desks.first() else {
            return Reading::Unclear(None);
        };
        let second = desks.get(1).map_or(0.0, |(_, chance)| *chance);
        let Some((best, _)) = self
            .of_desk(&chances, desk)
            .max_by(|a, b| a.1.total_cmp(&b.1))
        else {
            return Reading::Unclear(None);
        };
        let guess = Guess {
            desk,
            intent: self.intents[best].0.to_owned(),
            confidence: first / total,
            margin: (first - second) / total,
            because: self.because(&features, best),
        };
        if guess.margin < CLEAR_MARGIN {
            Reading::Unclear(Some(guess))
        } else {
            Reading::Clear(guess)
        }
    }

    fn of_desk<'a>(
        &'a self,
        chances: &'a [f32],
        desk: Desk,
    ) -> impl Iterator<Item = (usize, f32)> + 'a {
        (0..)
            .zip(chances.iter().copied())
            .filter(move |(index, _)| self.intents[*index].1 == desk)
    }

    /// The probability of each intent: a softmax over the sums of weights.
    fn chances(&self, features: &[Feature]) -> Vec<f32> {
        let mut scores: Vec<f32> = self.intents.iter().map(|(_, _, bias)| *bias).collect();
        let value = feature_value(features.len());
        for (index, weight) in features
            .iter()
            .filter_map(|feature| self.weights.get(&feature.key))
            .flatten()
        {
            scores[*index] += weight * value;
        }
        softmax(&mut scores);
        scores
    }

    fn because(&self, features: &[Feature], best: usize) -> Vec<String> {
        let speaks_for = |feature: &Feature| {
            let weights = self.weights.get(&feature.key)?;
            weights
                .iter()
                .find(|(index, weight)| *index == best && *weight > 0.0)
                .map(|(_, weight)| *weight)
        };
        let mut loudest: Vec<_> = features
            .iter()
            .filter_map(|it| Some((speaks_for(it)?, &it.surface)))
            .collect();
        loudest.sort_by(|a, b| b.0.total_cmp(&a.0));
        loudest
            .into_iter()
            .take(3)
            .map(|(_, surface)| surface.clone())
            .collect()
    }
}

fn weight(number: &str) -> Option<f32> {
    number.parse::<i16>().ok().map(f32::from)
}

/// A word or a pair of words: the stemmed key that the model knows, and how the customer wrote it.
#[derive(Debug)]
pub(crate) struct Feature {
    pub(crate) key: String,
    pub(crate) surface: String,
}

/// The features of a text, each once.
pub(crate) fn features(text: &str) -> Vec<Feature> {
    let words = words(text);
    let single = words.iter().map(|word| Feature {
        key: stem(word).into(),
        surface: word.clone(),
    });
    let pairs = words.windows(2).map(|pair| Feature {
        key: format!("{} {}", stem(&pair[0]), stem(&pair[1])),
        surface: pair.join(" "),
    });
    let mut seen = HashSet::new();
    single
        .chain(pairs)
        .filter(|feature| seen.insert(feature.key.clone()))
        .collect()
}

/// The words in lower case. An apostrophe vanishes (`don't` is `dont`), and all numbers look alike.
pub(crate) fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace(['\'', '’'], "");
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                "0".into()
            } else {
                word.into()
            }
        })
        .collect()
}

/// The word without its commonest endings: `charges`, `charged` and `charging` are all `charg`.
pub(crate) fn stem(word: &str) -> &str {
    let without = |end| {
        word.strip_suffix(end)
            .filter(|rest: &&str| rest.len() >= 3 && !rest.ends_with('s'))
    };
    ["ing", "ed", "es", "s", "e"]
        .into_iter()
        .find_map(without)
        .unwrap_or(word)
}

/// What one feature counts: long texts do not shout, and words nobody knows make a text less certain.
pub(crate) fn feature_value(count: usize) -> f32 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a question has far fewer words than an f32 can count"
    )]
    let count = count.max(1) as f32;
    count.sqrt().recip()
}

/// Turns scores into probabilities in place.
pub(crate) fn softmax(scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - highest).exp();
        total += *score;
    }
    for score in scores {
        *score /= total;
    }
}

/// A line of the model's file that makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ModelError {
    line: usize,
    content: String,
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(
                f,
                "the model is empty; the subcommand `train` writes it anew"
            ),
            line => write!(
                f,
                "line {line} of the model cannot be read: `{}`",
                self.content
            ),
        }
    }
}

impl std::error::Error for ModelError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, excluding: &[Desk]) -> Reading {
        Classifier::bundled()
            .expect("the bundled model is sound")
            .classify(text, excluding)
    }

    #[test]
    fn a_card_charged_twice_is_for_the_charges_desk_and_says_why() {
        let Reading::Clear(guess) = read("my card was charged twice", &[]) else {
            panic!("it is clear")
        };
        assert_eq!(
            (guess.desk, guess.intent.as_str()),
            (Desk::Charges, "transaction_charged_twice")
        );
        assert!(guess.because.contains(&"twice".to_owned()), "{guess:?}");
        assert!(
            guess.confidence > 0.9 && guess.confidence <= 1.0,
            "{guess:?}"
        );
    }

    #[test]
    fn each_desk_gets_its_own_questions() {
        for (text, desk) in [
            ("Where is my new card?", Desk::Cards),
            ("The money I transferred has not arrived", Desk::Transfers),
            ("Why did I pay a fee for this payment?", Desk::Charges),
            ("I forgot my passcode", Desk::Access),
        ] {
            let reading = read(text, &[]);
            assert!(
                matches!(&reading, Reading::Clear(guess) if guess.desk == desk),
                "{text}: {reading:?}"
            );
        }
    }

    #[test]
    fn what_the_bank_never_hears_is_unclear() {
        assert!(matches!(
            read("colourless green ideas sleep furiously", &[]),
            Reading::Unclear(_)
        ));
        assert_eq!(read("xyzzy plugh", &[]), Reading::Unclear(None));
        assert_eq!(read("", &[]), Reading::Unclear(None));
        assert_eq!(read("?!", &[]), Reading::Unclear(None));
    }

    #[test]
    fn an_excluded_desk_gives_way_to_the_second_best() {
        let text = "does a transfer cost a fee";
        let nearest = |excluding: &[Desk]| match read(text, excluding) {
            Reading::Clear(guess) => Some(guess.desk),
            Reading::Unclear(guess) => guess.map(|guess| guess.desk),
        };
        let (first, second) = (Desk::Charges, Desk::Transfers);
        assert_eq!(
            (nearest(&[]), nearest(&[first])),
            (Some(first), Some(second))
        );
    }

    #[test]
    fn with_every_desk_excluded_nothing_is_left() {
        assert_eq!(
            read("my card was charged twice", &Desk::ALL),
            Reading::Unclear(None)
        );
    }

    #[test]
    fn endings_fall_off_and_short_words_stay() {
        assert_eq!(
            ["charges", "charged", "charging", "charge"].map(stem),
            ["charg"; 4]
        );
        assert_eq!(
            ["fee", "fees", "pass", "is", "red"].map(stem),
            ["fee", "fee", "pass", "is", "red"]
        );
    }

    #[test]
    fn words_are_lower_case_without_apostrophes_and_numbers_look_alike() {
        assert_eq!(
            words("Didn’t I pay £12.50, twice?"),
            ["didnt", "i", "pay", "0", "0", "twice"]
        );
    }

    #[test]
    fn a_broken_model_is_told_by_its_line() {
        let told = |text| {
            Classifier::parse(text)
                .expect_err("it is broken")
                .to_string()
        };
        assert_eq!(
            told("# only words\n"),
            "the model is empty; the subcommand `train` writes it anew"
        );
        assert_eq!(
            told("=age_limit\t-1\nold\t0:x\n"),
            "line 2 of the model cannot be read: `old\t0:x`"
        );
        assert_eq!(
            told("=age_limit\t-1\nold\t1:3\n"),
            "line 2 of the model cannot be read: `old\t1:3`"
        );
        assert_eq!(
            told("=mortgages\t-1\n"),
            "line 1 of the model cannot be read: `=mortgages\t-1`"
        );
    }

    #[test]
    fn the_bundled_model_stays_small() {
        assert!(include_str!("model.tsv").len() < 150_000);
    }
}
