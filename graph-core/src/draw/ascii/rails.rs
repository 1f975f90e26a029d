//! Rails at the left of a list, on which arrows lead up.

use crate::topology::NodeIndex;

/// The most rails side by side; an arrow for which there is none has its mark alone.
const MOST: usize = 6;

/// One thing in the list, which may take several lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) lines: Vec<String>,
    /// The node whose name it is.
    pub(super) node: Option<NodeIndex>,
    pub(super) up: Option<Up>,
}

/// Leads up to the row of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Up(pub(super) NodeIndex);

impl Row {
    pub(super) fn plain(text: String) -> Self {
        Self {
            lines: vec![text],
            ..Self::default()
        }
    }
}

/// All arrows that lead up to one row.
#[derive(Debug)]
struct Rail {
    head: usize,
    tails: Vec<usize>,
    /// How far it is from the list.
    column: usize,
}

impl Rail {
    fn last(&self) -> usize {
        self.tails.last().copied().unwrap_or(self.head)
    }

    fn meets(&self, other: &Self) -> bool {
        self.head <= other.last() && other.head <= self.last()
    }
}

/// Returns the lines of the rows, with the rails before them.
pub(super) fn railed(rows: &[Row]) -> Vec<String> {
    let rails = rails(rows);
    let columns = rails.iter().map(|rail| rail.column + 1).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        for part in 0..row.lines.len().max(1) {
            let text = row.lines.get(part).map_or("", |line| line);
            lines.push(format!(
                "{}{text}",
                before(&rails, columns, place, part == 0)
            ));
        }
    }
    lines
}

fn rails(rows: &[Row]) -> Vec<Rail> {
    let mut rails: Vec<Rail> = Vec::new();
    for (head, row) in rows.iter().enumerate() {
        let Some(node) = row.node else { continue };
        let tails = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.up == Some(Up(node)));
        let tails: Vec<_> = tails.map(|(place, _)| place).collect();
        if !tails.is_empty() {
            rails.push(Rail {
                head,
                tails,
                column: 0,
            });
        }
    }
    // The shortest are the nearest.
    rails.sort_by_key(|rail| (rail.last() - rail.head, rail.head));
    let mut kept: Vec<Rail> = Vec::new();
    for mut rail in rails {
        let taken: Vec<_> = kept
            .iter()
            .filter(|other| other.meets(&rail))
            .map(|other| other.column)
            .collect();
        let free = (0..MOST).find(|column| !taken.contains(column));
        if let Some(column) = free {
            rail.column = column;
            kept.push(rail);
        }
    }
    kept
}

/// Returns what stands before a line: the rails that go past it, begin at it or end there.
fn before(rails: &[Rail], columns: usize, place: usize, is_first: bool) -> String {
    let mut text = String::new();
    // Whether an arrow comes from the left, and whether it is on its way up.
    let mut across = None;
    for column in (0..columns).rev() {
        let here = rails
            .iter()
            .find(|rail| rail.column == column && rail.head <= place && place <= rail.last());
        let (own, next) = match here {
            Some(rail) if rail.head == place && is_first => ('╭', Some('─')),
            Some(rail) if rail.last() == place && is_first => ('╰', Some('┄')),
            Some(rail) if rail.tails.contains(&place) && is_first => ('├', Some('┄')),
            Some(rail) if rail.last() == place => (' ', None),
            Some(_) => (if across.is_some() { '┼' } else { '│' }, None),
            None => (across.unwrap_or(' '), None),
        };
        across = next.or(across);
        text.push(own);
        let is_head = across == Some('─');
        text.push(match across {
            Some(_) if column == 0 && is_head => '▶',
            Some(stroke) => stroke,
            None => ' ',
        });
    }
    if columns == 0 {
        "   ".to_owned()
    } else {
        text + " "
    }
}
