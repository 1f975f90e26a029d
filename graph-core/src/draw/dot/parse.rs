//! The grammar of DOT, as much of it as we write, into statements.

use super::name::unquoted;
use super::read::DotError;

/// How many subgraphs may lie within each other. A file may come from anyone.
const DEEPEST: usize = 100;

/// A statement, with the line on which it begins.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// `graph`, `node` or `edge` with attributes, and `name=value`: how the rest looks.
    Style(Vec<(String, String)>),
    Node(String, Vec<(String, String)>),
    Arrow(String, String, Vec<(String, String)>),
    Subgraph(String, Vec<Statement>),
}

impl Statement {
    /// Returns the value of an attribute.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let attributes = match &self.kind {
            Kind::Style(attributes) | Kind::Node(_, attributes) | Kind::Arrow(_, _, attributes) => {
                attributes
            }
            Kind::Subgraph(..) => return None,
        };
        let named = attributes.iter().find(|(other, _)| other == name);
        named.map(|(_, value)| &**value)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    /// A word without quotes, which may be a keyword.
    Word(String),
    Mark(char),
    Arrow,
}

/// Returns the name of the graph and its statements.
pub(super) fn parse(text: &str) -> Result<(String, Vec<Statement>), DotError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
    };
    parser.expect(&Token::Word("digraph".to_owned()))?;
    let name = parser.text()?;
    parser.expect(&Token::Mark('{'))?;
    let statements = parser.statements()?;
    match parser.tokens.get(parser.at) {
        None => Ok((name, statements)),
        Some(_) => Err(parser.wrong("the end")),
    }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, DotError> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text.trim_start_matches('\u{feff}');
    while let Some(first) = rest.chars().next() {
        let began = line;
        let (token, length) = match first {
            '"' => {
                let length =
                    quoted_length(rest).ok_or(DotError::new(line, "a text without end"))?;
                (Some(Token::Text(unquoted(&rest[1..length - 1]))), length)
            }
            '<' => {
                let length = html_length(rest).ok_or(DotError::new(line, "a text without end"))?;
                (Some(Token::Text(rest[1..length - 1].to_owned())), length)
            }
            '-' if rest.starts_with("->") => (Some(Token::Arrow), 2),
            '{' | '}' | '[' | ']' | '=' | ',' | ';' => (Some(Token::Mark(first)), 1),
            _ if first.is_whitespace() => (None, first.len_utf8()),
            '/' if rest.starts_with("//") => (None, rest.find('\n').unwrap_or(rest.len())),
            _ if is_word(first) => {
                let length = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
                (Some(Token::Word(rest[..length].to_owned())), length)
            }
            _ => {
                return Err(DotError::new(
                    line,
                    format!("`{first}` has no meaning here"),
                ));
            }
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
        tokens.extend(token.map(|token| (began, token)));
    }
    Ok(tokens)
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '.' || letter == '-'
}

/// Returns the length of a text in quotes, with the quotes.
fn quoted_length(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    let end = text.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == '"' && !is_escaped;
        is_escaped = *letter == '\\' && !is_escaped;
        ends
    });
    end.map(|(at, _)| at + 1)
}

/// Returns the length of a text in angle brackets, with the brackets.
fn html_length(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let end = text.char_indices().find(|(_, letter)| {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    });
    end.map(|(at, _)| at + 1)
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
}

impl Parser {
    /// Reads statements up to the brace that ends them, however deep they are nested.
    fn statements(&mut self) -> Result<Vec<Statement>, DotError> {
        let mut open: Vec<(usize, String, Vec<Statement>)> = Vec::new();
        let mut statements = Vec::new();
        loop {
            let line = self.line();
            if self.eat(&Token::Mark('}')) {
                let Some((line, name, outer)) = open.pop() else {
                    return Ok(statements);
                };
                let inner = std::mem::replace(&mut statements, outer);
                statements.push(Statement {
                    line,
                    kind: Kind::Subgraph(name, inner),
                });
            } else if self.eat(&Token::Mark(';')) {
                // A statement may have an end of its own, or none.
            } else if self.eat(&Token::Word("subgraph".to_owned())) {
                let name = self.text()?;
                self.expect(&Token::Mark('{'))?;
                if open.len() == DEEPEST {
                    return Err(DotError::new(line, "too many graphs within each other"));
                }
                open.push((line, name, std::mem::take(&mut statements)));
            } else {
                let kind = self.statement()?;
                statements.push(Statement { line, kind });
            }
        }
    }

    fn statement(&mut self) -> Result<Kind, DotError> {
        for word in ["graph", "node", "edge"] {
            if self.eat(&Token::Word(word.to_owned())) {
                return self.attributes().map(Kind::Style);
            }
        }
        let first = self.text()?;
        if self.eat(&Token::Mark('=')) {
            let value = self.text()?;
            return Ok(Kind::Style(vec![(first, value)]));
        }
        if self.eat(&Token::Arrow) {
            let to = self.text()?;
            return Ok(Kind::Arrow(first, to, self.attributes()?));
        }
        Ok(Kind::Node(first, self.attributes()?))
    }

    fn attributes(&mut self) -> Result<Vec<(String, String)>, DotError> {
        let mut attributes = Vec::new();
        while self.eat(&Token::Mark('[')) {
            while !self.eat(&Token::Mark(']')) {
                let name = self.text()?;
                self.expect(&Token::Mark('='))?;
                attributes.push((name, self.text()?));
                let _ = self.eat(&Token::Mark(',')) || self.eat(&Token::Mark(';'));
            }
        }
        Ok(attributes)
    }

    fn text(&mut self) -> Result<String, DotError> {
        match self.tokens.get(self.at) {
            Some((_, Token::Text(text) | Token::Word(text))) => {
                self.at += 1;
                Ok(text.clone())
            }
            _ => Err(self.wrong("a name")),
        }
    }

    fn eat(&mut self, token: &Token) -> bool {
        let is_next = self
            .tokens
            .get(self.at)
            .is_some_and(|(_, next)| next == token);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, token: &Token) -> Result<(), DotError> {
        if self.eat(token) {
            return Ok(());
        }
        let wanted = match token {
            Token::Mark(mark) => format!("`{mark}`"),
            Token::Word(word) => format!("`{word}`"),
            Token::Text(_) | Token::Arrow => "something else".to_owned(),
        };
        Err(self.wrong(&wanted))
    }

    fn wrong(&self, wanted: &str) -> DotError {
        let found = match self.tokens.get(self.at) {
            None => "the file ends".to_owned(),
            Some((_, Token::Mark(mark))) => format!("`{mark}` stands"),
            Some((_, Token::Arrow)) => "`->` stands".to_owned(),
            Some((_, Token::Text(text) | Token::Word(text))) => format!("`{text}` stands"),
        };
        DotError::new(self.line(), format!("{found} where {wanted} belongs"))
    }

    fn line(&self) -> usize {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        token.map_or(1, |(line, _)| *line)
    }
}
